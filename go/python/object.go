package python

// #include "core.h"
import "C"

import (
	"context"
	"runtime"
	"unsafe"
)

// Object is a reference to a Python object. Any goroutine may use it. Close it, or leave that to the garbage collector.
type Object struct {
	in      *Interpreter
	handle  *handle // nil for None
	cleanup runtime.Cleanup
}

// newObject takes over a reference; nil is None.
func newObject(in *Interpreter, pointer unsafe.Pointer) *Object {
	if pointer == nil {
		return in.none
	}
	h := &handle{pointer: pointer, free: freeObject}
	o := &Object{in: in, handle: h}
	o.cleanup = runtime.AddCleanup(o, func(h *handle) { h.close() }, h)
	return o
}

// freeObject gives a reference back. It never waits for Python.
func freeObject(pointer unsafe.Pointer) { C.snake_object_free((*C.snake_object)(pointer)) }

// Close gives the reference back. It may be called more than once, and while calls use the object: they end first.
// It never waits.
func (o *Object) Close() error {
	if o.handle != nil && o.handle.close() {
		o.cleanup.Stop()
	}
	return nil
}

// IsNone tells whether the object is None.
func (o *Object) IsNone() bool { return o.handle == nil }

// As converts an object to a Go value: exactly, or with an error that says what was wanted and what came.
//
//   - bool, string: from bool and str.
//   - Integer types: from an int that fits, a NumPy integer included. A bool or a float is no integer.
//   - float32, float64, complex64, complex128: from a number whose value they hold exactly.
//   - []byte: from bytes, bytearray, a memoryview of bytes, or an array of uint8.
//   - Slices of bool, integers, floats and complex numbers: from an array of one dimension of the same kind, whatever
//     its strides, byte order and alignment, if every value fits exactly. float16 fits float32.
//
// The result is a copy: it never shares memory with Python. Masked arrays and object arrays are errors. As waits like a call.
func As[T any](o *Object) (T, error) {
	var value T
	err := o.describe(func(r *C.snake_result) error { return decode(r, &value) })
	if err != nil {
		var zero T
		return zero, err
	}
	return value, nil
}

// describe lets `use` read the value of the object.
func (o *Object) describe(use func(*C.snake_result) error) error {
	if o.handle == nil {
		return use(&C.snake_result{})
	}
	frame, slot, err := o.in.enter(context.Background())
	if err != nil {
		return err
	}
	defer o.in.leave(frame, slot)
	pointer, ok := o.handle.enter()
	if !ok {
		return ErrClosed
	}
	defer o.handle.leave()
	defer runtime.KeepAlive(o)
	if err := takeError(C.snake_object_value((*C.snake_object)(pointer), &frame.call.result)); err != nil {
		return err
	}
	defer frame.releaseResult()
	return use(&frame.call.result)
}
