//go:build !gophersnake_gc

package python

func collectForTest() {}
