package python

// #include "core.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"strconv"
	"unsafe"
)

// Iter iterates over a Python object, as a for loop of Python does, and converts each item as [As] does. T may be
// *[Object]; the caller closes those items, or leaves that to the garbage collector.
//
//	for line, err := range python.Iter[string](ctx, lines) {
//		if err != nil {
//			return err
//		}
//		…
//	}
//
// An exception, an item that does not convert ("item 3: want int, got str") and the end of the context end the
// iteration: they come as the last pair, with a zero item. Items count from 0. The context ends it between items.
//
// An item is asked for when the loop asks for it, in one crossing. Only of what cannot change, and whose items cannot (a
// range, str or bytes, a tuple or frozenset of numbers and texts), many come at once. To have a list or an array in one
// crossing, as it is at that time, convert it: As[[]T].
//
// A generator is closed when the loop is left, be it by break, return, a panic or an error: its finally blocks have
// run when the loop statement ends. An exception of theirs comes with the error that ends the iteration if there is
// one, else it goes to sys.unraisablehook. Other iterators stay where they were.
//
// An asynchronous iterator or generator runs on the host's loop, as a coroutine function does: see [Function.Go]. It may
// wait without a slot, and the end of the context cancels that.
//
// Items are asked for in the lane that the object came from: that of the function that returned it ([Lane], [Object.WithLane]). No
// slot is taken while the body of the loop runs, which may call Python as it likes.
func Iter[T any](ctx context.Context, o *Object, options ...DecodeOption) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		it, err := newIteration[T](ctx, o, options)
		if err != nil {
			yield(none, fmt.Errorf("python: %w", err))
			return
		}
		ctx = admit(ctx)
		if it.async {
			iterateAsync(ctx, it.iterator, options, yield)
			return
		}
		defer it.end()
		for {
			more, err := it.fetch(ctx)
			for i, item := range it.items {
				it.items[i] = none
				it.taken++
				if !yield(item, nil) {
					return
				}
			}
			if err != nil {
				yield(none, it.failed(err))
				return
			}
			if !more {
				return
			}
		}
	}
}

// Iter iterates over the object, as [Iter] does, without a context.
func (o *Object) Iter() iter.Seq2[*Object, error] { return Iter[*Object](context.Background(), o) }

// iteration is a loop of [Iter].
type iteration[T any] struct {
	lane      *lane
	iterator  *Object
	context   *Object // in which all steps run; nil if no code of anybody does
	items     []T     // what was fetched and not yet taken
	taken     int     // how many were taken before
	ahead     int     // how many are fetched at once
	generator bool
	async     bool // see iterateAsync

	function  *Function
	arguments []any
	plan      *C.snake_plan
	want      uint32
	results   results
	add       func(*frame) (args, kwargs int, err error)
	use       func(*C.snake_result) error
	atEnd     bool
	broken    error // why the next item did not convert
}

const (
	firstBatch = 8
	mostAhead  = 256
)

// opened is what gophersnake.iterator:start returns.
type opened struct {
	Iterator  *Object
	Ahead     bool
	Generator bool
	Async     bool
	Context   *Object
}

func newIteration[T any](ctx context.Context, o *Object, options []DecodeOption) (*iteration[T], error) {
	item := reflect.TypeFor[T]()
	it := &iteration[T]{lane: o.lane, results: *o.lane.read(&C.snake_result{}, options), want: C.SNAKE_WANT_VALUE, ahead: 1}
	var err error
	if it.plan, err = planOf(item); err != nil {
		return nil, err
	}
	start, err := o.lane.function("gophersnake.iterator:start")
	if err != nil {
		return nil, err
	}
	var found opened
	if err := start.decode(ctx, &found, o); err != nil {
		return nil, unwrapped(err)
	}
	it.iterator, it.generator, it.async = found.Iterator, found.Generator, found.Async
	if found.Context != nil && !found.Context.IsNone() {
		it.context = found.Context
	}
	if it.async {
		return it, nil
	}
	if found.Ahead {
		err = it.readAhead(item)
	} else {
		err = it.readOne(item)
	}
	if err != nil {
		it.end()
		return nil, err
	}
	return it, nil
}

// readOne prepares to fetch item by item.
func (it *iteration[T]) readOne(item reflect.Type) (err error) {
	end, err := it.lane.constant("gophersnake.iterator:END")
	if err != nil {
		return err
	}
	next, err := it.lane.function("builtins:next")
	if err != nil {
		return err
	}
	it.function, it.arguments = next, []any{it.iterator, end}
	if it.context != nil {
		if it.function, err = it.lane.function(runInContext); err != nil {
			return err
		}
		it.arguments = []any{it.context, next, it.iterator, end}
	}
	it.items = make([]T, 0, 1)
	it.add = func(f *frame) (args, kwargs int, err error) { return f.addArguments(it.arguments) }
	if item == objectType {
		it.want = C.SNAKE_WANT_OBJECT
		it.use = func(r *C.snake_result) error {
			if unsafe.Pointer(r.owner) == end.handle.pointer {
				it.atEnd = true
				return nil // releasing the result gives it back
			}
			it.items = it.items[:1]
			*any(&it.items[0]).(**Object) = newObject(it.lane, unsafe.Pointer(r.owner))
			r.owner = nil
			return nil
		}
		return nil
	}
	it.use = func(r *C.snake_result) error {
		s := it.read(r)
		if v := s.peek(); v.kind == C.SNAKE_KIND_OTHER && string(s.data(v)) == endText {
			it.atEnd = true
			return nil
		}
		it.items = it.items[:1]
		if it.broken = s.decode(&it.items[0]); it.broken != nil {
			it.items = it.items[:0]
		}
		return nil
	}
	return nil
}

// runInContext runs a function in a context. It is no function of this package's, which would be in tracebacks.
const runInContext = "contextvars:Context.run"

// closeIn closes a generator in the context of its iteration.
func closeIn(ctx context.Context, generator, iteration *Object) error {
	run, err := generator.lane.function(runInContext)
	if err != nil {
		return err
	}
	closes, err := generator.lane.constant("gophersnake.iterator:CLOSE")
	if err != nil {
		return err
	}
	return discarded(run.Call(ctx, iteration, closes, generator))
}

// endText is how gophersnake.values describes the object that stands for the end of an iteration.
const endText = "end of the iteration\x00"

// readAhead prepares to fetch many items at once.
func (it *iteration[T]) readAhead(item reflect.Type) (err error) {
	if it.plan, err = planOf(reflect.SliceOf(item)); err != nil {
		return err
	}
	if it.function, err = it.lane.function("gophersnake.iterator:batch"); err != nil {
		return err
	}
	it.ahead = firstBatch
	it.add = func(f *frame) (args, kwargs int, err error) {
		return f.addArguments([]any{it.iterator, it.ahead})
	}
	it.use = func(r *C.snake_result) error {
		s := it.read(r)
		count, _, _ := s.items(s.peek())
		it.atEnd = count == 0
		for range count {
			var item T
			if it.broken = s.decode(&item); it.broken != nil {
				return nil
			}
			it.items = append(it.items, item)
		}
		return nil
	}
	return nil
}

// fetch gets the next items. With an error, those come before it.
func (it *iteration[T]) fetch(ctx context.Context) (more bool, err error) {
	it.items = it.items[:0]
	frame, err := it.lane.enter(ctx)
	if err != nil {
		return false, err
	}
	if err := it.function.runIn(ctx, frame, it.want, it.plan, it.add, it.use); err != nil {
		return false, err
	}
	if it.broken != nil {
		return false, at("item "+strconv.Itoa(it.taken+len(it.items)), it.broken)
	}
	if it.ahead > 1 {
		it.ahead = min(2*it.ahead, mostAhead)
	}
	it.generator = it.generator && !it.atEnd
	return !it.atEnd, nil
}

// read starts to read a result, with the same memory each time.
func (it *iteration[T]) read(r *C.snake_result) *results {
	unknown, missing := it.results.allowUnknown, it.results.allowMissing
	s := it.results.reset(it.lane, r)
	s.allowUnknown, s.allowMissing = unknown, missing
	return s
}

// failed closes a generator and returns why the iteration ends.
func (it *iteration[T]) failed(err error) error {
	failures.count(err)
	if it.generator {
		it.generator = false
		// One that has ended needs no close, which does nothing then. One that somebody else runs says the same again.
		closing := closeIn(admitted, it.iterator, it.context)
		var first, second *Error
		same := errors.As(err, &first) && errors.As(closing, &second) && first.Type == second.Type && first.Message == second.Message
		if closing != nil && !same && !errors.Is(closing, ErrClosed) {
			return fmt.Errorf("python: %w\nclosing the generator: %w", err, unwrapped(closing))
		}
	}
	return fmt.Errorf("python: %w", err)
}

// end closes the iterator, and before that a generator whose loop was left.
func (it *iteration[T]) end() {
	if it.generator {
		_ = discarded(it.lane.apply("gophersnake.iterator:leave", it.iterator, it.context)) // after a shutdown there is nothing to close
	}
	_ = it.iterator.Close()
	if it.context != nil {
		_ = it.context.Close()
	}
	for _, item := range it.items {
		if o, ok := any(item).(*Object); ok && o != nil {
			_ = o.Close()
		}
	}
}

// unwrapped takes the name of a function of this package out of an error.
func unwrapped(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

// constant returns an object of this package's own, which stays for ever.
func (l *lane) constant(name string) (*Object, error) {
	known, ok := l.in.lane.functions.Load(name)
	if !ok {
		object, err := l.apply("gophersnake.values:resolve", name)
		if err != nil {
			return nil, err
		}
		var loaded bool
		if known, loaded = l.in.lane.functions.LoadOrStore(name, object); loaded {
			_ = object.Close()
		}
	}
	return known.(*Object), nil
}

// decode calls the function and converts its result in the same crossing.
func (f *Function) decode(ctx context.Context, target any, arguments ...any) error {
	plan, err := planOf(reflect.TypeOf(target).Elem())
	if err != nil {
		return err
	}
	return f.run(ctx, C.SNAKE_WANT_VALUE, plan, func(frame *frame) (int, int, error) {
		return frame.addArguments(arguments)
	}, func(r *C.snake_result) error { return f.lane.read(r, nil).decode(target) })
}

// isIterator tells whether a type is iter.Seq or iter.Seq2 themselves: another function of that shape is a callable.
func isIterator(t reflect.Type) bool { return t.PkgPath() == "iter" && isSequence(t) }

// iterationError is what an iter.Seq panics with that cannot say that its iteration failed.
type iterationError struct{ err error }

func (e *iterationError) Error() string { return e.err.Error() }
func (e *iterationError) Unwrap() error { return e.err }

// readIterator makes an iter.Seq or iter.Seq2 of a Python iterable.
func (s *results) readIterator(target reflect.Value) error {
	yield := target.Type().In(0)
	loop := loopOf{item: yield.In(0), fails: yield.NumIn() == 2 && yield.In(1) == errorType}
	if yield.NumIn() == 2 && !loop.fails {
		loop.item, loop.pairs = reflect.StructOf([]reflect.StructField{{Name: "Key", Type: yield.In(0)}, {Name: "Value", Type: yield.In(1)}}), true
	}
	var err error
	if loop.plan, err = planOf(loop.item); err != nil {
		return err
	}
	if loop.over, err = s.readObject(); err != nil {
		return err
	}
	target.Set(reflect.MakeFunc(target.Type(), func(in []reflect.Value) []reflect.Value {
		if err := loop.run(in[0]); err != nil {
			_, conversion := err.(*placed) //nolint:errorlint // as run returns it
			switch {
			case !loop.fails && conversion:
				panic(&iterationError{wrongCall("%v", err)})
			case !loop.fails:
				panic(&iterationError{err})
			case conversion:
				err = fmt.Errorf("python: %w", err)
			}
			in[0].Call([]reflect.Value{reflect.Zero(loop.item), reflect.ValueOf(&err).Elem()})
		}
		return nil
	}))
	return nil
}

// loopOf is a loop over an iterator of Python by reflection.
type loopOf struct {
	over  *Object
	item  reflect.Type
	plan  *C.snake_plan
	pairs bool // of keys and values
	fails bool // each item comes with an error
}

// run calls yield for each item. It returns why there are no more.
func (l *loopOf) run(yield reflect.Value) error {
	over := l.over
	if l.pairs {
		pairs, err := over.lane.apply("gophersnake.iterator:pairs", over)
		if err != nil {
			return err
		}
		defer pairs.Close() //nolint:errcheck // it never fails
		over = pairs
	}
	taken := 0
	for object, err := range over.Iter() {
		if err != nil {
			return err
		}
		item, broken := reflect.New(l.item), error(nil)
		if l.item == objectType {
			item.Elem().Set(reflect.ValueOf(object))
		} else {
			err = object.describe(l.plan, func(s *results) error {
				broken = s.decode(item.Interface())
				return nil
			})
			_ = object.Close()
		}
		if broken != nil {
			err = at("item "+strconv.Itoa(taken), broken)
		}
		if err != nil {
			return err
		}
		taken++
		values := []reflect.Value{item.Elem()}
		switch {
		case l.pairs:
			values = []reflect.Value{item.Elem().Field(0), item.Elem().Field(1)}
		case l.fails:
			values = append(values, reflect.Zero(errorType))
		}
		if !yield.Call(values)[0].Bool() {
			return nil
		}
	}
	return nil
}
