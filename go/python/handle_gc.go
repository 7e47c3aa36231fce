//go:build gophersnake_gc

package python

import "runtime"

// collects tells that garbage is collected at every use of a handle.
const collects = true

// collectForTest collects garbage whenever a handle is read, so that tests see an object that is freed too early.
func collectForTest() { runtime.GC() }
