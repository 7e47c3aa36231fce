package python

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"
)

func function(t *testing.T, in *Interpreter, name string) *Function {
	t.Helper()
	f, err := in.Func(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// batchErrors returns the errors by index, and fails if there is no [BatchError].
func batchErrors(t *testing.T, err error, inputs int) []error {
	t.Helper()
	var failed *BatchError
	if !errors.As(err, &failed) || len(failed.Errors) != inputs {
		t.Fatalf("got %v, want a BatchError of %d", err, inputs)
	}
	return failed.Errors
}

func TestMapResultsAndErrorsByIndex(t *testing.T) {
	in := interpreter(t)
	toInt := function(t, in, "builtins:int")
	inputs := []Arguments{{"12"}, {"x"}, {"ff", KW{"base": 16}}, {unsafe.Pointer(nil)}, {"17", 8}, {"\xff"}, {}, {KW{"base": 1}}, {"99"}}
	want := []int{12, 0, 255, 0, 15, 0, 0, 0, 99}
	wrong := []string{"", "ValueError", "", "argument 1: a Go unsafe.Pointer", "", "UTF-8", "", "TypeError", ""}

	got, err := Map[int](context.Background(), toInt, inputs)
	for i, err := range batchErrors(t, err, len(inputs)) {
		if got[i] != want[i] || (err == nil) != (wrong[i] == "") || err != nil && !strings.Contains(err.Error(), wrong[i]) {
			t.Errorf("[%d]: got %d, %v, want %d, %q", i, got[i], err, want[i], wrong[i])
		}
	}
	var raised *Error
	if !errors.Is(err, ValueError) || !errors.Is(err, TypeError) || errors.Is(err, KeyError) || !errors.As(err, &raised) || raised.Type != "ValueError" {
		t.Errorf("the errors of the calls are not found in %v", err)
	}
	if text := err.Error(); !strings.HasPrefix(text, "python: builtins:int: 4 of 9 calls failed, the first: [1]: ValueError: invalid literal") {
		t.Errorf("got %q", text)
	}

	objects, err := toInt.Map(context.Background(), inputs)
	for i, err := range batchErrors(t, err, len(inputs)) {
		if err != nil {
			if wrong[i] == "" || objects[i] != nil {
				t.Errorf("[%d]: got %v, %v", i, objects[i], err)
			}
			continue
		}
		if got, err := As[int](objects[i]); err != nil || got != want[i] {
			t.Errorf("[%d]: got %d, %v, want %d", i, got, err, want[i])
		}
		_ = objects[i].Close()
	}
}

// A value that cannot be converted is an error with its place, of that call only.
func TestMapConversions(t *testing.T) {
	in := interpreter(t)
	same := function(t, in, "fixtures:same")
	got, err := Map[float64](context.Background(), same, []any{1.5, "x", 2, nil, []float64{1}, true})
	failures := batchErrors(t, err, 6)
	if !slices.Equal(got, []float64{1.5, 0, 2, 0, 0, 0}) {
		t.Errorf("got %v", got)
	}
	if failures[1] == nil || failures[1].Error() != "result: want float64, got str" || failures[2] != nil {
		t.Errorf("got %v", failures)
	}
	if lengths, err := Map[int](context.Background(), function(t, in, "builtins:len"), []string{"", "abc", "é"}); err != nil || !slices.Equal(lengths, []int{0, 3, 1}) {
		t.Errorf("got %v, %v", lengths, err)
	}
	type point struct{ X, Y int }
	points := []point{{1, 2}, {3, 4}}
	if got, err := Map[point](context.Background(), same, points); err != nil || !slices.Equal(got, points) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := Map[any](context.Background(), same, []Tuple{{1, "x"}}); err != nil || fmt.Sprint(got) != "[[1 x]]" {
		t.Errorf("got %v, %v", got, err)
	}
	five := Arguments{[]float64{1}, []float64{2}, []int8{3}, []float64{4}, []float64{5}, KW{"last": []float32{6}}}
	written, err := Map[string](context.Background(), function(t, in, "fixtures:written"), []Arguments{five, five})
	if err != nil || written[0] != written[1] || !strings.Contains(written[0], "array([5.])), {'last': array([6.]") {
		t.Errorf("got %v, %v", written, err)
	}
}

// Results of all sizes: in scratch, beyond it, and more of them than fit one crossing.
func TestMapArrays(t *testing.T) {
	in := interpreter(t)
	inputs := make([][]float64, 3*maxBatch+7)
	for i := range inputs {
		inputs[i] = make([]float64, i%7*i)
		for j := range inputs[i] {
			inputs[i][j] = float64(i + j)
		}
	}
	doubled, err := Map[[]float64](context.Background(), function(t, in, "fixtures:doubled"), inputs)
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range doubled {
		if len(got) != len(inputs[i]) {
			t.Fatalf("[%d]: got %d elements, want %d", i, len(got), len(inputs[i]))
		}
		for j, x := range got {
			if x != 2*float64(i+j) {
				t.Fatalf("[%d][%d]: got %v, want %v", i, j, x, 2*float64(i+j))
			}
		}
	}
}

func TestMapWritesInPlace(t *testing.T) {
	in := interpreter(t)
	var inputs []Arguments
	numbers := make([][]float64, 20)
	for i := range numbers {
		numbers[i] = []float64{float64(i), 1}
		inputs = append(inputs, Arguments{LendMut(numbers[i]), 3})
	}
	if _, err := function(t, in, "fixtures:scale").Map(context.Background(), inputs); err != nil {
		t.Fatal(err)
	}
	for i, got := range numbers {
		if !slices.Equal(got, []float64{3 * float64(i), 3}) {
			t.Errorf("[%d]: got %v", i, got)
		}
	}
}

// Each input has a lease of its own.
func TestMapRetained(t *testing.T) {
	in := interpreter(t)
	before := in.Stats()
	const n, kept = 40, 20
	objects, err := func() ([]*Object, error) {
		inputs := make([]Arguments, n)
		for i := range inputs {
			data := make([]float64, keptSize)
			for j := range data {
				data[j] = float64(i)
			}
			name := []string{"array", "sum"}[i%2]
			inputs[i] = Arguments{name, data}
		}
		return function(t, in, "fixtures:keep").Map(context.Background(), inputs)
	}()
	if err != nil || len(objects) != n {
		t.Fatal(err)
	}
	if stats := in.Stats(); stats.Retained-before.Retained != kept || stats.RetainedBytes-before.RetainedBytes != kept*8*keptSize {
		t.Errorf("before %+v, after %+v", before, stats)
	}
	churn()
	ok, err := evaluate[bool](in, "fixtures:value", "all(kept[0] == 2 * i and kept[-1] == 2 * i for i, kept in enumerate(k for k in KEPT if isinstance(k, np.ndarray)))")
	if err != nil || !ok {
		t.Errorf("the memory that Python kept has changed (or %v)", err)
	}
	letGo(t, in)

	// A result that is the lent array itself.
	objects, err = function(t, in, "fixtures:same").Map(context.Background(), [][]float64{{1}, {2, 3}, {4}})
	if err != nil || in.Stats().Retained != 3 {
		t.Fatalf("%v, %+v", err, in.Stats())
	}
	churn()
	if got, err := As[[]float64](objects[1]); err != nil || !slices.Equal(got, []float64{2, 3}) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, object := range objects {
		_ = object.Close()
	}
	letGo(t, in)
}

// The call that runs when the context ends goes on; those after it are not made.
func TestMapCancelledHalfWay(t *testing.T) {
	in := interpreter(t)
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := errors.New("enough")
	const n, long = maxBatch + 50, 3
	inputs := make([]float64, n)
	stuck := newStuckCall()
	parts, err := function(t, in, "callbacks:parts").Call(context.Background(), stuck.begun, stuck.over)
	if err != nil {
		t.Fatal(err)
	}
	defer parts.Close()
	items := make([]any, n)
	for i := range items {
		items[i] = []any{}
	}
	items[long] = parts
	go func() {
		stuck.wait()
		cancel(stop)
		time.Sleep(20 * time.Millisecond)
		stuck.end()
	}()
	objects, err := function(t, in, "collections:deque").Map(ctx, items)
	for i, err := range batchErrors(t, err, n) {
		if i <= long && (err != nil || objects[i] == nil) || i > long && (!errors.Is(err, context.Canceled) || !errors.Is(err, stop) || objects[i] != nil) {
			t.Fatalf("[%d]: got %v, %v", i, objects[i], err)
		}
	}
	// The end of that context does not reach the next batch.
	if objects, err := function(t, in, "math:sqrt").Map(context.Background(), inputs); err != nil || len(objects) != n {
		t.Error(err)
	}
	failures := func() []error {
		_, err := function(t, in, "math:sqrt").Map(ctx, inputs)
		return batchErrors(t, err, n)
	}()
	if !errors.Is(failures[0], stop) || !errors.Is(failures[n-1], stop) {
		t.Errorf("got %v", failures[0])
	}
}

func TestMapOfNothing(t *testing.T) {
	in := interpreter(t)
	sqrt := function(t, in, "math:sqrt")
	for _, inputs := range []any{[]float64{}, [][]float64(nil), []Arguments{}, []any(nil)} {
		if objects, err := sqrt.Map(context.Background(), inputs); err != nil || len(objects) != 0 {
			t.Errorf("%T: got %v, %v", inputs, objects, err)
		}
	}
	for _, inputs := range []any{nil, 5, "text", map[int]int{}, [2]float64{}} {
		if objects, err := sqrt.Map(context.Background(), inputs); err == nil || objects != nil || !strings.Contains(err.Error(), "math:sqrt: Map: want a slice") {
			t.Errorf("%T: got %v, %v", inputs, objects, err)
		}
	}
	// A batch in which no call can be made.
	if got, err := Map[float64](context.Background(), sqrt, []chan int{nil, nil}); len(got) != 2 || batchErrors(t, err, 2)[1] == nil {
		t.Errorf("got %v, %v", got, err)
	}
	closed, err := in.Func("math:sqrt")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	got, err := Map[float64](context.Background(), closed, []float64{1, 4})
	if failures := batchErrors(t, err, 2); !errors.Is(failures[0], ErrClosed) || !errors.Is(failures[1], ErrClosed) || !slices.Equal(got, []float64{0, 0}) {
		t.Errorf("got %v, %v", got, err)
	}
}

type panicking struct{}

func (panicking) ToPython() (any, error) { panic("planted") }

// A panic of the caller's methods gives the slot back, and leaves nothing behind.
func TestMapPanics(t *testing.T) {
	in := interpreter(t)
	same := function(t, in, "fixtures:same")
	for range 2 * runtime.GOMAXPROCS(0) {
		func() {
			defer func() {
				if recover() != "planted" {
					t.Error("the panic was lost")
				}
			}()
			_, _ = same.Map(context.Background(), []any{[]float64{1}, panicking{}})
		}()
	}
	if got, err := Map[int](context.Background(), same, []int{1, 2}); err != nil || !slices.Equal(got, []int{1, 2}) || in.Stats().Running != 0 {
		t.Errorf("got %v, %v, %+v", got, err, in.Stats())
	}
}

// Threads of Python get their turn, although this function never lets them.
func TestMapGivesTurns(t *testing.T) {
	in := interpreter(t)
	const ticker = "import threading, time\nsys.ticks = 0\nsys.ticking = True\ndef tick():\n  while sys.ticking:\n    sys.ticks += 1\n    time.sleep(0.0001)\nthreading.Thread(target=tick).start()"
	if err := run(in, "fixtures:execute", ticker); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := run(in, "fixtures:execute", "sys.ticking = False"); err != nil {
			t.Error(err)
		}
	}()
	inputs := slices.Repeat([][]float64{make([]float64, 100_000)}, maxBatch)
	before, err := evaluate[int](in, "fixtures:value", "sys.ticks")
	if err == nil {
		_, err = function(t, in, "math:fsum").Map(context.Background(), inputs)
	}
	if err != nil {
		t.Fatal(err)
	}
	if after, err := evaluate[int](in, "fixtures:value", "sys.ticks"); err != nil || after-before < 5 {
		t.Errorf("%d ticks, %v", after-before, err)
	}
}

func TestMapLeaksNothing(t *testing.T) {
	in := interpreter(t)
	same, doubled := function(t, in, "fixtures:same"), function(t, in, "fixtures:doubled")
	arrays, mixed := slices.Repeat([][]float64{{1, 2, 3}, make([]float64, 2000)}, 500), slices.Repeat([]any{1.5, []float64{1}, "x", nil, []any{1, "y"}, make(chan int)}, 100)
	work := func(rounds int) {
		for range rounds {
			if _, err := Map[[]float64](context.Background(), doubled, arrays); err != nil {
				t.Fatal(err)
			}
			if _, err := Map[float64](context.Background(), same, mixed); len(batchErrors(t, err, len(mixed))) == 0 {
				t.Fatal("no errors")
			}
			objects, _ := same.Map(context.Background(), mixed)
			for _, object := range objects {
				if object != nil {
					_ = object.Close()
				}
			}
		}
	}
	work(10)
	before := count(t, in)
	work(50) // 10^5 calls
	after := count(t, in)
	if after.Blocks-before.Blocks > 500 || after.Shared-before.Shared > 200 || after.Resident-before.Resident > 12<<20 ||
		after.Objects != before.Objects || after.Retained != before.Retained || after.Threads-before.Threads > 6 {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

// Go functions among the arguments are called, and given back whether their call was made or not.
func TestMapCallsBack(t *testing.T) {
	in := interpreter(t)
	value := function(t, in, "fixtures:value")
	ctx, cancel := context.WithCancel(context.Background())
	twice := func(x int) int { return 2 * x }
	before := in.Stats().Hosted
	got, err := Map[int](ctx, value, []Arguments{{"a[0](a[1])", twice, 4}, {"a[0]", twice, make(chan int)}, {"a[0]('x')", twice}, {"a[0](5)", twice}})
	failures := batchErrors(t, err, 4)
	if !slices.Equal(got, []int{8, 0, 0, 10}) || failures[0] != nil || failures[1] == nil || failures[2] == nil || failures[3] != nil {
		t.Errorf("got %v, %v", got, failures)
	}
	_, err = Map[any](ctx, value, []Arguments{{"[a[0]() for _ in iter(int, 1)]", cancel}, {"a[0](1)", twice}, {"a[0](2)", twice}})
	for i, err := range batchErrors(t, err, 3) { // the first, which is endless, is interrupted
		if !errors.Is(err, context.Canceled) {
			t.Errorf("[%d]: got %v", i, err)
		}
	}
	func() {
		defer func() {
			if recovered := recover(); recovered != "planted" {
				t.Errorf("got %v, want the panic", recovered)
			}
		}()
		_, _ = value.Map(context.Background(), []Arguments{{"a[0]()", func() { panic("planted") }}, {"1"}})
	}()
	ended := make(chan bool, 1)
	go func() {
		defer func() { ended <- true }()
		_, _ = value.Map(context.Background(), []Arguments{{"1"}, {"a[0]()", func() { runtime.Goexit() }}, {"2"}})
		t.Error("the goroutine goes on")
	}()
	<-ended
	if err := run(in, "fixtures:let_go"); err != nil {
		t.Error(err)
	}
	if !eventually(func() bool { return in.Stats().Hosted == before && in.Stats().Running == 0 }) {
		t.Errorf("%d Go functions are left, %+v", in.Stats().Hosted-before, in.Stats())
	}
}
