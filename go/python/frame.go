package python

// #include "core.h"
import "C"

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"
)

// frame is the memory that a call describes its arguments and its result in. Each slot of the gate has one, which is
// used again and again. What the core follows pointers to lies in C memory, so that cgo has nothing to check or pin.
type frame struct {
	in   *Interpreter    // in which the frame was used last
	lane *lane           // likewise
	slot int             // of its gate
	ctx  context.Context // of the call; nil between calls
	// isCancellable tells whether the call has to be watched, since its context may end.
	isCancellable bool
	// exiting tells that a Go function, which the call called, wants to end its goroutine.
	exiting bool
	// runner runs the Go functions that the call calls, runnerApart those that run on a goroutine of their own.
	runner, runnerApart *runner
	// home is the runner of the goroutine that makes the call, if that is one of a runner apart.
	home   *runner
	labels context.Context // with which the calling goroutine is labelled; nil if it is not

	// What [Interpreter.Dump] reads at any time.
	label    atomic.Pointer[callLabel]    // of the function that was called last
	callback atomic.Pointer[hostFunction] // that the call calls
	watched  atomic.Pointer[watched]      // the call, if it can be interrupted
	loading  atomic.Pointer[loading]      // the function that is being loaded

	interrupt *C.snake_interrupt // in C memory, made when it is first wanted, as is the next
	carrier   *carrier           // makes the call if it can be interrupted
	worker    *Worker            // that the call has
	number    uint64             // of the call, if it was abandoned
	keepsSlot bool               // although it was abandoned

	outer  *C.call_frame   // in C memory
	call   *C.snake_call   // a part of it
	values []C.snake_value // in C memory; its capacity is what call.values has room for
	leases []C.uint64_t    // likewise

	results results // reads the result, where that is not kept

	bytes []byte   // the texts and bytes of the arguments
	lends []memory // the lent memory, in the order of the arguments
	kept  []any    // objects among the arguments, which the garbage collector must not take during the call
	pins  runtime.Pinner
	// indirections counts the pointers that lead to the value which is being described.
	indirections int
	truncating   int              // how many of the values around the one that is being described have their times cut
	more         []unsafe.Pointer // the lent memory from the fifth on, pinned
	hosted       []uint64         // the handles among the arguments, until the core has them
	gives        bool             // what is described is a reply: it is given away and not lent
	batch        *batch           // for [Function.Map]; made when it is first wanted
	batched      bool             // what is described is one of many calls
	leading      C.uint32_t       // how many arguments stand before those of the caller
}

// memory is a part of Go's memory that is lent.
type memory struct {
	pointer unsafe.Pointer
	bytes   uintptr
}

const (
	directLends = 4       // how many pointers the C function takes as arguments
	scratchSize = 8 << 10 // results up to this many bytes come back without a second crossing
	keptValues  = 1 << 12 // a frame that has grown beyond this is cut back after the call
	keptBytes   = 1 << 16
)

func newFrame() *frame {
	outer := (*C.call_frame)(C.calloc(1, C.sizeof_call_frame))
	outer.call.result.scratch = C.malloc(scratchSize)
	outer.call.result.scratch_len = scratchSize
	outer.call.activity = &outer.activity
	f := &frame{outer: outer, call: &outer.call}
	f.values = grow(f.values, 16)
	f.leases = grow(f.leases, directLends)
	return f
}

// frames holds all frames that there are. Each is known to the core by its place in the list, the token of its call.
var frames frameTable

type frameTable struct {
	all   atomic.Pointer[[]*frame]
	mu    sync.Mutex
	spare []*frame
}

// take returns a frame that nobody uses.
func (t *frameTable) take() *frame {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last := len(t.spare) - 1; last >= 0 {
		f := t.spare[last]
		t.spare = t.spare[:last]
		return f
	}
	var all []*frame
	if known := t.all.Load(); known != nil {
		all = *known
	}
	f := newFrame()
	all = append(all[:len(all):len(all)], f)
	f.call.token = C.uint64_t(len(all))
	t.all.Store(&all)
	return f
}

func (t *frameTable) put(f *frame) {
	t.mu.Lock()
	t.spare = append(t.spare, f)
	t.mu.Unlock()
}

// byToken returns the frame of the call with that token; nil if there is none.
func (t *frameTable) byToken(token C.uint64_t) *frame {
	if token == 0 {
		return nil
	}
	return (*t.all.Load())[token-1]
}

// grow moves a slice in C memory to room for at least double.
func grow[T any](s []T, atLeast int) []T {
	var element T
	room := max(2*cap(s), atLeast)
	pointer := C.realloc(unsafe.Pointer(unsafe.SliceData(s)), C.size_t(room)*C.size_t(unsafe.Sizeof(element)))
	return unsafe.Slice((*T)(pointer), room)[:len(s)]
}

// add describes one value of an argument, or the head of a container.
func (f *frame) add(kind, dtype uint32, bits, length uint64) {
	if len(f.values) == cap(f.values) {
		f.values = grow(f.values, 0)
	}
	f.values = append(f.values, C.snake_value{kind: C.uint32_t(kind), dtype: C.uint32_t(dtype), bits: C.uint64_t(bits), len: C.uint64_t(length)})
}

// lend describes an array over Go's memory.
func (f *frame) lend(m Lent) {
	var writable uint64
	if m.writable || f.gives {
		writable = 1
	}
	if m.shape == nil {
		f.add(C.SNAKE_KIND_ARRAY, uint32(m.dtype), writable, uint64(m.length)) //nolint:gosec // a length
	} else {
		f.addShape(m, writable)
	}
	f.lends = append(f.lends, memory{m.pointer, uintptr(m.elements()) * m.dtype.size()}) //nolint:gosec // a size
	if len(f.leases) == cap(f.leases) {
		f.leases = grow(f.leases, 0)
	}
	f.leases = f.leases[:len(f.lends)]
	if len(f.lends) > directLends && !f.batched {
		if m.pointer != nil {
			f.pins.Pin(m.pointer)
		}
		f.more = append(f.more, m.pointer)
	}
}

// addShape describes an array with its shape and its strides in bytes.
func (f *frame) addShape(m Lent, writable uint64) {
	f.add(C.SNAKE_KIND_ND_ARRAY, uint32(m.dtype), writable, uint64(len(m.shape)))
	for _, length := range m.shape {
		f.addInt(int64(length))
	}
	size := int64(m.dtype.size()) //nolint:gosec // a size of at most 16
	if m.strides != nil {
		for _, stride := range m.strides {
			f.addInt(int64(stride) * size)
		}
		return
	}
	for axis := range m.shape {
		stride := size
		for _, length := range m.shape[axis+1:] {
			stride *= int64(length)
		}
		f.addInt(stride)
	}
}

// invoke calls a function with the arguments that were added, and leaves the result in the frame.
func (f *frame) invoke(function unsafe.Pointer, args, kwargs int, want uint32, forbidRetaining bool) error {
	c := f.call
	c.values = unsafe.SliceData(f.values)
	c.values_len = C.size_t(len(f.values))
	c.args, c.kwargs = C.uint32_t(args), C.uint32_t(kwargs) //nolint:gosec // bounded by the length of an argument list
	c.bytes_len = C.size_t(len(f.bytes))
	c.leases = unsafe.SliceData(f.leases)
	c.leases_len = C.size_t(len(f.leases))
	c.want = C.uint32_t(want)
	c.lends_len = 0
	f.hosted = f.hosted[:0]
	f.countLent()
	if len(f.more) > 0 {
		// C memory may hold these pointers, because what they point to is pinned, the list itself included.
		f.pins.Pin(&f.more[0])
		c.lends, c.lends_len = &f.more[0], C.size_t(len(f.more))
	}
	var direct [directLends]*C.uint8_t
	for i := range min(len(f.lends), directLends) {
		direct[i] = (*C.uint8_t)(f.lends[i].pointer)
	}
	if f.isCancellable {
		if err := f.invokeApart(function, direct); err != nil {
			return err
		}
	} else if f.home != nil {
		f.invokeAtHome(function, direct)
	} else {
		C.function_call(C.uintptr_t(uintptr(function)), C.uintptr_t(uintptr(unsafe.Pointer(f.outer))),
			(*C.uint8_t)(unsafe.SliceData(f.bytes)), direct[0], direct[1], direct[2], direct[3])
	}
	if len(f.more) > 0 {
		// Now, while the list is alive: when Go overwrites a pointer in C memory, its garbage collector looks at what
		// stood there.
		c.lends = nil
	}
	return f.finish(f.outer.failure, forbidRetaining)
}

// invokeApart makes a call that can be interrupted.
func (f *frame) invokeApart(function unsafe.Pointer, direct [directLends]*C.uint8_t) error {
	f.allowInterrupt()
	bytes := (*C.uint8_t)(unsafe.SliceData(f.bytes))
	return f.crossApart(func() {
		C.function_call(C.uintptr_t(uintptr(function)), C.uintptr_t(uintptr(unsafe.Pointer(f.outer))),
			bytes, direct[0], direct[1], direct[2], direct[3])
	})
}

// invokeAtHome makes a call for a goroutine of a runner.
func (f *frame) invokeAtHome(function unsafe.Pointer, direct [directLends]*C.uint8_t) {
	bytes := (*C.uint8_t)(unsafe.SliceData(f.bytes))
	f.home.cross(func() {
		C.function_call(C.uintptr_t(uintptr(function)), C.uintptr_t(uintptr(unsafe.Pointer(f.outer))),
			bytes, direct[0], direct[1], direct[2], direct[3])
	})
}

// invokeArray is invoke for the one argument that is most frequent, a slice of float64. It does the same with less:
// 30 ns of a call of 200 (make bench, noop).
func (f *frame) invokeArray(function unsafe.Pointer, data []float64, want uint32, forbidRetaining bool) error {
	pointer := unsafe.Pointer(unsafe.SliceData(data))
	v := &f.values[:1][0]
	v.kind, v.dtype, v.bits, v.len = C.SNAKE_KIND_ARRAY, C.SNAKE_DTYPE_FLOAT64, 0, C.uint64_t(len(data))
	c := f.call
	c.values, c.values_len = v, 1
	c.args, c.kwargs = 1, 0
	c.bytes_len = 0
	c.leases, c.leases_len = unsafe.SliceData(f.leases), 1
	c.lends_len = 0
	c.want = C.uint32_t(want)
	c.result.plan = nil
	f.outer.lent = C.uint64_t(len(data)) * 8
	if f.isCancellable {
		f.leases = f.leases[:1]
		f.lends = append(f.lends, memory{pointer, uintptr(len(data)) * 8})
		err := f.invokeApart(function, [directLends]*C.uint8_t{(*C.uint8_t)(pointer)})
		if err == nil {
			err = f.finish(f.outer.failure, forbidRetaining)
		}
		if isAbandoned(err) {
			return err
		}
		f.reset()
		return err
	}
	if f.home != nil {
		f.invokeAtHome(function, [directLends]*C.uint8_t{(*C.uint8_t)(pointer)})
	} else {
		C.function_call_array(C.uintptr_t(uintptr(function)), C.uintptr_t(uintptr(unsafe.Pointer(f.outer))), (*C.uint8_t)(pointer))
	}
	if c.retained == 0 && f.outer.failure == nil && !f.exiting {
		return nil
	}
	f.leases = f.leases[:1]
	f.lends = append(f.lends, memory{pointer, uintptr(len(data)) * 8})
	err := f.finish(f.outer.failure, forbidRetaining)
	f.reset()
	return err
}

// finish looks at what a call has left but its result.
func (f *frame) finish(failure *C.snake_error, forbidRetaining bool) error {
	if f.call.retained > 0 {
		holdLeases(f.lends, f.leases)
		if forbidRetaining {
			if failure != nil {
				C.snake_error_free(failure)
			} else {
				f.releaseResult()
			}
			return ErrRetained
		}
	}
	if f.exiting {
		if failure != nil {
			C.snake_error_free(failure)
		} else {
			f.releaseResult()
		}
		return errExiting
	}
	if failure != nil && failure.argument > f.leading {
		failure.argument -= f.leading
	}
	return copyFailure(failure)
}

// countLent notes for [Interpreter.Dump] how much the call lends. It lies in C memory, and who reads it does so atomically: so
// a plain store will do, which costs a tenth of an atomic one.
func (f *frame) countLent() {
	var bytes uintptr
	for i := range f.lends {
		bytes += f.lends[i].bytes
	}
	f.outer.lent = C.uint64_t(bytes)
}

// holdLeases pins what Python kept of lent memory. The frame keeps that memory alive until then.
func holdLeases(lends []memory, ids []C.uint64_t) {
	for i, lent := range lends {
		if id := ids[i]; id != 0 {
			leases.hold(uint64(id), lent.pointer, lent.bytes)
		}
	}
}

// releaseResult gives back what keeps the data of the result alive.
func (f *frame) releaseResult() {
	if r := &f.call.result; r.owner != nil || r.tree != nil {
		freeResult(r)
	}
}

func freeResult(r *C.snake_result) {
	if r.owner != nil {
		freeObject(unsafe.Pointer(r.owner))
		r.owner = nil
	}
	if r.tree != nil {
		C.snake_tree_free(r.tree)
		r.tree = nil
	}
}

// reset forgets a call.
func (f *frame) reset() {
	if cap(f.values) > keptValues {
		C.free(unsafe.Pointer(unsafe.SliceData(f.values)))
		f.values = grow[C.snake_value](nil, 16)
	}
	if cap(f.bytes) > keptBytes {
		f.bytes = nil
	}
	f.values, f.bytes, f.leases, f.batched = f.values[:0], f.bytes[:0], f.leases[:0], false
	f.exiting = false
	f.leading = 0
	for _, handle := range f.hosted { // the core has not seen them
		hosted.release(handle)
	}
	f.hosted = f.hosted[:0]
	clear(f.lends)
	f.lends = f.lends[:0]
	if len(f.kept) > 0 {
		clear(f.kept)
		f.kept = f.kept[:0]
	}
	if len(f.more) > 0 {
		f.pins.Unpin()
		f.more = nil
	}
}
