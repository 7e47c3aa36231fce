// Package pulltest tests Go functions that use [iter.Pull], which the tests of package python do not: a program that has code of
// iter.Pull runs the Go functions that Python calls in another way.
package pulltest
