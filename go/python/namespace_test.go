package python

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// evalAs evaluates an expression and converts what it is worth.
func evalAs[T any](in *Interpreter, expression string, namespace any) (T, error) {
	return asThenClose[T](in.Eval(background, expression, namespace))
}

func TestEval(t *testing.T) {
	in := interpreter(t)
	type point struct {
		X int `py:"x"`
		Y int `py:"y"`
	}
	module, err := in.Object("oracle")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		expression string
		namespace  any
		want       string
	}{
		{"1 + 1", nil, "2"}, {"a + b", Names{"a": 1, "b": 2.5}, "3.5"}, {"a + 'é'", map[string]string{"a": "x"}, "xé"}, {"x - y", point{5, 3}, "2"}, {"x - y", &point{5, 3}, "2"},
		{"Point(1, 2)", module, "Point(x=1, y=2)"}, {"data.sum(), data.flags.writeable", Names{"data": []float64{1, 2}}, "(np.float64(3.0), False)"}, {" \t1", nil, "1"}, {"1\n", nil, "1"}, {"[a for _ in range(2)]", Names{"a": nil}, "[None, None]"},
		{"sorted(globals())", Names{"a": 1}, "['__builtins__', '__name__', 'a']"}, {"sorted(locals())", Names{"a": 1}, "['__builtins__', '__name__', 'a']"}, {"(lambda: a)()", Names{"a": 3}, "3"}, {"eval('a')", Names{"a": 3}, "3"}, {"__name__", nil, "__main__"},
		{"f(2)", Names{"f": func(x int) int { return 10 * x }}, "20"}, {"None", (*Object)(nil), "None"}, {"'x' * 100000 == '" + strings.Repeat("x", 100000) + "'", nil, "True"},
	} {
		o, err := in.Eval(background, row.expression, row.namespace)
		if err != nil {
			t.Errorf("%.100s: %v", row.expression, err)
			continue
		}
		if got := o.String(); got != row.want {
			t.Errorf("%.100s: got %s, want %s", row.expression, got, row.want)
		}
		_ = o.Close()
	}
}

// What statements assign stays in a namespace, and only there.
func TestExec(t *testing.T) {
	in := interpreter(t)
	names, err := in.Namespace(Names{"rate": 0.5, "prices": []float64{1, 3}})
	if err != nil {
		t.Fatal(err)
	}
	for _, statements := range []string{"def gross(net):\n    return net * (1 + rate)", "import math\ntotal = math.fsum(map(gross, prices))", "rate = 1", "class A:\n    x: int = 1", "del prices", "", "# nothing", "\n\n"} {
		if err := in.Exec(background, statements, names); err != nil {
			t.Errorf("%s: %v", statements, err)
		}
	}
	for expression, want := range map[string]string{"total": "6.0", "gross(4)": "8", "A.__module__": "__main__", "A.__annotations__['x'] is int": "True", "'prices' in globals()": "False", "__import__('inspect').getsource(gross)": "def gross(net):\n    return net * (1 + rate)\n"} {
		o, err := in.Eval(background, expression, names)
		if err != nil || o.String() != want {
			t.Errorf("%s: got %v, %v, want %s", expression, o, err, want)
		}
	}
	gross, err := names.Item("gross")
	if err != nil {
		t.Fatal(err)
	}
	if price, err := asThenClose[float64](gross.Call(background, 100)); err != nil || price != 200 {
		t.Errorf("got %v, %v", price, err)
	}
	if err := names.SetItem("rate", 2.0); err != nil {
		t.Fatal(err)
	}
	if price, err := evalAs[float64](in, "gross(1)", names); err != nil || price != 3 {
		t.Errorf("got %v, %v", price, err)
	}
	if err := in.Exec(background, "assigned = 1", Names{}); err != nil {
		t.Error(err)
	}
	if _, err := evalAs[int](in, "assigned", nil); !errors.Is(err, NameError) {
		t.Errorf("what is assigned in Names stays: %v", err)
	}
	if err := in.Exec(background, "import sys\nfound = sys.modules['__main__'].__dict__ is globals()", names); err != nil {
		t.Error(err)
	}
	if main, err := evalAs[bool](in, "found", names); err != nil || main {
		t.Errorf("the namespace is that of the program: %v, %v", main, err)
	}
}

// An error says where in the source it is, and shows the line.
func TestEvalErrors(t *testing.T) {
	in := interpreter(t)
	statements := "def inner(x):\n    y = x\n    return 1 / y\n\ninner(0)\n"
	err := in.Exec(background, statements, nil)
	var raised *Error
	if !errors.As(err, &raised) || !errors.Is(err, ZeroDivisionError) || !strings.HasPrefix(err.Error(), "python: Exec: ZeroDivisionError: ") {
		t.Fatalf("got %v", err)
	}
	if len(raised.Frames) != 2 || raised.Frames[0].Line != 5 || raised.Frames[1].Line != 3 || raised.Frames[1].Function != "inner" || !strings.HasPrefix(raised.Frames[0].File, "<exec ") || !strings.Contains(raised.Traceback, "    return 1 / y\n") || !strings.Contains(raised.Traceback, "    inner(0)\n") {
		t.Errorf("got %v\n%s", raised.Frames, raised.Traceback)
	}
	list := expression(t, in, "[1]")
	defer list.Close()
	closed, err := in.Namespace(nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	for _, row := range []struct {
		source    string
		namespace any
		want      string
		is        error
	}{
		{"a +", nil, "SyntaxError", SyntaxError}, {"missing", nil, "NameError: name 'missing' is not defined (<eval ", NameError}, {"a = 1", nil, "SyntaxError", SyntaxError}, {"", nil, "SyntaxError", SyntaxError}, {"1", 5, "want python.Names, another map, a struct, a *python.Object or nil as the namespace, got int", nil},
		{"1", list, "want a dict or a module as the namespace, got list", TypeError}, {"1", map[int]int{1: 2}, "want names of variables, got the key 1", TypeError}, {"1", time.Now().Truncate(time.Second), "want a dict or a module as the namespace, got datetime", TypeError}, {"\xff", nil, "argument 1: want valid UTF-8", nil},
		{"1", closed, "", ErrClosed}, {"a\x00", nil, "null bytes", nil}, {"1", Names{"a": make(chan struct{}, 1), "b": errors.New("x")}, `argument 2: ["b"]`, nil}, {"__import__('sys').exit(3)", nil, "SystemExit", SystemExit},
	} {
		o, err := in.Eval(background, row.source, row.namespace)
		if err == nil || !strings.Contains(err.Error(), row.want) || row.is != nil && !errors.Is(err, row.is) {
			t.Errorf("%.50q: got %v, %v, want %v %s", row.source, o, err, row.is, row.want)
		}
	}
	if err := in.Exec(background, "x = 1\ny = (2\n", nil); !errors.As(err, &raised) || raised.Type != "SyntaxError" || !strings.Contains(raised.Message, "line 2") || !strings.Contains(raised.Traceback, "    y = (2\n") {
		t.Errorf("got %v", err)
	}
	// Through a function of Go and back, the error is the same one.
	cause := errors.New("of Go")
	if _, err := in.Eval(background, "f()", Names{"f": func() error { return cause }}); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
}

// The end of a context interrupts the statements, and says where they were.
func TestExecContext(t *testing.T) {
	in := interpreter(t)
	ctx, cancel := context.WithTimeout(background, 50*time.Millisecond)
	defer cancel()
	names, err := in.Namespace(nil)
	if err != nil {
		t.Fatal(err)
	}
	err = in.Exec(ctx, "n = 0\nwhile True:\n    n += 1", names)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	if n, err := evalAs[int](in, "n", names); err != nil || n < 0 {
		t.Errorf("the namespace is gone: %v, %v", n, err)
	}
	if _, err := in.Eval(ctx, "1", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// Eval in a lane, from many goroutines in one namespace.
func TestEvalConcurrently(t *testing.T) {
	in := interpreter(t)
	names, err := in.Namespace(Names{"base": 1000})
	if err != nil {
		t.Fatal(err)
	}
	var workers sync.WaitGroup
	for i := range 8 {
		workers.Go(func() {
			for j := range 50 {
				if err := in.Exec(background, fmt.Sprintf("v%d = base + %d", i, j), names, Lane("namespaces", 4)); err != nil {
					t.Error(err)
				}
				if got, err := evalAs[int](in, fmt.Sprintf("v%d", i), names); err != nil || got != 1000+j {
					t.Errorf("got %d, %v", got, err)
				}
			}
		})
	}
	workers.Wait()
	if _, err := in.Eval(background, "1", nil, Lane("", 0)); err == nil || !strings.Contains(err.Error(), "want a name") {
		t.Errorf("got %v", err)
	}
}

// Neither references nor sources are left behind, and the lines of the last ones are there.
func TestEvalLeavesNothingBehind(t *testing.T) {
	in := interpreter(t)
	flatObjects(t, in, func() {
		for i := range 600 {
			if got, err := evalAs[int](in, fmt.Sprintf("a + %d", i), Names{"a": i}); err != nil || got != 2*i {
				t.Fatal(got, err)
			}
		}
		if err := in.Exec(background, "def f(:", nil); err == nil {
			t.Error("want an error")
		}
	})
	lines, err := evalAs[int](in, "sum(name.startswith(('<eval ', '<exec ')) for name in __import__('linecache').cache)", nil)
	if err != nil || lines > 512 {
		t.Errorf("the lines of %d sources are kept, %v", lines, err)
	}
	flatRows(t, in, []flatRow{{"Eval", func() { _, _ = evalAs[int](in, "a + 1", Names{"a": 1}) }}, {"Exec", func() { _ = in.Exec(background, "a = b", Names{"b": []float64{1}}) }}, {"an error", func() { _ = in.Exec(background, "a = c", nil) }}})
	// What code keeps of lent memory is counted.
	retained := in.Stats().Retained
	names, err := in.Namespace(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := names.SetItem("data", []float64{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	if now := in.Stats().Retained; now != retained+1 {
		t.Errorf("%d retained arrays, want %d", now, retained+1)
	}
	if sum, err := evalAs[float64](in, "float(data.sum())", names); err != nil || sum != 6 {
		t.Errorf("got %v, %v", sum, err)
	}
	_ = names.Close()
}

// What looks at its caller's variables says what to use instead.
func TestFunctionsThatNeedAFrame(t *testing.T) {
	in := interpreter(t)
	for _, name := range []string{"builtins:locals", "builtins:globals"} {
		if f, err := in.Func(name); err == nil || !strings.Contains(err.Error(), "Interpreter.Eval") {
			t.Errorf("%s: got %v, %v", name, f, err)
		}
		if _, err := Bind[func() error](in, name); err == nil || !strings.Contains(err.Error(), "Interpreter.Eval") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := in.Exec(background, "import sys\nsys.modules['of_namespace'] = type(sys)('of_namespace')\nsys.modules['of_namespace'].mine = locals", nil); err != nil {
		t.Fatal(err)
	}
	for name, arguments := range map[string][]any{"builtins:eval": {"1 + 1"}, "builtins:exec": {"x = 1"}, "builtins:vars": {}, "builtins:dir": {}, "of_namespace:mine": {}} {
		if err := run(in, name, arguments...); err == nil || !strings.Contains(err.Error(), "Interpreter.Eval") || !errors.Is(err, Class("builtins.SystemError")) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	// With what they look at, they work.
	if got, err := evaluate[int](in, "builtins:eval", "a + 1", map[string]any{"a": 1}); err != nil || got != 2 {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := evaluate[[]string](in, "builtins:dir", Tuple{}); err != nil || len(got) == 0 {
		t.Errorf("got %v, %v", got, err)
	}
}
