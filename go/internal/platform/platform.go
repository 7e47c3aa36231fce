// Package platform fails to compile where gophersnake does not run. Whoever builds for such a place so reads one line, and not the
// names of all that is missing then in the packages that need it.
package platform
