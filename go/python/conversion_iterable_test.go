package python

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"
)

// An iterable is asked for its items where items are wanted, and nowhere else: a generator is still there after the error.
func TestIterablesStay(t *testing.T) {
	in := interpreter(t)
	type part struct{ A, B int }
	type one struct{ X float64 }
	targets := []any{
		new(bool), new(int), new(int8), new(uint64), new(float64), new(float32), new(complex128), new(string), new(time.Time), new(time.Duration),
		new(big.Int), new(big.Rat), new(*int), new(**string), new(time.Month), new(Tuple), new(Set), new(map[string]int), new(map[int][]int),
		new(part), new(*part), new(Mut[float64]), new(chan int),
	}
	for _, target := range targets {
		for source, class := range map[string]string{
			"(x for x in 'abc')":                      "generator",
			"iter([1, 2, 3])":                         "list_iterator",
			"map(str, [1])":                           "map",
			"__import__('itertools').count()":         "itertools.count",
			"__import__('itertools').repeat('x' * 9)": "itertools.repeat",
		} {
			object := passes[*Object](t, in, "result = "+source, nil)
			err := object.Decode(target)
			want := fmt.Sprintf("got %s", class)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%T of %s: got %v, want %q", target, source, err, want)
			}
			first := must(in.Func("builtins:next"))
			item, err := first.Call(context.Background(), object)
			if err != nil {
				t.Errorf("%T of %s: it was used up: %v", target, source, err)
			} else if text := item.String(); !strings.Contains("a 1 0 xxxxxxxxx", text) {
				t.Errorf("%T of %s: it begins with %s", target, source, text)
			}
			_ = first.Close()
			_ = object.Close()
		}
	}
	// Inside of others, too.
	for _, row := range []struct {
		source string
		target any
		want   string
	}{
		{"{'X': count()}", new(one), `want float64, got itertools.count`},
		{"{'X': count()}", new(map[string]float64), `["X"]: want float64, got itertools.count`},
		{"[count()]", new([]string), `[0]: want string, got itertools.count`},
		{"(1, count())", new(part), `[1]: want int, got itertools.count`},
		{"type('T', (), {'x': 1, 'X': count()})()", new(one), `.X: want float64, got itertools.count`},
		{"[[1], [2]]", new(float64), "want float64, got list"},
		{"([1], [2])", new(float64), "want float64, got tuple"},
		{"{1: 2}", new(string), "want string, got dict"},
		{"{1, 2}", new(time.Time), "want time.Time, got set"},
		{"__import__('types').MappingProxyType({})", new(int), "want int, got mappingproxy"},
	} {
		object := passes[*Object](t, in, "from itertools import count\nresult = "+row.source, nil)
		if err := object.Decode(row.target); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%T of %s: got %v, want %q", row.target, row.source, err, row.want)
		}
		_ = object.Close()
	}
}

// Where items are wanted, they are all there is.
func TestIterablesAreRead(t *testing.T) {
	in := interpreter(t)
	for _, row := range []struct {
		target, want any
	}{
		{new([]int), []int{1, 2, 3}},
		{new([]float64), []float64{1, 2, 3}},
		{new([3]int64), [3]int64{1, 2, 3}},
		{new([]any), []any{1, 2, 3}},
		{new(any), []any{1, 2, 3}},
		{new(*[]int), &[]int{1, 2, 3}},
	} {
		for _, source := range []string{"(n for n in (1, 2, 3))", "iter((1, 2, 3))", "dict.fromkeys([1, 2, 3]).keys()", "range(1, 4)"} {
			object := passes[*Object](t, in, "result = "+source, nil)
			if err := object.Decode(row.target); err != nil {
				t.Errorf("%T of %s: %v", row.target, source, err)
			} else if got := reflect.ValueOf(row.target).Elem().Interface(); !reflect.DeepEqual(got, row.want) {
				t.Errorf("%T of %s: got %v", row.target, source, got)
			}
			_ = object.Close()
		}
	}
	for source, want := range map[string]any{
		"(1, 2)": Tuple{1, 2}, "__import__('collections').namedtuple('P', 'a b')(1, 2)": Tuple{1, 2}, "(1, [2, (3,)])": Tuple{1, []any{2, Tuple{3}}},
		"{1}": Set{1}, "frozenset([1])": Set{1},
	} {
		target := reflect.New(reflect.TypeOf(want))
		object := passes[*Object](t, in, "result = "+source, nil)
		if err := object.Decode(target.Interface()); err != nil || !reflect.DeepEqual(target.Elem().Interface(), want) {
			t.Errorf("%s: got %v, %v", source, target.Elem(), err)
		}
		_ = object.Close()
	}
}

// An endless iterator ends at the limit, which is counted as the items come; the host lives on, and others run meanwhile.
func TestEndlessIterators(t *testing.T) {
	if testing.Short() {
		t.Skip("it makes 16,777,216 values")
	}
	in := interpreter(t)
	object := passes[*Object](t, in, "import itertools\nresult = itertools.count()", nil)
	defer object.Close()
	if _, err := As[[]int](object); !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), "16777216 values") {
		t.Errorf("got %v", err)
	}
	if next, err := evaluate[int](in, "builtins:next", object); err != nil || next > 16_777_216 {
		t.Errorf("%d items were asked for, %v", next, err)
	}
}

// The end of a context interrupts the conversion of a result that never ends, also where no bytecode runs.
func TestEndlessIteratorsCancelled(t *testing.T) {
	in := interpreter(t)
	for _, source := range []string{
		"itertools.count()", "itertools.repeat('x' * 9)", "(n for n in itertools.count())", "[1, itertools.count()]", "{'a': itertools.cycle([1])}",
	} {
		for name, decode := range map[string]func(context.Context) error{
			"any":   func(ctx context.Context) error { return endless[any](ctx, in, source) },
			"items": func(ctx context.Context) error { return endless[[]int](ctx, in, source) },
		} {
			if name == "items" && strings.ContainsAny(source[:1], "[{") {
				continue
			}
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			err := decode(ctx)
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrStillRunning) || errors.Is(err, ErrLimit) {
				t.Errorf("%s of %s: got %v", name, source, err)
			}
		}
	}
	if n, err := evaluate[int](in, "builtins:abs", -3); n != 3 || err != nil {
		t.Errorf("the next call: %d, %v", n, err)
	}
}

func endless[T any](ctx context.Context, in *Interpreter, source string) error {
	execute, err := Bind[func(context.Context, string) (T, error)](in, "callbacks:execute")
	if err != nil {
		return err
	}
	_, err = execute(ctx, "import itertools\nresult = "+source)
	return err
}
