package python

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// boundTo is Bind, for a test.
func boundTo[F any](t *testing.T, in *Interpreter, name string) F {
	t.Helper()
	f, err := Bind[F](in, name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A worker on Python's main thread is there in every respect, and no other call is.
func TestMainThread(t *testing.T) {
	in := interpreter(t)
	isMain := boundTo[func(context.Context) (bool, error)](t, in, "main_thread:is_main")
	main := in.MainThread(context.Background())
	defer main.Close()
	ctx := main.Context(context.Background())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if is, err := isMain(ctx); err != nil || !is {
					t.Errorf("a call of the worker: got %v, %v", is, err)
				}
				if is, err := isMain(context.Background()); err != nil || is {
					t.Errorf("another call: got %v, %v", is, err)
				}
			}
		})
	}
	wg.Wait()
	nested, err := executeContext[bool](t, ctx, in, "import threading\nresult = f() and threading.current_thread() is threading.main_thread()", KW{
		"f": func(ctx context.Context) (bool, error) { return isMain(ctx) },
	})
	if err != nil || !nested {
		t.Errorf("a call from a Go function: got %v, %v", nested, err)
	}
	got, err := executeContext[[]int](t, ctx, in, "import numpy as np\nresult = list(map(f, range(3)))", KW{"f": func(i int) int { return i * i }})
	if err != nil || fmt.Sprint(got) != "[0 1 4]" {
		t.Errorf("Go functions: got %v, %v", got, err)
	}
	// What asks for the main thread.
	_, err = executeContext[any](t, ctx, in, "import asyncio, signal\nasyncio.run(asyncio.sleep(0))\nassert signal.set_wakeup_fd(-1) == -1\n"+
		"import _signal\nassert signal.getsignal(signal.SIGINT) is not signal.default_int_handler", nil)
	if err != nil {
		t.Error(err)
	}
	sum, err := in.Func("builtins:sum")
	if err != nil {
		t.Fatal(err)
	}
	defer sum.Close()
	for range 3 { // lends, on a thread that keeps its array
		if n, err := As[float64](must(sum.Call(ctx, []float64{1, 2, 3}))); err != nil || n != 6 {
			t.Errorf("got %v, %v", n, err)
		}
	}
	if got, err := Map[float64](ctx, sum, [][]float64{{1, 2}, {3}}); err != nil || fmt.Sprint(got) != "[3 3]" {
		t.Errorf("a batch: got %v, %v", got, err)
	}
	if err := second(executeContext[any](t, ctx, in, "1/0", nil)); !errors.Is(err, ZeroDivisionError) {
		t.Errorf("got %v", err)
	}
	_ = main.Close()
	if _, err := isMain(ctx); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
	another := in.MainThread(context.Background())
	defer another.Close()
	if is, err := isMain(another.Context(context.Background())); err != nil || !is {
		t.Errorf("another worker: got %v, %v", is, err)
	}
}

// A call on the main thread is cancelled and shown like any other.
func TestMainThreadCancel(t *testing.T) {
	in := interpreter(t)
	main := in.MainThread(context.Background())
	defer main.Close()
	ctx, cancel := context.WithCancel(main.Context(context.Background()))
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := executeContext[any](t, ctx, in, "import time\nwhile True: time.sleep(0.001)", nil)
		done <- err
	}()
	var dump bytes.Buffer
	if !eventually(func() bool { dump.Reset(); in.Dump(&dump); return strings.Contains(dump.String(), "MainThread") }) {
		t.Errorf("Dump does not name the thread:\n%s", &dump)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) || errors.Is(err, ErrStillRunning) {
		t.Errorf("got %v", err)
	}
	isMain := boundTo[func(context.Context) (bool, error)](t, in, "main_thread:is_main")
	if is, err := isMain(main.Context(context.Background())); err != nil || !is {
		t.Errorf("the next call: got %v, %v", is, err)
	}
}

// A call that blocks the main thread keeps calls for it waiting until their contexts end, and Shutdown until its own does.
var _ = scenario("main thread blocks", func() {
	in := must(Start(Config{Path: []string{testdata}, CancelGrace: time.Millisecond}))
	main := in.MainThread(context.Background())
	block := must(Bind[func(context.Context, float64) error](in, "main_thread:block"))
	isMain := must(Bind[func(context.Context) (bool, error)](in, "main_thread:is_main"))
	_ = must(isMain(main.Context(context.Background())))
	ctx, cancel := context.WithCancel(main.Context(context.Background()))
	down := make(chan error, 1)
	go func() { down <- block(ctx, 1.5) }()
	until(func() bool { return in.Stats().Running == 1 })
	cancel()
	if err := <-down; !errors.Is(err, ErrStillRunning) {
		fail("got %v, want ErrStillRunning", err)
	}
	if is := must(isMain(context.Background())); is {
		fail("another call is on the main thread")
	}
	ctx, cancel = context.WithTimeout(main.Context(context.Background()), time.Millisecond)
	defer cancel()
	if _, err := isMain(ctx); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrStillRunning) {
		fail("a call that waits for the thread: got %v", err)
	}
	short, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := in.Shutdown(short); !errors.Is(err, context.DeadlineExceeded) {
		fail("Shutdown: got %v", err)
	}
	check(in.Shutdown(context.Background()))
})

func TestMainThreadBlocks(t *testing.T) { passScenario(t, "main thread blocks") }

// Pending calls are made on the main thread while calls run and when none does.
func TestPendingCalls(t *testing.T) {
	in := interpreter(t)
	addMany := boundTo[func(context.Context, int, float64) ([]int, error)](t, in, "main_thread:add_many")
	main := in.MainThread(context.Background())
	defer main.Close()
	for name, ctx := range map[string]context.Context{"any thread": context.Background(), "the main thread": main.Context(context.Background())} {
		got, err := addMany(ctx, 200, lenient(30*time.Second).Seconds())
		if err != nil || fmt.Sprint(got) != "[200 200 0]" {
			t.Errorf("from %s: added, made on the main thread, elsewhere: got %v, %v", name, got, err)
		}
	}
	addLater := boundTo[func(context.Context, float64, func(bool)) error](t, in, "main_thread:add_later")
	for _, delay := range []float64{0, 1.5} { // the clock of the library rests after a second without calls
		made := make(chan bool, 1)
		if err := addLater(context.Background(), delay, func(isMain bool) { made <- isMain }); err != nil {
			t.Fatal(err)
		}
		select {
		case isMain := <-made:
			if !isMain {
				t.Error("the call was made elsewhere")
			}
		case <-time.After(lenient(30 * time.Second)):
			t.Errorf("a call that was added %vs after the last one is not made", delay)
		}
	}
}

// One that fails is told like any exception that nobody can catch, and the others are made.
func TestPendingCallFails(t *testing.T) {
	in := interpreter(t)
	told := passes[[]string](t, in, `
import main_thread, sys, time
told = []
sys.unraisablehook = lambda error: told.append(type(error.exc_value).__name__)
try:
    made = main_thread.Made()
    for function in (main_thread.fail, made.count, main_thread.fail, made.count):
        main_thread.add_pending(function)
    end = time.monotonic() + 30
    while made.on_main < 2 and time.monotonic() < end:
        time.sleep(0.001)
finally:
    sys.unraisablehook = sys.__unraisablehook__
result = told + [str(made.on_main)]`, nil)
	// ctypes tells of it by itself: nobody can raise through a function that C calls.
	if strings.Join(told, " ") != "ArithmeticError ArithmeticError 2" {
		t.Errorf("got %q", told)
	}
}

// _thread.interrupt_main interrupts the call that it is meant for, and no other.
func TestInterruptMain(t *testing.T) {
	in := interpreter(t)
	limit := lenient(60 * time.Second).Seconds()
	limited := boundTo[func(context.Context, float64, float64, string) (string, error)](t, in, "main_thread:limited")
	spin := boundTo[func(context.Context, float64) (string, error)](t, in, "main_thread:spin")
	main := in.MainThread(context.Background())
	defer main.Close()
	withEnd, cancel := context.WithCancel(context.Background())
	defer cancel()
	var others sync.WaitGroup
	for range 2 {
		others.Go(func() {
			if got, err := spin(context.Background(), 1); err != nil || got != "" {
				t.Errorf("another call: got %q, %v", got, err)
			}
		})
	}
	for name, ctx := range map[string]context.Context{
		"background": context.Background(), "with an end": withEnd, "main thread": main.Context(context.Background()),
	} {
		for _, start := range []string{"Timer", "raw", "nested"} {
			if got, err := limited(ctx, 0.01, limit, start); err != nil || got != "KeyboardInterrupt" {
				t.Errorf("%s, %s: got %q, %v", name, start, got, err)
			}
		}
		if err := second(executeContext[any](t, ctx, in, "import _thread, time\n_thread.interrupt_main()\ntime.sleep(1)", nil)); !errors.Is(err, KeyboardInterrupt) {
			t.Errorf("%s, in the call itself: got %v", name, err)
		}
	}
	others.Wait()

	// While the call is in a Go function, what that calls is not meant.
	inGo := boundTo[func(context.Context, func(context.Context) error, float64) (string, error)](t, in, "main_thread:limited_in_go")
	for _, ctx := range []context.Context{context.Background(), withEnd} {
		got, err := inGo(ctx, func(ctx context.Context) error {
			if got, err := spin(ctx, 0.3); err != nil || got != "" {
				t.Errorf("a call from the Go function: got %q, %v", got, err)
			}
			return nil
		}, 0.01)
		if err != nil || got != "KeyboardInterrupt" {
			t.Errorf("in a Go function: got %q, %v", got, err)
		}
	}

	// A thread whose call has ended.
	later := boundTo[func(context.Context, func(), func(string)) error](t, in, "main_thread:interrupt_later")
	release, told := make(chan struct{}), make(chan string, 1)
	if err := later(context.Background(), func() { <-release }, func(s string) { told <- s }); err != nil {
		t.Fatal(err)
	}
	close(release)
	if got := <-told; !strings.HasPrefix(got, "RuntimeError: _thread.interrupt_main(): there is no call to interrupt, for the call that has started this thread has ended") || !strings.Contains(got, "context.WithTimeout") {
		t.Errorf("after the call: got %q", got)
	}
	// A pool serves whoever comes: not the call that has started its threads.
	got := passes[string](t, in, "import main_thread, concurrent.futures\nwith concurrent.futures.ThreadPoolExecutor(1) as pool:\n    result = pool.submit(main_thread.interrupt).result()", nil)
	if !strings.Contains(got, "no call has started this thread") {
		t.Errorf("in a pool: got %q", got)
	}
	// Each call of a batch is one.
	leave, err := in.Func("main_thread:leave_or_spin")
	if err != nil {
		t.Fatal(err)
	}
	defer leave.Close()
	for _, ctx := range []context.Context{context.Background(), withEnd} {
		if got, err := Map[string](ctx, leave, []float64{0, 0.3}); err != nil || got[1] != "" {
			t.Errorf("in a batch: got %q, %v", got, err)
		}
	}
	for statements, want := range map[string]string{
		"_thread.interrupt_main(0)":               "ValueError: signal number out of range",
		"_thread.interrupt_main(1000)":            "ValueError: signal number out of range",
		"_thread.interrupt_main('x')":             "TypeError",
		"_thread.interrupt_main(signal.SIGTERM)":  "os.kill",
		"_thread.interrupt_main(signal.SIGWINCH)": "",
	} {
		_, err := execute[any](t, in, "import _thread, signal\n"+statements, nil)
		if want == "os.kill" && err == nil || want == "" {
			continue // as the host handles the signal
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", statements, err, want)
		}
	}
}

// PyErr_SetInterrupt of C code cannot raise where it is called: it interrupts the call on the main thread, or is told.
var _ = scenario("set interrupt", func() {
	var printed bytes.Buffer
	in := must(Start(Config{Path: []string{testdata}, Stderr: &printed}))
	check(run(in, "main_thread:set_interrupt"))
	main := in.MainThread(context.Background())
	ctx := main.Context(context.Background())
	f := must(in.Func("main_thread:set_interrupt"))
	if err := second(f.Call(ctx)); !errors.Is(err, KeyboardInterrupt) {
		fail("on the main thread: got %v", err)
	}
	spin := must(Bind[func(context.Context, float64) (string, error)](in, "main_thread:spin"))
	for range 100 { // it does not meet another call
		check(run(in, "main_thread:set_interrupt"))
		if got := must(spin(context.Background(), 0)); got != "" {
			fail("got %q", got)
		}
	}
	check(in.Shutdown(context.Background()))
	if text := printed.String(); !strings.Contains(text, "PyErr_SetInterrupt: there is no call to interrupt") || strings.Contains(text, "race condition") {
		fail("printed: %s", text)
	}
})

func TestSetInterrupt(t *testing.T) { passScenario(t, "set interrupt") }

// Nothing is left of an interrupt for Shutdown to print.
var _ = scenario("interrupt leaves nothing", func() {
	var printed bytes.Buffer
	in := must(Start(Config{Path: []string{testdata}, Stderr: &printed}))
	limited := must(Bind[func(context.Context, float64, float64) (string, error)](in, "main_thread:limited"))
	if got := must(limited(context.Background(), 0.01, 60)); got != "KeyboardInterrupt" {
		fail("got %q", got)
	}
	check(in.Shutdown(context.Background()))
	if printed.Len() > 0 {
		fail("printed: %s", &printed)
	}
})

func TestInterruptLeavesNothing(t *testing.T) { passScenario(t, "interrupt leaves nothing") }

// The threads of the host are daemons for Python, as in any program that embeds it; those that hosted code makes are none
// unless it says so.
func TestThreadKinds(t *testing.T) {
	in := interpreter(t)
	kinds := boundTo[func(context.Context) ([]bool, error)](t, in, "main_thread:kinds")
	got, err := kinds(context.Background())
	if want := "[true false false true false false true]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("got %v, %v, want %s", got, err, want)
	}
}

// An exit handler may wait for all threads that are no daemons.
var _ = scenario("join all at exit", func() {
	in := must(Start(Config{Path: []string{testdata}}))
	check(run(in, "main_thread:join_all_at_exit"))
	check(run(in, "main_thread:kinds"))
	check(in.Shutdown(context.Background()))
})

func TestJoinAllAtExit(t *testing.T) {
	if stdout := passScenario(t, "join all at exit"); strings.TrimSpace(stdout) != "joined" {
		t.Errorf("got %q", stdout)
	}
}

// C speaks UTF-8 whatever the environment says, and numbers have a point.
var _ = scenario("locale", func() {
	in := must(Start(Config{Path: []string{testdata}}))
	type facts struct {
		Ctype   string  `py:"ctype"`
		Numeric string  `py:"numeric"`
		Time    string  `py:"time"`
		Wide    string  `py:"wide"`
		Text    string  `py:"text"`
		Strtod  float64 `py:"strtod"`
		Printed string  `py:"printed"`
	}
	f := must(Bind[func(context.Context, string) (facts, error)](in, "main_thread:locale_facts"))
	fmt.Printf("%+v", must(f(context.Background(), os.TempDir())))
})

func TestLocale(t *testing.T) {
	const rest = " Numeric:C Time:C Wide:é Text:é Strtod:1.5 Printed:1.5}"
	for name, c := range map[string]struct {
		env  []string
		want string
	}{
		"UTF-8":             {[]string{"LC_ALL=C.UTF-8"}, "{Ctype:C.UTF-8" + rest},
		"LC_CTYPE":          {[]string{"LC_ALL", "LANG=C", "LC_CTYPE=C.UTF-8"}, "{Ctype:C.UTF-8" + rest},
		"none":              {[]string{"LC_ALL", "LANG", "LC_CTYPE"}, "{Ctype:C.UTF-8" + rest},
		"LANG is C":         {[]string{"LC_ALL", "LANG=C", "LC_CTYPE"}, "{Ctype:C.UTF-8" + rest},
		"not installed":     {[]string{"LC_ALL", "LANG=xx_XX.UTF-8", "LC_CTYPE"}, "{Ctype:C.UTF-8" + rest},
		"LC_ALL is C":       {[]string{"LC_ALL=C"}, "{Ctype:C.UTF-8" + rest},
		"numbers elsewhere": {[]string{"LC_ALL", "LANG=C.UTF-8", "LC_NUMERIC=de_DE.UTF-8"}, "{Ctype:C.UTF-8" + rest},
	} {
		if got := passScenario(t, "locale", append(c.env, "TMPDIR="+t.TempDir())...); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}
