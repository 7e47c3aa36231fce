package pulltest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gophersnake/gophersnake/go/python"
)

var ctx = context.Background()

func TestMain(m *testing.M) {
	if os.Getenv("GOPHERSNAKE_PYTHON") == "" {
		venv, err := filepath.Abs("../../../../.venv-test")
		if err != nil {
			panic(err)
		}
		_ = os.Setenv("GOPHERSNAKE_PYTHON", venv)
	}
	os.Exit(m.Run())
}

var start = sync.OnceValues(func() (*python.Interpreter, error) {
	in, err := python.Start(python.Config{Path: []string{"../../testdata"}, MaxConcurrent: 4})
	if err != nil {
		return nil, err
	}
	shared = open()
	m := in.Module("pulling")
	return in, errors.Join(
		m.Type("Cursor", Cursor{}, python.Constructor(open)),
		m.Func("open", open),
		m.Property("row", func() int { return shared.Next() }, nil),
	)
})

// shared is a variable of the program that Python reaches by a property. It is not made while the package is initialised: the
// runtime locks the thread then, so that it could not be resumed later, in plain Go either.
var shared *Cursor

func interpreter(t testing.TB) *python.Interpreter {
	t.Helper()
	in, err := start()
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// execute runs Python statements and returns what they have assigned to `result`.
func execute[T any](ctx context.Context, t testing.TB, source string, variables python.KW) (T, error) {
	t.Helper()
	var none T
	run, err := interpreter(t).Func("callbacks:execute")
	if err != nil {
		return none, err
	}
	object, err := run.Call(ctx, source, variables)
	if err != nil {
		return none, err
	}
	return python.As[T](object)
}

// wants runs statements whose result must be `want`.
func wants[T any](t testing.TB, want T, source string, variables python.KW) {
	t.Helper()
	if got, err := execute[T](ctx, t, source, variables); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

// Cursor hands out rows one by one.
type Cursor struct {
	next func() (int, bool)
	stop func()
}

func open() *Cursor {
	next, stop := iter.Pull(slices.Values([]int{1, 2, 3, 4, 5, 6}))
	return &Cursor{next, stop}
}

// Next returns the next row, -1 at the end.
func (c *Cursor) Next() int {
	if v, ok := c.next(); ok {
		return v
	}
	return -1
}

// String is its repr.
func (c *Cursor) String() string { return fmt.Sprint("row ", c.Next()) }

// Close ends it.
func (c *Cursor) Close() { c.stop() }

// Read implements io.Reader.
func (c *Cursor) Read(data []byte) (int, error) {
	n := c.Next()
	if n < 0 {
		return 0, io.EOF
	}
	data[0] = byte('0' + n)
	return 1, nil
}

// ToPython implements python.ToPython.
func (c valueOf) ToPython() (any, error) { return c.cursor.Next(), nil }

type valueOf struct{ cursor *Cursor }

// A coroutine may be made and resumed in any place, as in a program without Python.
func TestPull(t *testing.T) {
	interpreter(t)
	const threads = `
import threading
def in_threads(f, n):
    got = []
    for _ in range(n):
        thread = threading.Thread(target=lambda: got.append(f()))
        thread.start()
        thread.join()
    return got
`
	t.Run("of the caller", func(t *testing.T) {
		c := open()
		first := c.Next()
		wants(t, []int{2, 3}, "result = [f(), f()]", python.KW{"f": c.Next})
		if first != 1 || c.Next() != 4 {
			t.Error("it does not go on")
		}
	})
	t.Run("of a registered value", func(t *testing.T) {
		c := open()
		c.Next()
		wants(t, []any{2, 3, "row 4"}, "result = [c.Next(), c.Next(), repr(c)]", python.KW{"c": c})
		wants(t, -1, "with c: pass\nresult = c.Next()", python.KW{"c": c})
	})
	t.Run("of the call", func(t *testing.T) {
		wants(t, []int{1, 2, 1}, "import pulling\nc = pulling.open()\nresult = [c.Next(), c.Next(), pulling.Cursor().Next()]", nil)
	})
	t.Run("of another call", func(t *testing.T) {
		wants(t, 1, "import pulling\nsys.cursor = pulling.open()\nresult = sys.cursor.Next()", nil)
		for n := range 3 {
			wants(t, n+2, "result = sys.cursor.Next()", nil)
		}
		c, err := execute[*Cursor](ctx, t, "result = sys.__dict__.pop('cursor')", nil)
		if err != nil || c.Next() != 5 {
			t.Errorf("got %v", err)
		}
	})
	t.Run("of another thread", func(t *testing.T) {
		wants(t, []int{1, 2, 3}, threads+"import pulling\nc = pulling.open()\nresult = [c.Next()] + in_threads(c.Next, 2)", nil)
		wants(t, []int{1, 2}, threads+"import pulling\nresult = [in_threads(pulling.open, 1)[0].Next() for _ in '1'] + in_threads(f, 2)[1:]",
			python.KW{"f": open().Next})
	})
	t.Run("of a variable", func(t *testing.T) {
		first := shared.Next()
		wants(t, []int{first + 1, first + 2}, "import pulling\nresult = [pulling.row, pulling.row]", nil)
	})
	t.Run("of pairs", func(t *testing.T) {
		next, stop := iter.Pull2(slices.All([]string{"a", "b", "c"}))
		next()
		wants(t, []python.Tuple{{1, "b"}, {2, "c"}}, "result = [f()[:2], f()[:2]]",
			python.KW{"f": func() (int, string, bool) { i, s, ok := next(); return i, s, ok }})
		wants(t, 0, "stop()\nresult = f()", python.KW{"f": func() int { i, _, _ := next(); return i }, "stop": stop})
	})
	t.Run("behind streams", func(t *testing.T) {
		c := open()
		c.Next()
		wants(t, "234", "result = f.read(3).decode()", python.KW{"f": struct{ io.Reader }{c}})
		seq := func(yield func(int) bool) {
			for range 2 {
				if !yield(c.Next()) {
					return
				}
			}
		}
		wants(t, []int{5, 6}, "result = list(seq)", python.KW{"seq": iter.Seq[int](seq)})
	})
	t.Run("behind conversions", func(t *testing.T) {
		c := open()
		wants(t, []int{1, 2}, "result = [a, f()]", python.KW{"a": valueOf{c}, "f": func() valueOf { return valueOf{c} }})
		wants(t, []int{3, 4}, `
import asyncio
async def main():
    return [await f(), await f()]
result = asyncio.run(main())`, python.KW{"f": python.NewFunc(c.Next, python.Async())})
	})
	t.Run("in many calls at a time", func(t *testing.T) {
		var calls sync.WaitGroup
		for range 16 {
			c := open()
			calls.Go(func() {
				for n := range 3 {
					if got, err := execute[int](ctx, t, "f()\nresult = g(f)", python.KW{"f": c.Next, "g": func(f func() int) int { return f() }}); err != nil || got != 2*n+2 {
						t.Errorf("got %d, %v", got, err)
					}
				}
			})
		}
		calls.Wait()
	})
}

// Calls of Python by a function are nested in that which called it: on its thread, with its locks, and in its place in the line.
func TestPullNests(t *testing.T) {
	in := interpreter(t)
	ident, err := python.Bind[func() (int, error)](in, "threading:get_ident")
	if err != nil {
		t.Fatal(err)
	}
	wants(t, true, "import threading\nresult = f() == threading.get_ident()", python.KW{"f": ident})
	wants(t, true, `
import threading
lock = threading.RLock()
def locked():
    with lock:
        return threading.get_ident()
with lock:
    result = f(locked) == threading.get_ident()`, python.KW{"f": func(locked func() (int, error)) (int, error) { return locked() }})
	wants(t, []bool{true}, `
import threading
result = []
thread = threading.Thread(target=lambda: result.append(f() == threading.get_ident()))
thread.start()
thread.join()`, python.KW{"f": ident})
	// Down to some depth, and by all ways into Python.
	down := func(f *python.Object, n int) (int, error) {
		if n == 0 {
			return 0, nil
		}
		object, err := f.Call(ctx, n-1)
		if err != nil {
			return 0, err
		}
		deep, err := python.As[int](object)
		return deep + 1, err
	}
	wants(t, 20, "def f(n): return down(f, n)\nresult = f(20)", python.KW{"down": down})
	wants(t, []any{3, "abc", 6, 2, 7}, `
import numpy as np
result = list(f([1, 2, 3], "abc", iter([1, 2, 3]), np.arange(2.0)))`, python.KW{
		"f": func(list, text *python.Object, each iter.Seq[int], array *python.Object) ([]any, error) {
			length, err := list.Len()
			if err != nil {
				return nil, err
			}
			sum := 0
			for n := range each {
				sum += n
			}
			view, err := python.Borrow[float64](array)
			if err != nil {
				return nil, err
			}
			defer view.Release()
			abs, err := in.Func("builtins:abs")
			if err != nil {
				return nil, err
			}
			seven, err := python.Map[int](ctx, abs, []int{-7})
			return []any{length, text, sum, len(view.Data), seven[0]}, err
		},
	})
	// Another goroutine that the function starts is no part of it.
	wants(t, false, "import threading\nresult = f() == threading.get_ident()", python.KW{"f": func() (got int, err error) {
		var other sync.WaitGroup
		other.Go(func() { got, err = ident() })
		other.Wait()
		return got, err
	}})
}

// However a function ends, its call ends so, and the next one begins anew.
func TestPullEnds(t *testing.T) {
	interpreter(t)
	failure := errors.New("the failure")
	if _, err := execute[any](ctx, t, "f()", python.KW{"f": func() error { return failure }}); !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
	func() {
		defer func() {
			if p := fmt.Sprint(recover()); !strings.Contains(p, "the panic") {
				t.Errorf("got %v", p)
			}
		}()
		_, _ = execute[any](ctx, t, "f()", python.KW{"f": func() { panic("the panic") }})
		t.Error("it did not panic")
	}()
	for _, source := range []string{"f()", "g()\nf()\ng()", "def f2(): f()\nh(f2)", "try:\n    f()\nexcept Exception:\n    pass"} {
		reached, ended := false, make(chan bool)
		go func() {
			defer close(ended)
			_, _ = execute[any](ctx, t, source, python.KW{
				"f": runtime.Goexit, "g": func() {}, "h": func(f func() error) { _ = f(); reached = true },
			})
			reached = true
		}()
		<-ended
		if reached {
			t.Errorf("%s: the goroutine goes on", source)
		}
	}
	wants(t, []string{"GoExit"}, `
import threading
result = []
def body():
    try:
        f()
    except BaseException as e:
        result.append(type(e).__name__)
thread = threading.Thread(target=body)
thread.start()
thread.join()`, python.KW{"f": runtime.Goexit})
	// A lock of the thread that is left is none of Python's.
	wants(t, []int{1, 1, 2}, "f()\nresult = [n(), n(), n()]", python.KW{"f": runtime.LockOSThread, "n": count()})
	wants(t, 1, "result = n()", python.KW{"n": open().Next})
	// The end of a context reaches a function, and a call that it makes.
	limited, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := execute[any](limited, t, "def spin():\n    while True: pass\nf(spin)", python.KW{
		"f": func(ctx context.Context, spin *python.Object) error {
			_, err := spin.Call(ctx)
			return err
		},
	}); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, python.ErrStillRunning) {
		t.Errorf("got %v", err)
	}
	limited, cancel = context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := execute[any](limited, t, "f()", python.KW{
		"f": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func count() func() int {
	n := 0
	return func() int { n++; return (n + 1) / 2 }
}

// OnThread keeps a function on the thread of Python's that calls it.
func TestOnThread(t *testing.T) {
	interpreter(t)
	const source = "import threading\nresult = [f() == threading.get_native_id() for f in (on, off, on)]"
	wants(t, []bool{true, false, true}, source, python.KW{
		"on": python.NewFunc(syscall.Gettid, python.OnThread()), "off": syscall.Gettid,
	})
	// Both in one call, one inside of the other, and ended in any way.
	inside := func(f func() (int, error)) (int, error) { return f() }
	for _, options := range [][]python.FuncOption{nil, {python.OnThread()}} {
		wants(t, []int{1, 1}, "result = [f(lambda: g(lambda: 1)), g(lambda: f(lambda: 1))]", python.KW{
			"f": python.NewFunc(inside, options...), "g": python.NewFunc(inside, python.OnThread()),
		})
	}
}

// How long a function takes that Python calls, on its thread and on a goroutine of its own.
func BenchmarkCallback(b *testing.B) {
	for name, function := range map[string]any{
		"apart": func(x int) int { return x }, "thread": python.NewFunc(func(x int) int { return x }, python.OnThread()),
	} {
		b.Run(name, func(b *testing.B) {
			wants(b, b.N, "for _ in range(n): f(1)\nresult = n", python.KW{"f": function, "n": b.N})
		})
	}
}
