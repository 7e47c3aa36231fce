package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gophersnake/gophersnake/go/python"
)

// crowd is the most goroutines that call at once under load.
const crowd = 1000

// releasedLength is of the array that is hashed.
const releasedLength = 1 << 17

// pause is between the calls of a goroutine beside a hog.
const pause = time.Millisecond

// crowds are how many goroutines call at once.
var crowds = []int{1, 2, 8, 64, crowd}

// load is what goroutines get through.
type load struct {
	name       string
	work       func(calls int) (time.Duration, error)
	function   string // that it calls, with so many values
	n          int
	want       []int // what the function returns, if anything
	goroutines []int
	key        string // of the ratio of keyAt goroutines to one in the JSON; may be empty
	keyAt      int
	hog        time.Duration // the switch interval beside a thread that runs Python all the time; 0: there is none

	pause time.Duration // after each call: who calls all the time meets the hog only when it is its turn

	rates      [][]float64 // calls per second, by number of goroutines and round
	times      [][]float64 // of all calls in nanoseconds, by number of goroutines
	maxThreads int         // OS threads of the process at any time
}

// loads returns what goroutines do at once; beside a hog there are as many as hogCrowds says.
func (c *contestants) loads(in *python.Interpreter, rivals []rival, hogCrowds []int) ([]*load, error) {
	loads, err := c.ownLoads(in)
	if err != nil {
		return nil, err
	}
	want := detect(c.data[:usual])
	bytecode, hashing := loads[1].work, loads[3].work
	for _, r := range rivals {
		if r.parallel {
			loads = append(loads, &load{name: "`detect`, 1,000, over " + r.name, work: repeats(r.prepare(c.data[:usual], want))})
		}
	}
	for _, l := range loads {
		l.goroutines = crowds
	}
	for _, interval := range []time.Duration{0, 5 * time.Millisecond, time.Millisecond, 100 * time.Microsecond} {
		loads = append(loads, &load{name: "bytecode", work: bytecode, goroutines: hogCrowds, pause: pause, hog: interval},
			&load{name: "hashing without the GIL", work: hashing, goroutines: hogCrowds, pause: pause, hog: interval})
	}
	return loads, nil
}

// ownLoads are those that make calls of Python in this process.
func (c *contestants) ownLoads(in *python.Interpreter, options ...python.BindOption) ([]*load, error) {
	loads := []*load{
		{name: "no-op", function: module + ":noop", n: usual},
		{name: "bytecode", function: "crowd:holds", n: usual},
		{name: "`detect`, 1,000", function: module + ":detect", n: usual, want: detect(c.data[:usual]), key: "gate1000_vs_1", keyAt: crowd},
		{name: "hashing without the GIL", function: "crowd:releases", n: releasedLength, key: "releases2_vs_1", keyAt: 2},
	}
	for _, l := range loads {
		if l.want != nil {
			bound, err := python.Bind[find](in, l.function, options...)
			if err != nil {
				return nil, err
			}
			l.work = c.find(bound, l.n, l.want)
			continue
		}
		bound, err := python.Bind[func(context.Context, []float64) error](in, l.function, options...)
		if err != nil {
			return nil, err
		}
		l.work = c.noopLike(bound, l.n)
	}
	return loads, nil
}

// run adds a round: each number of goroutines works for the same time.
func (l *load) run(length time.Duration) error {
	if l.rates == nil {
		l.rates, l.times = make([][]float64, len(l.goroutines)), make([][]float64, len(l.goroutines))
	}
	for i, goroutines := range l.goroutines {
		t, err := throughput(l.work, goroutines, l.pause, length, 0)
		if err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		l.rates[i] = append(l.rates[i], t.perSecond)
		l.times[i] = append(l.times[i], t.times...)
		l.maxThreads = max(l.maxThreads, t.threads)
	}
	return nil
}

// scaling returns what many goroutines get through by what one does, by round.
func (l *load) scaling(goroutines int) []float64 {
	one, many := l.rates[slices.Index(l.goroutines, 1)], l.rates[slices.Index(l.goroutines, goroutines)]
	ratios := make([]float64, len(one))
	for i := range ratios {
		ratios[i] = many[i] / max(one[i], 1e-9) // none in the time is as good as none at all
	}
	return ratios
}

// through is what goroutines got through.
type through struct {
	perSecond float64
	times     []float64 // in nanoseconds, of each call that was under way while it was counted, also of those that had not ended then
	threads   int       // OS threads of the process at any time
}

// throughput lets goroutines call over and over, and counts once they are all at it, or when patience is over, unless that is 0.
func throughput(work func(calls int) (time.Duration, error), goroutines int, pause, length, patience time.Duration) (t through, err error) {
	var (
		count, stop atomic.Bool
		at, late    atomic.Int64 // goroutines that have made a call, and those whose last call began in time and ended too late
		failure     atomic.Pointer[error]
		group       sync.WaitGroup
	)
	byGoroutine := make([][]float64, goroutines)
	for i := range goroutines {
		group.Go(func() {
			var own []float64
			for first := true; !stop.Load(); first = false {
				took, err := work(1)
				if err != nil {
					failure.Store(&err)
					return
				}
				if first {
					at.Add(1)
				}
				if count.Load() {
					own = append(own, float64(took.Nanoseconds()))
				} else if stop.Load() {
					late.Add(1)
					own = append(own, float64(took.Nanoseconds()))
				}
				if pause > 0 {
					time.Sleep(pause)
				}
			}
			byGoroutine[i] = own
		})
	}
	begin := time.Now()
	time.Sleep(length / 4)
	for at.Load() < int64(goroutines) && failure.Load() == nil && (patience == 0 || time.Since(begin) < patience) {
		time.Sleep(length / 100)
	}
	count.Store(true)
	start := time.Now()
	for time.Since(start) < length && failure.Load() == nil {
		time.Sleep(length / 10)
		t.threads = max(t.threads, countThreads())
	}
	stop.Store(true)
	count.Store(false)
	took := time.Since(start)
	group.Wait()
	if failed := failure.Load(); failed != nil {
		return through{}, *failed
	}
	t.times = slices.Concat(byGoroutine...)
	t.perSecond = float64(len(t.times)-int(late.Load())) / took.Seconds()
	return t, nil
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
