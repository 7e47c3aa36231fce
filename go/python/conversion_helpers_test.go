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
			var binding []BindOption
			for _, option := range options {
				binding = append(binding, option)
			}
			f, err := Bind[func(string) (T, error)](in, "oracle:value", binding...)
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
		// Made anew by each call: a pandas object remembers what was taken from it until that is hundreds of things.
		f, err := in.apply(evaluator, "lambda: "+row.source)
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

// flatRows makes each row's call many times and fails the test if Python's memory grows with them: by more than a block
// in 50 calls. What leaks does so each time. What a cache takes, it takes once: so it takes several looks in a row to
// condemn, of which the later ones are longer.
func flatRows(t *testing.T, in *Interpreter, rows []flatRow) {
	t.Helper()
	if isShort {
		return // a table takes a minute, since each look collects garbage
	}
	calls := int(numberOf(t, "GOPHERSNAKE_LEAK_CALLS", 200))
	longer := 5 * calls
	for _, row := range rows {
		repeat(row, 2) // loads what stays
	}
	// Each look collects garbage, which takes long where pandas is loaded: what is there already needs no look.
	_ = discarded(in.apply("gc:freeze"))
	defer func() { _ = discarded(in.apply("gc:unfreeze")) }()
	blocksOf(t, in)
	before := objectsOf(in)
	for _, row := range rows {
		repeat(row, calls/10)
		const looks = 12 // some caches need five until they are full
		for look := range looks {
			calls := calls
			if look >= 2 {
				calls = longer
			}
			grown := grownBy(t, in, row, calls)
			if grown <= calls/50 {
				break
			}
			if look == looks-1 {
				t.Errorf("%s: %d blocks are left behind by %d calls", row.name, grown, calls)
			}
		}
	}
	if references := objectsOf(in) - before; references > 0 {
		t.Errorf("%d references are left behind", references)
	}
}

func repeat(row flatRow, calls int) {
	for range calls {
		row.call()
	}
}

// grownBy counts the blocks that calls of a row leave behind.
func grownBy(t *testing.T, in *Interpreter, row flatRow, calls int) int {
	t.Helper()
	long := calls >= 10_000
	resident := 0
	if long {
		resident = residentBytes(t)
	}
	before := blocksOf(t, in)
	repeat(row, calls)
	blocks := blocksOf(t, in) - before
	// What the core does not free shows in the size of the process only, and only after many calls.
	if long {
		if grown := residentBytes(t) - resident; grown > 32<<20 {
			blocks += grown >> 10
		}
	}
	return blocks
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
func blocksOf(t *testing.T, in *Interpreter) int {
	t.Helper()
	_ = discarded(in.apply("oracle:same", nil)) // a call releases what was freed
	blocks, err := asThenClose[int](in.apply("oracle:blocks"))
	if err != nil {
		t.Fatal(err)
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
		collected()
		before := objects
		if objects = in.Stats().Objects; objects == before {
			break
		}
	}
	return objects
}

// collected collects garbage, and waits for the cleanups that were queued.
func collected() {
	done := make(chan struct{})
	runtime.AddCleanup(new([16]int), func(done chan struct{}) { close(done) }, done)
	for {
		runtime.GC()
		select {
		case <-done:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// flatObjects runs a body and fails the test if references or retained arrays are left behind.
func flatObjects(t *testing.T, in *Interpreter, body func()) {
	t.Helper()
	body() // functions that this package loads for itself stay
	before, retained := objectsOf(in), in.Stats().Retained
	body()
	after := 0
	if !eventually(func() bool { after = objectsOf(in); return after == before }) {
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
