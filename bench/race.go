package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime/pprof"
	"slices"
	"time"
)

// contestant is one way to make calls.
type contestant struct {
	name string
	job  string                                 // what it does, if others do the same
	by   string                                 // and who does it
	n    int                                    // the length of what is passed
	run  func(calls int) (time.Duration, error) // makes calls, checks their answers and returns how long they took
	key  string                                 // of its ratio to the first of its heat in the JSON; may be empty

	long  bool      // its rounds are longer
	least int       // calls in one round; 0: 1
	calls int       // in one round
	ns    []float64 // for one call, by round
}

// heat is the one who others are compared with, who comes first, and the others.
type heat []*contestant

// by returns who does the job of the heat in a way; nil if nobody does.
func (h heat) by(by string) *contestant {
	i := slices.IndexFunc(h, func(c *contestant) bool { return c.by == by })
	if i < 0 {
		return nil
	}
	return h[i]
}

// ratios returns the times of a contestant by those of another one of its heat, by round: both ran within the same moments.
func ratios(of, to *contestant) []float64 {
	ratios := make([]float64, len(of.ns))
	for i := range ratios {
		ratios[i] = of.ns[i] / to.ns[i]
	}
	return ratios
}

// quietest returns the quarter of the rounds in which the contestants together, each beside its own median, were fastest. Which of
// them is compared with which has no part in that.
func (h heat) quietest() []int {
	rounds := make([]int, len(h[0].ns))
	slowness := make([]float64, len(rounds))
	for _, c := range h {
		usual := median(c.ns)
		for i, ns := range c.ns {
			slowness[i] += math.Log(ns / usual)
		}
	}
	for i := range rounds {
		rounds[i] = i
	}
	slices.SortStableFunc(rounds, func(a, b int) int { return cmp.Compare(slowness[a], slowness[b]) })
	return rounds[:(len(rounds)+3)/4]
}

// pick returns the values with these places.
func pick(values []float64, places []int) []float64 {
	picked := make([]float64, len(places))
	for i, place := range places {
		picked[i] = values[place]
	}
	return picked
}

// pace says how long a race lasts.
type pace struct {
	rounds int           // at most, for each heat
	least  int           // rounds at least, however slow a heat is
	round  time.Duration // of a contestant, at least
	heat   time.Duration // for all rounds of a heat, beyond which there are fewer
}

// race lets all contestants make calls in turn, in many short rounds, and so that each meets the same noise. Slow heats have
// fewer rounds, which are spread over the whole race.
func race(heats []heat, pace pace, step func()) error {
	rounds := make([]int, len(heats))
	for i, h := range heats {
		for _, c := range h {
			if err := c.warmUp(pace.round); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
		start := time.Now()
		for _, c := range h {
			if _, err := c.round(); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
		rounds[i] = min(max(int(pace.heat/time.Since(start)), pace.least), pace.rounds)
	}
	for round := range pace.rounds {
		for i, h := range heats {
			if (round+1)*rounds[i]/pace.rounds == round*rounds[i]/pace.rounds {
				continue
			}
			for _, c := range h {
				ns, err := c.round()
				if err != nil {
					return fmt.Errorf("%s: %w", c.name, err)
				}
				c.ns = append(c.ns, ns)
			}
		}
		step()
	}
	return nil
}

// warmUp finds how many calls fill a round. It does so twice: the first calls open connections and fill caches.
func (c *contestant) warmUp(length time.Duration) error {
	if c.long {
		length *= 5
	}
	for range 2 {
		var took time.Duration
		for c.calls = max(c.least, 1) / 2; took < length; {
			c.calls = max(2*c.calls, 1)
			var err error
			if took, err = c.fastest(); err != nil {
				return err
			}
		}
	}
	return nil
}

// fastest makes the calls some times, and returns how long they took the fastest time: what interrupts them would make rounds short.
func (c *contestant) fastest() (time.Duration, error) {
	least := time.Duration(math.MaxInt64)
	for range 3 {
		took, err := c.run(c.calls)
		if err != nil {
			return 0, err
		}
		if least = min(least, took); took > 100*time.Millisecond { // no interruption is as long
			break
		}
	}
	return least, nil
}

// round makes the calls of one round, on a goroutine of its own, and returns the nanoseconds for one of them. Some calls before
// them do not count: they find the caches as the contestant before has left them.
func (c *contestant) round() (ns float64, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels("contestant", c.name)))
		if c.calls > 1 {
			if _, err = c.run((c.calls + warm - 1) / warm); err != nil {
				return
			}
		}
		var took time.Duration
		took, err = c.run(c.calls)
		ns = float64(took.Nanoseconds()) / float64(c.calls)
	}()
	<-done
	return ns, err
}

// warm is which part of the calls of a round is made before it.
const warm = 4

// quantile returns what a share of the values lies below.
func quantile(values []float64, share float64) float64 {
	return ofSorted(slices.Sorted(slices.Values(values)), share)
}

// ofSorted is quantile for values in order; 0 if there are none.
func ofSorted(sorted []float64, share float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(share*float64(len(sorted)-1))]
}

func median(values []float64) float64 { return quantile(values, 0.5) }
