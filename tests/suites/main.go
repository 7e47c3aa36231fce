// Command suites runs test suites of others in the host and in plain Python, and compares what becomes of each test.
//
// Where they differ, the file expected.txt has to say why; every other difference fails, and so does an entry of that file
// that no longer has one. A test that differs without being expected is run once more, with those like it alone, before it counts.
// A crash, or a test that does not end, counts as what became of that test.
//
//	suites [-full] [-suite NAME] [-python ENVIRONMENT]
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gophersnake/gophersnake/go/python"
)

// folder is where the Python part and the expectations are, from the root of the project.
const folder = "tests/suites"

// hostVariable makes a process the host of a run.
const hostVariable = "GOPHERSNAKE_SUITE_HOST"

func main() {
	if os.Getenv(hostVariable) != "" {
		exitOn(host())
		return
	}
	full := flag.Bool("full", false, "run all suites, and not only the quick ones")
	only := flag.String("suite", "", "run the parts whose name matches this `expression`")
	environment := flag.String("python", os.Getenv("GOPHERSNAKE_PYTHON"), "the `environment` with the suites")
	jobs := flag.Int("jobs", runtime.NumCPU(), "how many processes run at a time")
	patience := flag.Duration("patience", 4*time.Minute, "how `long` a test may take, on a machine that does other things as well")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := &session{interrupted: ctx, jobs: make(chan func()), patience: *patience}
	for range *jobs {
		go func() {
			for job := range s.jobs {
				job()
			}
		}()
	}
	ok, err := s.compare(*full, *only, *environment)
	exitOn(cmp.Or(ctx.Err(), err))
	if !ok {
		os.Exit(1)
	}
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "suites:", err)
		os.Exit(1)
	}
}

// host runs what its input says: the arguments of run_suite.run.
func host() error {
	_ = os.Unsetenv(hostVariable) // what a test starts is no host
	var arguments []any
	if err := json.NewDecoder(os.Stdin).Decode(&arguments); err != nil {
		return err
	}
	in, err := python.Start(python.Config{Path: []string{os.Getenv("GOPHERSNAKE_SUITE_PATH")}})
	if err != nil {
		return err
	}
	run, err := in.Func("run_suite:run")
	if err != nil {
		return err
	}
	result, err := run.Call(context.Background(), arguments...)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return errors.Join(result.Close(), in.Shutdown(ctx))
}

// A session compares in one environment.
type session struct {
	environment string
	version     string
	folder      string // where results go
	expected    *expectations
	jobs        chan func()
	interrupted context.Context // by Ctrl-C: what runs ends
	patience    time.Duration
}

func (s *session) compare(full bool, only, environment string) (bool, error) {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return false, err
	}
	if s.environment, err = filepath.Abs(environment); err != nil {
		return false, err
	}
	if s.version, err = s.ask("import sys; print('%d.%d' % sys.version_info[:2])"); err != nil {
		return false, err
	}
	if s.folder, err = filepath.Abs(filepath.Join("build", "suites", s.version)); err != nil {
		return false, err
	}
	if s.expected, err = readExpectations(filepath.Join(folder, "expected.txt"), s.version); err != nil {
		return false, err
	}
	if err := errors.Join(os.RemoveAll(s.folder), os.MkdirAll(filepath.Join(s.folder, "tmp"), 0o755)); err != nil {
		return false, err
	}
	parts := slices.DeleteFunc(allParts(), func(p part) bool {
		return p.full && !full || !pattern.MatchString(p.suite+" "+p.name)
	})
	if err := s.checkInstalled(parts); err != nil {
		return false, err
	}
	tables := make([]comparison, len(parts))
	var wait sync.WaitGroup
	for i, p := range parts {
		results := s.begin(p, "", nil, &tables[i].seconds)
		wait.Go(func() { s.finish(p, results(), &tables[i]) })
	}
	wait.Wait()
	whole := full && only == ""
	return s.report(tables, whole), nil
}

// ask runs a line of Python in the environment.
func (s *session) ask(line string) (string, error) {
	out, err := exec.Command(filepath.Join(s.environment, "bin", "python"), "-I", "-c", line).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", s.environment, err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// checkInstalled tells what is missing of the suites: to leave one out would look like one that passes.
func (s *session) checkInstalled(parts []part) error {
	if slices.ContainsFunc(parts, func(p part) bool { return p.suite == cpython }) {
		if _, err := s.ask("import test.support, test.test_threading"); err != nil {
			return fmt.Errorf("CPython %s is here without its own tests: apt-get install libpython%[1]s-testsuite (pyenv's have them)\n%w", s.version, err)
		}
	}
	return nil
}

// The sides of a comparison.
const (
	hosted = "host"
	plain  = "plain"
)

// A comparison is what became of the tests of a part on both sides.
type comparison struct {
	part       part
	tests      int
	differing  []difference
	unexpected []difference
	seconds    [2]float64
}

type difference struct {
	test        string
	host, plain outcome
	reason      string // why it is expected, or ""
}

// finish compares what became of the tests of a part.
func (s *session) finish(p part, results sides, c *comparison) {
	c.part = p
	differing := differences(results)
	c.tests = len(keys(results))
	var again []string
	for _, d := range differing {
		if s.expected.find(d.test) == "" {
			again = append(again, d.test)
		}
	}
	if len(again) > 0 {
		second := s.begin(p, ".again", again, new([2]float64))()
		for side := range results {
			for _, test := range again {
				if o, ok := second[side][test]; ok {
					results[side][test] = o
				}
			}
		}
		differing = differences(results)
	}
	for _, d := range differing {
		if d.reason = s.expected.use(d.test); d.reason == "" {
			c.unexpected = append(c.unexpected, d)
		} else {
			c.differing = append(c.differing, d)
		}
	}
	s.expected.see(keys(results))
	for _, test := range keys(results) {
		if results[hosted][test].what == absent && results[plain][test].what == absent {
			fmt.Printf("== %s %s: %s is not there in this version\n", p.suite, p.name, test)
			c.tests--
		}
	}
	fmt.Printf("== %s %s: %d tests, %d differ as expected, %d otherwise (%.0f s hosted, %.0f s plain)\n",
		p.suite, p.name, c.tests, len(c.differing), len(c.unexpected), c.seconds[0], c.seconds[1])
	for _, d := range c.unexpected {
		fmt.Printf("   %s\n      host:  %s\n      plain: %s\n", d.test, d.host, d.plain)
	}
}

// sides are the outcomes of tests, by side and test.
type sides map[string]map[string]outcome

func keys(results sides) []string {
	tests := maps.Clone(results[hosted])
	maps.Copy(tests, results[plain])
	return slices.Sorted(maps.Keys(tests))
}

func differences(results sides) (differing []difference) {
	for _, test := range keys(results) {
		host, plain := results[hosted][test], results[plain][test]
		if host.what != plain.what {
			differing = append(differing, difference{test: test, host: host, plain: plain})
		}
	}
	return differing
}

// begin runs the tests of a part on both sides, at the same time and as soon as it is their turn. It returns what waits for them.
func (s *session) begin(p part, suffix string, only []string, seconds *[2]float64) func() sides {
	results := sides{}
	var lock sync.Mutex
	var wait sync.WaitGroup
	wait.Add(2)
	for i, side := range []string{hosted, plain} {
		s.jobs <- func() {
			defer wait.Done()
			begin := time.Now()
			r := s.runSide(p, side, suffix, only)
			lock.Lock()
			defer lock.Unlock()
			results[side], seconds[i] = r, time.Since(begin).Seconds()
		}
	}
	return func() sides {
		wait.Wait()
		return results
	}
}

// report prints the table and tells whether all is as expected.
func (s *session) report(tables []comparison, whole bool) bool {
	type row struct{ tests, differing, unexpected int }
	rows := map[string]*row{}
	var suites []string
	reasons := map[string]int{}
	var total row
	for _, c := range tables {
		r := rows[c.part.suite]
		if r == nil {
			r = &row{}
			rows[c.part.suite] = r
			suites = append(suites, c.part.suite)
		}
		for _, sum := range []*row{r, &total} {
			sum.tests += c.tests
			sum.differing += len(c.differing)
			sum.unexpected += len(c.unexpected)
		}
		for _, d := range c.differing {
			reasons[d.reason]++
		}
	}
	fmt.Printf("\n| suite (CPython %s) | tests | the same | differ as expected |\n|---|--:|--:|--:|\n", s.version)
	rows["all"] = &total
	for _, suite := range append(suites, "all") {
		r := rows[suite]
		fmt.Printf("| %s | %d | %d | %d |\n", suite, r.tests, r.tests-r.differing-r.unexpected, r.differing)
	}
	fmt.Printf("\n| why they differ | tests |\n|---|--:|\n")
	for _, reason := range slices.SortedFunc(maps.Keys(reasons), func(a, b string) int {
		return cmp.Or(reasons[b]-reasons[a], strings.Compare(a, b))
	}) {
		fmt.Printf("| %s | %d |\n", reason, reasons[reason])
	}
	fmt.Println()
	ok := total.unexpected == 0
	if !ok {
		fmt.Printf("%d tests differ, and %s/expected.txt does not say why; output: %s\n", total.unexpected, folder, s.folder)
	}
	for _, entry := range s.expected.unused(whole) {
		fmt.Printf("%s/expected.txt:%d: nothing differs here any more: %s\n", folder, entry.line, entry.pattern)
		ok = false
	}
	return ok
}
