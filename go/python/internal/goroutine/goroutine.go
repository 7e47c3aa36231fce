// Package goroutine tells goroutines apart, for what belongs to one of them without being handed on.
package goroutine

// Current returns a number that the calling goroutine has for as long as it runs, and no other one meanwhile.
func Current() uintptr
