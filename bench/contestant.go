package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/gophersnake/gophersnake/go/python"
)

const (
	module    = "workload" // the Python module whose functions are called
	batch     = 100        // calls in a batch
	usual     = 1000       // the length of the array that the bars are about
	maxLength = 10_000_000 // of an array that does not matter
	largest   = 1_000_000  // of one that is looked at

	noopName  = "noop, Bind"
	freshName = "noop, C, a new thread state for each call"
)

// find is the Go type of the functions that return indices.
type find = func(context.Context, []float64) ([]int, error)

// contestants holds every function in every form that is measured.
type contestants struct {
	data                               []float64
	three, outliers                    []int // the right answers
	noopFloor, threeFloor, detectFloor *floor
	noopBound                          func(context.Context, []float64) error
	noopFunction                       *python.Function
	threeBound, detectBound            find
}

func newContestants(in *python.Interpreter) (*contestants, error) {
	data := series(maxLength)
	c := &contestants{data: data, three: []int{1, 2, 3}, outliers: detect(data[:usual])}
	failures := []error{openFloor()}
	check := func(err error) { failures = append(failures, err) }
	if failures[0] != nil {
		return nil, failures[0]
	}
	var err error
	c.noopFloor, err = loadFloor("noop", 0)
	check(err)
	c.threeFloor, err = loadFloor("three", len(c.three))
	check(err)
	c.detectFloor, err = loadFloor("detect", len(c.outliers))
	check(err)
	c.noopBound, err = python.Bind[func(context.Context, []float64) error](in, module+":noop")
	check(err)
	c.noopFunction, err = in.Func(module + ":noop")
	check(err)
	c.threeBound, err = python.Bind[find](in, module+":three")
	check(err)
	c.detectBound, err = python.Bind[find](in, module+":detect")
	check(err)
	return c, errors.Join(failures...)
}

// series is normal noise, the same each time; beyond the largest array that is read, zeros.
func series(n int) []float64 {
	noise := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // no secrets here
	data := make([]float64, n)
	for i := range min(n, largest) {
		data[i] = noise.NormFloat64()
	}
	return data
}

// detect is the Python function of this name, in Go.
func detect(data []float64) (indices []int) {
	var mean, variance float64
	for _, x := range data {
		mean += x / float64(len(data))
	}
	for _, x := range data {
		variance += (x - mean) * (x - mean) / float64(len(data))
	}
	for i, x := range data {
		if math.Abs(x-mean) > 2*math.Sqrt(variance) {
			indices = append(indices, i)
		}
	}
	return indices
}

// heats returns who races against whom.
func (c *contestants) heats() []heat {
	heats := []heat{
		{
			{name: "noop, C floor", n: usual, run: c.inC(c.noopFloor, gilHeld, usual, nil)},
			{name: noopName, n: usual, run: c.noop(usual), key: "noop_vs_c", bar: 2.5},
			{name: "noop, Function.Call", n: usual, run: c.call},
			{name: fmt.Sprintf("batch of %d no-ops, each", batch), n: usual, run: c.batch, key: "map100_vs_c", bar: 1.15},
			{name: "noop, C, the GIL taken for each call", n: usual, run: c.inC(c.noopFloor, gilTaken, usual, nil)},
			{name: freshName, n: usual, run: c.inC(c.noopFloor, gilFresh, usual, nil)},
			{name: "an empty cgo call with a pointer", run: c.cross},
		},
		{
			{name: "noop with 3 ints, C floor", n: usual, run: c.inC(c.threeFloor, gilHeld, usual, c.three)},
			{name: "noop with 3 ints, Bind", n: usual, run: c.find(c.threeBound, c.three), key: "noop_result_vs_c", bar: 3},
		},
		{
			{name: "detect, C floor", n: usual, run: c.inC(c.detectFloor, gilHeld, usual, c.outliers)},
			{name: "detect, Bind", n: usual, run: c.find(c.detectBound, c.outliers), key: "detect1000_vs_c", bar: 1.05},
		},
	}
	for n := 10; n <= maxLength; n *= 10 {
		if n != usual {
			heats = append(heats, heat{
				{name: "noop, C floor", n: n, run: c.inC(c.noopFloor, gilHeld, n, nil)},
				{name: noopName, n: n, run: c.noop(n)},
			})
		}
	}
	return heats
}

// loads returns what many goroutines do at once.
func (c *contestants) loads() []*load {
	return []*load{
		{name: "detect", work: c.find(c.detectBound, c.outliers), key: "gate1000_vs_1", bar: 0.4},
		{name: "noop", work: c.noop(usual)},
	}
}

func (c *contestants) inC(f *floor, gil uint32, n int, want []int) func(int) (time.Duration, error) {
	return func(calls int) (time.Duration, error) { return f.run(gil, c.data[:n], calls, want) }
}

func (c *contestants) noop(n int) func(int) (time.Duration, error) {
	data, ctx := c.data[:n], context.Background()
	return func(calls int) (time.Duration, error) {
		start := time.Now()
		for range calls {
			if err := c.noopBound(ctx, data); err != nil {
				return 0, err
			}
		}
		return time.Since(start), nil
	}
}

func (c *contestants) call(calls int) (time.Duration, error) {
	data, ctx := c.data[:usual], context.Background()
	start := time.Now()
	for range calls {
		result, err := c.noopFunction.Call(ctx, data)
		if err != nil {
			return 0, err
		}
		if !result.IsNone() {
			return 0, errors.New("wrong answer: want None, got an object")
		}
	}
	return time.Since(start), nil
}

// batch makes calls many at a time, and counts each.
func (c *contestants) batch(calls int) (time.Duration, error) {
	inputs, ctx := slices.Repeat([][]float64{c.data[:usual]}, batch), context.Background()
	start := time.Now()
	for made := 0; made < calls; made += batch {
		results, err := c.noopFunction.Map(ctx, inputs[:min(batch, calls-made)])
		if err != nil {
			return 0, err
		}
		for _, result := range results {
			if !result.IsNone() {
				return 0, errors.New("wrong answer: want None, got an object")
			}
		}
	}
	return time.Since(start), nil
}

func (c *contestants) find(f find, want []int) func(int) (time.Duration, error) {
	data, ctx := c.data[:usual], context.Background()
	return func(calls int) (time.Duration, error) {
		start := time.Now()
		for range calls {
			got, err := f(ctx, data)
			if err != nil {
				return 0, err
			}
			if !slices.Equal(got, want) {
				return 0, wrong(got, want)
			}
		}
		return time.Since(start), nil
	}
}

func (c *contestants) cross(calls int) (time.Duration, error) { return cross(c.data, calls), nil }

func wrong(got, want []int) error { return fmt.Errorf("wrong answer: want %v, got %v", want, got) }
