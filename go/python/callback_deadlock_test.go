package python

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// startNarrow starts the interpreter of a scenario with one slot: whoever keeps it while it waits hangs.
func startNarrow() *Interpreter {
	return must(Start(Config{Path: []string{testdata}, MaxConcurrent: 1}))
}

// perform runs Python statements in a scenario and returns what they have assigned to `result`.
func perform[T any](in *Interpreter, source string, variables KW) (T, error) {
	return evaluate[T](in, "callbacks:execute", source, variables)
}

var _ = scenario("one slot is enough", func() {
	in := startNarrow()
	asks := func() int { return must(perform[int](in, "result = 7", nil)) }
	variables := KW{"asks": asks}

	// From within arguments that are being made, results that are being read, and what is being given back.
	for name, source := range map[string]string{
		"call":    "result = asks()",
		"thread":  "import threading\nresult = []\nt = threading.Thread(target=lambda: result.append(asks())); t.start(); t.join(); result = result[0]",
		"__del__": "class C:\n  def __del__(self): seen.append(asks())\nseen = []\nC()\nresult = seen[0]",
		"weakref": "import weakref\nclass C: pass\nseen = []\nc = C()\nr = weakref.ref(c, lambda _: seen.append(asks()))\ndel c\nresult = seen[0]",
		"cycle":   "import gc\nclass C:\n  def __del__(self): seen.append(asks())\nseen = []\nc = C(); c.c = c; del c\ngc.collect()\nresult = seen[0]",
	} {
		if got := must(perform[int](in, source, variables)); got != 7 {
			fail("%s: got %d", name, got)
		}
	}

	object := func(source string) *Object { return must(perform[*Object](in, source, variables)) }
	if got := must(As[[]int](object("class C:\n  def __len__(self): return asks()\n  def __iter__(self): return iter([asks(), asks()])\nresult = C()"))); fmt.Sprint(got) != "[7 7]" {
		fail("__iter__ during Decode: got %v", got)
	}
	type record struct{ A, B int }
	if got := must(As[record](object("class C:\n  @property\n  def A(self): return asks()\n  @property\n  def B(self): return asks() + 1\nresult = C()"))); got != (record{7, 8}) {
		fail("properties during Decode: got %v", got)
	}
	if got := must(perform[int](in, "result = d['k'] + asks()", KW{"asks": asks, "d": map[string]int{"k": 1}})); got != 8 {
		fail("got %d", got)
	}
	// A key whose __hash__ calls Go while the arguments are made.
	key := object("class K:\n  def __hash__(self): return asks()\n  def __eq__(self, other): return self is other\nresult = K()")
	if got := must(perform[int](in, "result = list(d.values())[0]", KW{"d": map[any]any{key: 5}})); got != 5 {
		fail("got %d", got)
	}

	// The last reference goes back from Go: Python destroys the object at the next use of any kind.
	var destroyed atomic.Int32
	counts := func() int { destroyed.Add(1); return asks() }
	doomed := func() *Object {
		return must(evaluate[*Object](in, "callbacks:Doomed", counts))
	}
	array := object("result = np.arange(4.0)")
	uses := map[string]func(){
		"Call":   func() { must(perform[int](in, "result = 1", nil)) },
		"Decode": func() { must(As[[]float64](array)) },
		"Func":   func() { check(must(in.Func("math:fsum")).Close()) },
		"Borrow": func() {
			must(Borrow[float64](array)).Release()
		},
		"reply": func() { must(perform[*Object](in, "result = f()", KW{"f": func() *Object { return array }})) },
	}
	for name, use := range uses {
		before := destroyed.Load()
		object := doomed()
		must(perform[int](in, "result = 1", nil)) // the references of the last call have gone
		check(object.Close())
		use()
		must(perform[int](in, "result = 1", nil))
		if destroyed.Load() != before+1 {
			fail("%s: %d objects were destroyed, want 1", name, destroyed.Load()-before)
		}
	}
	if running := in.Stats().Running; running != 0 {
		fail("%d calls are running", running)
	}
})

func TestCallbackOneSlot(t *testing.T) { passScenario(t, "one slot is enough") }

var _ = scenario("a lock around a Go function", func() {
	in := must(Start(Config{Path: []string{testdata}, MaxConcurrent: 2}))
	must(perform[any](in, "import threading\nsys.lock = threading.Lock()", nil))
	sleeps := func() { time.Sleep(time.Millisecond) }
	calls := func() { must(perform[any](in, "pass", nil)) }
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() {
			for range 20 {
				must(perform[any](in, "with sys.lock: f()", KW{"f": []func(){sleeps, calls}[i%2]}))
			}
		})
	}
	all.Wait()
	if stats := in.Stats(); stats.Running != 0 || stats.Waiting != 0 {
		fail("left: %+v", stats)
	}
	check(in.Shutdown(context.Background()))
})

// All slots may be taken by calls that wait for what a call holds which has called a Go function.
func TestCallbackLock(t *testing.T) { passScenario(t, "a lock around a Go function") }

// manyGoroutines is how many goroutines call at once: fewer where each call collects garbage, which looks at all of them.
func manyGoroutines() int {
	if collects {
		return maxSuspended + 100
	}
	return 11_000
}

var _ = scenario("nested calls go first", func() {
	in := startNarrow()
	asks := func() (int, error) { return perform[int](in, "result = 7", nil) }
	goroutines := manyGoroutines()
	var all sync.WaitGroup
	var failed atomic.Int32
	for range goroutines {
		all.Go(func() {
			got, err := perform[int](in, "result = asks()", KW{"asks": asks})
			if err != nil || got != 7 {
				failed.Add(1)
				fail("got %d, %v", got, err)
			}
		})
	}
	most := 0
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	for ended := false; !ended; {
		select {
		case <-done:
			ended = true
		case <-time.After(5 * time.Millisecond):
			most = max(most, tasks())
		}
	}
	bound := 100
	if raceDetector { // Go is slow then, and while a Go function runs, its call's slot is for a newcomer: more calls are in one
		bound += maxSuspended
	}
	if most > bound {
		fail("%d OS threads", most)
	}
	fmt.Println(most)
})

func TestCallbackNestedCallsGoFirst(t *testing.T) {
	t.Logf("at most %s OS threads", passScenario(t, "nested calls go first"))
}

var _ = scenario("many blocking callbacks", func() {
	in := start()
	release := make(chan struct{})
	blocks := func() error { <-release; return nil }
	goroutines := manyGoroutines()
	var all sync.WaitGroup
	var refused, passed atomic.Int32
	for range goroutines {
		all.Go(func() {
			switch _, err := perform[any](in, "blocks()", KW{"blocks": blocks}); {
			case err == nil:
				passed.Add(1)
			case errors.Is(err, ErrLimit):
				refused.Add(1)
			default:
				fail("%v", err)
			}
		})
	}
	until(func() bool { return int(refused.Load()) == goroutines-maxSuspended })
	if n := tasks(); n > maxSuspended+100 {
		fail("%d OS threads", n)
	}
	if got := must(perform[int](in, "result = 7", nil)); got != 7 { // the rest of the program goes on
		fail("got %d", got)
	}
	close(release)
	all.Wait()
	if passed.Load() != maxSuspended {
		fail("%d passed, want %d", passed.Load(), maxSuspended)
	}
	must(perform[any](in, "blocks()", KW{"blocks": blocks}))
})

func TestCallbackManyBlocking(t *testing.T) { passScenario(t, "many blocking callbacks") }

// A nested call keeps no thread of its own, so it does not count against the bound.
func TestCallbackNestingIsNotBoundedTwice(t *testing.T) { passScenario(t, "many deep callbacks") }

var _ = scenario("many deep callbacks", func() {
	in := start()
	const goroutines, depth = 20, 100 // more levels at once than maxSuspended
	var bottom sync.WaitGroup
	bottom.Add(goroutines)
	var all sync.WaitGroup
	for range goroutines {
		var down func(int) (int, error)
		down = func(n int) (int, error) {
			if n == 0 {
				bottom.Done()
				bottom.Wait()
				return 0, nil
			}
			return perform[int](in, "result = down(n) + 1", KW{"down": func(n int) (int, error) { return down(n - 1) }, "n": n})
		}
		all.Go(func() {
			if got := must(down(depth)); got != depth {
				fail("got %d", got)
			}
		})
	}
	all.Wait()
})

var _ = scenario("close what runs", func() {
	in := startNarrow()
	// Arguments and the function itself are closed while they are in use: by a callback of their own call, and by
	// another goroutine while a callback runs that making the arguments calls.
	for range 200 {
		argument := must(perform[*Object](in, "result = [1, 2, 3]", nil))
		var f *Function
		closes := func() {
			check(f.Close())
			check(argument.Close())
			must(perform[any](in, "import gc; gc.collect(); junk = [[0] * 3 for _ in range(100)]", nil))
		}
		hashed := must(perform[*Object](in, "class K:\n  def __hash__(self): closes(); return 1\nresult = K()", KW{"closes": closes}))
		f = must(in.Func("callbacks:passed"))
		got := must(f.Call(context.Background(), []any{map[any]any{hashed: 1}, argument}))
		if text := must(As[string](must(perform[*Object](in, "result = repr(x[1])", KW{"x": got})))); text != "[1, 2, 3]" {
			fail("got %s", text)
		}
		if _, err := f.Call(context.Background(), 1); !errors.Is(err, ErrClosed) {
			fail("got %v", err)
		}
	}
	for range 100 {
		f := must(in.Func("callbacks:execute"))
		got := must(f.Call(context.Background(), "closes()\nresult = [5]", KW{"closes": func() { check(f.Close()); must(perform[int](in, "result = 1", nil)) }}))
		if n := must(As[[]int](got)); n[0] != 5 {
			fail("got %d", n)
		}
	}
})

func TestCallbackClosesWhatRuns(t *testing.T) { passScenario(t, "close what runs") }

var _ = scenario("shut down in a callback", func() {
	in := start()
	begun, release := make(chan struct{}), make(chan struct{})
	var inner error
	waits := func() int {
		close(begun)
		<-release
		_, inner = perform[int](in, "result = 1", nil)
		return 5
	}
	finished := make(chan struct{})
	go func() {
		f := must(in.Func("callbacks:execute"))
		o := must(f.Call(context.Background(), "result = waits() + 1\nimport atexit, sys\natexit.register(lambda: print(last()))", KW{
			"waits": waits, "last": func() string { return "last" },
		}))
		if _, err := As[int](o); !errors.Is(err, ErrClosed) {
			fail("Decode after Shutdown: %v", err)
		}
		close(finished)
	}()
	<-begun
	short, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := in.Shutdown(short); !errors.Is(err, context.DeadlineExceeded) {
		fail("Shutdown while a callback runs: %v", err)
	}
	close(release)
	check(in.Shutdown(context.Background()))
	<-finished
	if !errors.Is(inner, ErrClosed) {
		fail("a new call after Shutdown: %v", inner)
	}
})

func TestCallbackShutdown(t *testing.T) {
	if got := passScenario(t, "shut down in a callback"); got != "last\n" {
		t.Errorf("got %q", got)
	}
}

var _ = scenario("shut down from a callback", func() {
	in := startNarrow()
	var stopped error
	stops := func() {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		stopped = in.Shutdown(ctx)
	}
	if _, err := perform[any](in, "stops()", KW{"stops": stops}); err != nil && !errors.Is(err, ErrClosed) {
		fail("%v", err)
	}
	if !errors.Is(stopped, context.DeadlineExceeded) {
		fail("got %v", stopped)
	}
	check(in.Shutdown(context.Background()))
})

func TestCallbackShutsDown(t *testing.T) { passScenario(t, "shut down from a callback") }

var _ = scenario("import calls Go", func() {
	in := startNarrow()
	check(in.Module("host_import").Func("seven", func() (int, error) { return perform[int](in, "result = 7", nil) }))
	f := must(in.Func("callbacks_import:answer"))
	if got := must(As[int](must(f.Call(context.Background())))); got != 14 {
		fail("got %d", got)
	}
	_, err := in.Func("callbacks_import_fails:answer")
	if err == nil || !errors.Is(err, ModuleNotFoundError) {
		fail("got %v", err)
	}
	// Imports lock each module: two that want each other's while Go runs in between.
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			must(perform[any](in, "import callbacks_import", KW{"i": i}))
		})
	}
	all.Wait()
})

func TestCallbackImport(t *testing.T) { passScenario(t, "import calls Go") }

var _ = scenario("a thread ends", func() {
	in := start()
	var called, refused atomic.Int32
	variables := KW{"called": func() { called.Add(1) }, "refused": func() { refused.Add(1) }}
	must(perform[any](in, `
import threading, sys
class Last:
    def __del__(self):
        called()
local = threading.local()
sys.modules["callbacks"].local = local
def leave():
    local.last = Last()
sys.modules["callbacks"].leave = leave
sys.unraisablehook = lambda _: None
t = threading.Thread(target=leave); t.start(); t.join()
`, variables))
	if called.Load() != 1 {
		fail("a thread of Python's: called %d times", called.Load())
	}
	leave := must(in.Func("callbacks:leave"))
	before := in.Stats().Threads
	onThreads(20, func() { must(leave.Call(context.Background())) })
	until(func() bool { return in.Stats().Threads <= before+2 })
	must(perform[int](in, "result = 1", nil))
})

func TestCallbackThreadEnds(t *testing.T) { passScenario(t, "a thread ends") }

var _ = scenario("garbage", func() {
	debug.SetGCPercent(1)
	in := start()
	stop := make(chan struct{})
	var noise sync.WaitGroup
	noise.Go(func() {
		var kept [][]byte
		for {
			select {
			case <-stop:
				return
			default:
				if kept = append(kept, make([]byte, 1<<12)); len(kept) > 100 {
					kept = nil
					runtime.Gosched()
				}
			}
		}
	})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 300 {
				got := must(perform[float64](in, `
import gc
class Node:
    def __del__(self):
        died(1.0)
gc.set_threshold(5)
total = 0.0
for k in range(20):
    node = Node(); node.self = node
    total += sum(vector(np.arange(50.0)))
    total += died(2.0)
result = total`, KW{
					"died":   func(x float64) float64 { _ = make([]byte, 1<<10); return x },
					"vector": func(x []float64) []float64 { out := make([]float64, len(x)); copy(out, x); return out },
				}))
				if want := 20 * (1225. + 2); got != want {
					fail("%d: got %v, want %v", i, got, want)
				}
			}
		})
	}
	all.Wait()
	close(stop)
	noise.Wait()
})

// Go's signals and its garbage collector, and Python's, in the midst of callbacks.
func TestCallbackGarbage(t *testing.T) { passScenario(t, "garbage") }
