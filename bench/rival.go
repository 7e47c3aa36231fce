package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// rival is a way to have a call answered by another process. What comes before the call, such as filling the messages of a
// request, is not its time: whoever would do better finds it done.
type rival struct {
	name              string
	key               string                                        // of the ratio of `detect` to gophersnake's in the JSON; may be empty
	noopName, noopKey string                                        // of its no-op
	noop              func() error                                  // sends nothing and gets nothing; nil if another rival has it
	begin             func(calls int) error                         // says how many calls come next; may be nil
	prepare           func(data []float64, want []int) func() error // returns a call that checks its answer
	parallel          bool                                          // one call need not wait for another, and goroutines are measured
	process           server                                        // several rivals may share one
}

// server is the other process.
type server interface {
	pid() int
	close() error
}

// starters start the rivals by the name of what they start.
var starters = []starter{
	{"gRPC", startGRPC},
	{"HTTP", startHTTP},
	{"unix socket", startSocket},
	{"pipe", startPipe},
	{"shared memory", startSharedMemory},
}

type starter struct {
	name  string
	start func(python string) ([]rival, error)
}

// startRivals starts all of them. They run until close, or until this process ends.
func startRivals(python string) (all []rival, err error) {
	for _, s := range starters {
		started, err := s.start(python)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", s.name, err), closeRivals(all))
		}
		all = append(all, started...)
	}
	return all, nil
}

// closeRivals ends their processes.
func closeRivals(rivals []rival) (err error) {
	closed := map[server]bool{}
	for _, r := range rivals {
		if !closed[r.process] {
			closed[r.process] = true
			err = errors.Join(err, r.process.close())
		}
	}
	return err
}

// process is a child and what we have open to it.
type process struct {
	*child
	open []io.Closer
}

func (p *process) close() (err error) {
	for _, o := range p.open {
		err = errors.Join(err, o.Close())
	}
	return errors.Join(err, p.child.close())
}

// repeats makes many calls of one.
func (r rival) repeats(call func() error) func(calls int) (time.Duration, error) {
	run := repeats(call)
	if r.begin == nil {
		return run
	}
	return func(calls int) (time.Duration, error) {
		if err := r.begin(calls); err != nil {
			return 0, err
		}
		return run(calls)
	}
}

// repeats makes many calls of one.
func repeats(call func() error) func(calls int) (time.Duration, error) {
	return func(calls int) (time.Duration, error) {
		start := time.Now()
		for range calls {
			if err := call(); err != nil {
				return 0, err
			}
		}
		return time.Since(start), nil
	}
}

// check tells whether an answer is right.
func check[T int | int32 | int64](got []T, want []int, err error) error {
	if err != nil {
		return err
	}
	if !slices.EqualFunc(got, want, func(g T, w int) bool { return int(g) == w }) {
		return fmt.Errorf("wrong answer: want %v, got %v", want, got)
	}
	return nil
}
