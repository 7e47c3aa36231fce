package python

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unsafe"
)

// counts are what a leak raises.
type counts struct {
	Blocks, Shared, References, Resident, Threads, Descriptors, Objects, Retained int
}

func count(t *testing.T, in *Interpreter) counts {
	t.Helper()
	// What was not closed is given back by the garbage collector, and released by the next call.
	functions := in.Stats().Objects
	if !eventually(func() bool {
		runtime.GC()
		before := functions
		functions = in.Stats().Objects
		return functions == before
	}) {
		t.Fatalf("the number of objects does not settle: %d", functions)
	}
	debug.FreeOSMemory()
	var c counts
	for range 2 { // the first look fills caches
		numbers, err := evaluate[string](in, "fixtures:resources", []float64{1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscan(numbers, &c.Blocks, &c.Shared, &c.References); err != nil {
			t.Fatal(err)
		}
	}
	descriptors, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	memory, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(memory))[1])
	if err != nil {
		t.Fatal(err)
	}
	stats := in.Stats()
	c.Resident, c.Threads, c.Descriptors = pages*os.Getpagesize(), osThreads(), len(descriptors)
	c.Objects, c.Retained = stats.Objects, stats.Retained
	return c
}

// A million calls of all kinds leave nothing behind.
func TestLeak(t *testing.T) {
	in := interpreter(t)
	ctx := context.Background()

	sum := bind[func(context.Context, []float64) (float64, error)](t, in, "math:fsum")
	doubled := bind[func(context.Context, []float64) ([]float64, error)](t, in, "fixtures:doubled")
	nothing := bind[func(context.Context, []float64) error](t, in, "fixtures:nothing")
	failing := bind[func(context.Context, []float64) error](t, in, "fixtures:fail_with")
	raised := bind[func(string) error](t, in, "fixtures:execute")
	absolute := bind[func(int) (int, error)](t, in, "builtins:abs")
	text := bind[func(string, ...any) (string, error)](t, in, "fixtures:written")
	object, err := in.Func("fixtures:same")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = object.Close() }()
	small, large := []float64{1, 2, 3}, make([]float64, 2_000)
	wide := []any{small, []int8{1}, []bool{true}, []uint64{5}, []float32{6}, []complex64{7}, KW{"key": large, "other": []any{"x", nil}}}

	// Each kind of call, and how many times it comes among a thousand.
	withArrays := plan{
		{300, func(int) error { return nothing(ctx, large) }},
		{150, func(int) error { return got(3.0 * 2)(sum(ctx, small)) }},
		{100, func(int) error { return length(3)(doubled(ctx, small)) }},
		{20, func(int) error { return length(2_000)(doubled(ctx, large)) }},
		{10, func(int) error { return errorOf(text("wide", wide...)) }},
		{10, func(int) error { // retained, until the object is closed
			o, err := object.Call(ctx, small)
			if err != nil {
				return err
			}
			if _, err := As[[]float64](o); err != nil {
				return err
			}
			return o.Close()
		}},
		{10, func(int) error { return is(ValueError, failing(ctx, small)) }},
		{3, func(int) error { return errorOf(direct[[]int](in, "np.arange(3000)[::-2]")) }},
	}
	withoutArrays := plan{
		{129, func(i int) error { return got(i)(absolute(-i)) }},
		{100, func(i int) error { return got(fmt.Sprintf("('é', %d)", i))(text("é", i)) }},
		{100, func(i int) error {
			o, err := object.Call(ctx, []any{i, "x", []byte("y"), true, nil, 0.5, 1i})
			if err == nil {
				err = o.Close()
			}
			return err
		}},
		{40, func(i int) error { return errorOf(object.Call(ctx, i)) }}, // left to the garbage collector
		{10, func(i int) error { return got(i)(evaluate[int](in, "fixtures:same", i)) }},
		{2, func(int) error { return is(KeyError, raised("chained()")) }},
		{1, func(int) error { return is(nil, raised("raise Unprintable(SystemExit())")) }},
		{2, func(int) error { return is(ValueError, raised("raise failing_class('__module__')('m')")) }},
		{3, func(int) error { return is(nil, errorOf(text("\xff"))) }},
		{3, func(int) error { return is(nil, errorOf(text("pointer", unsafe.Pointer(nil)))) }},
		{3, func(int) error { return is(nil, errorOf(evaluate[string](in, "fixtures:same", 5))) }},
		{2, func(int) error { return is(UnicodeError, errorOf(direct[string](in, `"\ud800"`))) }},
		{2, func(int) error { return is(AttributeError, errorOf(in.Func("builtins:no_such"))) }},
	}

	calls, all := leakCalls(1_000_000), append(withArrays, withoutArrays...)
	debugBuild, err := evaluate[bool](in, "fixtures:value", "hasattr(sys, 'gettotalrefcount')")
	if err != nil {
		t.Fatal(err)
	}
	if debugBuild {
		calls = 400_000 // each is many times slower
	}
	before, after := all.leak(t, in, calls)
	if debugBuild {
		// A debug CPython (make refcount) counts references too. NumPy is no debug build and so does not take part, which
		// leaves a difference for each array: so this is for calls without arrays.
		before, after := withoutArrays.leak(t, in, calls)
		if more := after.References - before.References; more > 200 {
			t.Errorf("%d references more after %d calls", more, calls)
		}
	}
	for _, row := range []struct {
		name                string
		before, after, most int
	}{
		{"blocks", before.Blocks, after.Blocks, 500},
		{"references to what all calls share", before.Shared, after.Shared, 200},
		{"bytes of resident memory", before.Resident, after.Resident, 12 << 20},
		{"OS threads", before.Threads, after.Threads, 6},
		{"descriptors", before.Descriptors, after.Descriptors, 0},
		{"objects", before.Objects, after.Objects, 0},
		{"retained arrays", before.Retained, after.Retained, 0},
	} {
		if row.after-row.before > row.most {
			t.Errorf("%d %s more after %d calls (%d, before %d)", row.after-row.before, row.name, calls, row.after, row.before)
		}
	}
}

// plan says how often each kind of call comes.
type plan []struct {
	share int
	call  func(i int) error
}

// leak makes calls on several goroutines and counts before and after them.
func (p plan) leak(t *testing.T, in *Interpreter, calls int) (before, after counts) {
	t.Helper()
	var kinds []func(int) error
	for _, kind := range p {
		for range kind.share {
			kinds = append(kinds, kind.call)
		}
	}
	work := func(calls int) {
		var callers sync.WaitGroup
		const goroutines = 4
		for g := range goroutines {
			callers.Go(func() {
				for i := g; i < calls; i += goroutines {
					if err := kinds[i*7919%len(kinds)](i); err != nil {
						t.Errorf("call %d: %v", i, err)
						return
					}
				}
			})
		}
		callers.Wait()
	}
	work(leakCalls(100_000)) // fills caches
	before = count(t, in)
	work(calls)
	after = count(t, in)
	t.Logf("%d calls; before %+v, after %+v", calls, before, after)
	return before, after
}

// got checks the result of a call.
func got[T comparable](want T) func(T, error) error {
	return func(value T, err error) error {
		if err == nil && value != want {
			err = fmt.Errorf("got %v, want %v", value, want)
		}
		return err
	}
}

func length(want int) func([]float64, error) error {
	return func(values []float64, err error) error { return got(want)(len(values), err) }
}

// is turns the error that a call was to give into success. With nil, any error is right.
func is(want, err error) error {
	if err == nil || want != nil && !errors.Is(err, want) {
		return fmt.Errorf("got error %w, want %w", err, want)
	}
	return nil
}
