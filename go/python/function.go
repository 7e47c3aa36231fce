package python

// #include "core.h"
import "C"

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"
	"unicode/utf8"
	"unsafe"
)

// Function is a Python callable. Any goroutine may call it, several at a time.
type Function struct {
	in      *Interpreter
	lane    *lane
	handle  *handle
	name    string
	cleanup runtime.Cleanup
	object  *Object // what the handle belongs to, if not to the function

	// async tells that it is a coroutine function; undetermined, that nobody has looked yet: see isAsync.
	async, undetermined bool
	determine           sync.Once
	// retains tells that what is lent may outlive the call, whatever [Config] says.
	retains bool
	label   *callLabel
}

// Func resolves "module:qualified.name" to a callable, importing the module if need be. The option is [Lane]:
// its slots are for the calls, and for what is done with their results later.
// An exception of the import, a missing attribute and a value that cannot be called are an [*Error].
//
// A coroutine function (async def) is called as any other: [Function.Call] returns what it returns in the end.
func (in *Interpreter) Func(name string, options ...CallOption) (*Function, error) {
	lane, err := in.laneOf(options)
	if err != nil {
		return nil, err
	}
	if !utf8.ValidString(name) {
		return nil, fmt.Errorf("python: %q: want \"module:function\" in valid UTF-8", name)
	}
	if frameFunctions[name] {
		return nil, fmt.Errorf("python: %s: %w", name, errNeedsFrame)
	}
	if err := in.refresh(name); err != nil {
		return nil, fmt.Errorf("python: %s: %w", name, err)
	}
	f, err := lane.load(name)
	if err == nil {
		if f.async, err = lane.isAsync(f); err != nil {
			_ = f.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("python: %s: %w", name, err)
	}
	return f.follow()
}

// load is Func without a look at what kind of function it is.
func (l *lane) load(name string) (*Function, error) {
	frame, err := l.enter(admitted)
	if err != nil {
		return nil, err
	}
	defer frame.leave()
	frame.loading.Store(&loading{name, time.Now()})
	defer frame.loading.Store(nil)
	var pointer *C.snake_function
	bytes := unsafe.StringData(name)
	var failure *C.snake_error
	frame.cross(func() {
		failure = C.snake_function_load((*C.uint8_t)(bytes), C.size_t(len(name)), frame.call.token, &pointer)
	})
	if err := takeError(failure); err != nil {
		return nil, err
	}
	f := &Function{in: l.in, lane: l, name: name, label: &callLabel{name}, handle: &handle{pointer: unsafe.Pointer(pointer), free: freeFunction}}
	f.cleanup = runtime.AddCleanup(f, (*handle).drop, f.handle)
	return f, nil
}

func freeFunction(pointer unsafe.Pointer) { C.snake_function_free((*C.snake_function)(pointer)) }

// String returns the name that the function was resolved from.
func (f *Function) String() string { return f.name }

// Close gives the function back; later calls give [ErrClosed]. It may be called more than once, and while calls run:
// they end first. It never waits.
func (f *Function) Close() error {
	if f.handle.close(f.in) {
		f.cleanup.Stop()
	}
	return nil
}

// Call calls the function and returns its result as an [Object].
//
// Arguments are converted as the table of the package says. Python sees numeric slices as read-only arrays over the
// same memory, without a copy. The last argument may be [KW].
//
// A coroutine function runs on the host's asyncio loop, as with [Function.Go], and Call waits for its end. When the context
// ends, the coroutine is cancelled; once it has ended, the error is that of the context. Of an ordinary function that
// returns an awaitable, the result is that awaitable: see [Object.Await].
//
// The call waits for its turn ([Config].MaxConcurrent, [Lane]) until the context ends. Every exception is an [*Error].
func (f *Function) Call(ctx context.Context, arguments ...any) (*Object, error) {
	var object *Object
	err := f.run(ctx, C.SNAKE_WANT_OBJECT, nil, func(frame *frame) (int, int, error) {
		return frame.addArguments(arguments)
	}, func(r *C.snake_result) error {
		object = newObject(f.lane, unsafe.Pointer(r.owner))
		r.owner = nil
		return nil
	})
	return object, err
}

// run makes one call: `add` describes its arguments, `use` takes its result.
func (f *Function) run(ctx context.Context, want uint32, plan *C.snake_plan, add func(*frame) (args, kwargs int, err error), use func(*C.snake_result) error) error {
	if f.async || f.undetermined && f.determined() {
		if err := f.runAsync(ctx, want, plan, add, use); err != nil {
			return f.failed(err)
		}
		return nil
	}
	if err := f.runOnce(ctx, want, plan, add, use); err != nil {
		return f.failed(err)
	}
	return nil
}

// runOnce makes one call of Python; its errors do not name the function.
func (f *Function) runOnce(ctx context.Context, want uint32, plan *C.snake_plan, add func(*frame) (args, kwargs int, err error), use func(*C.snake_result) error) error {
	frame, err := f.lane.enter(ctx)
	if err != nil {
		return err
	}
	return f.runIn(ctx, frame, want, plan, add, use)
}

func (f *Function) runIn(ctx context.Context, frame *frame, want uint32, plan *C.snake_plan, add func(*frame) (args, kwargs int, err error), use func(*C.snake_result) error) (err error) {
	// Deferred, because methods of the caller's types run in between, which may panic.
	defer frame.leaveOrAbandon(ctx, &err)
	pointer, ok := f.handle.use()
	if !ok {
		return ErrClosed
	}
	frame.name(f)
	args, kwargs, err := add(frame)
	if err != nil {
		return err
	}
	frame.call.result.plan = plan
	frame.keep(f)
	err = frame.invoke(pointer, args, kwargs, want, f.in.config.ForbidRetaining && !f.retains)
	runtime.KeepAlive(f)
	if isAbandoned(err) {
		return err
	}
	if err != nil {
		return frame.cancelled(ctx, err)
	}
	defer frame.releaseResult()
	if err := use(&frame.call.result); err != nil {
		return atResult(err)
	}
	return nil
}

// runArray is run for one argument that is a slice of float64. Nothing in it can panic.
func (f *Function) runArray(ctx context.Context, data []float64, want uint32) (*frame, error) {
	frame, err := f.lane.enter(ctx)
	if err != nil {
		return nil, f.failed(err)
	}
	pointer, ok := f.handle.use()
	if !ok {
		err = ErrClosed
	} else {
		frame.name(f)
		frame.keep(f)
		err = frame.invokeArray(pointer, data, want, f.in.config.ForbidRetaining)
	}
	runtime.KeepAlive(f)
	if isAbandoned(err) {
		return nil, f.failed(abandoned(ctx, err))
	}
	if err != nil {
		err = frame.cancelled(ctx, err)
		frame.leaveEmpty()
		return nil, f.failed(err)
	}
	return frame, nil
}

// failed names the function in an error. A panic of a Go function that the call called goes on here, and the end of
// its goroutine: the call has left the gate.
func (f *Function) failed(err error) error {
	failures.count(err)
	goOn(err)
	return fmt.Errorf("python: %s: %w", f.name, needsFrame(err))
}
