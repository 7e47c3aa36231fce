package python

// #include "core.h"
import "C"

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"sync/atomic"
	"unsafe"
)

// Arguments are the arguments of one call among those of [Function.Map]; the last may be [KW].
type Arguments []any

// BatchError says which calls of [Map] failed.
type BatchError struct {
	// Function is the name of the function.
	Function string
	// Errors has an element for each input; nil where the call succeeded.
	Errors []error
}

// Error says how many calls failed, and how the first of them did.
func (e *BatchError) Error() string {
	failed, first := 0, -1
	for i, err := range e.Errors {
		if err != nil {
			if failed++; first < 0 {
				first = i
			}
		}
	}
	if failed == 0 {
		return fmt.Sprintf("python: %s: no call failed", e.Function)
	}
	return fmt.Sprintf("python: %s: %d of %d calls failed, the first: [%d]: %v", e.Function, failed, len(e.Errors), first, e.Errors[first])
}

// Unwrap returns the errors, so that errors.Is and errors.As find what any of the calls failed with.
func (e *BatchError) Unwrap() []error {
	var failures []error
	for _, err := range e.Errors {
		// Calls that were not made share one error.
		if err != nil && (len(failures) == 0 || !sameError(failures[len(failures)-1], err)) {
			failures = append(failures, err)
		}
	}
	return failures
}

// sameError tells whether two errors are one value, of a type that can be compared.
func sameError(a, b error) bool {
	return reflect.TypeOf(a).Comparable() && a == b
}

// Map calls the function once for each input and returns the results as objects, by index. The inputs are a slice. Each
// element is the one argument of its call, converted as by [Function.Call], or all of its [Arguments].
//
// Up to 256 calls are made in one crossing to Python and one turn, which costs a small part of as many calls of Call. They
// run one after the other; between them, other threads of Python get theirs. Lent memory, retention and results are as
// in single calls.
//
// Calls of a coroutine function run at the same time, up to 256, each as with [Function.Go].
//
// A call that fails does not stop the others: its result is nil, and the error is a [*BatchError] with the errors by
// index. Inputs whose call has not begun when the context ends have the context's error; with a closed function, all
// have [ErrClosed].
//
//	objects, err := f.Map(ctx, []python.Arguments{{1, 2}, {3, python.KW{"base": 10}}})
//
// Use [Map] for results as Go values.
func (f *Function) Map(ctx context.Context, inputs any) ([]*Object, error) {
	described, err := describeInputs(inputs)
	if err != nil {
		return nil, f.failed(err)
	}
	objects := make([]*Object, described.n)
	return objects, f.mapAll(ctx, described, C.SNAKE_WANT_OBJECT, nil, func(i int, _ *results, r *C.snake_result) error {
		objects[i] = newObject(f.lane, unsafe.Pointer(r.owner))
		r.owner = nil
		return nil
	})
}

// Map calls the function once for each input, as [Function.Map] does, and converts the results as [As] does, in the same
// crossing. The result of a call that failed is the zero value.
//
//	medians, err := python.Map[float64](ctx, median, [][]float64{morning, noon, evening})
func Map[R, T any](ctx context.Context, f *Function, inputs []T) ([]R, error) {
	plan, err := planOf(reflect.TypeFor[R]())
	if err != nil {
		return nil, f.failed(err)
	}
	described, err := describeInputs(inputs)
	if err != nil {
		return nil, f.failed(err)
	}
	out := make([]R, described.n)
	return out, f.mapAll(ctx, described, C.SNAKE_WANT_VALUE, plan, func(i int, s *results, r *C.snake_result) error {
		var value R // the element stays zero on failure
		if err := s.reset(f.lane, r).decode(&value); err != nil {
			return atResult(err)
		}
		out[i] = value
		return nil
	})
}

// batchInputs are the inputs of a batch.
type batchInputs struct {
	n int
	// arrays are the inputs, if each is one array.
	arrays [][]float64
	// add describes the arguments of a call in a frame, otherwise.
	add func(f *frame, i int) (args, kwargs int, err error)
}

func describeInputs(inputs any) (batchInputs, error) {
	one := func(f *frame, argument any) (int, int, error) {
		if arguments, ok := argument.(Arguments); ok {
			return f.addArguments(arguments)
		}
		if err := f.addValue(argument, 0); err != nil {
			return 0, 0, fmt.Errorf("argument 1: %w", err)
		}
		return 1, 0, nil
	}
	switch s := inputs.(type) {
	case [][]float64:
		return batchInputs{n: len(s), arrays: s}, nil
	case []Arguments:
		return batchInputs{n: len(s), add: func(f *frame, i int) (int, int, error) { return f.addArguments(s[i]) }}, nil
	case []any:
		return batchInputs{n: len(s), add: func(f *frame, i int) (int, int, error) { return one(f, s[i]) }}, nil
	}
	v := reflect.ValueOf(inputs)
	if v.Kind() != reflect.Slice {
		return batchInputs{}, fmt.Errorf("Map: want a slice of inputs, got %T", inputs)
	}
	return batchInputs{n: v.Len(), add: func(f *frame, i int) (int, int, error) { return one(f, v.Index(i).Interface()) }}, nil
}

const (
	maxBatch     = 256 // calls in a crossing: it bounds the memory, and how long others wait for the slot
	batchScratch = 64 << 10
)

// batch is the memory in which a frame describes many calls. All of it but `made` is in C memory.
type batch struct {
	c     *C.snake_batch
	stop  *uint32
	calls []C.snake_call
	lends []C.uintptr_t // the addresses of the lent memory of all calls
	made  []describedCall

	failure *C.snake_error // of the crossing itself
}

// describedCall is where in the frame a call is described.
type describedCall struct {
	input         int
	args, kwargs  int
	values, lends int // where those of the call begin
	hosted        int
}

func newBatch() *batch {
	b := &batch{c: (*C.snake_batch)(C.calloc(1, C.sizeof_snake_batch)), made: make([]describedCall, 0, maxBatch)}
	b.stop = (*uint32)(C.calloc(1, C.sizeof_uint32_t))
	b.c.stop = (*C.uint32_t)(b.stop)
	b.c.calls = (*C.snake_call)(C.calloc(maxBatch, C.sizeof_snake_call))
	b.c.errors = (**C.snake_error)(C.calloc(maxBatch, C.size_t(unsafe.Sizeof(b.c.errors))))
	b.c.scratch = C.malloc(batchScratch)
	b.c.scratch_len = batchScratch
	b.calls = unsafe.Slice(b.c.calls, maxBatch)
	return b
}

// mapAll makes a call for each input; `use` takes its result.
func (f *Function) mapAll(ctx context.Context, inputs batchInputs, want uint32, plan *C.snake_plan, use func(int, *results, *C.snake_result) error) error {
	n := inputs.n
	var errs []error
	fail := func(i int, err error) {
		if errs == nil {
			errs = make([]error, inputs.n)
		}
		errs[i] = err
		failures.count(err)
	}
	if f.async || f.undetermined && f.determined() {
		f.mapAsync(ctx, inputs, want, plan, use, fail)
		n = 0
	}
	for start := 0; start < n; {
		end := min(start+maxBatch, n)
		next, err := f.mapSome(ctx, inputs, start, end, want, plan, use, fail)
		goOn(err)
		if start = next; start < n {
			ctx = admit(ctx)
		}
		if err != nil {
			for ; start < n; start++ {
				fail(start, err)
			}
		}
	}
	if errs != nil {
		return &BatchError{Function: f.name, Errors: errs}
	}
	return nil
}

// mapAsync makes the calls of a coroutine function.
func (f *Function) mapAsync(ctx context.Context, inputs batchInputs, want uint32, plan *C.snake_plan, use func(int, *results, *C.snake_result) error, fail func(int, error)) {
	add := inputs.add
	if inputs.arrays != nil {
		add = func(f *frame, i int) (args, kwargs int, err error) { return f.addArguments([]any{inputs.arrays[i]}) }
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // if a Go function panics that one of them has called
	var s results
	tasks := make([]*Task, 0, maxBatch)
	first := 0 // the input of the first of them
	end := func() {
		task, i := tasks[0], first
		tasks = append(tasks[:0], tasks[1:]...)
		first++
		if task == nil {
			return
		}
		err := f.endOf(ctx, task, want, plan, func(r *C.snake_result) error { return use(i, &s, r) })
		if err != nil {
			fail(i, err)
			goOn(err)
		}
	}
	for i := range inputs.n {
		if len(tasks) == maxBatch {
			end()
		}
		if i == 1 {
			ctx = admit(ctx)
		}
		task, err := f.begin(ctx, func(frame *frame) (args, kwargs int, err error) { return add(frame, i) })
		if err != nil {
			fail(i, err)
			task = nil
		}
		tasks = append(tasks, task)
	}
	for len(tasks) > 0 {
		end()
	}
}

// mapSome makes some of the calls, in one crossing. It returns the input to go on with, or why there is no going on.
func (f *Function) mapSome(ctx context.Context, inputs batchInputs, start, end int, want uint32, plan *C.snake_plan, use func(int, *results, *C.snake_result) error, fail func(int, error)) (next int, err error) {
	frame, err := f.lane.enter(ctx)
	if err != nil {
		return start, err
	}
	// Deferred, because methods of the caller's types run in between, which may panic.
	defer frame.leaveOrAbandon(ctx, &err)
	pointer, ok := f.handle.use()
	if !ok {
		return start, ErrClosed
	}
	if frame.batch == nil {
		frame.batch = newBatch()
	}
	frame.name(f)
	frame.keep(f)
	b := frame.batch
	b.made = b.made[:0]
	frame.batched = true
	if inputs.arrays != nil {
		b.addArrays(frame, inputs.arrays[start:end], start)
	} else {
		b.add(frame, inputs, start, end, fail)
	}
	if frame.isCancellable {
		frame.allowInterrupt()
	}
	b.describe(frame, want, plan)
	atomic.StoreUint32(b.stop, 0)
	frame.hosted = frame.hosted[:0] // the core has them now
	b.c.token, b.c.activity = frame.call.token, frame.call.activity
	frame.countLent()
	b.c.capture = frame.call.capture
	bytes := (*C.uint8_t)(unsafe.SliceData(frame.bytes))
	if frame.isCancellable {
		if err := frame.crossApart(func() { b.failure = C.snake_function_map((*C.snake_function)(pointer), b.c, bytes) }); err != nil {
			return start, err
		}
	} else {
		frame.cross(func() { b.failure = C.snake_function_map((*C.snake_function)(pointer), b.c, bytes) })
	}
	runtime.KeepAlive(f)
	broken := takeError(b.failure)
	return b.read(ctx, frame, end, broken, f.in.config.ForbidRetaining, use, fail)
}

// add describes the arguments of calls.
func (b *batch) add(f *frame, inputs batchInputs, start, end int, fail func(int, error)) {
	for i := start; i < end; i++ {
		// In its place, field by field: copying what was just written makes the processor wait.
		b.made = b.made[:len(b.made)+1]
		call := &b.made[len(b.made)-1]
		call.input, call.values, call.lends, call.hosted = i, len(f.values), len(f.lends), len(f.hosted)
		var err error
		if call.args, call.kwargs, err = inputs.add(f, i); err != nil {
			f.forgetCall(call)
			b.made = b.made[:len(b.made)-1]
			fail(i, err)
		}
	}
}

// addArrays is add for calls with one array each, which are the most frequent: it saves 6 ns of 90 (make bench).
func (b *batch) addArrays(f *frame, arrays [][]float64, start int) {
	n := len(arrays)
	if cap(f.values) < n {
		f.values = grow(f.values, n)
	}
	if cap(f.leases) < n {
		f.leases = grow(f.leases, n)
	}
	f.lends = slices.Grow(f.lends, n)[:n]
	f.values, f.leases, b.made = f.values[:n], f.leases[:n], b.made[:n]
	for i, array := range arrays {
		value, lend, call := &f.values[i], &f.lends[i], &b.made[i]
		value.kind, value.dtype, value.bits, value.len = C.SNAKE_KIND_ARRAY, C.SNAKE_DTYPE_FLOAT64, 0, C.uint64_t(len(array))
		lend.pointer, lend.bytes = unsafe.Pointer(unsafe.SliceData(array)), uintptr(len(array))*8
		call.input, call.values, call.lends, call.hosted = start+i, i, i, 0
		call.args, call.kwargs = 1, 0
	}
}

// forgetCall forgets what was described of a call that cannot be made.
func (f *frame) forgetCall(call *describedCall) {
	f.values = f.values[:call.values]
	clear(f.lends[call.lends:])
	f.lends, f.leases = f.lends[:call.lends], f.leases[:call.lends]
	for _, handle := range f.hosted[call.hosted:] { // the core will not see them
		hosted.release(handle)
	}
	f.hosted = f.hosted[:call.hosted]
}

// describe fills in the calls, now that what they point to stays in its place.
//
// Lent memory is not pinned, which would cost as much as the call: C memory holds its addresses as numbers. It stays where
// it is because it is on Go's heap, where nothing moves: it was stored in the frame, and what is stored in the heap is never
// on a stack. It stays alive because the frame holds it until the calls have ended, and what Python keeps is pinned
// by then.
func (b *batch) describe(f *frame, want uint32, plan *C.snake_plan) {
	if cap(b.lends) < len(f.lends) {
		b.lends = grow(b.lends, len(f.lends))
	}
	b.lends = b.lends[:len(f.lends)]
	for i := range f.lends {
		b.lends[i] = C.uintptr_t(uintptr(f.lends[i].pointer))
	}
	b.c.calls_len = C.size_t(len(b.made))
	values, lends := len(f.values), len(f.lends)
	for i := len(b.made) - 1; i >= 0; i-- {
		made, c := &b.made[i], &b.calls[i]
		c.values = (*C.snake_value)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(f.values)), made.values*C.sizeof_snake_value))
		c.values_len = C.size_t(values - made.values)
		c.args, c.kwargs = C.uint32_t(made.args), C.uint32_t(made.kwargs) //nolint:gosec // bounded by the length of an argument list
		c.bytes_len = C.size_t(len(f.bytes))
		c.lends = (*unsafe.Pointer)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b.lends)), made.lends*C.sizeof_uintptr_t))
		c.lends_len = C.size_t(lends - made.lends)
		c.leases = (*C.uint64_t)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(f.leases)), made.lends*C.sizeof_uint64_t))
		c.leases_len = c.lends_len
		c.want, c.token, c.interrupt = C.uint32_t(want), f.call.token, f.call.interrupt
		c.result.plan = plan
		values, lends = made.values, made.lends
	}
}

// read takes the results and errors of the calls that were made.
func (b *batch) read(ctx context.Context, f *frame, end int, broken error, forbidRetaining bool, use func(int, *results, *C.snake_result) error, fail func(int, error)) (next int, err error) {
	made := int(b.c.made) //nolint:gosec // at most maxBatch
	failures := unsafe.Slice(b.c.errors, maxBatch)
	read := 0
	var ending error // a Go function that Python called wants to end this goroutine, or panics in it
	defer func() {   // those that are left if `use` panics
		for ; read < made; read++ {
			b.end(read, failures[read])
		}
	}()
	for ; read < made; read++ {
		i := read
		call, c := &b.made[i], &b.calls[i]
		failure := failures[i]
		if c.retained > 0 {
			lends := c.lends_len
			holdLeases(f.lends[call.lends:][:lends], f.leases[call.lends:][:lends])
			if forbidRetaining {
				b.end(i, failure)
				fail(call.input, ErrRetained)
				continue
			}
		}
		if f.exiting {
			b.end(i, failure)
			continue
		}
		if failure != nil {
			err := copyFailure(failure)
			if raised, ok := err.(*Error); err == errExiting || ok && raised.panicked { //nolint:errorlint // neither is wrapped
				ending = err
			}
			fail(call.input, interrupted(ctx, err))
			continue
		}
		if err := use(call.input, &f.results, &c.result); err != nil {
			fail(call.input, err)
		}
		if c.result.owner != nil || c.result.tree != nil {
			freeResult(&c.result)
		}
	}
	if f.exiting {
		ending = errExiting
	}
	if ending != nil {
		return end, ending
	}
	if made == len(b.made) && broken == nil {
		return end, nil
	}
	if broken == nil {
		broken = contextError(ctx)
	}
	for _, call := range b.made[made:] {
		fail(call.input, broken)
	}
	return end, broken
}

// end gives back what a call left that nobody wants.
func (b *batch) end(i int, failure *C.snake_error) {
	if failure != nil {
		C.snake_error_free(failure)
		return
	}
	freeResult(&b.calls[i].result)
}

// endAbandoned gives back what the calls left that nobody waits for any more.
func (b *batch) endAbandoned(f *frame) {
	failures := unsafe.Slice(b.c.errors, maxBatch)
	for i := range int(b.c.made) { //nolint:gosec // at most maxBatch
		call, c := &b.made[i], &b.calls[i]
		if c.retained > 0 {
			holdLeases(f.lends[call.lends:][:c.lends_len], f.leases[call.lends:][:c.lends_len])
		}
		b.end(i, failures[i])
	}
	C.snake_error_free(b.failure)
}
