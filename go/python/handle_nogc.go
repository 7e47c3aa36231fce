//go:build !gophersnake_gc

package python

const collects = false

func collectForTest() {}
