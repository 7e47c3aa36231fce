package python

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A call in bytecode is interrupted when its context ends, and says where it was.
func TestCancel(t *testing.T) {
	in := interpreter(t)
	for name, source := range map[string]string{
		"endless loop":   "def spin():\n    begin()\n    while True:\n        pass\nspin()",
		"in a finally":   "def spin():\n    try:\n        begin()\n        while True:\n            pass\n    finally:\n        x = 1\nspin()",
		"except":         "def spin():\n    while True:\n        try:\n            begin()\n            while True:\n                pass\n        except Exception:\n            pass\nspin()",
		"in a generator": "def each():\n    begin()\n    while True:\n        yield\ndef spin():\n    for _ in each():\n        pass\nspin()",
	} {
		ctx := newDeadline(context.Background())
		_, err := executeContext[any](t, ctx, in, source, KW{"begin": ctx.begin})
		var pe *Error
		if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &pe) || !strings.Contains(pe.Traceback, "spin") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	cause := errors.New("the cause")
	ctx, cancel := context.WithCancelCause(context.Background())
	time.AfterFunc(20*time.Millisecond, func() { cancel(cause) })
	if _, err := executeContext[any](t, ctx, in, "while True: pass", nil); !errors.Is(err, context.Canceled) || !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	if running := in.Stats().Running; running != 0 {
		t.Errorf("%d calls are running", running)
	}
}

// A cancel that comes as a call returns hits neither the call's own result nor the next call.
func TestCancelLate(t *testing.T) {
	in := interpreter(t)
	f, err := in.Func("callbacks:count")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	calls := leakCalls(100_000)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for i := range calls / 2 {
				ctx, cancel := context.WithCancel(context.Background())
				go func() {
					for range i % 64 {
						_ = ctx.Err()
					}
					cancel()
				}()
				if o, err := f.Call(ctx, 20); err == nil {
					_ = o.Close()
				} else if !errors.Is(err, context.Canceled) {
					t.Errorf("call %d: %v", i, err)
					return
				}
				o, err := f.Call(context.Background(), 20)
				if err != nil {
					t.Errorf("the call after call %d: %v", i, err)
					return
				}
				_ = o.Close()
			}
		})
	}
	wg.Wait()
}

// A call that blocks in C is given up after the grace time, and ends by itself.
var _ = scenario("still running", func() {
	in := must(Start(Config{Path: []string{absolute("testdata")}, CancelGrace: 100 * time.Millisecond, MaxConcurrent: 1}))
	ctx := newDeadline(context.Background())
	f := must(in.Func("callbacks:stuck"))
	lent := make([]float64, 1000)
	stuck := newStuckCall()
	go func() { stuck.wait(); ctx.begin() }()
	_, err := f.Call(ctx, stuck.begun, stuck.over, lent)
	if !errors.Is(err, ErrStillRunning) || !errors.Is(err, context.DeadlineExceeded) {
		fail("got %v", err)
	}
	if s := in.Stats(); s.StillRunning != 1 {
		fail("%d calls are said to be still running", s.StillRunning)
	}
	if n := must(evaluate[int](in, "builtins:abs", -2)); n != 2 { // with one slot: the other call has given its own up
		fail("got %d", n)
	}
	short, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := in.Shutdown(short); !errors.Is(err, context.DeadlineExceeded) {
		fail("Shutdown does not wait: %v", err)
	}
	stuck.end()
	check(in.Shutdown(context.Background()))
	if s := in.Stats(); s.StillRunning != 0 {
		fail("%d calls are still running", s.StillRunning)
	}
})

func TestStillRunning(t *testing.T) { passScenario(t, "still running") }

// What a cancelled call has lent and kept is as after any call.
func TestCancelKeepsLease(t *testing.T) {
	in := interpreter(t)
	before := in.Stats().Retained
	ctx := newDeadline(context.Background())
	_, err := executeContext[any](t, ctx, in, "sys.kept = a\nbegin()\nwhile True: pass", KW{"a": make([]float64, 100), "begin": ctx.begin})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if got := in.Stats().Retained; got != before+1 {
		t.Errorf("%d leases, want %d", got, before+1)
	}
	passes[any](t, in, "del sys.kept", nil)
	if !eventually(func() bool { return in.Stats().Retained == before }) {
		t.Error("the lease does not come back")
	}
}

// A call that does little but call Go functions is interrupted too: between two of them, also where there is no bytecode.
func TestCancelBetweenCallbacks(t *testing.T) {
	in := interpreter(t)
	for name, source := range map[string]string{
		"a loop":       "while True:\n    f()",
		"a loop in C":  "import collections, itertools\ncollections.deque((f() for _ in itertools.count()), maxlen=0)",
		"no bytecode":  "import collections, itertools\ncollections.deque(map(g, itertools.count()), maxlen=0)",
		"a nested one": "while True:\n    h()",
	} {
		ctx := newDeadline(context.Background())
		inner := 0
		_, err := executeContext[any](t, ctx, in, source, KW{"f": ctx.begin, "g": func(int) { ctx.begin() }, "h": func() error {
			ctx.begin()
			n, err := execute[int](t, in, "result = 0\nfor i in range(2000): result += 1", nil)
			inner += n
			return err
		}})
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrStillRunning) || inner%2000 != 0 {
			t.Errorf("%s: got %v, inner %d", name, err, inner)
		}
	}
}

// A cancelled outer call does not interrupt a call with a context of its own inside of a Go function, but is
// interrupted as soon as that returns.
func TestCancelNested(t *testing.T) {
	in := interpreter(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	inner := 0
	_, err := executeContext[any](t, ctx, in, "f()\nwhile True: pass", KW{"f": func() error {
		cancel()
		n, err := execute[int](t, in, "result = 0\nfor i in range(1000000): result += 1", nil)
		inner = n
		return err
	}})
	if inner != 1_000_000 || !errors.Is(err, context.Canceled) {
		t.Errorf("inner %d, %v", inner, err)
	}
	late := newDeadline(context.Background())
	_, err = executeContext[any](t, late, in, "f()", KW{"f": func(ctx context.Context) error {
		_, err := executeContext[any](t, ctx, in, "begin()\nwhile True: pass", KW{"begin": late.begin})
		return err
	}})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestCancelMap(t *testing.T) {
	in := interpreter(t)
	f, err := in.Func("callbacks:execute")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ctx := newDeadline(context.Background())
	got, err := Map[int](ctx, f, []Arguments{{"result = 1"}, {"begin()\nwhile True: pass", KW{"begin": ctx.begin}}, {"result = 3"}})
	var be *BatchError
	if !errors.As(err, &be) || be.Errors[0] != nil || got[0] != 1 {
		t.Fatalf("got %v, %v", got, err)
	}
	for _, err := range be.Errors[1:] {
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	}
}

// A worker's calls run on one thread, which is no other's.
func TestWorker(t *testing.T) {
	in := interpreter(t)
	w := in.Worker(context.Background())
	ctx := w.Context(context.Background())
	thread := func(ctx context.Context) int {
		n, err := executeContext[int](t, ctx, in, "import threading\nresult = threading.get_ident()", nil)
		if err != nil {
			t.Error(err)
		}
		return n
	}
	want := thread(ctx)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 20 {
				if got := thread(ctx); got != want {
					t.Errorf("on thread %d, want %d", got, want)
				}
				if got := thread(context.Background()); got == want {
					t.Error("another call is on the worker's thread")
				}
			}
		})
	}
	wg.Wait()
	nested, err := executeContext[bool](t, ctx, in, "import threading\nresult = f() == threading.get_ident()", KW{"f": func(ctx context.Context) int { return thread(ctx) }})
	if !nested || err != nil {
		t.Errorf("a call from a Go function is on another thread: %v", err)
	}
	_ = w.Close()
	if _, err := executeContext[any](t, ctx, in, "pass", nil); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

// Also where every call is waited for, however long it takes.
var _ = scenario("worker without grace", func() {
	in := must(Start(Config{Path: []string{testdata}, CancelGrace: -1}))
	w := in.Worker(context.Background())
	ctx, cancel := context.WithCancel(w.Context(context.Background()))
	ident := must(in.Func("threading:get_ident"))
	var threads []string
	for range 3 {
		threads = append(threads, must(ident.Call(ctx)).String())
	}
	equal("threads", threads, []string{threads[0], threads[0], threads[0]})
	if other := must(ident.Call(context.Background())).String(); other == threads[0] {
		fail("another call is on the worker's thread")
	}
	// It swallows the cancellation for a while.
	execute := must(in.Func("callbacks:execute"))
	time.AfterFunc(20*time.Millisecond, cancel)
	err := discarded(execute.Call(ctx, `import time
end = time.monotonic() + 0.3
while time.monotonic() < end:
    try:
        time.sleep(0.01)
    except BaseException:
        pass
result = 7`))
	if errors.Is(err, ErrStillRunning) || in.Stats().Abandoned != 0 {
		fail("the call was not waited for: %v", err)
	}
	check(in.Shutdown(context.Background()))
})

func TestWorkerWithoutGrace(t *testing.T) { passScenario(t, "worker without grace") }

// The exception hits the call also while it starts threads, and none of these.
func TestCancelWhileThreadsStart(t *testing.T) {
	in := interpreter(t)
	passes[any](t, in, "sys.told = []\nsys.unraisablehook = sys.told.append", nil)
	t.Cleanup(func() { passes[any](t, in, "sys.unraisablehook = sys.__unraisablehook__\ndel sys.told", nil) })
	for range 200 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		_, err := executeContext[any](t, ctx, in, "import threading\nwhile True:\n    threading.Thread(target=int).start()", nil)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrStillRunning) {
			t.Fatalf("got %v", err)
		}
	}
	if told := passes[[]string](t, in, "result = list(map(str, sys.told))", nil); len(told) > 0 {
		t.Errorf("threads were hit: %v", told)
	}
}

// A worker that lives for long keeps nothing of the contexts that it had.
func TestWorkerForgetsContexts(t *testing.T) {
	in := interpreter(t)
	w := in.Worker(context.Background())
	defer w.Close()
	f, err := in.Func("callbacks:passed")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	type key struct{}
	for name, make1 := range map[string]func() (context.Context, context.CancelFunc){
		"without an end": func() (context.Context, context.CancelFunc) { return context.Background(), func() {} },
		"that has ended": func() (context.Context, context.CancelFunc) { return context.WithCancel(context.Background()) },
	} {
		const count = 100
		var freed atomic.Int32
		for range count {
			ctx, cancel := make1()
			value := new([1000]int)
			runtime.AddCleanup(value, func(int) { freed.Add(1) }, 0)
			ctx = w.Context(context.WithValue(ctx, key{}, value))
			if ctx.Value(key{}) != any(value) {
				t.Fatal("the context has lost its values")
			}
			o, err := f.Call(ctx, 1)
			if err != nil {
				t.Fatal(err)
			}
			_ = o.Close()
			cancel()
		}
		// The last call's may be in the frame.
		if !eventually(func() bool { runtime.GC(); return freed.Load() >= count-2 }) {
			t.Errorf("a context %s: %d of %d are freed", name, freed.Load(), count)
		}
	}
}
