package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// crowd is how many goroutines call at once under load.
const crowd = 1000

// load is what many goroutines get through, against one.
type load struct {
	name string
	work func(calls int) (time.Duration, error)
	key  string  // of the ratio in the JSON; may be empty
	bar  float64 // the least ratio that is wanted

	one, many  []float64 // calls per second, by round
	ratios     []float64 // of the two, by round
	maxThreads int       // OS threads of the process while many call
}

// run adds a round: first one goroutine works, then many do, for the same time.
func (l *load) run(length time.Duration) error {
	one, _, err := throughput(l.work, 1, length)
	if err != nil {
		return fmt.Errorf("%s: %w", l.name, err)
	}
	many, threads, err := throughput(l.work, crowd, length)
	if err != nil {
		return fmt.Errorf("%s: %w", l.name, err)
	}
	l.one, l.many, l.ratios = append(l.one, one), append(l.many, many), append(l.ratios, many/one)
	l.maxThreads = max(l.maxThreads, threads)
	return nil
}

// throughput lets goroutines call over and over, and counts once they are all at it.
func throughput(work func(calls int) (time.Duration, error), goroutines int, length time.Duration) (perSecond float64, threads int, err error) {
	var (
		done    atomic.Int64
		stop    atomic.Bool
		failure atomic.Pointer[error]
		group   sync.WaitGroup
	)
	for range goroutines {
		group.Go(func() {
			for !stop.Load() {
				if _, err := work(1); err != nil {
					failure.Store(&err)
					return
				}
				done.Add(1)
			}
		})
	}
	time.Sleep(length / 4)
	start, before := time.Now(), done.Load()
	for time.Since(start) < length {
		time.Sleep(length / 10)
		threads = max(threads, countThreads())
	}
	took, calls := time.Since(start), done.Load()-before
	stop.Store(true)
	group.Wait()
	if failed := failure.Load(); failed != nil {
		return 0, 0, *failed
	}
	return float64(calls) / took.Seconds(), threads, nil
}

// countThreads returns how many OS threads the process has.
func countThreads() int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err) // gophersnake runs on Linux
	}
	_, rest, _ := strings.Cut(string(status), "\nThreads:")
	line, _, _ := strings.Cut(rest, "\n")
	count, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		panic(err)
	}
	return count
}
