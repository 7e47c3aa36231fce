package python_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/gophersnake/gophersnake/go/python"
)

// The whole way from Go to Python and back: start, resolve, call, convert.
func Example() {
	in, err := python.Start(python.Config{Path: []string{"testdata"}}) // where your own modules are
	if err != nil {
		log.Fatal(err)
	}
	percentile, err := in.Func("numpy:percentile")
	if err != nil {
		log.Fatal(err)
	}
	defer percentile.Close()

	data := []float64{15, 20, 35, 40, 50}
	result, err := percentile.Call(context.Background(), data, []int{50, 100})
	if err != nil {
		log.Fatal(err)
	}
	defer result.Close()
	values, err := python.As[[]float64](result)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(values)
	// Output: [35 50]
}

// start is what the other examples begin with.
func start() *python.Interpreter {
	in, err := python.Start(python.Config{Path: []string{"testdata"}})
	if err != nil {
		log.Fatal(err)
	}
	return in
}

// CPython runs once in a process, so another Start with the same configuration returns the same interpreter.
func ExampleStart() {
	config := python.Config{Path: []string{"testdata"}}
	in, err := python.Start(config)
	if err != nil {
		log.Fatal(err)
	}
	again, err := python.Start(config)
	fmt.Println(again == in, err)
	// Output: true <nil>
}

// A name is a module, a colon and a path of attributes.
func ExampleInterpreter_Func() {
	in := start()
	for _, name := range []string{"math:hypot", "numpy:ndarray.sort", "math:no_such"} {
		f, err := in.Func(name)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(f)
		f.Close()
	}
	// Output:
	// math:hypot
	// numpy:ndarray.sort
	// python: math:no_such: AttributeError: module 'math' has no attribute 'no_such'
}

// The last argument may hold keyword arguments.
func ExampleFunction_Call() {
	isclose, err := start().Func("math:isclose")
	if err != nil {
		log.Fatal(err)
	}
	defer isclose.Close()
	result, err := isclose.Call(context.Background(), 1.0, 1.05, python.KW{"rel_tol": 0.1})
	if err != nil {
		log.Fatal(err)
	}
	defer result.Close()
	fmt.Println(python.As[bool](result))
	// Output: true <nil>
}

// A conversion is exact, or an error that says what was wanted and what came.
func ExampleAs() {
	factorial, err := start().Func("math:factorial")
	if err != nil {
		log.Fatal(err)
	}
	defer factorial.Close()
	result, err := factorial.Call(context.Background(), 6)
	if err != nil {
		log.Fatal(err)
	}
	defer result.Close()
	fmt.Println(python.As[int](result))
	fmt.Println(python.As[float32](result))
	fmt.Println(python.As[int8](result))
	fmt.Println(python.As[string](result))
	// Output:
	// 720 <nil>
	// 720 <nil>
	// 0 python: result: 720 does not fit int8
	//  python: result: want string, got int
}

// An expression sees the names that it is given.
func ExampleInterpreter_Eval() {
	result, err := start().Eval(context.Background(), "a + sum(b)", python.Names{"a": 1, "b": []float64{2, 3}})
	if err != nil {
		log.Fatal(err)
	}
	defer result.Close()
	fmt.Println(python.As[float64](result))
	// Output: 6 <nil>
}

// What statements assign stays in the namespace.
func ExampleInterpreter_Exec() {
	in, ctx := start(), context.Background()
	names, err := in.Namespace(python.Names{"rate": 0.25})
	if err != nil {
		log.Fatal(err)
	}
	defer names.Close()
	if err := in.Exec(ctx, "def gross(net):\n    return net * (1 + rate)", names); err != nil {
		log.Fatal(err)
	}
	price, err := in.Eval(ctx, "gross(100)", names)
	if err != nil {
		log.Fatal(err)
	}
	defer price.Close()
	fmt.Println(price)

	err = in.Exec(ctx, "x = 1\nif x = 2: pass", nil)
	var exception *python.Error
	fmt.Println(errors.As(err, &exception), exception.Type, strings.Contains(exception.Message, "line 2"))
	// Output:
	// 125.0
	// true SyntaxError true
}

// A Python function becomes a Go function.
func ExampleBind() {
	find, err := python.Bind[func(context.Context, []float64) ([]int, error)](start(), "numpy:flatnonzero")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(find(context.Background(), []float64{0, 1.5, 0, 2}))
	// Output: [1 3] <nil>
}

// A context and an error are optional: what needs neither reads like Go.
func ExampleBind_plain() {
	gcd, err := python.Bind[func(...int) int](start(), "math:gcd")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(gcd(12, 18, 27))
	// Output: 3
}

// Many calls in one crossing; those that fail do not stop the others.
func ExampleMap() {
	median, err := start().Func("statistics:median")
	if err != nil {
		log.Fatal(err)
	}
	defer median.Close()
	medians, err := python.Map[float64](context.Background(), median, [][]float64{{3, 1, 2}, {}, {5, 4}})
	fmt.Println(medians)
	var failed *python.BatchError
	if errors.As(err, &failed) {
		fmt.Println(failed.Errors[1] != nil, errors.Is(err, python.ValueError))
	}
	// Output:
	// [2 0 4.5]
	// true true
}

// Lend also takes slices of types of your own, and []byte as an array instead of bytes.
func ExampleLend() {
	type Celsius float64
	mean, err := python.Bind[func(python.Lent) (float64, error)](start(), "numpy:mean")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(mean(python.Lend([]Celsius{36.5, 37.5})))
	fmt.Println(mean(python.Lend([]byte{10, 20})))
	// Output:
	// 37 <nil>
	// 15 <nil>
}

// Python writes to the slice itself.
func ExampleLendMut() {
	sort, err := python.Bind[func(context.Context, python.Lent) error](start(), "numpy:ndarray.sort")
	if err != nil {
		log.Fatal(err)
	}
	data := []float64{3, 1, 2}
	if err := sort(context.Background(), python.LendMut(data)); err != nil {
		log.Fatal(err)
	}
	fmt.Println(data)
	// Output: [1 2 3]
}

// An exception is an error value. Its class and its base classes are targets of errors.Is.
func ExampleError() {
	remove, err := python.Bind[func(string) error](start(), "os:remove")
	if err != nil {
		log.Fatal(err)
	}
	err = remove("/no/such/file")

	var exception *python.Error
	if errors.As(err, &exception) {
		fmt.Println(exception.Type)
		fmt.Println(exception.Message)
	}
	fmt.Println(errors.Is(err, python.FileNotFoundError), errors.Is(err, python.OSError), errors.Is(err, python.ValueError))
	// Output:
	// FileNotFoundError
	// [Errno 2] No such file or directory: '/no/such/file'
	// true true false
}

// Any exception class is a target, by its full name.
func ExampleClass() {
	parse, err := python.Bind[func(string) error](start(), "json:loads")
	if err != nil {
		log.Fatal(err)
	}
	err = parse("{")
	fmt.Println(errors.Is(err, python.Class("json.decoder.JSONDecodeError")))
	fmt.Println(errors.Is(err, python.ValueError)) // its base class
	// Output:
	// true
	// true
}

// The form that Prometheus reads; an expvar of the same is expvar.Func(func() any { return in.Stats() }).
func ExampleStats_Metrics() {
	stats := python.Stats{Calls: 3, RunTime: 1500 * time.Millisecond, Errors: map[string]int{"ValueError": 1}} // or in.Stats()
	for _, m := range stats.Metrics() {
		kind, name := "gauge", strings.ReplaceAll(m.Name, ".", "_")
		if m.Counter {
			kind, name = "counter", name+"_total"
		}
		text := fmt.Sprintf("# HELP %s %s [%s]\n# TYPE %s %s\n", name, m.Description, m.Unit, name, kind)
		for _, p := range m.Points {
			labels := ""
			if class, ok := p.Attributes["error.type"]; ok {
				labels = fmt.Sprintf("{error_type=%q}", class)
			}
			text += fmt.Sprintf("%s%s %v\n", name, labels, p.Value)
		}
		if m.Name == "python.call.errors" || m.Name == "python.call.run.time" {
			fmt.Print(text)
		}
	}
	// Output:
	// # HELP python_call_errors_total Calls that returned an error, by its class. [{call}]
	// # TYPE python_call_errors_total counter
	// python_call_errors_total{error_type="ValueError"} 1
	// # HELP python_call_run_time_total Time for which calls were in Python. [s]
	// # TYPE python_call_run_time_total counter
	// python_call_run_time_total 1.5
}
