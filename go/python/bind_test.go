package python

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

type finder func(context.Context, []float64) ([]int, error)

// The shapes that need no reflection.
func TestBindFastShapes(t *testing.T) {
	in := interpreter(t)
	ctx := context.Background()
	data := []float64{1, 0, 3}
	if find := bind[func(context.Context, []float64) ([]int, error)](t, in, "numpy:flatnonzero"); find != nil {
		if got, err := find(ctx, data); err != nil || !slices.Equal(got, []int{0, 2}) {
			t.Errorf("[]int: got %v, %v", got, err)
		}
	}
	if got, err := bind[func(context.Context, []float64) (float64, error)](t, in, "numpy:sum")(ctx, data); err != nil || got != 4 {
		t.Errorf("float64: got %v, %v", got, err)
	}
	if got, err := bind[func(context.Context, []float64) ([]float64, error)](t, in, "fixtures:doubled")(ctx, data); err != nil || !slices.Equal(got, []float64{2, 0, 6}) {
		t.Errorf("[]float64: got %v, %v", got, err)
	}
	if err := bind[func(context.Context, []float64) error](t, in, "fixtures:nothing")(ctx, data); err != nil {
		t.Errorf("no result: %v", err)
	}
	for name, call := range map[string]func(context.Context) error{
		"[]int": func(ctx context.Context) error {
			_, err := bind[func(context.Context, []float64) ([]int, error)](t, in, "fixtures:fail_with")(ctx, data)
			return err
		},
		"float64": func(ctx context.Context) error {
			_, err := bind[func(context.Context, []float64) (float64, error)](t, in, "fixtures:fail_with")(ctx, data)
			return err
		},
		"[]float64": func(ctx context.Context) error {
			_, err := bind[func(context.Context, []float64) ([]float64, error)](t, in, "fixtures:fail_with")(ctx, data)
			return err
		},
		"no result": func(ctx context.Context) error {
			return bind[func(context.Context, []float64) error](t, in, "fixtures:fail_with")(ctx, data)
		},
	} {
		if err := call(ctx); !errors.Is(err, ValueError) || !strings.Contains(err.Error(), "fixtures:fail_with: ValueError: on purpose") {
			t.Errorf("%s: got %v", name, err)
		}
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if err := call(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want context.Canceled", name, err)
		}
	}
	if _, err := bind[func(context.Context, []float64) ([]int, error)](t, in, "numpy:sum")(ctx, data); err == nil || !strings.HasSuffix(err.Error(), "numpy:sum: result: want []int, got float") {
		t.Errorf("another result: got %v", err)
	}
}

func bind[F any](t *testing.T, in *Interpreter, name string) F {
	t.Helper()
	f, err := Bind[F](in, name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestBind(t *testing.T) {
	in := interpreter(t)
	ctx := context.Background()
	object := mustEvaluate(t, in, "[5]")
	for _, row := range []struct {
		name      string
		got, want any
	}{
		{"named function type", first(bind[finder](t, in, "numpy:flatnonzero")(ctx, []float64{0, 1})), []int{1}},
		{"no context", first(bind[func(float64) (float64, error)](t, in, "math:sqrt")(9)), 3.0},
		{"no error", bind[func([]byte) int](t, in, "builtins:len")([]byte("abc")), 3},
		{"nothing in", first(bind[func() ([]byte, error)](t, in, "builtins:bytes")()), []byte{}},
		{"nothing out", bind[func(context.Context, int) error](t, in, "fixtures:nothing")(ctx, 1), nil},
		{"variadic", first(bind[func(context.Context, ...int) (string, error)](t, in, "fixtures:written")(ctx, 1, 2)), "(1, 2)"},
		{"variadic, none", first(bind[func(...int) (string, error)](t, in, "fixtures:written")()), "()"},
		{"variadic any", first(bind[func(...any) (string, error)](t, in, "fixtures:written")(nil, "x", KW{"k": 1})), "((None, 'x'), {'k': 1})"},
		{"keywords", first(bind[func(int, KW) (string, error)](t, in, "fixtures:written")(1, KW{"k": 2})), "((1,), {'k': 2})"},
		{"any", first(bind[func(any) (string, error)](t, in, "fixtures:written")(nil)), "(None,)"},
		{"object in", first(bind[func(*Object) (int, error)](t, in, "builtins:len")(object)), 1},
		{"lent", first(bind[func(Lent) ([]float64, error)](t, in, "fixtures:doubled")(Lend([]temperature{4}))), []float64{8}},
		{"many", first(bind[func(context.Context, int8, string, []float32, bool, complex128) (string, error)](t, in, "fixtures:written")(ctx, 1, "b", []float32{3}, true, 5i)),
			"(1, 'b', array([3.], dtype=float32), True, 5j)"},
	} {
		if !reflect.DeepEqual(row.got, row.want) {
			t.Errorf("%s: got %#v, want %#v", row.name, row.got, row.want)
		}
	}
	result, err := bind[func(string) (*Object, error)](t, in, "fixtures:value")("[1, 2, 3]")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := evaluate[int](in, "builtins:len", result); err != nil || got != 3 {
		t.Errorf("object out: got %v, %v, want 3", got, err)
	}
	_ = result.Close()
	if _, err := bind[func(string) (*Object, error)](t, in, "fixtures:value")("1 / 0"); !errors.Is(err, ZeroDivisionError) {
		t.Errorf("object out: got %v, want a ZeroDivisionError", err)
	}
	bind[func([]float64)](t, in, "fixtures:nothing")(nil)
}

// first is the result of a call, or its error.
func first[T any](value T, err error) any {
	if err != nil {
		return err
	}
	return value
}

func TestBindErrors(t *testing.T) {
	in := interpreter(t)
	ctx := context.Background()
	for name, row := range map[string]struct {
		err  error
		want string
	}{
		"exception":     {errorOf(bind[func(float64) (float64, error)](t, in, "math:sqrt")(-1)), "python: math:sqrt: ValueError"},
		"result":        {errorOf(bind[func(float64) (int, error)](t, in, "math:sqrt")(4)), "python: math:sqrt: result: want int, got float"},
		"lossy result":  {errorOf(bind[func(int) (int8, error)](t, in, "builtins:abs")(-128)), "result: 128 does not fit int8"},
		"argument":      {errorOf(bind[func(context.Context, int128) (float64, error)](t, in, "math:sqrt")(ctx, int128{})), "argument 1: a Go python.int128"},
		"later context": {errorOf(bind[func(float64, context.Context) (float64, error)](t, in, "math:atan2")(4, ctx)), "argument 2: a Go "},
		"text":          {errorOf(bind[func(...string) (string, error)](t, in, "fixtures:written")("ok", "\xff")), "argument 2: want valid UTF-8"},
	} {
		if row.err == nil || !strings.Contains(row.err.Error(), row.want) {
			t.Errorf("%s: got %v, want … %s", name, row.err, row.want)
		}
	}
	for name, err := range map[string]error{
		"no function":  errorOf(Bind[int](in, "math:sqrt")),
		"pointers":     errorOf(Bind[func(unsafe.Pointer) (int, error)](in, "math:sqrt")),
		"error first":  errorOf(Bind[func() (error, int)](in, "math:sqrt")), //nolint:revive // wrong on purpose
		"interface":    errorOf(Bind[any](in, "math:sqrt")),
		"nil pointer":  errorOf(Bind[*func()](in, "math:sqrt")),
		"unknown name": errorOf(Bind[func()](in, "math:no_such")),
		"no name":      errorOf(Bind[func()](in, "")),
		// A type that no call can convert is known before the first call.
		"result type": errorOf(Bind[func() (map[string]unsafe.Pointer, error)](in, "math:sqrt")),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "python: ") {
			t.Errorf("%s: got %v, want an error", name, err)
		}
	}
}

func errorOf[T any](_ T, err error) error { return err }

// Without an error among its results a function panics with it.
func TestBindPanics(t *testing.T) {
	in := interpreter(t)
	for name, call := range map[string]func(){
		"result":    func() { bind[func(float64) float64](t, in, "math:sqrt")(-1) },
		"no result": func() { bind[func(float64)](t, in, "math:sqrt")(-1) },
	} {
		func() {
			defer func() {
				err, ok := recover().(error)
				if !ok || !errors.Is(err, ValueError) {
					t.Errorf("%s: panicked with %v, want a ValueError", name, err)
				}
			}()
			call()
			t.Errorf("%s: no panic", name)
		}()
	}
	// The gate is not left locked by it.
	if got := in.Stats().Running; got != 0 {
		t.Errorf("%d calls run", got)
	}
}

func TestBindManyGoroutines(t *testing.T) {
	in := interpreter(t)
	written := bind[func(context.Context, int, string) (string, error)](t, in, "fixtures:written")
	done := make(chan error)
	for i := range 50 {
		go func() {
			for j := range 50 {
				got, err := written(context.Background(), j, fmt.Sprint(i))
				if want := fmt.Sprintf("(%d, '%d')", j, i); err != nil || got != want {
					done <- fmt.Errorf("got %s, %w, want %s", got, err, want)
					return
				}
			}
			done <- nil
		}()
	}
	for range 50 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
