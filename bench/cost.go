package main

import (
	"runtime"
	"syscall"
	"time"
)

// cost is what a call takes besides time.
type cost struct {
	allocs float64 // of Go memory
	faults float64 // minor page faults
}

// costOf makes calls and returns what one of them cost.
//
// Page faults stand for mmap, which no unprivileged process can count: memory that was mapped is touched, and each touch of a
// new page is a minor fault. A call that maps memory, as each does that makes a new thread state, has one at least.
func costOf(run func(calls int) (time.Duration, error), calls int) (cost, error) {
	if _, err := run(calls); err != nil {
		return cost{}, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	faults := minorFaults()
	if _, err := run(calls); err != nil {
		return cost{}, err
	}
	faults = minorFaults() - faults
	runtime.ReadMemStats(&after)
	return cost{
		allocs: float64(after.Mallocs-before.Mallocs) / float64(calls),
		faults: float64(faults) / float64(calls),
	}, nil
}

func minorFaults() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err) // both arguments are right
	}
	return usage.Minflt
}
