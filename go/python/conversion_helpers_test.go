package python

import (
	"context"
	"fmt"
	"math/big"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"
)

// expression evaluates a Python expression in testdata/oracle.py, in which a are the arguments, and returns a reference.
func expression(t testing.TB, in *Interpreter, source string, arguments ...any) *Object {
	t.Helper()
	object, err := in.apply("oracle:value", append([]any{source}, arguments...)...)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	return object
}

// pythonText is what Python says of a value that it gets: an expression in which x is the value.
func pythonText(in *Interpreter, source string, value any) (string, error) {
	object, err := in.apply("oracle:value", "(lambda x: "+source+")(a[0])", value)
	if err != nil {
		return "", err
	}
	defer object.Close()
	return As[string](object)
}

// conversion is a row of a table: an expression, a Go type, and what comes of it.
type conversion struct {
	source string
	want   string // shown
	fails  bool
	as     func(in *Interpreter, o *Object) (string, error)
	bound  func(in *Interpreter) (string, error)
	quiet  func(o *Object) // as, without a word
}

func convertTo[T any](source string, options []DecodeOption) conversion {
	return conversion{
		source: source,
		as: func(_ *Interpreter, o *Object) (string, error) {
			value, err := As[T](o, options...)
			return shown(value), err
		},
		bound: func(in *Interpreter) (string, error) {
			f, err := Bind[func(string) (T, error)](in, "oracle:value", options...)
			if err != nil {
				return "", err
			}
			value, err := f(source)
			return shown(value), err
		},
		quiet: func(o *Object) { _, _ = As[T](o, options...) },
	}
}

// gives is a row whose conversion succeeds.
func gives[T any](source string, want T, options ...DecodeOption) conversion {
	row := convertTo[T](source, options)
	row.want = shown(want)
	return row
}

// refuses is a row whose conversion fails with this text, behind "python: ". A text that starts with … stands for the rest of one.
func refuses[T any](source, want string, options ...DecodeOption) conversion {
	row := convertTo[T](source, options)
	row.want, row.fails = want, true
	return row
}

// checkConversions converts each row by As and, in one crossing, by Bind.
func checkConversions(t *testing.T, rows []conversion) {
	t.Helper()
	in := interpreter(t)
	for _, row := range rows {
		o, err := in.apply("oracle:value", row.source)
		if err != nil {
			t.Errorf("%s: %v", row.source, err)
			continue
		}
		got, err := panicked(func() (string, error) { return row.as(in, o) })
		row.check(t, "As", got, err)
		_ = o.Close()
		got, err = panicked(func() (string, error) { return row.bound(in) })
		row.check(t, "Bind", got, err)
	}
	leakFree(t, in, "oracle:value", rows)
}

// leakFree makes each row of a table many times, errors included, and fails the test if anything is left behind. GOPHERSNAKE_LEAK_CALLS is how often.
func leakFree(t *testing.T, in *Interpreter, evaluator string, rows []conversion) {
	t.Helper()
	flat := make([]flatRow, 0, len(rows))
	for _, row := range rows {
		source := "lambda: " + row.source
		if evaluator != "oracle:value" {
			source = "lambda x=" + row.source + ": x" // what is slow to make is made once
		}
		f, err := in.apply(evaluator, source)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		flat = append(flat, flatRow{row.source + " as " + row.want, func() {
			o, err := f.Call(background)
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = panicked(func() (string, error) { row.quiet(o); return "", nil })
			_ = o.Close()
		}})
	}
	flatRows(t, in, flat)
}

// flatRow is something that leaves nothing behind.
type flatRow struct {
	name string
	call func()
}

func flatRows(t *testing.T, in *Interpreter, rows []flatRow) {
	t.Helper()
	calls := int(numberOf(t, "GOPHERSNAKE_LEAK_CALLS", 200))
	const most = 150 // what caches take
	// What leaks does so each time; what a cache takes, it takes once.
	made := func(rows []flatRow) (blocks, references int) {
		for range 3 {
			before, objects, resident := blocksOf(t, in), objectsOf(in), residentBytes(t)
			for _, row := range rows {
				for range calls {
					row.call()
				}
			}
			references = objectsOf(in) - objects
			blocks = blocksOf(t, in) - before
			// What the core does not free shows in the size of the process only, and only after many calls.
			if grown := residentBytes(t) - resident; calls >= 10_000 && grown > 32<<20 {
				blocks += grown >> 10
			}
			if blocks <= most && references == 0 {
				break
			}
		}
		return blocks, references
	}
	blocks, references := made(rows)
	if blocks <= most && references == 0 {
		return
	}
	// All rows together take more from caches than one does: what one leaves behind is the verdict. A leak of a block in each
	// call is more than a row may take.
	t.Logf("%d blocks and %d references are left behind by %d calls of each row", blocks, references, calls)
	if references != 0 {
		t.Errorf("%d references are left behind", references)
	}
	for _, row := range rows {
		if blocks, references := made([]flatRow{row}); blocks > most || references != 0 {
			t.Errorf("%s: %d blocks and %d references are left behind by %d calls", row.name, blocks, references, calls)
		}
	}
}

// residentBytes is how much memory the process has.
func residentBytes(t *testing.T) int {
	t.Helper()
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// blocksOf counts what Python has taken from its memory.
func blocksOf(t *testing.T, in *Interpreter) (blocks int) {
	t.Helper()
	objectsOf(in)
	for range 2 { // the first look releases what was freed
		var err error
		if blocks, err = evaluate[int](in, "oracle:blocks"); err != nil {
			t.Fatal(err)
		}
	}
	return blocks
}

func (row conversion) check(t *testing.T, way, got string, err error) {
	t.Helper()
	if err != nil {
		got = strings.TrimPrefix(strings.TrimPrefix(err.Error(), "python: "), "oracle:value: ")
	}
	rest, shortened := strings.CutPrefix(row.want, "…")
	matches := got == row.want || shortened && row.fails && strings.Contains(got, rest)
	if !matches || row.fails != (err != nil) {
		t.Errorf("%s by %s:\n got %s\nwant %s", row.source, way, got, row.want)
	}
}

// panicked turns a panic into an error, so that a table goes on.
func panicked(f func() (string, error)) (text string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("PANIC: %v", p)
		}
	}()
	return f()
}

// shown formats a value with its types and what its pointers point to, so that equal texts are equal values: NaN included, 0 and -0 told apart.
func shown(value any) string {
	v := reflect.ValueOf(value)
	if !v.IsValid() {
		return "nil"
	}
	return v.Type().String() + " " + shownPart(v, 0)
}

func shownPart(v reflect.Value, depth int) string {
	if depth++; depth > 20 {
		return "…"
	}
	if (v.Kind() == reflect.Slice || v.Kind() == reflect.Array) && v.Len() > 1<<16 {
		return "many"
	}
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return "nil"
	}
	if v.CanInterface() {
		switch special := v.Interface().(type) {
		case time.Time:
			return special.Format("2006-01-02T15:04:05.999999999Z07:00") + " " + special.Location().String()
		case *big.Int:
			return special.String()
		case *big.Rat:
			return special.String()
		case big.Int:
			return special.String()
		case *Object:
			text, err := special.Repr()
			return fmt.Sprintf("object %s %v", text, err)
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		return "&" + shownPart(v.Elem(), depth)
	case reflect.Interface:
		if v.IsNil() {
			return "nil"
		}
		return v.Elem().Type().String() + " " + shownPart(v.Elem(), depth)
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.IsNil() {
			return "nil"
		}
		var parts []string
		for i := range v.Len() {
			parts = append(parts, shownPart(v.Index(i), depth))
		}
		return "[" + strings.Join(parts, " ") + "]"
	case reflect.Map:
		if v.IsNil() {
			return "nil"
		}
		var parts []string
		for entries := v.MapRange(); entries.Next(); {
			parts = append(parts, shownPart(entries.Key(), depth)+": "+shownPart(entries.Value(), depth))
		}
		sort.Strings(parts)
		return "{" + strings.Join(parts, ", ") + "}"
	case reflect.Struct:
		var parts []string
		for i := range v.NumField() {
			parts = append(parts, v.Type().Field(i).Name+": "+shownPart(v.Field(i), depth))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case reflect.String:
		return strconv.Quote(v.String())
	}
	return fmt.Sprint(v)
}

// pointer returns a pointer to a value.
func pointer[T any](value T) *T { return &value }

// objectsOf counts the references that Go owns, without those that wait for the garbage collector.
func objectsOf(in *Interpreter) int {
	objects := -1
	for range 50 {
		runtime.GC()
		time.Sleep(time.Millisecond)
		before := objects
		if objects = in.Stats().Objects; objects == before {
			break
		}
	}
	return objects
}

// flatObjects runs a body and fails the test if references or retained arrays are left behind.
func flatObjects(t *testing.T, in *Interpreter, body func()) {
	t.Helper()
	body() // functions that this package loads for itself stay
	before, retained := objectsOf(in), in.Stats().Retained
	body()
	if after := objectsOf(in); after != before {
		t.Errorf("%d references, before %d", after, before)
	}
	_ = run(in, "oracle:same", nil) // what was freed is released by the next call
	if now := in.Stats().Retained; now > retained {
		t.Errorf("%d retained arrays, before %d", now, retained)
	}
}

// numberOf reads a number from the environment.
func numberOf(t testing.TB, variable string, otherwise int64) int64 {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return number
}

var background = context.Background()
