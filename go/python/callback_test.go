package python

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// execute runs Python statements and returns what they have assigned to `result`.
func execute[T any](t testing.TB, in *Interpreter, source string, variables KW) (T, error) {
	t.Helper()
	return executeContext[T](t, context.Background(), in, source, variables)
}

func executeContext[T any](t testing.TB, ctx context.Context, in *Interpreter, source string, variables KW) (T, error) {
	t.Helper()
	var zero T
	run, err := in.Func("callbacks:execute")
	if err != nil {
		return zero, err
	}
	defer run.Close()
	object, err := run.Call(ctx, source, variables)
	if err != nil {
		return zero, err
	}
	defer object.Close()
	return As[T](object)
}

// passes is execute for what must not fail.
func passes[T any](t testing.TB, in *Interpreter, source string, variables KW) T {
	t.Helper()
	value, err := execute[T](t, in, source, variables)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestCallbackArguments(t *testing.T) {
	in := interpreter(t)
	type options struct {
		Keywords
		Scale float64 `py:"scale"`
		Name  string  `py:"name"`
	}
	for name, row := range map[string]struct {
		function any
		call     string
		want     string
	}{
		"none":         {func() {}, "f()", "None"},
		"float":        {func(x float64) float64 { return x / 2 }, "f(5)", "2.5"},
		"two results":  {func(a, b int) (int, int) { return b, a }, "f(1, 2)", "(2, 1)"},
		"error nil":    {func(a int) (int, error) { return a, nil }, "f(7)", "7"},
		"only error":   {func() error { return nil }, "f()", "None"},
		"variadic":     {func(sep string, parts ...string) string { return strings.Join(parts, sep) }, "f('-', 'a', 'b')", "'a-b'"},
		"variadic 0":   {func(parts ...string) int { return len(parts) }, "f()", "0"},
		"array":        {func(x []float64) float64 { return x[0] + x[len(x)-1] }, "f(np.arange(5.0))", "4.0"},
		"floats":       {func(x []float64) float64 { return x[0] + float64(len(x)) }, "(f([1.5, 2]), f((1.5,)), f(range(1, 3)))", "(3.5, 2.5, 3.0)"},
		"strided":      {func(x []float64) []float64 { return []float64{x[0], x[1]} }, "f(np.arange(5.0)[::-2]).tolist()", "[4.0, 2.0]"},
		"list of text": {func(x []string) []string { return x }, "f(['a', 'b'])", "['a', 'b']"},
		"map":          {func(m map[string]int) int { return m["a"] }, "f({'a': 3})", "3"},
		"bytes":        {func(b []byte) []byte { return b[1:] }, "f(b'abc')", "b'bc'"},
		"any":          {func(v any) string { return fmt.Sprintf("%T", v) }, "f({'a': [1]})", "'map[string]interface {}'"},
		"object":       {func(o *Object) *Object { return o }, "f(sys) is sys", "True"},
		"callable":     {func(f func(float64) float64) float64 { return f(2) + 1 }, "f(lambda x: x * 10)", "21.0"},
		"function":     {func(n int) func(int) int { return func(m int) int { return n * m } }, "f(3)(4)", "12"},
		"keywords":     {func(x float64, o options) string { return fmt.Sprint(x*o.Scale, " ", o.Name) }, "f(2.0, name='n', scale=3)", "'6 n'"},
		"context":      {func(ctx context.Context, x int) bool { return ctx.Err() == nil && x == 1 }, "f(1)", "True"},
		"map builtin":  {func(x int) int { return x * x }, "list(map(f, range(4)))", "[0, 1, 4, 9]"},
		"sorted":       {func(x int) int { return -x }, "sorted([1, 3, 2], key=f)", "[3, 2, 1]"},
		"partial":      {func(a, b int) int { return a - b }, "__import__('functools').partial(f, 10)(4)", "6"},
		"mut":          {func(x Mut[float64]) { x[0] = 42 }, "(a := np.zeros(2), f(a), a.tolist())[2]", "[42.0, 0.0]"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := passes[string](t, in, "result = repr("+row.call+")", KW{"f": row.function}); got != row.want {
				t.Errorf("%s = %s, want %s", row.call, got, row.want)
			}
		})
	}
}

// A wrong call is a TypeError that names the function, the argument, what was wanted and what came.
func TestCallbackWrongCalls(t *testing.T) {
	in := interpreter(t)
	module := in.Module("host_wrong")
	if err := module.Func("area", func(width, height float64, rows []struct{ Name string }) float64 { return width * height },
		Params("width", "height", "rows"), Default("rows", nil)); err != nil {
		t.Fatal(err)
	}
	if err := module.Func("fill", func(Mut[float64]) {}); err != nil {
		t.Fatal(err)
	}
	for call, want := range map[string]string{
		"area()":                         "area() missing required argument: 'width'",
		"area(1, 2, [], 4)":              "area() takes 3 positional arguments but 4 were given",
		"area(1, width=2)":               "area() got multiple values for argument 'width'",
		"area(1, 2, depth=3)":            "area() got an unexpected keyword argument 'depth'",
		"area('1', 2)":                   "area() argument 'width': want float64, got str",
		"area(1, 2, [{'Name': 1}])":      "area() argument 'rows'[0][\"Name\"]: want string, got int",
		"fill(np.zeros(4)[::2])":         "fill() argument 1: want an array of float64 that can be written to, got an array whose elements do not lie one after the other in native order: pass numpy.ascontiguousarray of it",
		"fill(np.zeros(4, np.float32))":  "fill() argument 1: want an array of float64 that can be written to, got array of float32",
		"fill(np.frombuffer(bytes(16)))": "fill() argument 1: want an array of float64 that can be written to, got an array that is read-only",
		"fill([1.0])":                    "fill() argument 1: want an array of float64 that can be written to, got list",
	} {
		_, err := execute[any](t, in, "from host_wrong import area, fill\n"+call, nil)
		var pe *Error
		if !errors.As(err, &pe) || !errors.Is(err, TypeError) || pe.Message != want {
			t.Errorf("%s: %v\nwant %s", call, err, want)
		}
	}
}

// A Go error is an exception in Python and itself again in the Go call that Python is in.
func TestCallbackError(t *testing.T) {
	in := interpreter(t)
	failing := func() error {
		return NewError(ValueError, fmt.Errorf("reading: %w", &fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}))
	}
	_, err := execute[any](t, in, "f()", KW{"f": failing})
	var path *fs.PathError
	var pe *Error
	if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &path) || path.Path != "x" || !errors.Is(err, ValueError) || !errors.As(err, &pe) {
		t.Errorf("got %v", err)
	}
	if pe.Type != "gophersnake.GoValueError" || pe.Message != "reading: open x: file does not exist" {
		t.Errorf("got %s: %s", pe.Type, pe.Message)
	}
	if !strings.Contains(pe.Traceback, "callback_test.go") || !strings.Contains(pe.Traceback, "TestCallbackError") {
		t.Errorf("the traceback does not name the Go function:\n%s", pe.Traceback)
	}
	got := passes[[]string](t, in, `
import gophersnake
try:
    f()
except ValueError as e:
    result = [type(e).__name__, str(e), str(isinstance(e, gophersnake.GoError))]`, KW{"f": failing})
	if want := []string{"GoValueError", "reading: open x: file does not exist", "True"}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A Python exception that passes through Go is the same exception, with the Go function in its traceback.
func TestCallbackPassesException(t *testing.T) {
	in := interpreter(t)
	through := func(f func(int) (int, error)) (int, error) { return f(3) }
	wrapping := func(f func(int) (int, error)) (int, error) {
		n, err := f(3)
		if err != nil {
			err = fmt.Errorf("wrapped: %w", err)
		}
		return n, err
	}
	variables := KW{"through": through, "wrapping": wrapping}
	source := `
class Special(KeyError):
    pass
raised = Special("deep")
raised.detail = [1, 2]
def inner(n):
    raise raised
`
	got := passes[[]string](t, in, source+`
import traceback
try:
    through(inner)
except Special as e:
    result = [str(e is raised), str(e.detail)] + [frame.name for frame in traceback.extract_tb(e.__traceback__)]`, variables)
	if len(got) != 5 || got[0] != "True" || got[1] != "[1, 2]" || got[2] != "<module>" || !strings.Contains(got[3], "TestCallbackPassesException") || got[4] != "inner" {
		t.Errorf("got %q", got)
	}
	got = passes[[]string](t, in, source+`
try:
    wrapping(inner)
except KeyError as e:
    result = [str(e), str(e.__cause__ is raised), str(isinstance(e, Special))]`, variables)
	if len(got) != 3 || !strings.HasPrefix(got[0], "wrapped: ") || got[1] != "True" || got[2] != "True" {
		t.Errorf("got %q", got)
	}
	_, err := execute[any](t, in, source+"wrapping(inner)", variables)
	if !errors.Is(err, KeyError) || !strings.Contains(err.Error(), "wrapped") {
		t.Errorf("got %v", err)
	}
}

func TestCallbackPanic(t *testing.T) {
	in := interpreter(t)
	type secret struct{ n int }
	value := &secret{5}
	panicking := func() { panic(value) }
	func() {
		defer func() {
			if got := recover(); got != any(value) {
				t.Errorf("recovered %v, want the original value", got)
			}
		}()
		_, err := execute[any](t, in, "try:\n    f()\nexcept Exception:\n    pass", KW{"f": panicking})
		t.Errorf("no panic, but %v", err)
	}()
	got := passes[string](t, in, `
import gophersnake
try:
    f()
except gophersnake.GoPanic as e:
    result = str(e.__notes__)`, KW{"f": panicking})
	if !strings.Contains(got, "TestCallbackPanic") {
		t.Errorf("no stack: %s", got)
	}
	if running := in.Stats().Running; running != 0 {
		t.Errorf("%d calls are still running", running)
	}
}

// runtime.Goexit in a callback, which t.FailNow does, ends the goroutine that called Python.
func TestCallbackGoexit(t *testing.T) {
	in := interpreter(t)
	for _, source := range []string{"f()", "try:\n    f()\nexcept BaseException:\n    pass"} {
		after, done := false, make(chan bool)
		go func() {
			defer close(done)
			_, _ = execute[any](t, in, source, KW{"f": func() { runtime.Goexit() }})
			after = true
		}()
		<-done
		if after {
			t.Errorf("%q: the goroutine went on", source)
		}
	}
	if passes[int](t, in, "result = 5", nil) != 5 || in.Stats().Running != 0 {
		t.Error("Python is not usable")
	}
}

func TestCallbackNesting(t *testing.T) {
	in := interpreter(t)
	var down func(n int) (int, error)
	down = func(n int) (int, error) {
		if n == 0 {
			return 0, nil
		}
		v, err := execute[int](t, in, "result = f(n) + 1", KW{"f": func(n int) (int, error) { return down(n - 1) }, "n": n})
		return v, err
	}
	if got, err := down(100); got != 100 || err != nil {
		t.Errorf("got %d, %v", got, err)
	}
	if _, err := down(100_000); !errors.Is(err, ErrLimit) {
		t.Errorf("got %v, want ErrLimit", err)
	}
}

func TestCallbackContext(t *testing.T) {
	in := interpreter(t)
	type key struct{}
	ctx := context.WithValue(context.Background(), key{}, "outer")
	got, err := executeContext[string](t, ctx, in, "result = f()", KW{"f": func(ctx context.Context) string { return ctx.Value(key{}).(string) }})
	if got != "outer" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// A Go mutex that the caller of Python holds, and that other goroutines want before they call Python.
func TestCallbackMutex(t *testing.T) {
	in := interpreter(t)
	var mu sync.Mutex
	counter := 0
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range 20 {
				_, err := execute[any](t, in, "f()", KW{"f": func() error {
					mu.Lock()
					defer mu.Unlock()
					counter++
					_, err := execute[any](t, in, "result = 1", nil)
					return err
				}})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if counter != 1000 {
		t.Errorf("counted %d, want 1000", counter)
	}
}

func TestModule(t *testing.T) {
	in := interpreter(t)
	m := in.Module("host_module.inner")
	level := 3
	for _, err := range []error{
		m.Func("score", func(x, k float64) float64 { return x * k }, Doc("Score a value."), Params("x", "k"), Default("k", 2.0)),
		m.Value("names", []string{"a"}),
		m.Const("PI", math.Pi),
		m.Var("level", &level),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	got := passes[[]string](t, in, `
import inspect, pydoc
import host_module.inner as inner
from host_module.inner import score, names, PI, level
result = [str(inspect.signature(score)), score.__doc__, score.__name__, score.__module__, repr(score), str(score(2)), str(score(k=5, x=1)), str(names), str(PI), str(level)]
inner.level = 8
result.append(str(inner.level))
try:
    inner.PI = 3
except AttributeError as e:
    result.append(str(e))
result.append(pydoc.render_doc(score, renderer=pydoc.plaintext))
result.append(str(sorted(inner.__all__)))
`, nil)
	want := []string{"(x, k=2.0)", "Score a value.", "score", "host_module.inner", "<Go function host_module.inner.score>", "4.0", "5.0", "['a']",
		"3.141592653589793", "3", "8", "host_module.inner.PI is a constant of the Go program",
		"Python Library Documentation: GoFunction in module host_module.inner\n\nscore(x, k=2.0)\n    Score a value.\n", "['PI', 'level', 'names', 'score']"}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%d: got %q, want %q", i, got[i], want[i])
		}
	}
	if level != 8 {
		t.Errorf("level is %d, want 8", level)
	}
	if err := in.Module("json").Value("x", 1); !errors.Is(err, ImportError) {
		t.Errorf("a module of Python's was replaced: %v", err)
	}
	if err := m.Func("score", func() {}); !errors.Is(err, ValueError) {
		t.Errorf("a function was replaced: %v", err)
	}
}

// A slice that a Go function returns lives as long as the array that it became.
func TestCallbackGift(t *testing.T) {
	in := interpreter(t)
	before := in.Stats().Hosted
	got := passes[[]float64](t, in, `
import gc
kept = [f(i) for i in range(100)]
gc.collect()
kept[3][0] += 0.5
result = np.array([a[0] for a in kept])`, KW{"f": func(i int) []float64 {
		out := make([]float64, 1000)
		out[0] = float64(i)
		return out
	}})
	for i, v := range got {
		if want := float64(i); v != want && i != 3 || i == 3 && v != 3.5 {
			t.Fatalf("[%d] is %v", i, v)
		}
	}
	if !eventually(func() bool { return in.Stats().Hosted <= before }) {
		t.Errorf("%d handles are out, want %d", in.Stats().Hosted, before)
	}
}

// A Go function may return its argument, or a part of it: memory of Python's, which it has for the call only.
func TestCallbackReturnsArgument(t *testing.T) {
	in := interpreter(t)
	got := passes[[]float64](t, in, `
def made(n):
    return f(np.arange(float(n)))
results = [made(300_000) for _ in range(10)] + [made(5)]
others = [np.full(300_000, 7.0) for _ in range(10)] + [np.full(5, 7.0) for _ in range(100)]
result = [a[3] for a in results]`, KW{"f": func(x []float64) []float64 { return x[1:] }})
	for i, v := range got {
		if v != 4 {
			t.Errorf("[%d] is %v, want 4", i, v)
		}
	}
	got = passes[[]float64](t, in, "result = f(np.arange(6.0))", KW{"f": func(x []float64) Lent { return Lend(x[1:]).Strided([]int{3}, []int{2}) }})
	if fmt.Sprint(got) != "[1 3 5]" {
		t.Errorf("got %v", got)
	}
}

func TestCallbackThreads(t *testing.T) {
	in := interpreter(t)
	var mu sync.Mutex
	seen := map[int]int{}
	passes[any](t, in, `
import threading
def work(i):
    for _ in range(200):
        f(i)
threads = [threading.Thread(target=work, args=(i,)) for i in range(50)]
for thread in threads: thread.start()
for thread in threads: thread.join()`, KW{"f": func(i int) {
		mu.Lock()
		defer mu.Unlock()
		seen[i]++
	}})
	for i := range 50 {
		if seen[i] != 200 {
			t.Errorf("thread %d called %d times, want 200", i, seen[i])
		}
	}
}

// A Go function that lends its argument on to Python, which keeps it: the memory is Python's and lives as long as that.
func TestCallbackLendsOn(t *testing.T) {
	in := interpreter(t)
	keep := func(x []float64) error {
		_, err := execute[any](t, in, "sys.kept_on = a[5:]", KW{"a": x})
		return err
	}
	before := in.Stats()
	passes[any](t, in, `
import gc
for i in range(50):
    f(np.full(100_000, float(i)))
    gc.collect()
    others = [np.full(100_000, -1.0) for _ in range(4)]
    assert (sys.kept_on == i).all(), (i, sys.kept_on)
del sys.kept_on`, KW{"f": keep})
	passes[any](t, in, "pass", nil)
	if !eventually(func() bool { s := in.Stats(); return s.Retained == before.Retained && s.Objects <= before.Objects }) {
		t.Errorf("got %+v, want %+v", in.Stats(), before)
	}
}

// Callbacks do the same on goroutines of their own as they do on the threads that call them.
func TestCallbacksApart(t *testing.T) {
	if os.Getenv(apartVariable) != "" {
		t.Skip("it is what runs here")
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(executable, "-test.short", "-test.run=^Test(Callback|Class|Stream|Interface|Async|MapPanics|Lane|Cancel)")
	command.Env = environ(apartVariable+"=1", testdataVariable+"="+testdata)
	command.Dir = filepath.Dir(testdata)
	scenario := scenarioTimeout
	scenarioTimeout = lenient(10 * time.Minute) // it is many tests
	defer func() { scenarioTimeout = scenario }()
	passCommand(t, command)
}

// This program has no code of iter.Pull but what runs the functions that Python calls: internal/pulltest tests the other case.
func TestPullsElsewhere(t *testing.T) {
	if os.Getenv(apartVariable) == "" && pullsElsewhere() {
		t.Error("the names of the functions are not found, or a test uses iter.Pull: it belongs in internal/pulltest")
	}
}
