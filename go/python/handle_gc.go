//go:build gophersnake_gc

package python

import "runtime"

// collectForTest collects garbage whenever a handle is read, so that tests see an object that is freed too early.
func collectForTest() { runtime.GC() }
