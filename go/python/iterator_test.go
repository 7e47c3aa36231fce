package python

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"
)

// iterated iterates over an expression and returns what came, the error last.
func iterated[T any](t *testing.T, in *Interpreter, source string) (text string) {
	t.Helper()
	o := expression(t, in, source)
	defer o.Close()
	for item, err := range Iter[T](background, o) {
		if err != nil {
			return text + strings.SplitN(strings.TrimPrefix(err.Error(), "python: "), " (", 2)[0]
		}
		if object, ok := any(item).(*Object); ok {
			text += said(object, nil) + " "
			continue
		}
		text += fmt.Sprintf("%v ", item)
	}
	return text
}

func TestIter(t *testing.T) {
	in := interpreter(t)
	flatObjects(t, in, func() {
		for _, row := range []struct{ got, want string }{
			{iterated[int](t, in, "[1, 2]"), "1 2 "},
			{iterated[int](t, in, "range(3)"), "0 1 2 "},
			{iterated[int](t, in, "(1, 2)"), "1 2 "},
			{iterated[int](t, in, "()"), ""},
			{iterated[int](t, in, "generator()"), ""},
			{iterated[int](t, in, "b'ab'"), "97 98 "},
			{iterated[string](t, in, "'aé\\0'"), "a é \x00 "},
			{iterated[string](t, in, "'a\\ud800b'"), "a UnicodeEncodeError: 'utf-8' codec can't encode character '\\ud800' in position 0: surrogates not allowed"},
			{iterated[string](t, in, "('a', '\\ud800')"), "a UnicodeEncodeError: 'utf-8' codec can't encode character '\\ud800' in position 0: surrogates not allowed"},
			{iterated[float64](t, in, "np.array([1.5, 2])"), "1.5 2 "},
			{iterated[[]int](t, in, "np.array([[1, 2], [3, 4]])"), "[1 2] [3 4] "},
			{iterated[string](t, in, "{'a': 1, 'b': 2}"), "a b "},
			{iterated[Tuple](t, in, "{'a': 1}.items()"), "[a 1] "},
			{iterated[any](t, in, "generator(None, 1, 'x', [2])"), "<nil> 1 x [2] "},
			{iterated[pointRecord](t, in, "generator(Point(1), Point(2, 3))"), "{1 0.5} {2 3} "},
			{iterated[*Object](t, in, "generator(None, 1, [2])"), "None 1 [2] "},
			{iterated[*Object](t, in, "(None, 1, 'x')"), "None 1 'x' "},
			{iterated[*Object](t, in, "[None, Point(1)]"), "None Point(x=1, y=0.5) "},
			{iterated[int](t, in, "[0, 1, 2, 'x', 4]"), "0 1 2 item 3: want int, got str"},
			{iterated[int](t, in, "(0, 1, 2, 'x', 4)"), "0 1 2 item 3: want int, got str"},
			{iterated[int](t, in, "tuple(range(20)) + (None,)"), "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 item 20: want int, got None"},
			{iterated[[]int](t, in, "generator([1], [2, 'x'])"), "[1] item 1[1]: want int, got str"},
			{iterated[int](t, in, "failing_generator()"), "1 ValueError: in the middle"},
			{iterated[int](t, in, "5"), "TypeError: 'int' object is not iterable"},
			{iterated[*Object](t, in, "None"), "TypeError: 'NoneType' object is not iterable"},
			{iterated[unsafe.Pointer](t, in, "[1]"), "unsafe.Pointer is no target of a conversion"},
		} {
			if row.got != row.want {
				t.Errorf("got %q\nwant %q", row.got, row.want)
			}
		}
	})
	// An exception has its traceback.
	o := expression(t, in, "failing_generator()")
	defer o.Close()
	var last error
	for _, err := range Iter[int](background, o) {
		last = err
	}
	var exception *Error
	if !errors.Is(last, ValueError) || !errors.As(last, &exception) || !strings.Contains(exception.Traceback, "in failing_generator") {
		t.Errorf("%v without its traceback", last)
	}
}

// Batches grow; every item comes once and in order, of large texts a few at a time.
func TestIterReadsAhead(t *testing.T) {
	in := interpreter(t)
	for _, source := range []string{"range(2000)", "tuple(range(2000))", "sorted(frozenset(range(2000)))", "tuple(str(i) for i in range(2000))", "generator(*range(2000))"} {
		o, next := expression(t, in, source), 0
		for item, err := range Iter[any](background, o) {
			if err != nil || fmt.Sprint(item) != fmt.Sprint(next) {
				t.Fatalf("%s: item %d is %v, %v", source, next, item, err)
			}
			next++
		}
		if next != 2000 {
			t.Errorf("%s: %d items", source, next)
		}
		_ = o.Close()
	}
	o := expression(t, in, "tuple('x' * 50_000 for _ in range(40))")
	defer o.Close()
	it, err := newIteration[string](background, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer it.end()
	if more, err := it.fetch(background); !more || err != nil || len(it.items) != 2 {
		t.Errorf("a batch of %d texts of 50,000 bytes: %v, %v", len(it.items), more, err)
	}
	r := expression(t, in, "range(10_000)")
	defer r.Close()
	many, err := newIteration[int](background, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer many.end()
	var sizes []int
	for range 7 {
		if _, err := many.fetch(background); err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(many.items))
	}
	if fmt.Sprint(sizes) != "[8 16 32 64 128 256 256]" {
		t.Errorf("batches of %v", sizes)
	}
}

// What can change is read when the loop asks for it: as in Python, a list that the body changes shows it.
func TestIterSeesChanges(t *testing.T) {
	in := interpreter(t)
	for source, change := range map[string]string{
		"[1, 2, 3]":                     "a[0].__setitem__(2, 7)",
		"collections.deque([1, 2, 3])":  "a[0].__setitem__(2, 7)",
		"np.array([1, 2, 3])":           "a[0].__setitem__(2, 7)",
		"bytearray([1, 2, 3])":          "a[0].__setitem__(2, 7)",
		"([1], [2], [3])":               "a[0][2].__setitem__(0, 7)",
		"memoryview(bytearray(b'abc'))": "a[0].__setitem__(2, 7)",
	} {
		o, got := expression(t, in, source), ""
		for item, err := range Iter[any](background, o) {
			if err != nil {
				t.Fatal(source, err)
			}
			if got == "" {
				_ = expression(t, in, change, o).Close()
			}
			got += fmt.Sprint(item, " ")
		}
		if !strings.Contains(got, "7") {
			t.Errorf("%s: got %s", source, got)
		}
		_ = o.Close()
	}
	d, last := expression(t, in, "{1: 2}"), error(nil)
	for _, err := range Iter[int](background, d) {
		if last = err; err == nil {
			if err := d.SetItem(3, 4); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !errors.Is(last, RuntimeError) {
		t.Errorf("a dict that grows meanwhile: got %v", last)
	}
	_ = d.Close()
	// An iterator that is given may have other readers.
	o := expression(t, in, "iter((1, 2, 3, 4))")
	defer o.Close()
	for range Iter[int](background, o) {
		break
	}
	if next := said(in.apply("builtins:next", o)); next != "2" {
		t.Errorf("after one item comes %s", next)
	}
}

func watchedGenerator(t *testing.T, in *Interpreter, name string, arguments ...any) (log, generator *Object) {
	t.Helper()
	log = expression(t, in, "[]")
	generator, err := in.apply("iteration:"+name, append([]any{log}, arguments...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = log.Close(), generator.Close() })
	return log, generator
}

func TestIterCloses(t *testing.T) {
	in := interpreter(t)
	leaves := map[string]func(log, generator *Object){
		"break": func(_, generator *Object) {
			for range Iter[int](background, generator) {
				break
			}
		},
		"break of Object.Iter": func(_, generator *Object) {
			for item := range generator.Iter() {
				_ = item.Close()
				break
			}
		},
		"return": func(_, generator *Object) {
			func() {
				for range Iter[int](background, generator) {
					return
				}
			}()
		},
		"panic": func(_, generator *Object) {
			defer func() {
				if p := recover(); p != "mine" {
					t.Errorf("recovered %v", p)
				}
			}()
			for range Iter[int](background, generator) {
				panic("mine")
			}
		},
		"Goexit": func(_, generator *Object) {
			done := make(chan struct{})
			go func() {
				defer close(done)
				for range Iter[int](background, generator) {
					runtime.Goexit()
				}
			}()
			<-done
		},
		"context": func(_, generator *Object) {
			ctx, cancel := context.WithCancel(background)
			defer cancel()
			var items int
			var last error
			for _, err := range Iter[int](ctx, generator) {
				items++
				last = err
				cancel()
			}
			if items != 2 || !errors.Is(last, context.Canceled) {
				t.Errorf("%d items, the last with %v", items, last)
			}
		},
		"decode error": func(_, generator *Object) {
			for item, err := range Iter[string](background, generator) {
				if err == nil || err.Error() != "python: item 0: want string, got int" || item != "" {
					t.Errorf("got %q, %v", item, err)
				}
			}
		},
		"outer break": func(_, generator *Object) {
			inner := expression(t, in, "range(3)")
			defer inner.Close()
		outer:
			for range Iter[int](background, generator) {
				for range Iter[int](background, inner) {
					break outer
				}
			}
		},
	}
	for name, leave := range leaves {
		t.Run(name, func(t *testing.T) {
			log, generator := watchedGenerator(t, in, "watched")
			leave(log, generator)
			if got := said(log, nil); got != "['closed']" {
				t.Errorf("the log says %s", got)
			}
			if got := iteratedObject(generator); got != "" {
				t.Errorf("a closed generator yields %s", got)
			}
		})
	}
}

func iteratedObject(o *Object) (text string) {
	for item, err := range Iter[any](background, o) {
		text += fmt.Sprint(item, err, " ")
	}
	return text
}

// An exception of close joins the error that ends the loop, or goes to sys.unraisablehook.
func TestIterCloseFails(t *testing.T) {
	in := interpreter(t)
	_, generator := watchedGenerator(t, in, "refusing")
	for _, err := range Iter[string](background, generator) {
		if !errors.Is(err, KeyError) || !strings.HasPrefix(err.Error(), "python: item 0: want string, got int\nclosing the generator: KeyError: 'close'") {
			t.Errorf("got %v", err)
		}
	}
	heard := expression(t, in, "[]")
	defer heard.Close()
	if err := run(in, "iteration:hear", heard); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := run(in, "iteration:hear", nil); err != nil {
			t.Fatal(err)
		}
	}()
	_, generator = watchedGenerator(t, in, "refusing")
	for range Iter[int](background, generator) {
		break
	}
	if got := said(heard, nil); got != `["KeyError('close')"]` {
		t.Errorf("sys.unraisablehook heard %s", got)
	}
}

func TestIterExecuting(t *testing.T) {
	in := interpreter(t)
	log, generator := watchedGenerator(t, in, "sleeping", 1)
	var runner sync.WaitGroup
	runner.Go(func() {
		for range Iter[int](background, generator) {
		}
	})
	if !eventually(func() bool { return log.String() == "['running']" }) {
		t.Fatal("the generator does not start")
	}
	var seen error
	for _, err := range Iter[int](background, generator) {
		seen = err
	}
	runner.Wait()
	if !errors.Is(seen, ValueError) || strings.Count(seen.Error(), "already executing") != 1 {
		t.Errorf("got %v", seen)
	}
}

func TestIterConcurrently(t *testing.T) {
	in := interpreter(t)
	flatObjects(t, in, func() {
		var loops sync.WaitGroup
		for g := range 8 {
			loops.Go(func() {
				o := expression(t, in, fmt.Sprintf("generator(*range(%d, %d))", g*1000, g*1000+500))
				defer o.Close()
				next := g * 1000
				for item, err := range Iter[int](background, o) {
					if err != nil || item != next {
						t.Errorf("got %d, %v, want %d", item, err, next)
						return
					}
					next++
				}
				if next != g*1000+500 {
					t.Errorf("%d items", next-g*1000)
				}
			})
		}
		loops.Wait()
	})
}

// Loops nest, also in each other's body and more of them than there are slots.
func TestIterNested(t *testing.T) {
	in := interpreter(t)
	outer := expression(t, in, "generator(1, 2, 3)")
	defer outer.Close()
	got := ""
	for i, err := range Iter[int](background, outer) {
		if err != nil {
			t.Fatal(err)
		}
		inner := expression(t, in, "generator(*range(a[0]))", i)
		for j, err := range Iter[int](background, inner) {
			if err != nil {
				t.Fatal(err)
			}
			got += fmt.Sprint(i, j, " ")
		}
		_ = inner.Close()
	}
	if got != "1 0 2 0 2 1 3 0 3 1 3 2 " {
		t.Errorf("got %s", got)
	}
	var nest func(depth int) int
	nest = func(depth int) (items int) {
		if depth == 0 {
			return 1
		}
		o := expression(t, in, "generator(1, 2)")
		defer o.Close()
		for range Iter[int](background, o) {
			items += nest(depth - 1)
		}
		return items
	}
	if items := nest(8); items != 256 {
		t.Errorf("%d items", items)
	}
}

func TestIterContext(t *testing.T) {
	in := interpreter(t)
	ended, cancel := context.WithCancel(background)
	cancel()
	endless := expression(t, in, "itertools.count()")
	defer endless.Close()
	for _, err := range Iter[int](ended, endless) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	late, cancel := context.WithTimeout(background, 20*time.Millisecond)
	defer cancel()
	var last error
	for _, err := range Iter[int](late, endless) {
		last = err
	}
	if !errors.Is(last, context.DeadlineExceeded) {
		t.Errorf("got %v", last)
	}
}

func TestGenerator(t *testing.T) {
	in := interpreter(t)
	flatObjects(t, in, func() {
		log, object := expression(t, in, "[]"), (*Object)(nil)
		defer log.Close()
		object, err := in.apply("iteration:conversation", log)
		if err != nil {
			t.Fatal(err)
		}
		defer object.Close()
		g, err := NewGenerator[string](object)
		if err != nil {
			t.Fatal(err)
		}
		expect := func(want string) func(string, bool, error) {
			t.Helper()
			return func(item string, ok bool, err error) {
				t.Helper()
				if got := strings.SplitN(fmt.Sprint(item, " ", ok, " ", err), " (", 2)[0]; got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			}
		}
		if _, _, err := g.Send(background, 5); !errors.Is(err, TypeError) {
			t.Errorf("Send before the start: %v", err)
		}
		expect("name? true <nil>")(g.Next(background))
		expect("hello Ann true <nil>")(g.Send(background, "Ann"))
		expect("caught KeyError('k') true <nil>")(g.Throw(background, &Error{Type: "KeyError", Message: "k", bases: []string{"builtins.KeyError"}}))
		expect("caught ValueError() true <nil>")(g.Throw(background, fmt.Errorf("outside: %w", ValueError)))
		expect("caught RuntimeError('of Go') true <nil>")(g.Throw(background, errors.New("of Go")))
		expect("caught RuntimeError('no.such: ') true <nil>")(g.Throw(background, Class("no.such")))
		expect("caught JSONDecodeErrorLike('m') true <nil>")(g.Throw(background, &Error{Message: "m", bases: []string{"iteration.Outer.JSONDecodeErrorLike"}}))
		expect(" false python: item: want string, got int")(g.Send(background, "number"))
		if g.Result() != nil {
			t.Error("a result before the end")
		}
		expect(" false <nil>")(g.Send(background, "stop"))
		result := g.Result()
		if got := said(result, nil); got != "('returned', ['Ann'])" {
			t.Errorf("returned %s", got)
		}
		expect(" false <nil>")(g.Next(background))
		if g.Result() != result {
			t.Error("the result has changed")
		}
		_ = result.Close()
		for range 2 {
			if err := g.Close(background); err != nil {
				t.Error(err)
			}
		}
	})
	log, object := watchedGenerator(t, in, "watched")
	g, err := object.Generator()
	if err != nil {
		t.Fatal(err)
	}
	if item, ok, err := g.Next(background); !ok || err != nil || said(item, nil) != "1" {
		t.Error(item, ok, err)
	}
	if err := g.Close(background); err != nil || said(log, nil) != "['closed']" {
		t.Errorf("%v, the log says %s", err, said(log, nil))
	}
	if _, ok, err := g.Next(background); ok || err != nil {
		t.Error("a closed generator", ok, err)
	}
	_, object = watchedGenerator(t, in, "watched")
	if g, err = object.Generator(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := g.Throw(background, ZeroDivisionError); !errors.Is(err, ZeroDivisionError) {
		t.Errorf("Throw: %v", err)
	}
	_, object = watchedGenerator(t, in, "refusing")
	if g, err = object.Generator(); err != nil {
		t.Fatal(err)
	}
	_, _, _ = g.Next(background)
	if err := g.Close(background); !errors.Is(err, KeyError) {
		t.Errorf("Close: %v", err)
	}
	list := expression(t, in, "[1]")
	defer list.Close()
	if _, err := list.Generator(); err == nil || err.Error() != "python: want a generator, got list: call the generator function, or use Iter" {
		t.Errorf("a list as a generator: %v", err)
	}
}

// Items and generators leave nothing behind, whichever way a loop ends.
func TestIterLeaksNothing(t *testing.T) {
	in := interpreter(t)
	calls := int(numberOf(t, "GOPHERSNAKE_LEAK_CALLS", 200))
	loop := func(source string, most int) flatRow {
		f, err := in.apply("oracle:value", "lambda: "+source)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return flatRow{fmt.Sprint(source, " until ", most), func() {
			o, err := f.Call(background)
			if err != nil {
				t.Error(err)
				return
			}
			defer o.Close()
			items := 0
			for item, err := range Iter[*Object](background, o) {
				if err == nil {
					_ = item.Close()
				}
				if items++; items == most {
					break
				}
			}
			for range Iter[int](background, o) {
				if items++; items == most {
					break
				}
			}
		}}
	}
	flatRows(t, in, []flatRow{
		loop("generator(*'abcdef')", -1), loop("generator(*'abcdef')", 2), loop("failing_generator()", -1),
		loop("tuple(range(300, 400))", -1), loop("tuple(range(300, 400))", 10), loop("[object()] * 3", -1), loop("5", -1),
		loop("range(1000, 1100)", 150), loop("'abc'", -1),
		{"generator by hand", func() {
			o, err := in.apply("oracle:generator", 1, 2)
			if err != nil {
				t.Error(err)
				return
			}
			defer o.Close()
			g, err := o.Generator()
			if err != nil {
				t.Error(err)
				return
			}
			item, _, _ := g.Next(background)
			_ = item.Close()
			_, _, _ = g.Throw(background, ValueError)
			_, _, _ = g.Next(background)
			_ = g.Result().Close()
			_ = g.Close(background)
		}},
	})
	// Many items of one generator.
	o := expression(t, in, "(object() for _ in range(a[0]))", calls*500)
	defer o.Close()
	before, items := 0, 0
	for item, err := range Iter[*Object](background, o) {
		if err != nil {
			t.Fatal(err)
		}
		_ = item.Close()
		if items++; items == calls*250 {
			before = blocksOf(t, in)
		}
	}
	if grown := blocksOf(t, in) - before; items != calls*500 || grown > 50 {
		t.Errorf("%d blocks are left behind by %d items", grown, items)
	}
}

func BenchmarkIter(b *testing.B) {
	in := interpreter(b)
	for name, source := range map[string]string{
		"generator": "(i for i in itertools.count())", "range": "range(2**40)", "list": "[1] * 10_000_000",
	} {
		b.Run(name, func(b *testing.B) {
			o := expression(b, in, source)
			defer o.Close()
			b.ReportAllocs()
			items := 0
			b.ResetTimer()
			for _, err := range Iter[int](background, o) {
				if err != nil {
					b.Fatal(err)
				}
				if items++; items >= b.N {
					break
				}
			}
		})
	}
}

// A Go function takes what Python can iterate over.
func TestIteratorParameters(t *testing.T) {
	in := interpreter(t)
	functions := KW{
		"total": func(items iter.Seq[int]) (sum int) {
			for item := range items {
				sum += item
			}
			return sum
		},
		"first": func(items iter.Seq[string]) string {
			for item := range items {
				return item
			}
			return ""
		},
		"checked": func(items iter.Seq2[float64, error]) (found []string) {
			for item, err := range items {
				found = append(found, fmt.Sprint(item, err))
			}
			return found
		},
		"keyed": func(items iter.Seq2[string, []int]) (found []string) {
			for key, value := range items {
				found = append(found, fmt.Sprint(key, value))
			}
			return found
		},
		"objects": func(items iter.Seq[*Object], more ...iter.Seq[int]) int {
			count := len(slices.Collect(items))
			for _, seq := range more {
				count += len(slices.Collect(seq))
			}
			return count
		},
		"each": func(items func(func(int) bool)) bool { // no iter.Seq: something to call
			found := false
			items(func(i int) bool { found = i == 5; return true })
			return found
		},
	}
	for _, row := range []struct{ source, want string }{
		{"total([1, 2, 3])", "6"},
		{"total(range(1000))", "499500"},
		{"total(i * i for i in range(4))", "14"},
		{"total(np.arange(4))", "6"},
		{"total({1: 'a', 2: 'b'})", "3"},
		{"total((1, 2))", "3"},
		{"first('abc')", "a"},
		{"checked([1.5, 2])", "['1.5 <nil>', '2 <nil>']"},
		{"checked([1.5, 'x'])", "['1.5 <nil>', '0 python: item 1: want float64, got str']"},
		{"keyed({'a': [1, 2], 'b': []})", "['a[1 2]', 'b[]']"},
		{"keyed([('a', [1])])", "['a[1]']"},
		{"objects([1, 'x', None], [1, 2], range(3))", "8"},
		{"each(lambda yields: yields(5))", "True"},
	} {
		got, err := execute[*Object](t, in, "import numpy as np\nresult = "+row.source, functions)
		if err != nil || got.String() != row.want {
			t.Errorf("%s: got %v, %v, want %s", row.source, got, err, row.want)
		}
	}
	// What goes wrong on the way is the exception of the call.
	for _, row := range []struct {
		source  string
		class   Class
		message string
	}{
		{"total(5)", TypeError, "not iterable"},
		{"total([1, 'x'])", TypeError, "item 1: want int, got str"},
		{"total(1 // (2 - i) for i in range(9))", ZeroDivisionError, "by zero"},
		{"keyed([1])", TypeError, "item 0"},
	} {
		_, err := execute[any](t, in, "result = "+row.source, functions)
		if !errors.Is(err, row.class) || !strings.Contains(err.Error(), row.message) {
			t.Errorf("%s: got %v", row.source, err)
		}
	}
	// A generator is closed when the loop is left.
	if !passes[bool](t, in, `closed = []
def generate():
    try:
        yield "a"
        yield "b"
    finally:
        closed.append(1)
first(generate())
result = closed == [1]`, functions) {
		t.Error("the generator is open")
	}
	seq, err := evaluate[iter.Seq[int]](in, "builtins:range", 3)
	if got := slices.Collect(seq); err != nil || !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("got %v, %v", got, err)
	}
}
