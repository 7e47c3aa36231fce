package python

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unsafe"
)

type (
	oneKeyword struct {
		Keywords
		C int `py:"c"`
	}
	twoKeywords struct {
		Keywords
		C int  `py:"c,omitempty"`
		D *int `py:"d,omitempty"`
	}
	wrongKeyword struct {
		Keywords
		Z int `py:"zz"`
	}
	plainParameter struct {
		C int `py:"c"`
	}
)

// bound binds and calls.
func bound[F any](name string, call func(f F) string) func(in *Interpreter) (string, error) {
	return func(in *Interpreter) (string, error) {
		f, err := Bind[F](in, name)
		if err != nil {
			return "", err
		}
		return call(f), nil
	}
}

func values(parts ...any) string { return strings.TrimSuffix(fmt.Sprintln(parts...), "\n") }

func TestBindShapes(t *testing.T) {
	in := interpreter(t)
	if err := run(in, "oracle:execute", `
import sys, types
m = types.ModuleType("bindings")
def join(*a, **k): return repr(a) + repr(dict(sorted(k.items())))
def fixed(a, b=2, *, c=3): return [a, b, c]
def positional(a, b, /): return (a, b)
def several(n): return 1, "x", [2.5]
def pair(n): return oraclePair(n, "x")
def nothing(): pass
def fails(a): raise ValueError("on purpose")
class Class:
    def __init__(self, x): self.x = x
    def method(self, y): return self.x + y
    @classmethod
    def make(cls, x): return cls(x).x
    @staticmethod
    def double(x): return 2 * x
class Callable:
    def __call__(self, a): return a
import functools, oracle
oraclePair = oracle.Pair
for name, value in dict(locals()).items():
    if not name.startswith("_"): setattr(m, name, value)
m.partial = functools.partial(fixed, 1)
m.instance = Callable()
m.bound = Class(5).method
sys.modules["bindings"] = m
for f in (join, fixed, positional, several, pair, nothing, fails): f.__globals__.update(oraclePair=oracle.Pair)
`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	seven := 7
	for _, row := range []struct {
		name string
		call func(in *Interpreter) (string, error)
		want string
	}{
		// Contexts, parameters, variadic ones.
		{"a context", bound("bindings:fixed", func(f func(context.Context, int) ([]int, error)) string { return values(f(ctx, 1)) }), "[1 2 3] <nil>"}, {"no context", bound("bindings:fixed", func(f func(int, int) ([]int, error)) string { return values(f(1, 5)) }), "[1 5 3] <nil>"}, {"no parameter", bound("bindings:join", func(f func() (string, error)) string { return values(f()) }), "(){} <nil>"},
		{"variadic", bound("bindings:join", func(f func(...int) (string, error)) string { return values(f(1, 2)) + values(f()) }), "(1, 2){} <nil>(){} <nil>"}, {"variadic of anything", bound("bindings:join", func(f func(string, ...any) (string, error)) string { return values(f("x", nil, 1.5, []int{1})) }), "('x', None, 1.5, array([1])){} <nil>"}, {"variadic behind a default", bound("bindings:fixed", func(f func(...int) ([]int, error)) string { return values(f(1)) + values(f(1, 4)) }), "[1 2 3] <nil>[1 4 3] <nil>"},
		{"variadic with too many", bound("bindings:fixed", func(f func(...int) ([]int, error)) string { return values(f(1, 2, 3)) }), "[] python: bindings:fixed: TypeError"}, {"interfaces", bound("bindings:join", func(f func(any, error, *int) (string, error)) string { return values(f(5, nil, nil)) }), "(5, None, None){} <nil>"}, {"a cancelled context", bound("bindings:fixed", func(f func(context.Context, int) ([]int, error)) string {
			ended, cancel := context.WithCancel(background)
			cancel()
			_, err := f(ended, 1)
			return values(errors.Is(err, context.Canceled))
		}), "true"},

		// Keywords.
		{"a keyword", bound("bindings:fixed", func(f func(int, oneKeyword) ([]int, error)) string { return values(f(1, oneKeyword{C: 9})) }), "[1 2 9] <nil>"}, {"keywords that are left out", bound("bindings:join", func(f func(twoKeywords) (string, error)) string {
			return values(f(twoKeywords{})) + values(f(twoKeywords{C: 1, D: &seven}))
		}), "(){} <nil>(){'c': 1, 'd': 7} <nil>"}, {"keywords and a context", bound("bindings:fixed", func(f func(context.Context, int, oneKeyword) ([]int, error)) string {
			return values(f(ctx, 1, oneKeyword{C: 9}))
		}), "[1 2 9] <nil>"}, {"a struct that is no keywords", bound("bindings:join", func(f func(plainParameter) (string, error)) string { return values(f(plainParameter{1})) }), "({'c': 1},){} <nil>"},
		{"a pointer to keywords", bound("bindings:join", func(f func(*twoKeywords) (string, error)) string { return values(f(&twoKeywords{C: 1})) }), "({'c': 1},){} <nil>"},

		// Results.
		{"no result", bound("bindings:fixed", func(f func(int) error) string { return values(f(1)) }), "<nil>"}, {"an error alone", bound("bindings:fails", func(f func(int) error) string { return values(errors.Is(f(1), ValueError)) }), "true"}, {"several results", bound("bindings:several", func(f func(int) (int, string, []float64, error)) string { return values(f(1)) }), "1 x [2.5] <nil>"}, {"several results without error", bound("bindings:several", func(f func(int) (int, string, []float64)) string { return values(f(1)) }), "1 x [2.5]"},
		{"several results from a named tuple", bound("bindings:pair", func(f func(int) (int, string, error)) string { return values(f(5)) }), "5 x <nil>"}, {"several results, one an object", bound("bindings:several", func(f func(int) (int, *Object, any, error)) string {
			n, o, rest, err := f(1)
			defer o.Close()
			return values(n, o, rest, err)
		}), "1 x [2.5] <nil>"}, {"too many results", bound("bindings:several", func(f func(int) (int, string, error)) string { return values(f(1)) }), "0  python: bindings:several: result: want"}, {"a result of the wrong type", bound("bindings:several", func(f func(int) (int, int, []float64, error)) string { return values(f(1)) }), "0 0 [] python: bindings:several: result[1]: want int, got str"},
		{"several results from no tuple", bound("bindings:nothing", func(f func() (int, string, error)) string { return values(f()) }), "0  python: bindings:nothing: result: want"}, {"an object", bound("bindings:several", func(f func(int) (*Object, error)) string {
			o, err := f(1)
			return values(o, err)
		}), "(1, 'x', [2.5]) <nil>"}, {"None", bound("bindings:nothing", func(f func() (any, error)) string { return values(f()) }), "<nil> <nil>"}, {"None as an object", bound("bindings:nothing", func(f func() (*Object, error)) string {
			o, err := f()
			return values(o.IsNone(), err)
		}), "true <nil>"}, {"a struct", bound("bindings:pair", func(f func(int) (pairRecord, error)) string { return values(f(5)) }), "{5 x} <nil>"}, {"without an error to give", bound("bindings:fails", func(f func(int)) (text string) {
			defer func() { text = values(errors.Is(recover().(error), ValueError)) }()
			f(1)
			return "no panic"
		}), "true"},

		// What there is to bind.
		{"a class", bound("bindings:Class", func(f func(int) (*Object, error)) string {
			o, err := f(3)
			return values(said(o.Attr("x")), err)
		}), "3 <nil>"}, {"a class method", bound("bindings:Class.make", func(f func(int) (int, error)) string { return values(f(3)) }), "3 <nil>"}, {"a static method", bound("bindings:Class.double", func(f func(int) (int, error)) string { return values(f(3)) }), "6 <nil>"}, {"a bound method", bound("bindings:bound", func(f func(int) (int, error)) string { return values(f(3)) }), "8 <nil>"}, {"an instance that can be called", bound("bindings:instance", func(f func(int) (int, error)) string { return values(f(3)) }), "3 <nil>"},
		{"a partial", bound("bindings:partial", func(f func(int) ([]int, error)) string { return values(f(4)) }), "[1 4 3] <nil>"}, {"a builtin without signature", bound("builtins:max", func(f func(int, int, int) (int, error)) string { return values(f(1, 5, 2)) }), "5 <nil>"}, {"a ufunc", bound("numpy:add", func(f func([]int, []int) ([]int, error)) string { return values(f([]int{1}, []int{2})) }), "[3] <nil>"}, {"math", bound("math:hypot", func(f func(...float64) (float64, error)) string { return values(f(3, 4)) }), "5 <nil>"},

		// The shapes that need no reflection.
		{"fast: slice", bound("bindings:fails", func(f func(context.Context, []float64) error) string {
			return values(errors.Is(f(ctx, nil), ValueError))
		}), "true"}, {"fast: slice to float", bound("numpy:sum", func(f func(context.Context, []float64) (float64, error)) string {
			return values(f(ctx, []float64{1, 2}))
		}), "3 <nil>"}, {"fast: slice to slice", bound("numpy:negative", func(f func(context.Context, []float64) ([]float64, error)) string {
			return values(f(ctx, []float64{1, 2}))
		}), "[-1 -2] <nil>"}, {"fast: slice to ints", bound("numpy:argsort", func(f func(context.Context, []float64) ([]int, error)) string { return values(f(ctx, []float64{3, 1})) }), "[1 0] <nil>"}, {"fast: float", bound("math:sqrt", func(f func(context.Context, float64) (float64, error)) string { return values(f(ctx, 9)) }), "3 <nil>"},
		{"fast: wrong result", bound("numpy:sum", func(f func(context.Context, []float64) ([]int, error)) string { return values(f(ctx, []float64{1})) }), "[] python: numpy:sum: result: want []int, got float"},

		// Signatures that Python cannot evaluate, or not even read.
		{"annotations for type checkers only", bound("annotations:count", func(f func(any, int) (int, error)) string { return values(f(nil, 7)) }), "7 <nil>"},
		{"too many beside them", bound("annotations:count", func(func(int, int, int) error) string { return "bound" }), "it passes 3 positional arguments, but count(frame: "},
		{"a signature that raises", bound("annotations:hostile", func(f func(int) (int, error)) string { return values(f(7)) }), "7 <nil>"},

		// What is an error at Bind.
		{"too many parameters", bound("bindings:fixed", func(func(int, int, int) error) string { return "bound" }), "python: bindings:fixed: cannot bind func(int, int, int) error: it passes 3 positional arguments, but fixed(a, b=2, *, c=3) takes 2"}, {"too many for positional-only ones", bound("bindings:positional", func(func(int, int, int) error) string { return "bound" }), "it passes 3 positional arguments, but positional(a, b, /) takes 2"}, {"an unknown keyword", bound("bindings:fixed", func(func(int, wrongKeyword) error) string { return "bound" }), "it passes the keyword argument 'zz', which fixed(a, b=2, *, c=3) does not take"},
		{"a keyword for a positional-only one", bound("bindings:positional", func(func(int, struct {
			Keywords
			B int `py:"b"`
		}) error) string {
			return "bound"
		}), "it passes the keyword argument 'b'"}, {"too many for a class", bound("bindings:Class", func(func(int, int) error) string { return "bound" }), "it passes 2 positional arguments, but Class(x) takes 1"}, {"too many for a partial", bound("bindings:partial", func(func(int, int, int) error) string { return "bound" }), "it passes 3 positional arguments"}, {"too many for an instance", bound("bindings:instance", func(func(int, int) error) string { return "bound" }), "it passes 2 positional arguments"}, {"too many for a bound method", bound("bindings:bound", func(func(int, int) error) string { return "bound" }), "it passes 2 positional arguments"},
		{"variadic with too many fixed ones", bound("bindings:positional", func(func(int, int, int, ...int) error) string { return "bound" }), "it passes 3 positional arguments"}, {"a keyword that a parameter has", bound("bindings:fixed", func(func(int, int, struct {
			Keywords
			B int `py:"b"`
		}) error) string {
			return "bound"
		}), "'b'"}, {"no function type", bound("bindings:fixed", func(int) string { return "bound" }), "cannot bind int: want a function type"}, {"a pointer", bound("bindings:join", func(func(unsafe.Pointer) error) string { return "bound" }), "unsafe.Pointer"}, {"a pointer as the result", bound("bindings:join", func(func() (unsafe.Pointer, error)) string { return "bound" }), "unsafe.Pointer"}, {"an error as the first result", bound("bindings:join", func(func() (error, int)) string { return "bound" }), "error"},
		{"a pointer in a struct", bound("bindings:join", func(func() (struct{ C unsafe.Pointer }, error)) string { return "bound" }), "unsafe.Pointer"}, {"wrong tags", bound("bindings:join", func(func(struct {
			Keywords
			A int `py:"x"`
			B int `py:"x"`
		}) error) string {
			return "bound"
		}), `two fields are named "x"`}, {"a module that there is not", bound("no_such_module:f", func(func() error) string { return "bound" }), "ModuleNotFoundError"}, {"what cannot be called", bound("math:pi", func(func() error) string { return "bound" }), "want a callable, got float"},
	} {
		got, err := panicked(func() (string, error) { return row.call(in) })
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, row.want) {
			t.Errorf("%s:\n got %s\nwant %s", row.name, got, row.want)
		}
	}
	// What could not be bound is given back.
	flatObjects(t, in, func() {
		for range 20 {
			_, _ = Bind[func(int, int, int) error](in, "bindings:fixed")
			_, _ = Bind[func(int, wrongKeyword) error](in, "bindings:fixed")
			_, _ = Bind[func(unsafe.Pointer) error](in, "bindings:join")
		}
	})
}

func TestBindOptions(t *testing.T) {
	in := interpreter(t)
	loose, err := Bind[func(string) (pointRecord, error)](in, "oracle:value", AllowMissing, AllowUnknown)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := loose("{'x': 1, 'z': 2}"); err != nil || got != (pointRecord{1, 0}) {
		t.Errorf("got %v, %v", got, err)
	}
	times, err := Bind[func(time.Time, time.Duration) (time.Time, error)](in, "operator:add")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := times(time.Unix(0, 0), time.Second); err != nil || !got.Equal(time.Unix(1, 0)) {
		t.Errorf("got %v, %v", got, err)
	}
}
