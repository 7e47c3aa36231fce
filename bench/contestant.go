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

// Who does a job that others do too.
const (
	byC      = "C floor"
	byLoop   = "Python loop"
	byBind   = "gophersnake, Bind"
	byCall   = "gophersnake, Call"
	byMap    = "gophersnake, Map of 100"
	byWorker = "gophersnake, worker"
)

// find is the Go type of the functions that return indices.
type find = func(context.Context, []float64) ([]int, error)

// contestants holds every function in every form that is measured.
type contestants struct {
	data                            []float64
	three                           []int // the right answer
	noopFloor, threeFloor           *floor
	noopBound, keepBound, failBound func(context.Context, []float64) error
	noopFunction, detectFunction    *python.Function
	threeBound, detectBound         find
	loopBound                       func(string, []float64, int) (int64, []int, error)
	worker                          context.Context
}

// newContestants resolves all functions. The worker ends with the context.
func newContestants(ctx context.Context, in *python.Interpreter) (*contestants, error) {
	data := series(maxLength)
	c := &contestants{data: data, three: []int{1, 2, 3}, worker: in.Worker(ctx).Context(ctx)}
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
	c.noopBound, err = python.Bind[func(context.Context, []float64) error](in, module+":noop")
	check(err)
	c.keepBound, err = python.Bind[func(context.Context, []float64) error](in, module+":keep")
	check(err)
	c.failBound, err = python.Bind[func(context.Context, []float64) error](in, module+":fail")
	check(err)
	c.loopBound, err = python.Bind[func(string, []float64, int) (int64, []int, error)](in, module+":loop")
	check(err)
	c.noopFunction, err = in.Func(module + ":noop")
	check(err)
	c.detectFunction, err = in.Func(module + ":detect")
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
func (c *contestants) heats(lengths []int, rivals []rival) ([]heat, error) {
	noops := heat{
		{name: "noop, C floor", by: byC, n: usual, run: c.inC(c.noopFloor, gilHeld, usual, nil)},
		{name: noopName, by: byBind, n: usual, run: c.noop(usual), key: "noop_vs_c"},
		{name: "noop, Function.Call", by: byCall, n: usual, run: c.call},
		{name: fmt.Sprintf("batch of %d no-ops, each", batch), by: byMap, n: usual, least: batch, run: c.batch, key: "map100_vs_c"},
		{name: "noop, Python loop", by: byLoop, n: usual, run: c.loop("noop", usual, nil)},
		{name: "noop that keeps its argument, Bind", n: usual, run: c.noopLike(c.keepBound, usual)},
		{name: "noop that raises, Bind", n: usual, run: c.fails},
		{name: "noop, C, the GIL taken for each call", n: usual, run: c.inC(c.noopFloor, gilTaken, usual, nil)},
		{name: freshName, n: usual, run: c.inC(c.noopFloor, gilFresh, usual, nil)},
		{name: "an empty cgo call with a pointer", run: c.cross},
	}
	others := heat{
		{name: noopName, by: byBind, n: usual, run: c.noop(usual)},
		{name: "noop, worker", by: byWorker, n: usual, run: c.noopOn(c.worker, usual)},
	}
	for _, r := range rivals {
		if r.noop != nil {
			others = append(others, &contestant{name: "noop, " + r.noopName, by: r.noopName, key: r.noopKey, run: r.repeats(r.noop)})
		}
	}
	heats := []heat{noops.of("noop"), others.of("noop").long()}
	for _, n := range lengths {
		ours, others, err := c.detects(n, rivals)
		if err != nil {
			return nil, err
		}
		heats = append(heats, ours, others)
	}
	heats = append(heats, heat{
		{name: "noop with 3 ints, C floor", n: usual, run: c.inC(c.threeFloor, gilHeld, usual, c.three)},
		{name: "noop with 3 ints, Bind", n: usual, run: c.find(c.threeBound, usual, c.three), key: "noop_result_vs_c"},
	})
	for n := 10; n <= maxLength; n *= 10 {
		if n != usual {
			heats = append(heats, heat{
				{name: "noop, C floor", n: n, run: c.inC(c.noopFloor, gilHeld, n, nil)},
				{name: noopName, n: n, run: c.noop(n)},
			})
		}
	}
	return heats, nil
}

// detects returns all who find the outliers of n values: those who do it on the thread of the caller, and the others.
func (c *contestants) detects(n int, rivals []rival) (ours, others heat, err error) {
	want := detect(c.data[:n])
	floor, err := loadFloor("detect", len(want))
	if err != nil {
		return nil, nil, err
	}
	ours = heat{
		{name: "detect, C floor", by: byC, n: n, run: c.inC(floor, gilHeld, n, want)},
		{name: "detect, Bind", by: byBind, n: n, run: c.find(c.detectBound, n, want)},
		{name: "detect, Function.Call", by: byCall, n: n, run: c.detectCall(n, want)},
		{name: fmt.Sprintf("detect in batches of %d, each", batch), by: byMap, n: n, least: batch, run: c.detectBatch(n, want)},
		{name: "detect, Python loop", by: byLoop, n: n, run: c.loop("detect", n, want)},
	}
	others = heat{
		{name: "detect, Bind", by: byBind, n: n, run: c.find(c.detectBound, n, want)},
		{name: "detect, worker", by: byWorker, n: n, run: c.findOn(c.worker, c.detectBound, n, want)},
	}
	for _, r := range rivals {
		others = append(others, &contestant{name: "detect, " + r.name, by: r.name, n: n, run: r.repeats(r.prepare(c.data[:n], want))})
		if n == usual {
			others[len(others)-1].key = r.key
		}
	}
	if n == usual {
		ours[1].key = "detect1000_vs_c"
	}
	return ours.of("detect"), others.of("detect").long(), nil
}

// of names the job of a heat.
func (h heat) of(job string) heat {
	for _, c := range h {
		c.job = job
	}
	return h
}

// long makes the rounds of a heat longer: what wakes another thread or process is slower in the first calls.
func (h heat) long() heat {
	for _, c := range h {
		c.long = true
	}
	return h
}

func (c *contestants) inC(f *floor, gil uint32, n int, want []int) func(int) (time.Duration, error) {
	return func(calls int) (time.Duration, error) { return f.run(gil, c.data[:n], calls, want) }
}

func (c *contestants) noop(n int) func(int) (time.Duration, error) {
	return c.noopOn(context.Background(), n)
}

func (c *contestants) noopOn(ctx context.Context, n int) func(int) (time.Duration, error) {
	data := c.data[:n]
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

// detectBatch is batch for detect.
func (c *contestants) detectBatch(n int, want []int) func(int) (time.Duration, error) {
	inputs, ctx := slices.Repeat([][]float64{c.data[:n]}, batch), context.Background()
	return func(calls int) (time.Duration, error) {
		start := time.Now()
		for made := 0; made < calls; made += batch {
			results, err := python.Map[[]int](ctx, c.detectFunction, inputs[:min(batch, calls-made)])
			if err != nil {
				return 0, err
			}
			for _, got := range results {
				if !slices.Equal(got, want) {
					return 0, wrong(got, want)
				}
			}
		}
		return time.Since(start), nil
	}
}

// detectCall keeps the result in Python until it is converted.
func (c *contestants) detectCall(n int, want []int) func(int) (time.Duration, error) {
	data, ctx := c.data[:n], context.Background()
	return repeats(func() error {
		result, err := c.detectFunction.Call(ctx, data)
		if err != nil {
			return err
		}
		got, err := python.As[[]int](result)
		return check(got, want, errors.Join(err, result.Close()))
	})
}

func (c *contestants) find(f find, n int, want []int) func(int) (time.Duration, error) {
	return c.findOn(context.Background(), f, n, want)
}

func (c *contestants) findOn(ctx context.Context, f find, n int, want []int) func(int) (time.Duration, error) {
	data := c.data[:n]
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

// loop calls in a loop in Python, where the array is there already.
func (c *contestants) loop(function string, n int, want []int) func(int) (time.Duration, error) {
	return func(calls int) (time.Duration, error) {
		ns, got, err := c.loopBound(function, c.data[:n], calls)
		return time.Duration(ns), check(got, want, err)
	}
}

// noopLike calls a function that returns nothing.
func (c *contestants) noopLike(f func(context.Context, []float64) error, n int) func(int) (time.Duration, error) {
	ctx, data := context.Background(), c.data[:n]
	return repeats(func() error { return f(ctx, data) })
}

// fails calls a function that raises an exception.
func (c *contestants) fails(calls int) (time.Duration, error) {
	ctx, data := context.Background(), c.data[:usual]
	return repeats(func() error {
		if err := c.failBound(ctx, data); !errors.Is(err, python.ValueError) {
			return fmt.Errorf("wrong answer: want a ValueError, got %w", err)
		}
		return nil
	})(calls)
}

func (c *contestants) cross(calls int) (time.Duration, error) { return cross(c.data, calls), nil }

func wrong(got, want []int) error { return fmt.Errorf("wrong answer: want %v, got %v", want, got) }
