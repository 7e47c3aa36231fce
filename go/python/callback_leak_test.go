package python

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"testing"
)

// Callbacks of each kind leave nothing behind: in Python, in Go, or between them.
func TestCallbackLeak(t *testing.T) {
	in := interpreter(t)
	ctx := context.Background()
	failure := errors.New("on purpose")
	call, err := in.Func("callbacks:call")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = call.Close() }()
	// once calls Python with a Go function that Python then calls.
	once := func(function any) error {
		object, err := call.Call(ctx, function)
		if err != nil {
			return err
		}
		return object.Close()
	}
	each := func(work func(i int) error) func(int) error {
		return func(n int) error {
			for i := range n {
				if err := work(i); err != nil {
					return err
				}
			}
			return nil
		}
	}
	with := func(n int, variables KW) KW {
		variables = maps.Clone(variables)
		variables["n"] = n
		return variables
	}
	// looped calls Go from a loop of Python's.
	looped := func(body string, variables KW) func(int) error {
		return func(n int) error {
			_, err := execute[any](t, in, "import gophersnake\nfor i in range(n):\n    "+body, with(n, variables))
			return err
		}
	}
	// threaded calls Go from 50 threads of Python's.
	threaded := func(body string, function any) func(int) error {
		return func(n int) error {
			_, err := execute[any](t, in, `
import gophersnake, threading
def work():
    for i in range(n // 50):
        `+body+`
threads = [threading.Thread(target=work) for _ in range(50)]
for t in threads: t.start()
for t in threads: t.join()
del threads, t, work`, with(n, KW{"f": function}))
			return err
		}
	}
	apart := func(body func()) {
		done := make(chan struct{})
		go func() { defer close(done); body() }()
		<-done
	}
	fails := func() error { return failure }
	panics := func() { panic(failure) }
	exits := func() { runtime.Goexit() }
	const all, slow = 100_000, 10_000 // a panic writes its stack out, and takes some 100 µs
	for _, kind := range []struct {
		name  string
		calls int
		work  func(int) error
	}{
		{"nothing", all, looped("f()", KW{"f": func() {}})},
		{"float", all, looped("f(0.5)", KW{"f": func(x float64) float64 { return x }})},
		{"texts", all, looped("f('a', {'k': [i, None]})", KW{"f": func(_ string, m map[string][]any) map[string][]any { return m }})},
		{"array", all, looped("f(a)", KW{"a": make([]float64, 1000), "f": func(x []float64) float64 { return x[3] }})},
		{"gift", all, looped("kept = f()[3:]", KW{"f": func() []float64 { return make([]float64, 500) }})},
		{"object", all, looped("f([i])", KW{"f": func(o *Object) *Object { return o }})},
		{"closed object", all, looped("f([i])", KW{"f": func(o *Object) error { return o.Close() }})},
		{"callable", all, looped("f(lambda: i)", KW{"f": func(f func() (int, error)) (int, error) { return f() }})},
		{"function", all, looped("f(i)()", KW{"f": func(i int) func() int { return func() int { return i } }})},
		{"wrong call", all, looped("try: f('x')\n    except TypeError: pass", KW{"f": func(float64) {}})},
		{"error", all, looped("try: f()\n    except gophersnake.GoError: pass", KW{"f": fails})},
		{"exception", all, looped("try: f(lambda: 1 // 0)\n    except ZeroDivisionError: pass", KW{"f": func(f func() error) error { return f() }})},
		{"wrapped", all, looped("try: f(lambda: 1 // 0)\n    except ZeroDivisionError: pass", KW{"f": func(f func() error) error { return fmt.Errorf("wrapped: %w", f()) }})},
		{"kept exception", slow, looped("__import__('callbacks').keep_exception(f)", KW{"f": func(f func() error) error { return f() }})},
		{"kept wrapped", slow, looped("__import__('callbacks').keep_exception(f)", KW{"f": func(f func() error) error { return fmt.Errorf("wrapped: %w", f()) }})},
		{"panic", slow, looped("try: f()\n    except gophersnake.GoPanic: pass", KW{"f": panics})},
		{"lambda", all, each(func(i int) error { return once(func() int { return i }) })},
		{"error out", all, each(func(int) error { return is(failure, once(fails)) })},
		{"panic out", slow, each(func(int) (err error) {
			defer func() { err = is(failure, recover().(error)) }()
			return once(panics)
		})},
		{"Goexit", slow, each(func(int) error {
			apart(func() { t.Error("went on", once(exits)) })
			return nil
		})},
		{"caught Goexit", slow, func(n int) error {
			apart(func() { _ = looped("try: f()\n    except gophersnake.GoExit: pass", KW{"f": exits})(n) })
			return nil
		}},
		{"thread", all, threaded("f(0.5)", func(x float64) float64 { return x })},
		{"thread that calls", all, threaded("f()", func() error { return once(func() {}) })},
		{"thread error", all, threaded("try: f()\n        except gophersnake.GoError: pass", fails)},
		{"thread panic", slow, threaded("try: f()\n        except gophersnake.GoPanic: pass", panics)},
		{"thread Goexit", slow, threaded("try: f()\n        except gophersnake.GoExit: pass", exits)},
	} {
		t.Run(kind.name, func(t *testing.T) {
			calls := leakCalls(kind.calls)
			work := func(calls int) {
				if err := kind.work(calls); err != nil {
					t.Fatal(err)
				}
			}
			work(max(calls/10, leakCalls(2_000))) // fills caches
			// Caches may still grow at the first look; what leaks grows at each.
			const looks = 5
			for look := 1; ; look++ {
				complain := func(format string, arguments ...any) {
					if look == looks {
						t.Errorf(format, arguments...)
					}
				}
				if leakedNothing(t, in, calls, work, complain) || look == looks {
					return
				}
			}
		})
	}
}

// leakedNothing works once more, and complains of what is more than before.
func leakedNothing(t *testing.T, in *Interpreter, calls int, work func(calls int), complain func(string, ...any)) bool {
	t.Helper()
	ok := true
	before, hosted, routines := count(t, in), in.Stats().Hosted, runtime.NumGoroutine()
	work(calls)
	// What Go and Python hold by one another takes a collection on each side, in turn.
	if !eventually(func() bool {
		runtime.GC()
		passes[any](t, in, "import gc; gc.collect()", nil)
		return in.Stats().Hosted <= hosted && in.Stats().Objects <= before.Objects && runtime.NumGoroutine() <= routines
	}) {
		ok = false
		complain("%+v and %d goroutines, before %d handles, %d objects, %d goroutines",
			in.Stats(), runtime.NumGoroutine(), hosted, before.Objects, routines)
	}
	after := count(t, in)
	for _, row := range []struct {
		name                string
		before, after, most int
	}{
		{"blocks", before.Blocks, after.Blocks, 300},
		{"references to what all calls share", before.Shared, after.Shared, 200},
		{"bytes of resident memory", before.Resident, after.Resident, 12 << 20},
		{"OS threads", before.Threads, after.Threads, 6},
		{"descriptors", before.Descriptors, after.Descriptors, 0},
	} {
		if raceDetector && row.name == "bytes of resident memory" {
			continue // the detector forgets no goroutine that ends as a coroutine
		}
		if row.after-row.before > row.most {
			ok = false
			complain("%d %s more after %d calls (%d, before %d)", row.after-row.before, row.name, calls, row.after, row.before)
		}
	}
	return ok
}
