//go:build !linux || !cgo

package platform

// The compiler prints the name.
const _ = gophersnake_needs_Linux_and_cgo__set_CGO_ENABLED_1_and_install_a_C_compiler
