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

// Lent is Go memory that a call lends to Python: an argument that Python sees as a NumPy array over the same memory.
// Make one with [Lend], [LendMut] or [Matrix] for each call.
type Lent struct {
	pointer  unsafe.Pointer
	length   int // of the slice; elements
	dtype    dtype
	writable bool
	shape    []int // nil: one dimension
	strides  []int // in elements; nil: C-contiguous
	err      error // of Reshape or Strided: the call reports it
}

// Lend lends a slice as a read-only array of one dimension, without copying. A numeric slice that is an argument
// itself is lent in the same way, except []byte, which becomes bytes.
//
// The memory stays valid for as long as Python reaches it. Do not write to it from Go meanwhile: until the call has
// returned, and if Python keeps the array ([Stats] counts that) until it lets go.
func Lend[T Number](s []T) Lent {
	return Lent{pointer: unsafe.Pointer(unsafe.SliceData(s)), length: len(s), dtype: dtypeOf[T]()}
}

// LendMut lends a slice as a writable array: what Python writes is in the slice when the call has returned.
func LendMut[T Number](s []T) Lent {
	lent := Lend(s)
	lent.writable = true
	return lent
}

// Matrix lends a slice as a read-only array of rows and columns, in row-major order.
func Matrix[T Number](s []T, rows, columns int) Lent { return Lend(s).Reshape(rows, columns) }

// Reshape gives the array another shape, in row-major order. The number of elements stays.
func (l Lent) Reshape(shape ...int) Lent {
	elements := 1
	for _, length := range shape {
		if length < 0 || (length > 0 && elements > math.MaxInt/length) {
			return l.failed("shape %v: want lengths of 0 or more", shape)
		}
		elements *= length
	}
	if elements != l.length {
		return l.failed("shape %v has %d elements, but the slice has %d", shape, elements, l.length)
	}
	l.shape, l.strides = append([]int{}, shape...), nil
	return l.checked()
}

// Strided gives the array a shape and the number of elements of the slice between neighbours along each dimension.
// The first element is that of the slice; none may lie outside of it.
func (l Lent) Strided(shape, strides []int) Lent {
	if len(shape) != len(strides) {
		return l.failed("shape %v and strides %v differ in length", shape, strides)
	}
	last, empty := 0, false
	for i, length := range shape {
		if length < 0 || strides[i] < 0 {
			return l.failed("shape %v, strides %v: want 0 or more", shape, strides)
		}
		if length == 0 {
			empty = true
			continue
		}
		if strides[i] > 0 && length-1 > (math.MaxInt-last)/strides[i] {
			return l.failed("shape %v, strides %v: too large", shape, strides)
		}
		last += (length - 1) * strides[i]
	}
	if !empty && last >= l.length {
		return l.failed("shape %v, strides %v: the last element is at %d, but the slice has %d", shape, strides, last, l.length)
	}
	l.shape, l.strides = append([]int{}, shape...), append([]int{}, strides...)
	return l.checked()
}

func (l Lent) checked() Lent {
	if len(l.shape) > C.SNAKE_MAX_DIMENSIONS {
		return l.failed("want at most %d dimensions, got %d", C.SNAKE_MAX_DIMENSIONS, len(l.shape))
	}
	return l
}

func (l Lent) failed(format string, a ...any) Lent {
	if l.err == nil {
		l.err = fmt.Errorf(format, a...)
	}
	return l
}

// elements counts the elements of the array.
func (l Lent) elements() int {
	if l.shape == nil {
		return l.length
	}
	elements := 1
	for _, length := range l.shape {
		elements *= length
	}
	return elements
}

// arrayShape returns the shape and the kind of the elements of a Go array of numbers; nil if it is none.
func arrayShape(t reflect.Type) ([]int, reflect.Kind) {
	if t.Kind() != reflect.Array {
		return nil, reflect.Invalid
	}
	inner, element := elementShape(t.Elem())
	if element == reflect.Invalid {
		return nil, reflect.Invalid
	}
	return append([]int{t.Len()}, inner...), element
}

// elementShape is arrayShape for what is a number itself, or an array of them.
func elementShape(t reflect.Type) ([]int, reflect.Kind) {
	if t.Kind() == reflect.Array {
		return arrayShape(t)
	}
	if kind := t.Kind(); int(kind) < len(dtypeOfKind) && dtypeOfKind[kind] != 0 && !t.Implements(toPythonType) && t != durationType {
		return []int{}, kind
	}
	return nil, reflect.Invalid
}

var toPythonType = reflect.TypeFor[ToPython]()

// dtype is a SNAKE_DTYPE_* value.
type dtype uint32

var dtypes = [...]struct {
	name string
	size uintptr
}{
	C.SNAKE_DTYPE_BOOL:        {"bool", 1},
	C.SNAKE_DTYPE_INT8:        {"int8", 1},
	C.SNAKE_DTYPE_INT16:       {"int16", 2},
	C.SNAKE_DTYPE_INT32:       {"int32", 4},
	C.SNAKE_DTYPE_INT64:       {"int64", 8},
	C.SNAKE_DTYPE_UINT8:       {"uint8", 1},
	C.SNAKE_DTYPE_UINT16:      {"uint16", 2},
	C.SNAKE_DTYPE_UINT32:      {"uint32", 4},
	C.SNAKE_DTYPE_UINT64:      {"uint64", 8},
	C.SNAKE_DTYPE_FLOAT16:     {"float16", 2},
	C.SNAKE_DTYPE_FLOAT32:     {"float32", 4},
	C.SNAKE_DTYPE_FLOAT64:     {"float64", 8},
	C.SNAKE_DTYPE_COMPLEX64:   {"complex64", 8},
	C.SNAKE_DTYPE_COMPLEX128:  {"complex128", 16},
	C.SNAKE_DTYPE_DATETIME64:  {"datetime64", 8},
	C.SNAKE_DTYPE_TIMEDELTA64: {"timedelta64", 8},
}

func (d dtype) String() string { return dtypes[d].name }
func (d dtype) size() uintptr  { return dtypes[d].size }
func (d dtype) isTime() bool   { return d == C.SNAKE_DTYPE_DATETIME64 || d == C.SNAKE_DTYPE_TIMEDELTA64 }

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
