package main

// #define _GNU_SOURCE
// #include <pthread.h>
//
// static size_t default_stack(void) {
//     pthread_attr_t attributes;
//     size_t size = 0;
//     if (pthread_getattr_default_np(&attributes) == 0) {
//         pthread_attr_getstacksize(&attributes, &size);
//         pthread_attr_destroy(&attributes);
//     }
//     return size;
// }
import "C"

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// limits are those of this process; nil is no limit. Started from the same shell, a Go program has the same ones.
type limits struct {
	// ThreadStack is what a thread gets, as Go's threads do, on which calls run; StackLimit is `ulimit -s`.
	ThreadStack uint64  `json:"thread_stack_bytes"`
	StackLimit  *uint64 `json:"stack_limit_bytes"`
	OpenFiles   *uint64 `json:"open_files"`
	// Processes and Memory are the smaller of the limits of the user and of the control group (container).
	Processes     *uint64 `json:"processes"`
	Memory        *uint64 `json:"memory_bytes"`
	GOMAXPROCS    int     `json:"gomaxprocs"`
	MaxConcurrent int     `json:"max_concurrent"`
}

const (
	rlimitProcesses = 6 // RLIMIT_NPROC of Linux, which package syscall lacks
	// leastStack is what CPython needs for its own limit of recursion: with less, deep recursion can end the process.
	leastStack = 2 << 20
)

func readLimits() limits {
	processors := runtime.GOMAXPROCS(0)
	return limits{
		ThreadStack:   uint64(C.default_stack()),
		StackLimit:    resourceLimit(syscall.RLIMIT_STACK),
		OpenFiles:     resourceLimit(syscall.RLIMIT_NOFILE),
		Processes:     smaller(resourceLimit(rlimitProcesses), groupLimit("pids.max")),
		Memory:        smaller(resourceLimit(syscall.RLIMIT_AS), groupLimit("memory.max")),
		GOMAXPROCS:    processors,
		MaxConcurrent: processors, // the default of Config
	}
}

func resourceLimit(resource int) *uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(resource, &limit); err != nil || limit.Cur == 1<<64-1 {
		return nil
	}
	return &limit.Cur
}

// groupLimit is the least of the limits of the process's control group and the groups around it (version 2).
func groupLimit(name string) *uint64 {
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	var least *uint64
	for line := range strings.Lines(string(groups)) {
		group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		for ; ok; group = filepath.Dir(group) {
			text, _ := os.ReadFile(filepath.Join("/sys/fs/cgroup", group, name)) // the root has none
			if limit, err := strconv.ParseUint(string(bytes.TrimSpace(text)), 10, 64); err == nil {
				least = smaller(least, &limit)
			}
			ok = len(group) > 1
		}
	}
	return least
}

func smaller(a, b *uint64) *uint64 {
	if a == nil || b != nil && *b < *a {
		return b
	}
	return a
}
