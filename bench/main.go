// Bench measures what a call through gophersnake costs beside what a C program pays for the same: a loop that holds the GIL, wraps
// a pointer as an array, or makes another value, calls, copies the result and does nothing else.
//
// All contestants run in this process, in turn and in short rounds, so that their ratios hold on a noisy machine where their
// times do not. A missed bar is shown and fails nothing; a wrong answer does.
//
//	cd bench && go run . [-json FILE] [-quick] [-cpuprofile FILE]
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"time"

	"github.com/gophersnake/gophersnake/go/python"
)

// plan says how long to measure.
type plan struct {
	rounds     int           // of the race
	round      time.Duration // at least, for each contestant
	loadRounds int
	loadRound  time.Duration
	calls      int // whose allocations and page faults are counted
}

var (
	full  = plan{rounds: 1000, round: time.Millisecond, loadRounds: 8, loadRound: 400 * time.Millisecond, calls: 100_000}
	quick = plan{rounds: 5, round: 200 * time.Microsecond, loadRounds: 1, loadRound: 50 * time.Millisecond, calls: 10_000}
)

// threadsBeyond is how many OS threads there may be besides those that are in Python.
const threadsBeyond = 16

// options are what the command line says.
type options struct {
	json, profile string
	quick         bool
}

func main() {
	var o options
	flag.StringVar(&o.json, "json", "", "write the results to `FILE`")
	flag.BoolVar(&o.quick, "quick", false, "see in seconds that everything runs; the numbers mean nothing")
	flag.StringVar(&o.profile, "cpuprofile", "", "write a profile to `FILE`, labelled by contestant")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(o, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(o options, stdout, stderr io.Writer) (err error) {
	// The threads of NumPy's linear algebra, which nothing here uses, are not ours to count.
	if err := os.Setenv("OPENBLAS_NUM_THREADS", "1"); err != nil {
		return err
	}
	in, err := python.Start(python.Config{Path: []string{"python"}})
	if err != nil {
		return err
	}
	if o.profile != "" {
		file, err := os.Create(o.profile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer func() {
			pprof.StopCPUProfile()
			err = errors.Join(err, file.Close())
		}()
	}
	plan := full
	if o.quick {
		plan = quick
	}
	r, err := measure(in, plan, newProgress(stderr))
	if err != nil {
		return err
	}
	r.Quick = o.quick
	if o.json != "" {
		if err := r.writeJSON(o.json); err != nil {
			return err
		}
	}
	return r.writeTable(stdout)
}

// measure does everything that the report tells.
func measure(in *python.Interpreter, plan plan, progress *progress) (*report, error) {
	defer progress.end()
	r := &report{Ratios: map[string]float64{}, Go: runtime.Version(), CPU: machine(), GOMAXPROCS: runtime.GOMAXPROCS(0)}
	var err error
	if r.Python, err = ask(in, "python_version"); err != nil {
		return nil, err
	}
	if r.NumPy, err = ask(in, "numpy_version"); err != nil {
		return nil, err
	}
	c, err := newContestants(in)
	if err != nil {
		return nil, err
	}

	conversions, err := c.conversions(in)
	if err != nil {
		return nil, err
	}
	callbacks, err := c.callbacks(in)
	if err != nil {
		return nil, err
	}
	iterations, err := iterations(in)
	if err != nil {
		return nil, err
	}
	heats := slices.Concat(c.heats(), conversions, callbacks, iterations)
	progress.begin("calls in turn", plan.rounds)
	if err := race(heats, plan.rounds, plan.round, progress.step); err != nil {
		return nil, err
	}
	r.addHeats(heats)

	noop, err := costOf(c.noop(usual), plan.calls)
	if err != nil {
		return nil, err
	}
	fresh, err := costOf(c.inC(c.noopFloor, gilFresh, usual, nil), plan.calls/10)
	if err != nil {
		return nil, err
	}
	r.addCosts(noop, fresh)

	loads := c.loads()
	progress.begin("many goroutines", plan.loadRounds*len(loads))
	for range plan.loadRounds {
		for _, l := range loads {
			if err := l.run(plan.loadRound); err != nil {
				return nil, err
			}
			progress.step()
		}
	}
	for _, l := range loads {
		r.addLoad(l)
	}
	r.addThreads(runtime.GOMAXPROCS(0) + threadsBeyond) // the default of MaxConcurrent
	return r, nil
}

// ask returns the text that a function of the module returns.
func ask(in *python.Interpreter, name string) (string, error) {
	question, err := python.Bind[func() (string, error)](in, module+":"+name)
	if err != nil {
		return "", err
	}
	return question()
}
