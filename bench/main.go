// Bench measures what a call through gophersnake costs beside what a C program pays for the same: a loop that holds the GIL, wraps
// a pointer as an array, or makes another value, calls, copies the result and does nothing else.
//
// It also has other processes do the same job: servers in Python, called over gRPC, HTTP and what is left without them.
//
// All contestants make calls in turn and in short rounds, so that their ratios hold on a noisy machine where their times do not. A
// missed bar is shown and fails nothing; a wrong answer does.
//
//	cd bench && go run . [-out FOLDER] [-full] [-quick] [-cpuprofile FILE] [-document FILE]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"time"

	"github.com/gophersnake/gophersnake/go/python"
)

// plan says how long to measure what.
type plan struct {
	pace       pace
	lengths    []int // of the arrays that all look through
	loadRounds int
	loadRound  time.Duration
	gateRounds int
	hogRounds  int
	hogCrowds  []int
	coldStarts int
	calls      int // whose allocations and page faults are counted
}

var (
	usualPlan = plan{
		pace:       pace{rounds: 1000, least: 15, round: time.Millisecond, heat: 10 * time.Second},
		lengths:    []int{10, usual, 10_000, 100_000},
		loadRounds: 5, gateRounds: 3, loadRound: 300 * time.Millisecond, hogRounds: 2, hogCrowds: []int{1, 8, 64}, coldStarts: 15, calls: 100_000,
	}
	fullPlan = plan{
		pace:       pace{rounds: 2000, least: 25, round: time.Millisecond, heat: 40 * time.Second},
		lengths:    []int{10, usual, 10_000, 100_000, largest},
		loadRounds: 10, gateRounds: 6, loadRound: 500 * time.Millisecond, hogRounds: 5, hogCrowds: crowds, coldStarts: 40, calls: 100_000,
	}
	quickPlan = plan{
		pace:       pace{rounds: 3, least: 1, round: 100 * time.Microsecond, heat: 100 * time.Millisecond},
		lengths:    []int{10, usual},
		loadRounds: 1, gateRounds: 1, loadRound: 20 * time.Millisecond, hogRounds: 1, hogCrowds: []int{1, 8}, coldStarts: 1, calls: 10_000,
	}
)

// threadsBeyond is how many OS threads there may be besides those that are in Python.
const threadsBeyond = 16

// options are what the command line says.
type options struct {
	out, profile, document string
	quick, full            bool
}

func main() {
	asked, err := runAgain(os.Args[1:])
	if !asked {
		var o options
		flag.StringVar(&o.out, "out", "", "write bench.json, bench.md and the plots to `FOLDER`")
		flag.BoolVar(&o.full, "full", false, "measure all lengths, and longer")
		flag.BoolVar(&o.quick, "quick", false, "see in seconds that everything runs; the numbers mean nothing")
		flag.StringVar(&o.document, "document", "", "only put the tables of the last run with the same -out into `FILE`")
		flag.StringVar(&o.profile, "cpuprofile", "", "write a profile to `FILE`, labelled by contestant")
		flag.Parse()
		if flag.NArg() > 0 {
			flag.Usage()
			os.Exit(2)
		}
		if o.document != "" {
			err = fill(o.document, o.out)
		} else {
			err = run(o, os.Stdout, os.Stderr)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// runAgain does what this program does when it has started itself. It tells whether the arguments ask for that.
func runAgain(arguments []string) (asked bool, err error) {
	if asked, err = runFirst(arguments); !asked {
		asked, err = runMalloc(arguments)
	}
	return asked, err
}

func run(o options, stdout, stderr io.Writer) (err error) {
	// One thread for NumPy's linear algebra, which nothing here uses, in this process and in the others.
	if err := os.Setenv("OPENBLAS_NUM_THREADS", "1"); err != nil {
		return err
	}
	in, err := startPython()
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
	plan := usualPlan
	switch {
	case o.quick:
		plan = quickPlan
	case o.full:
		plan = fullPlan
	}
	r, err := measure(in, plan, newProgress(stderr))
	if err != nil {
		return err
	}
	r.Quick = o.quick
	if o.out != "" {
		if err := r.write(in, o.out); err != nil {
			return err
		}
	}
	_, err = io.WriteString(stdout, r.markdown())
	return err
}

// write writes the report as JSON, as tables and as plots.
func (r *report) write(in *python.Interpreter, folder string) error {
	file := filepath.Join(folder, "bench.json")
	if err := r.writeJSON(file); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "bench.md"), []byte(r.markdown()), 0o644); err != nil { //nolint:gosec // not secret
		return err
	}
	plot := exec.Command(in.Executable(), "-E", "-s", filepath.Join("python", "plot.py"), file, folder)
	plot.Stdout, plot.Stderr = os.Stderr, os.Stderr
	if err := plot.Run(); err != nil {
		return fmt.Errorf("plotting: %w", err)
	}
	return nil
}

// measure does everything that the report tells.
func measure(in *python.Interpreter, plan plan, progress *progress) (r *report, err error) {
	defer progress.end()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r = newReport()
	if r.Machine, err = newMachine(in); err != nil {
		return nil, err
	}
	rivals, err := startRivals(in.Executable())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeRivals(rivals)) }()
	c, err := newContestants(ctx, in)
	if err != nil {
		return nil, err
	}
	usualMalloc, keepingMalloc, err := startMallocs(in.Executable())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, usualMalloc.close(), keepingMalloc.close()) }()
	heats, err := c.heats(plan.lengths, rivals)
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
	for _, n := range plan.lengths {
		heats = append(heats, heat{
			{name: "detect, malloc as it is", n: n, run: detects(usualMalloc, n)},
			{name: "detect, freed memory kept", n: n, run: detects(keepingMalloc, n)},
		})
	}
	heats = slices.Concat(heats, conversions, callbacks, iterations)
	progress.begin("1/4, calls in turn", plan.pace.rounds)
	if err := race(heats, plan.pace, progress.step); err != nil {
		return nil, err
	}
	r.addHeats(heats)
	if err := r.countCosts(c, heats, plan.calls); err != nil {
		return nil, err
	}
	if err := r.countLoads(in, c, rivals, plan, progress); err != nil {
		return nil, err
	}
	gates, err := newGateRace(in, c)
	if err != nil {
		return nil, err
	}
	progress.begin("3/4, ways through the gate", plan.gateRounds)
	for range plan.gateRounds {
		if err := gates.run(plan.loadRound); err != nil {
			return nil, err
		}
		progress.step()
	}
	r.addGates(gates)
	starts, err := coldStarts(in.Executable())
	if err != nil {
		return nil, err
	}
	progress.begin("4/4, cold starts", plan.coldStarts*len(starts))
	for range plan.coldStarts {
		for _, s := range starts {
			if err := s.run(); err != nil {
				return nil, fmt.Errorf("cold start, %s: %w", s.name, err)
			}
			progress.step()
		}
	}
	r.addColdStarts(starts)
	r.judge(bars(runtime.GOMAXPROCS(0) + threadsBeyond)) // the default of MaxConcurrent
	return r, nil
}

// countCosts counts what calls cost besides time.
func (r *report) countCosts(c *contestants, heats []heat, calls int) error {
	noop, err := costOf(c.noop(usual), calls)
	if err != nil {
		return err
	}
	fresh, err := costOf(c.inC(c.noopFloor, gilFresh, usual, nil), calls/10)
	if err != nil {
		return err
	}
	r.addCost(noop, fresh)
	for _, h := range heats {
		for _, c := range h {
			if c.job == "detect" && (c.n == usual || c.n == largest/10) {
				copies, err := costOf(c.run, max(10*calls/c.n, c.least))
				if err != nil {
					return fmt.Errorf("%s: %w", c.name, err)
				}
				r.addCopies(c.by, c.n, copies)
			}
		}
	}
	return nil
}

// countLoads counts what many goroutines get through.
func (r *report) countLoads(in *python.Interpreter, c *contestants, rivals []rival, plan plan, progress *progress) error {
	hog, err := newHog(in)
	if err != nil {
		return err
	}
	loads, err := c.loads(in, rivals, plan.hogCrowds)
	if err != nil {
		return err
	}
	progress.begin("2/4, many goroutines", plan.loadRounds*len(loads))
	for round := range plan.loadRounds {
		for _, l := range loads {
			switch {
			case l.pause > 0 && round >= plan.hogRounds:
			case l.hog == 0:
				err = l.run(plan.loadRound)
			default:
				err = hog.beside(l.hog, func() error { return l.run(plan.loadRound) })
			}
			if err != nil {
				return err
			}
			progress.step()
		}
	}
	for _, l := range loads {
		r.addLoad(l)
	}
	return nil
}

// newMachine asks what runs here.
func newMachine(in *python.Interpreter) (m machine, err error) {
	m = machine{Go: runtime.Version(), CPU: processor(), GOMAXPROCS: runtime.GOMAXPROCS(0)}
	if m.Python, err = ask(in, "python_version"); err != nil {
		return m, err
	}
	if m.NumPy, err = ask(in, "numpy_version"); err != nil {
		return m, err
	}
	if m.Rivals, err = ask(in, "rivals"); err != nil {
		return m, fmt.Errorf("%w: want the environment that `make .venv-bench` makes", err)
	}
	return m, nil
}

// ask returns the text that a function of the module `machine` returns.
func ask(in *python.Interpreter, name string) (string, error) {
	question, err := python.Bind[func() (string, error)](in, "machine:"+name)
	if err != nil {
		return "", err
	}
	return question()
}
