package python

// #include "core.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"unsafe"
)

// gophersnakeCallback calls the Go function that Python calls. It runs on the goroutine of the call that Python is in,
// or on one of the runtime's on a thread that Python started; the thread is not attached.
//
//export gophersnakeCallback
func gophersnakeCallback(invocation *C.snake_invocation) {
	in := started.interpreter
	outer := frames.byToken(invocation.caller)
	if invocation.function == 0 {
		outer.endRunners()
		return
	}
	// The reference count of the function, which is being called, keeps its handle valid.
	value, _ := hosted.value(uint64(invocation.function))
	f := value.(*hostFunction)
	apart := !f.onThread && pullsElsewhere()
	if outer == nil {
		runner := newRunner(apart)
		r := runner.prepare(f, invocation)
		if runner.run(runningTasks.origin(in, int64(invocation.task))) { //nolint:gosec // a number of taskTable's
			r.exit()
		} else {
			runner.end()
		}
		return
	}
	place := &outer.runner
	if apart {
		place = &outer.runnerApart
	}
	if *place == nil {
		*place = newRunner(apart)
		invocation.keeps = 1
	}
	r := (*place).prepare(f, invocation)
	outermost := invocation.depth == 0
	suspended, err := outer.suspend(outermost)
	if err != nil {
		r.fail(err)
		return
	}
	outer.callback.Store(f)
	defer func() {
		if suspended {
			outer.resume(outermost)
		}
		outer.callback.Store(nil)
	}()
	if (*place).run(outer.lane, outer.ctx) {
		*place = nil
		invocation.keeps = 0
		outer.exiting = true
		if outer.batched { // no further call of the batch
			atomic.StoreUint32(outer.batch.stop, 1)
		}
		r.exit()
	}
}

// hostFunction is a Go function that Python can call.
type hostFunction struct {
	name, qualname, module, doc string

	value reflect.Value
	// direct is call for a function of a frequent type and arguments that fit it; else it returns false.
	direct     func(*results, *C.snake_invocation) bool
	call       func([]reflect.Value) []reflect.Value
	context    bool
	class      string // of a method
	receiver   int    // 1 for a method: its first parameter is the object
	parameters []parameter
	onThread   bool          // it runs on the thread that calls it: see [OnThread]
	keeps      bool          // it gets copies of slices of numbers, which it may keep
	variadic   bool          // the last parameter takes any number of arguments
	keywords   *record       // the fields of the last parameter, which embeds [Keywords]; nil if there is none
	options    reflect.Type  // its type
	results    int           // without the error
	fails      bool          // the last result is an error
	plan       *C.snake_plan // what the core is told to expect of the arguments
	take       *hostFunction // of a function that Python awaits: takes what came of a call
	dropped    func()        // called when Python has let go of the function; must not wait

	place place
}

// parameter is one that takes an argument.
type parameter struct {
	name     string // empty: by position only
	typ      reflect.Type
	fallback *reflect.Value // of one that may be left out
	hosted   bool           // it is a pointer that Python has from Go
}

// place is where a Go function is defined.
type place struct {
	function, file string
	line           int
}

func placeOf(f reflect.Value) place {
	entry := f.Pointer()
	details := runtime.FuncForPC(entry)
	if details == nil {
		return place{"Go function", "<Go>", 0}
	}
	file, line := details.FileLine(entry)
	return place{details.Name(), file, line}
}

// panicValue is what a Go function panicked with.
type panicValue struct{ value any }

// callError is an error in the way in which Python calls a Go function.
type callError struct {
	class Class
	text  string
}

func (e *callError) Error() string { return e.text }

func wrongCall(format string, values ...any) error {
	return &callError{TypeError, fmt.Sprintf(format, values...)}
}

// reply runs a Go function for Python and describes how it ended.
type reply struct {
	invocation *C.snake_invocation
	function   *hostFunction
	arguments  results
	taken      *sharedTree // what the arguments lie in, if they were lent on and retained
}

// run calls the function.
func (r *reply) run(lane *lane, ctx context.Context) {
	exits := true
	defer func() {
		if !exits {
			return
		}
		if p := recover(); p != nil {
			switch e := p.(type) {
			case *ending:
				r.panicked(e.value, e.stack)
			case *iterationError:
				r.fail(e.err)
			default:
				r.panicked(p, debug.Stack())
			}
		}
	}()
	if err := r.runFunction(lane, ctx); err != nil {
		r.fail(err)
	}
	exits = false
}

func (r *reply) runFunction(lane *lane, ctx context.Context) error {
	f, i := r.function, r.invocation
	r.arguments = results{lane: lane, values: unsafe.Slice(i.values, i.values_len), bytes: unsafe.Pointer(i.bytes), shares: true}
	arguments := &r.arguments
	if !f.keeps && arguments.hasArrays() {
		sharing.begin(r)
		defer sharing.end(r)
	}
	if f.direct != nil && i.kwargs == 0 && f.direct(arguments, i) {
		return nil
	}
	arguments.next = 0
	values, err := f.read(arguments, int(i.args), int(i.kwargs))
	if err != nil {
		return err
	}
	if f.take != nil {
		number := asyncCalls.start(ctx, f, values)
		return r.describe(func(frame *frame) error { return frame.addValue(number, 0) })
	}
	if f.context {
		ctx = context.WithValue(ctx, callbackKey{}, true)
		values = slices.Insert(values, f.receiver, reflect.ValueOf(ctx))
	}
	out := f.call(values)
	if f.fails {
		last := out[len(out)-1]
		out = out[:len(out)-1]
		if err, _ := last.Interface().(error); err != nil {
			return err
		}
	}
	return r.describe(func(frame *frame) error {
		switch len(out) {
		case 0:
			frame.add(C.SNAKE_KIND_NONE, 0, 0, 0)
			return nil
		case 1:
			return frame.addChild(out[0], 0)
		}
		if err := frame.open(C.SNAKE_KIND_TUPLE, len(out), 0); err != nil {
			return err
		}
		for i, value := range out {
			if err := frame.addChild(value, 0); err != nil {
				return fmt.Errorf("[%d]: %w", i, err)
			}
		}
		return nil
	})
}

// describe gives values to the core, as `add` describes them.
func (r *reply) describe(add func(*frame) error) error {
	frame := frames.take()
	frame.gives = true
	defer func() {
		frame.reset()
		frame.gives = false
		frames.put(frame)
	}()
	if err := add(frame); err != nil {
		frame.takeBack()
		return &callError{TypeError, r.function.qualname + "(): result: " + err.Error()}
	}
	i := r.invocation
	if len(frame.values) == 1 {
		i.reply = frame.values[0]
	} else {
		i.reply_values = (*C.snake_value)(C.CBytes(unsafe.Slice((*byte)(unsafe.Pointer(&frame.values[0])), len(frame.values)*C.sizeof_snake_value)))
		i.reply_len = C.size_t(len(frame.values))
	}
	if len(frame.bytes) > 0 {
		i.reply_bytes = (*C.uint8_t)(C.CBytes(frame.bytes))
		i.reply_bytes_len = C.size_t(len(frame.bytes))
	}
	if len(frame.lends) > 0 {
		i.gifts = (*C.snake_gift)(C.calloc(C.size_t(len(frame.lends)), C.sizeof_snake_gift))
		i.gifts_len = C.size_t(len(frame.lends))
		for n, gift := range unsafe.Slice(i.gifts, i.gifts_len) {
			memory := r.own(frame.lends[n])
			address, lease := leases.give(memory.pointer, memory.bytes)
			gift.data, gift.lease = C.uint64_t(address), C.uint64_t(lease)
			unsafe.Slice(i.gifts, i.gifts_len)[n] = gift
		}
	}
	frame.hosted = frame.hosted[:0]
	return nil
}

// own returns memory that may be given away: a copy of it, if it is that of an argument, which is valid for the call only.
func (r *reply) own(m memory) memory {
	i := r.invocation
	for n := range unsafe.Slice(i.values, i.values_len) {
		v := &unsafe.Slice(i.values, i.values_len)[n]
		if v.kind != C.SNAKE_KIND_ARRAY || v.len == 0 {
			continue
		}
		size := uintptr(v.len) * dtype(v.dtype).size()
		offset := uintptr(m.pointer) - uintptr(address(v))
		if offset >= size { // also if it lies before
			continue
		}
		words := make([]uint64, (size+7)/8) // the whole, because the elements may lie apart
		whole := unsafe.Pointer(unsafe.SliceData(words))
		copy(unsafe.Slice((*byte)(whole), size), unsafe.Slice((*byte)(address(v)), size))
		return memory{unsafe.Add(whole, offset), m.bytes}
	}
	return m
}

// takeBack ends the references that a description, which is not used, has made.
func (f *frame) takeBack() {
	for i := range f.values {
		if v := &f.values[i]; v.kind == C.SNAKE_KIND_OBJECT {
			freeObject(address(v))
		}
	}
}

// fail makes an exception of an error.
func (r *reply) fail(err error) {
	class, message := Class(""), err.Error()
	var raised *Object // an exception that the function passes on
	var host any = err
	var known *callError
	var chosen *classError
	var pe *Error
	switch {
	case errors.As(err, &known):
		class, host = known.class, nil
	case errors.As(err, &pe) && pe.exception != nil:
		raised = pe.exception
		if err == error(pe) || isCall(err, pe) {
			message = "" // nothing was added to it
		} else if errors.As(err, &chosen) {
			class = chosen.class
		}
	case errors.As(err, &chosen):
		class = chosen.class
	case errors.As(err, &pe) && len(pe.bases) > 0:
		class = Class(pe.bases[0])
	}
	r.raise(C.SNAKE_OUTCOME_FAILED, host, message, class, raised)
}

// isCall tells that an error says no more than that a call failed with that exception.
func isCall(err error, exception *Error) bool {
	return errors.Unwrap(err) == error(exception) && strings.HasPrefix(err.Error(), "python: ") //nolint:errorlint // exactly this one
}

func (r *reply) panicked(value any, stack []byte) {
	r.raise(C.SNAKE_OUTCOME_PANICKED, panicValue{value}, fmt.Sprintf("%v\n%s", value, stack), "", nil)
}

func (r *reply) exit() { r.raise(C.SNAKE_OUTCOME_EXITED, nil, "", "", nil) }

// raise describes an exception: see make_exception in callbacks.py.
func (r *reply) raise(outcome C.uint32_t, value any, message string, class Class, exception *Object) {
	describe := func(frame *frame) error {
		frame.add(C.SNAKE_KIND_TUPLE, 0, 0, 5)
		if value == nil {
			frame.add(C.SNAKE_KIND_NONE, 0, 0, 0)
		} else {
			frame.addHosted(hosted.add(value), nil)
		}
		frame.addCleanText(message)
		frame.addCleanText(string(class))
		frame.add(C.SNAKE_KIND_TUPLE, 0, 0, 3)
		frame.addCleanText(r.function.place.function)
		frame.addCleanText(r.function.place.file)
		frame.addInt(int64(r.function.place.line))
		return frame.addValue(exception, 1)
	}
	if r.describe(describe) != nil {
		exception = nil // it was closed
		_ = r.describe(describe)
	}
	r.invocation.outcome = outcome
}

// addCleanText describes a text of any content and length as text in UTF-8 of bounded length.
func (f *frame) addCleanText(s string) {
	const most = 64 << 10
	if len(s) > most {
		s = s[:most] + "..."
	}
	_ = f.addText(strings.ToValidUTF8(s, "\ufffd"))
}

// addHosted describes a value of Go's that Python gets by reference; class is nil if its type is not registered.
func (f *frame) addHosted(handle uint64, class *class) {
	f.hosted = append(f.hosted, handle)
	f.add(C.SNAKE_KIND_HOST, 0, handle, 1)
	if class == nil {
		f.add(C.SNAKE_KIND_NONE, 0, 0, 0)
		return
	}
	f.add(C.SNAKE_KIND_INT, 0, uint64(uintptr(class.object.handle.pointer)), 0)
}

// addFunction describes a Go function.
func (f *frame) addFunction(h *hostFunction) error {
	handle := hosted.add(h)
	f.hosted = append(f.hosted, handle)
	f.add(C.SNAKE_KIND_FUNCTION, 0, handle, 6)
	for _, text := range []string{h.name, h.qualname, h.module} {
		if err := f.addText(text); err != nil {
			return err
		}
	}
	if h.doc == "" {
		f.add(C.SNAKE_KIND_NONE, 0, 0, 0)
	} else if err := f.addText(h.doc); err != nil {
		return err
	}
	if err := f.addText(h.signature()); err != nil {
		return err
	}
	f.addInt(int64(uintptr(unsafe.Pointer(h.plan)))) //nolint:gosec // the bits are what is wanted
	return nil
}

// addMade describes what a function of a helper makes of arguments: "streams:open_file".
func (f *frame) addMade(maker string, depth int, arguments ...any) error {
	if err := f.open(C.SNAKE_KIND_MADE, 2, depth); err != nil {
		return err
	}
	if err := f.addText(maker); err != nil {
		return err
	}
	return f.addItems(C.SNAKE_KIND_TUPLE, arguments, depth+1)
}

// functionName returns the name that a Go function has in Python: that of its declaration.
func functionName(p place) string {
	name := p.function[strings.LastIndexByte(p.function, '/')+1:]
	name = strings.TrimSuffix(name[strings.IndexByte(name, '.')+1:], "-fm")
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		name = name[dot+1:]
	}
	_, err := strconv.Atoi(strings.TrimPrefix(name, "func"))
	if err == nil || !isIdentifier(name) {
		return "func" // a literal has no name
	}
	return name
}
