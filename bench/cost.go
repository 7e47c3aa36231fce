package main

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cost is what a call takes besides time.
type cost struct {
	allocs float64 // of Go memory
	heap   float64 // their bytes
	kernel float64 // bytes that system calls have read and written
	faults float64 // minor page faults
}

// costOf makes calls and returns what one of them costs.
//
// Page faults stand for mmap, which no unprivileged process can count: memory that was mapped is touched, and each touch of a
// new page is a minor fault. A call that maps memory, as each does that makes a new thread state, has one at least.
func costOf(run func(calls int) (time.Duration, error), calls int) (cost, error) {
	if _, err := run(calls); err != nil { // warm up
		return cost{}, err
	}
	counting, err := count(func() error { return nil })
	if err != nil {
		return cost{}, err
	}
	all, err := count(func() error {
		_, err := run(calls)
		return err
	})
	each := func(all, counting float64) float64 { return max(all-counting, 0) / float64(calls) }
	return cost{
		allocs: each(all.allocs, counting.allocs), heap: each(all.heap, counting.heap),
		kernel: each(all.kernel, counting.kernel), faults: all.faults / float64(calls),
	}, err
}

// count returns what all of a run costs, counting included.
func count(run func() error) (cost, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	faults, kernel := minorFaults(), kernelBytes()
	err := run()
	faults, kernel = minorFaults()-faults, kernelBytes()-kernel
	runtime.ReadMemStats(&after)
	return cost{
		allocs: float64(after.Mallocs - before.Mallocs),
		heap:   float64(after.TotalAlloc - before.TotalAlloc),
		kernel: float64(kernel),
		faults: float64(faults),
	}, err
}

func minorFaults() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err) // both arguments are right
	}
	return usage.Minflt
}

// kernelBytes returns how many bytes this process has read and written.
func kernelBytes() (bytes int64) {
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		panic(err) // gophersnake runs on Linux
	}
	for _, name := range []string{"rchar: ", "wchar: "} {
		_, rest, _ := strings.Cut(string(text), name)
		line, _, _ := strings.Cut(rest, "\n")
		count, err := strconv.ParseInt(line, 10, 64)
		if err != nil {
			panic(err)
		}
		bytes += count
	}
	return bytes
}
