package main

import (
	"context"
	"fmt"
	"runtime/pprof"
	"slices"
	"time"
)

// contestant is one way to make calls.
type contestant struct {
	name string
	n    int                                    // the length of what is passed
	run  func(calls int) (time.Duration, error) // makes calls, checks their answers and returns how long they took
	key  string                                 // of its ratio in the JSON; may be empty
	bar  float64                                // the greatest ratio that is wanted; 0: none

	calls  int       // in one round
	ns     []float64 // for one call, by round
	ratios []float64 // to the floor of the same round
}

// heat is a floor, which comes first, and those who are compared with it.
type heat []*contestant

// race lets all contestants make calls in turn, in many short rounds, and so that each meets the same noise.
func race(heats []heat, rounds int, length time.Duration, step func()) error {
	for _, h := range heats {
		for _, c := range h {
			if err := c.warmUp(length); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	for range rounds {
		for _, h := range heats {
			var floor float64
			for _, c := range h {
				ns, err := c.round()
				if err != nil {
					return fmt.Errorf("%s: %w", c.name, err)
				}
				if c == h[0] {
					floor = ns
				}
				c.ns = append(c.ns, ns)
				c.ratios = append(c.ratios, ns/floor)
			}
		}
		step()
	}
	return nil
}

// warmUp finds how many calls fill a round.
func (c *contestant) warmUp(length time.Duration) error {
	for c.calls = 1; ; c.calls *= 2 {
		took, err := c.run(c.calls)
		if err != nil {
			return err
		}
		if took >= length {
			return nil
		}
	}
}

// round makes the calls of one round, on a goroutine of its own, and returns the nanoseconds for one of them.
func (c *contestant) round() (ns float64, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels("contestant", c.name)))
		var took time.Duration
		took, err = c.run(c.calls)
		ns = float64(took.Nanoseconds()) / float64(c.calls)
	}()
	<-done
	return ns, err
}

// quantile returns what a share of the values lies below.
func quantile(values []float64, share float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(share*float64(len(sorted)-1))]
}

func median(values []float64) float64 { return quantile(values, 0.5) }
