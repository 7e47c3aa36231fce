package python

// #include "core.h"
import "C"

import (
	"fmt"
	"reflect"
	"runtime"
	"unsafe"
)

// Object is a reference to a Python object. Any goroutine may use it. Close it, or leave that to the garbage collector.
//
// What is done with it (methods, attributes, items, [Iter], [As]) takes its turn in the [Lane] of the function or object that it
// came from; [Object.WithLane] sets another.
type Object struct {
	in      *Interpreter
	lane    *lane   // of what is done with it: that of what it came from
	handle  *handle // nil for None
	cleanup runtime.Cleanup
}

// newObject takes over a reference; nil is None.
func newObject(l *lane, pointer unsafe.Pointer) *Object {
	if pointer == nil {
		return l.in.none
	}
	h := &handle{pointer: pointer, free: freeObject}
	o := &Object{in: l.in, lane: l, handle: h}
	o.cleanup = runtime.AddCleanup(o, (*handle).drop, h)
	return o
}

// clone makes another reference to an object.
func (l *lane) clone(h *handle) (unsafe.Pointer, error) {
	frame, err := l.enter(admitted)
	if err != nil {
		return nil, err
	}
	defer frame.leave()
	pointer, ok := h.use()
	if !ok {
		return nil, ErrClosed
	}
	var clone *C.snake_object
	var failure *C.snake_error
	frame.cross(func() { failure = C.snake_object_clone((*C.snake_object)(pointer), &clone) })
	return unsafe.Pointer(clone), takeError(failure)
}

// freeObject gives a reference back. It never waits for Python.
func freeObject(pointer unsafe.Pointer) { C.snake_object_free((*C.snake_object)(pointer)) }

// Close gives the reference back. It may be called more than once, and while calls use the object: they end first.
// It never waits.
func (o *Object) Close() error {
	if o.handle != nil && o.handle.close(o.in) {
		o.cleanup.Stop()
	}
	return nil
}

// Interpreter returns the interpreter that the object lives in.
func (o *Object) Interpreter() *Interpreter { return o.in }

// IsNone tells whether the object is None.
func (o *Object) IsNone() bool { return o.handle == nil }

// As converts an object to a Go value: exactly, or with an error that says where, what was wanted and what came. The
// tables of the package list what becomes what. The result is a copy: it never shares memory with Python.
func As[T any](o *Object, options ...DecodeOption) (T, error) {
	var value T
	if err := o.Decode(&value, options...); err != nil {
		var zero T
		return zero, err
	}
	return value, nil
}

// Decode converts the object to the type that target points to, as [As] does. After an error, the target may be
// changed in part.
func (o *Object) Decode(target any, options ...DecodeOption) error {
	t := reflect.TypeOf(target)
	if t == nil || t.Kind() != reflect.Pointer || reflect.ValueOf(target).IsNil() {
		return fmt.Errorf("python: Decode: want a pointer, got %T", target)
	}
	plan, err := planOf(t.Elem())
	if err != nil {
		return fmt.Errorf("python: %w", err)
	}
	return o.describe(plan, func(s *results) error {
		return s.decode(target)
	}, options...)
}

// describe lets `use` read the value of the object.
func (o *Object) describe(plan *C.snake_plan, use func(*results) error, options ...DecodeOption) error {
	if o.handle == nil {
		if err := use(o.lane.read(&C.snake_result{}, options)); err != nil {
			return fmt.Errorf("python: %w", atResult(err))
		}
		return nil
	}
	frame, err := o.lane.enter(admitted)
	if err != nil {
		return err
	}
	defer frame.leave()
	pointer, ok := o.handle.use()
	if !ok {
		return ErrClosed
	}
	defer runtime.KeepAlive(o)
	result := &frame.call.result
	result.plan = plan
	var failure *C.snake_error
	if frame.home == nil {
		failure = C.snake_object_value((*C.snake_object)(pointer), frame.call.token, result)
	} else {
		failure = frame.valueAtHome(pointer)
	}
	if err := takeError(failure); err != nil {
		return fmt.Errorf("python: result: %w", err)
	}
	defer frame.releaseResult()
	if err := use(o.lane.read(result, options)); err != nil {
		return fmt.Errorf("python: %w", atResult(err))
	}
	return nil
}

// valueAtHome describes a value for a goroutine of a runner.
func (f *frame) valueAtHome(pointer unsafe.Pointer) (failure *C.snake_error) {
	f.home.cross(func() { failure = C.snake_object_value((*C.snake_object)(pointer), f.call.token, &f.call.result) })
	return failure
}
