package python

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func dumped(in *Interpreter) string {
	var b bytes.Buffer
	check(in.Dump(&b))
	return b.String()
}

// wait waits until a dump has all these texts, and returns it.
func wait(in *Interpreter, texts ...string) string {
	var dump string
	if !eventually(func() bool {
		dump = dumped(in)
		for _, text := range texts {
			if !strings.Contains(dump, text) {
				return false
			}
		}
		return true
	}) {
		fail("want %q, got\n%s", texts, dump)
	}
	return dump
}

// A service that hangs, all slots taken, tells where: by Python if that answers, else by what Go knows.
var _ = scenario("hung service", func() {
	in := must(Start(Config{Path: []string{testdata}, MaxConcurrent: 2, CancelGrace: 50 * time.Millisecond}))
	sleep, execute := must(in.Func("callbacks:sleep")), must(in.Func("callbacks:execute"))
	deadline, cancel := context.WithTimeout(pprof.WithLabels(context.Background(), pprof.Labels("request", "7")), time.Hour)
	defer cancel()
	for range 2 {
		go func() { _, _ = sleep.Call(deadline, 3600.0, make([]float64, 1000)) }()
	}
	wait(in, "2 calls, 0 of them given up; 0 coroutines; 2 of 2 slots", "in sleep")
	waited := make(chan struct{})
	go func() {
		_, _ = sleep.Call(context.Background(), 0.0, nil)
		close(waited)
	}()
	dump := wait(in, "call of callbacks:sleep", "running", "  label request=\"7\"\n  deadline in 59m", "8000 bytes lent", "callbacks.py\", line ", "1 goroutines wait")
	if strings.Count(dump, "in sleep\n") != 2 {
		fail("want two stacks, got\n%s", dump)
	}
	// One of them is given up, and another is stuck in C code that holds the GIL.
	cancel()
	<-waited
	wait(in, "2 of them given up", "context canceled")
	inCallback := make(chan struct{})
	go func() {
		_, _ = execute.Call(context.Background(), "f()", KW{"f": func() { close(inCallback); time.Sleep(time.Hour) }})
	}()
	<-inCallback
	wait(in, "call of callbacks:execute for", "waits for the Go function ", "dump_test.go:")
	go func() {
		_, _ = execute.Call(context.Background(), "import re\nre.match('(a+)+b', 'a' * 60)")
	}()
	executing := func() int { return strings.Count(dumped(in), "call of callbacks:execute for ") }
	until(func() bool { return executing() == 2 })
	dump = wait(in, "stacks of Python are missing: no answer")
	if strings.Count(dump, "call of callbacks:sleep for ") < 2 || strings.Count(dump, "call of callbacks:execute for ") != 2 {
		fail("got\n%s", dump)
	}
	for range 6 { // more than there may be questions
		dumped(in)
	}
	late := newDeadline(context.Background())
	go func() {
		until(func() bool { return executing() == 3 })
		late.begin()
	}()
	_, err := execute.Call(late, "pass") // waits for the GIL
	var still *StillRunningError
	if !errors.Is(err, ErrStillRunning) || !errors.As(err, &still) || len(still.Frames) > 0 {
		fail("got %v", err)
	}
	_, _ = io.WriteString(os.Stdout, dump)
})

func TestDumpHungService(t *testing.T) { t.Log(passScenario(t, "hung service")) }

// A call that is given up says where it is.
var _ = scenario("where", func() {
	in := must(Start(Config{Path: []string{testdata}, CancelGrace: 50 * time.Millisecond}))
	ctx := newDeadline(context.Background())
	stuck := newStuckCall()
	go func() { stuck.wait(); ctx.begin() }()
	err := discarded(must(in.Func("callbacks:stuck")).Call(ctx, stuck.begun, stuck.over))
	var still *StillRunningError
	if !errors.As(err, &still) || !errors.Is(err, ErrStillRunning) || !errors.Is(err, context.DeadlineExceeded) || len(still.Frames) == 0 ||
		still.Frames[len(still.Frames)-1].Function != "stuck" || !strings.Contains(err.Error(), "in stuck") {
		fail("got %#v: %v", still, err)
	}
	if s := in.Stats(); s.Abandoned != 1 || s.Errors["ErrStillRunning"] != 1 || s.Cancelled != 1 {
		fail("got %+v", s)
	}
	stuck.end()
	check(in.Shutdown(context.Background()))
	if dump := dumped(in); strings.Contains(dump, "missing") || !strings.Contains(dump, "0 calls") {
		fail("after Shutdown: %s", dump)
	}
})

func TestStillRunningWhere(t *testing.T) { passScenario(t, "where") }

// So does a coroutine that goes on after its cancellation: where it waits, or what it calls.
var _ = scenario("where a coroutine is", func() {
	in := must(Start(Config{Path: []string{testdata}, CancelGrace: 50 * time.Millisecond}))
	outlasts := must(in.Func("coroutines:outlasts"))
	for _, row := range []struct {
		busy bool
		want []string
	}{{false, []string{"outlasts", "sleep", "sleep"}}, {true, []string{"outlasts", "busy"}}} {
		late := newDeadline(pprof.WithLabels(context.Background(), pprof.Labels("request", "r 7")))
		ctx, cancel := context.WithTimeout(late, time.Hour)
		defer cancel()
		_, err := outlasts.Call(ctx, 3600.0, row.busy, late.begin)
		var still *StillRunningError
		if !errors.As(err, &still) {
			fail("got %v", err)
		}
		var functions []string
		for _, f := range still.Frames {
			functions = append(functions, f.Function)
		}
		equal("frames", functions, row.want)
		equal("end of the message", strings.Contains(err.Error(), "in "+row.want[len(row.want)-1]), true)
	}
	wait(in, "python: 0 calls, 0 of them given up; 2 coroutines;", "\ncoroutine coroutines:outlasts for ", "  label request=\"r 7\"\n  deadline ", "context deadline exceeded",
		"in outlasts\n", "in busy\n", "asyncio/tasks.py\", line ")
})

func TestWhereCoroutinesAre(t *testing.T) { passScenario(t, "where a coroutine is") }

// Dumps while threads of Go and Python come and go.
func TestDumpWhileThreadsChange(t *testing.T) {
	in := interpreter(t)
	over := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				passes[any](t, in, "import threading\nthreads = [threading.Thread(target=sum, args=(range(1000),)) for _ in range(4)]\n"+
					"for t in threads: t.start()\nfor t in threads: t.join()", nil)
				w := in.Worker(context.Background())
				_, _ = executeContext[any](t, w.Context(context.Background()), in, "def f(n): return f(n - 1) if n else 0\nf(50)", nil)
				_ = w.Close()
			}
		})
	}
	for range 300 {
		if err := in.Dump(io.Discard); err != nil {
			t.Error(err)
		}
		in.Stats()
	}
	close(over)
	wg.Wait()
	if err := in.Dump(failingWriter{}); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("got %v", err)
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// The CPU profile says which functions of Python the time goes to, also where a call is made by another goroutine.
var _ = scenario("profile", func() {
	in := must(Start(Config{Path: []string{testdata}, ProfileLabels: true}))
	count := must(in.Func("callbacks:count"))
	execute := must(in.Func("callbacks:execute"))
	check(pprof.StartCPUProfile(os.Stdout))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	// One after the other: in turn, they may keep step with the profiler, which then sees always the same one.
	for _, call := range []func() error{
		func() error { return discarded(count.Call(context.Background(), 100_000)) },
		func() error { return discarded(execute.Call(ctx, "sum(range(1000000))")) },
	} {
		// The profiler looks whenever so much processor time has passed.
		for begin := processorTime(); processorTime()-begin < 400*time.Millisecond; {
			check(call())
		}
	}
	pprof.StopCPUProfile()
	pprof.Do(ctx, pprof.Labels("mine", "1"), func(ctx context.Context) {
		_, err := execute.Call(ctx, "f()", KW{"f": func(ctx context.Context) {
			for name, want := range map[string]string{"mine": "1", "python.function": "callbacks:execute"} {
				if got := goroutines(); !strings.Contains(got, `"`+name+`":"`+want+`"`) {
					fail("in a Go function: no label %s=%s in\n%s", name, want, got)
				}
			}
		}})
		check(err)
		if got := goroutines(); strings.Contains(got, "python.function") || !strings.Contains(got, `"mine":"1"`) {
			fail("after the call:\n%s", got)
		}
	})
})

// processorTime returns what this process has used.
func processorTime() time.Duration {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func goroutines() string {
	var b bytes.Buffer
	check(pprof.Lookup("goroutine").WriteTo(&b, 1))
	return b.String()
}

func TestProfileLabels(t *testing.T) {
	profile := filepath.Join(t.TempDir(), "cpu.pprof")
	if err := os.WriteFile(profile, []byte(passScenario(t, "profile")), 0o600); err != nil {
		t.Fatal(err)
	}
	tags, err := exec.Command("go", "tool", "pprof", "-tags", profile).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, tags)
	}
	for _, want := range []string{"python.function", "callbacks:count", "callbacks:execute"} {
		if !strings.Contains(string(tags), want) {
			t.Errorf("no %s in\n%s", want, tags)
		}
	}
}
