package python

// #include "core.h"
import "C"

import (
	"fmt"
	"math"
	"reflect"
	"unsafe"
)

// Number is what the elements of an array may be.
type Number interface {
	~bool | integer | floating | ~complex64 | ~complex128
}

type integer interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~int | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uint | ~uintptr
}

type floating interface {
	~float32 | ~float64
}

// Lent is Go memory that a call lends to Python: an argument that Python sees as a NumPy array over the same memory. Make one with [Lend] or
// [LendMut] for each call.
type Lent struct {
	pointer  unsafe.Pointer
	length   int
	dtype    dtype
	writable bool
}

// Lend lends a slice as a read-only array of one dimension, without copying. A numeric slice that is an argument itself is lent in the
// same way, except []byte, which becomes bytes.
//
// The memory stays valid for as long as Python reaches it. Do not write to it from Go meanwhile: until the call has
// returned, and if Python keeps the array ([Stats] counts that) until it lets go.
func Lend[T Number](s []T) Lent {
	return Lent{unsafe.Pointer(unsafe.SliceData(s)), len(s), dtypeOf[T](), false}
}

// LendMut lends a slice as a writable array: what Python writes is in the slice when the call has returned.
func LendMut[T Number](s []T) Lent {
	return Lent{unsafe.Pointer(unsafe.SliceData(s)), len(s), dtypeOf[T](), true}
}

// dtype is a SNAKE_DTYPE_* value.
type dtype uint32

var dtypes = [...]struct {
	name string
	size uintptr
}{
	C.SNAKE_DTYPE_BOOL:       {"bool", 1},
	C.SNAKE_DTYPE_INT8:       {"int8", 1},
	C.SNAKE_DTYPE_INT16:      {"int16", 2},
	C.SNAKE_DTYPE_INT32:      {"int32", 4},
	C.SNAKE_DTYPE_INT64:      {"int64", 8},
	C.SNAKE_DTYPE_UINT8:      {"uint8", 1},
	C.SNAKE_DTYPE_UINT16:     {"uint16", 2},
	C.SNAKE_DTYPE_UINT32:     {"uint32", 4},
	C.SNAKE_DTYPE_UINT64:     {"uint64", 8},
	C.SNAKE_DTYPE_FLOAT16:    {"float16", 2},
	C.SNAKE_DTYPE_FLOAT32:    {"float32", 4},
	C.SNAKE_DTYPE_FLOAT64:    {"float64", 8},
	C.SNAKE_DTYPE_COMPLEX64:  {"complex64", 8},
	C.SNAKE_DTYPE_COMPLEX128: {"complex128", 16},
}

func (d dtype) String() string { return dtypes[d].name }
func (d dtype) size() uintptr  { return dtypes[d].size }

// dtypeOf returns the dtype with the layout of a Go type.
func dtypeOf[T Number]() dtype { return dtypeOfKind[reflect.TypeFor[T]().Kind()] }

var dtypeOfKind = [...]dtype{
	reflect.Bool:       C.SNAKE_DTYPE_BOOL,
	reflect.Int:        C.SNAKE_DTYPE_INT64,
	reflect.Int8:       C.SNAKE_DTYPE_INT8,
	reflect.Int16:      C.SNAKE_DTYPE_INT16,
	reflect.Int32:      C.SNAKE_DTYPE_INT32,
	reflect.Int64:      C.SNAKE_DTYPE_INT64,
	reflect.Uint:       C.SNAKE_DTYPE_UINT64,
	reflect.Uint8:      C.SNAKE_DTYPE_UINT8,
	reflect.Uint16:     C.SNAKE_DTYPE_UINT16,
	reflect.Uint32:     C.SNAKE_DTYPE_UINT32,
	reflect.Uint64:     C.SNAKE_DTYPE_UINT64,
	reflect.Uintptr:    C.SNAKE_DTYPE_UINT64,
	reflect.Float32:    C.SNAKE_DTYPE_FLOAT32,
	reflect.Float64:    C.SNAKE_DTYPE_FLOAT64,
	reflect.Complex64:  C.SNAKE_DTYPE_COMPLEX64,
	reflect.Complex128: C.SNAKE_DTYPE_COMPLEX128,
}

// int and uint are lent as 64 bits.
var _ [8]byte = [unsafe.Sizeof(int(0))]byte{}

// elements returns the elements of an array of the core, which lie in C memory.
func elements[T any](r *C.snake_result) []T {
	return unsafe.Slice((*T)(r.data), r.value.len)
}

// copyArray copies an array result into Go memory. Integers and floats may change their size where every value
// stays what it is; any other change of dtype is an error.
func copyArray[T Number](r *C.snake_result) ([]T, error) {
	if r.value.kind != C.SNAKE_KIND_ARRAY {
		return nil, mismatch[[]T](r)
	}
	from, to := dtype(r.value.dtype), dtypeOf[T]()
	if from == to {
		return append(make([]T, 0, r.value.len), elements[T](r)...), nil
	}
	out := make([]T, r.value.len)
	bad, ok := -1, false
	switch to {
	case C.SNAKE_DTYPE_INT8:
		bad, ok = integersTo(as[int8](out), r)
	case C.SNAKE_DTYPE_INT16:
		bad, ok = integersTo(as[int16](out), r)
	case C.SNAKE_DTYPE_INT32:
		bad, ok = integersTo(as[int32](out), r)
	case C.SNAKE_DTYPE_INT64:
		bad, ok = integersTo(as[int64](out), r)
	case C.SNAKE_DTYPE_UINT8:
		bad, ok = integersTo(as[uint8](out), r)
	case C.SNAKE_DTYPE_UINT16:
		bad, ok = integersTo(as[uint16](out), r)
	case C.SNAKE_DTYPE_UINT32:
		bad, ok = integersTo(as[uint32](out), r)
	case C.SNAKE_DTYPE_UINT64:
		bad, ok = integersTo(as[uint64](out), r)
	case C.SNAKE_DTYPE_FLOAT32:
		bad, ok = floatsTo(as[float32](out), r)
	case C.SNAKE_DTYPE_FLOAT64:
		bad, ok = floatsTo(as[float64](out), r)
	case C.SNAKE_DTYPE_COMPLEX64:
		if ok = from == C.SNAKE_DTYPE_COMPLEX128; ok {
			bad = convert(parts[float32](out), parts[float64](elements[complex128](r)))
		}
	case C.SNAKE_DTYPE_COMPLEX128:
		if ok = from == C.SNAKE_DTYPE_COMPLEX64; ok {
			bad = convert(parts[float64](out), parts[float32](elements[complex64](r)))
		}
	}
	if bad >= 0 && from == C.SNAKE_DTYPE_COMPLEX128 {
		bad /= 2
	}
	switch {
	case !ok:
		return nil, mismatch[[]T](r)
	case bad >= 0:
		return nil, fmt.Errorf("[%d]: %s does not fit %s exactly", bad, elementString(r, bad), to)
	}
	return out, nil
}

// as views a slice of a named type as one of its underlying type.
func as[T, N any](s []N) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(s))), len(s))
}

// parts views complex numbers as their real and imaginary parts.
func parts[T floating, C any](s []C) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(s))), 2*len(s))
}

// integersTo converts an array of integers. It returns the index of the first that does not fit, or -1.
func integersTo[T integer](out []T, r *C.snake_result) (bad int, ok bool) {
	switch r.value.dtype {
	case C.SNAKE_DTYPE_INT8:
		return convert(out, elements[int8](r)), true
	case C.SNAKE_DTYPE_INT16:
		return convert(out, elements[int16](r)), true
	case C.SNAKE_DTYPE_INT32:
		return convert(out, elements[int32](r)), true
	case C.SNAKE_DTYPE_INT64:
		return convert(out, elements[int64](r)), true
	case C.SNAKE_DTYPE_UINT8:
		return convert(out, elements[uint8](r)), true
	case C.SNAKE_DTYPE_UINT16:
		return convert(out, elements[uint16](r)), true
	case C.SNAKE_DTYPE_UINT32:
		return convert(out, elements[uint32](r)), true
	case C.SNAKE_DTYPE_UINT64:
		return convert(out, elements[uint64](r)), true
	}
	return -1, false
}

// floatsTo converts an array of floats. It returns the index of the first that does not fit, or -1.
func floatsTo[T floating](out []T, r *C.snake_result) (bad int, ok bool) {
	switch r.value.dtype {
	case C.SNAKE_DTYPE_FLOAT16:
		for i, half := range elements[uint16](r) {
			out[i] = T(float16(half))
		}
		return -1, true
	case C.SNAKE_DTYPE_FLOAT32:
		return convert(out, elements[float32](r)), true
	case C.SNAKE_DTYPE_FLOAT64:
		return convert(out, elements[float64](r)), true
	}
	return -1, false
}

// convert converts numbers and returns the index of the first whose value would change, or -1. NaN stays NaN.
func convert[T, F integer | floating](out []T, in []F) int {
	for i, v := range in {
		w := T(v)
		if v == v && (F(w) != v || (w < 0) != (v < 0)) { //nolint:gocritic // NaN differs from itself
			return i
		}
		out[i] = w
	}
	return -1
}

// float16 returns the value of an IEEE 754 half precision number, which float32 holds exactly.
func float16(half uint16) float32 {
	sign := uint32(half&0x8000) << 16
	exponent := uint32(half>>10) & 0x1f
	fraction := uint32(half & 0x3ff)
	switch {
	case exponent == 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	case exponent != 0:
		return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
	}
	value := float32(fraction) / (1 << 24) // zero or subnormal
	return math.Float32frombits(sign | math.Float32bits(value))
}

// elementString formats an element for a message.
func elementString(r *C.snake_result, i int) string {
	switch r.value.dtype {
	case C.SNAKE_DTYPE_INT8:
		return fmt.Sprint(elements[int8](r)[i])
	case C.SNAKE_DTYPE_INT16:
		return fmt.Sprint(elements[int16](r)[i])
	case C.SNAKE_DTYPE_INT32:
		return fmt.Sprint(elements[int32](r)[i])
	case C.SNAKE_DTYPE_INT64:
		return fmt.Sprint(elements[int64](r)[i])
	case C.SNAKE_DTYPE_UINT8:
		return fmt.Sprint(elements[uint8](r)[i])
	case C.SNAKE_DTYPE_UINT16:
		return fmt.Sprint(elements[uint16](r)[i])
	case C.SNAKE_DTYPE_UINT32:
		return fmt.Sprint(elements[uint32](r)[i])
	case C.SNAKE_DTYPE_UINT64:
		return fmt.Sprint(elements[uint64](r)[i])
	case C.SNAKE_DTYPE_FLOAT64:
		return fmt.Sprint(elements[float64](r)[i])
	case C.SNAKE_DTYPE_COMPLEX128:
		return fmt.Sprint(elements[complex128](r)[i])
	}
	return "the value"
}
