package python

// #include "core.h"
import "C"

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"unsafe"
)

// readInteger takes an integer that fits.
func readInteger[T integer](s *results) (T, error) {
	v := s.take()
	var out [1]T
	bad := -1
	switch v.kind {
	case C.SNAKE_KIND_INT:
		bad = convert(out[:], []int64{int64(v.bits)}) //nolint:gosec // the bits are those of an int64
	case C.SNAKE_KIND_UINT:
		bad = convert(out[:], []uint64{uint64(v.bits)})
	case C.SNAKE_KIND_BIG_INT:
		bad = 0
	default:
		return 0, s.mismatch(out[0], v)
	}
	if bad >= 0 {
		return 0, fmt.Errorf("%s does not fit %T", s.integerString(v), out[0])
	}
	return out[0], nil
}

// readFloat takes floats, and integers where they are exact, as Python does wherever it wants a float.
func readFloat[T floating](s *results) (T, error) {
	v := s.take()
	var out [1]T
	if v.kind == C.SNAKE_KIND_FLOAT {
		float := math.Float64frombits(uint64(v.bits))
		if convert(out[:], []float64{float}) >= 0 {
			return 0, fmt.Errorf("%v does not fit %T exactly", float, out[0])
		}
		return out[0], nil
	}
	integer := s.integer(v)
	if integer == nil {
		return 0, s.mismatch(out[0], v)
	}
	float, _ := new(big.Float).SetInt(integer).Float64()
	out[0] = T(float)
	if math.IsInf(float64(out[0]), 0) || new(big.Float).SetInt(integer).Cmp(big.NewFloat(float64(out[0]))) != 0 {
		return 0, fmt.Errorf("%s does not fit %T exactly", s.integerString(v), out[0])
	}
	return out[0], nil
}

// readComplex takes complex numbers, and others where they are exact.
func readComplex[T complex64 | complex128](s *results) (T, error) {
	v := s.peek()
	if v.kind != C.SNAKE_KIND_COMPLEX {
		if v.kind != C.SNAKE_KIND_FLOAT && s.integer(v) == nil {
			return 0, s.mismatch(T(0), v)
		}
		real, err := readFloat[float64](s)
		if out := T(complex(real, 0)); err == nil && (realPart(out) == real || real != real) {
			return out, nil
		}
		return 0, fmt.Errorf("%s does not fit %T exactly", s.numberString(v), T(0))
	}
	s.take()
	wide := []complex128{complex(math.Float64frombits(uint64(v.bits)), math.Float64frombits(uint64(v.len)))}
	out := make([]T, 1)
	var bad int
	switch out := any(out).(type) {
	case []complex64:
		bad = convert(parts[float32](out), parts[float64](wide))
	case []complex128:
		bad = convert(parts[float64](out), parts[float64](wide))
	}
	if bad >= 0 {
		return 0, fmt.Errorf("%v does not fit %T exactly", wide[0], T(0))
	}
	return out[0], nil
}

func realPart[T complex64 | complex128](c T) float64 { return real(complex128(c)) }

// integer returns an integer of any size; nil if the value is none.
func (s *results) integer(v *C.snake_value) *big.Int {
	switch v.kind {
	case C.SNAKE_KIND_INT:
		return big.NewInt(int64(v.bits)) //nolint:gosec // the bits are those of an int64
	case C.SNAKE_KIND_UINT:
		return new(big.Int).SetUint64(uint64(v.bits))
	case C.SNAKE_KIND_BIG_INT:
		digits := slices.Clone(s.data(v)) // little-endian two's complement
		slices.Reverse(digits)
		integer := new(big.Int).SetBytes(digits)
		if len(digits) > 0 && digits[0]&0x80 != 0 {
			integer.Sub(integer, new(big.Int).Lsh(big.NewInt(1), uint(len(digits))*8))
		}
		return integer
	}
	return nil
}

// numberString formats a float or an integer for a message.
func (s *results) numberString(v *C.snake_value) string {
	if v.kind == C.SNAKE_KIND_FLOAT {
		return fmt.Sprint(math.Float64frombits(uint64(v.bits)))
	}
	return s.integerString(v)
}

// integerString formats an integer for a message.
func (s *results) integerString(v *C.snake_value) string {
	if v.kind == C.SNAKE_KIND_BIG_INT && v.len > 32 {
		return fmt.Sprintf("an int of %d bytes", v.len)
	}
	return s.integer(v).String()
}

// readNumbers takes an array of one dimension, or a list, tuple or set of numbers, as a fresh slice. Elements of an
// array may change their size where every value stays what it is; any other change of dtype is an error.
func readNumbers[T Number](s *results) ([]T, error) {
	v := s.peek()
	if v.kind == C.SNAKE_KIND_ARRAY {
		s.take()
		return copyArray[T](s, v, nil)
	}
	count, named, ok := s.items(v)
	if !ok {
		return nil, s.mismatch([]T(nil), v)
	}
	out := make([]T, count)
	for i := range out {
		if named {
			s.skip()
		}
		if err := readNumber(s, &out[i]); err != nil {
			return nil, atIndex(i, err)
		}
	}
	return out, nil
}

// numbersAtOnce makes a reader of the most frequent result: an array of this very dtype. It does what readNumbers does
// with less.
func numbersAtOnce[T Number](wanted dtype) func(*C.snake_result) ([]T, bool) {
	return func(r *C.snake_result) ([]T, bool) {
		if r.value.kind != C.SNAKE_KIND_ARRAY || dtype(r.value.dtype) != wanted || r.tree != nil {
			return nil, false
		}
		out := make([]T, int(r.value.len)) //nolint:gosec // a length in memory
		copy(out, unsafe.Slice((*T)(r.data), len(out)))
		return out, true
	}
}

// floatAtOnce is the same for a float.
func floatAtOnce(r *C.snake_result) (float64, bool) {
	return math.Float64frombits(uint64(r.value.bits)), r.value.kind == C.SNAKE_KIND_FLOAT
}

// readNumber takes one number, without reflection.
func readNumber[T Number](s *results, out *T) (err error) {
	// By their own names first, so that messages say int and not int64.
	switch p := any(out).(type) {
	case *int:
		*p, err = readInteger[int](s)
		return err
	case *uint:
		*p, err = readInteger[uint](s)
		return err
	}
	switch p := unsafe.Pointer(out); dtypeOf[T]() {
	case C.SNAKE_DTYPE_BOOL:
		v := s.take()
		if v.kind != C.SNAKE_KIND_BOOL {
			return s.mismatch(*out, v)
		}
		*(*bool)(p) = v.bits != 0
	case C.SNAKE_DTYPE_INT8:
		*(*int8)(p), err = readInteger[int8](s)
	case C.SNAKE_DTYPE_INT16:
		*(*int16)(p), err = readInteger[int16](s)
	case C.SNAKE_DTYPE_INT32:
		*(*int32)(p), err = readInteger[int32](s)
	case C.SNAKE_DTYPE_INT64:
		*(*int64)(p), err = readInteger[int64](s)
	case C.SNAKE_DTYPE_UINT8:
		*(*uint8)(p), err = readInteger[uint8](s)
	case C.SNAKE_DTYPE_UINT16:
		*(*uint16)(p), err = readInteger[uint16](s)
	case C.SNAKE_DTYPE_UINT32:
		*(*uint32)(p), err = readInteger[uint32](s)
	case C.SNAKE_DTYPE_UINT64:
		*(*uint64)(p), err = readInteger[uint64](s)
	case C.SNAKE_DTYPE_FLOAT32:
		*(*float32)(p), err = readFloat[float32](s)
	case C.SNAKE_DTYPE_FLOAT64:
		*(*float64)(p), err = readFloat[float64](s)
	case C.SNAKE_DTYPE_COMPLEX64:
		*(*complex64)(p), err = readComplex[complex64](s)
	case C.SNAKE_DTYPE_COMPLEX128:
		*(*complex128)(p), err = readComplex[complex128](s)
	}
	return err
}

// copyArray copies the elements of an array into `into` if that is long enough, else into a fresh slice.
func copyArray[T Number](s *results, v *C.snake_value, into []T) ([]T, error) {
	from, to := dtype(v.dtype), dtypeOf[T]()
	n := int(v.len) //nolint:gosec // a length in memory
	if from == to && to == C.SNAKE_DTYPE_BOOL {
		// A byte that was viewed as a bool may be neither 0 nor 1, which a Go bool must be.
		out := into
		if out == nil {
			out = make([]T, n)
		}
		truths := as[bool](out)
		for i, b := range elements[uint8](v) {
			truths[i] = b != 0
		}
		return out[:n], nil
	}
	if from == to {
		if into != nil {
			copy(into, elements[T](v))
			return into[:n], nil
		}
		return append(make([]T, 0, n), elements[T](v)...), nil
	}
	out := into
	if out == nil {
		out = make([]T, n)
	}
	out = out[:n]
	bad, ok := -1, false
	switch to {
	case C.SNAKE_DTYPE_INT8:
		bad, ok = integersTo(as[int8](out), v)
	case C.SNAKE_DTYPE_INT16:
		bad, ok = integersTo(as[int16](out), v)
	case C.SNAKE_DTYPE_INT32:
		bad, ok = integersTo(as[int32](out), v)
	case C.SNAKE_DTYPE_INT64:
		bad, ok = integersTo(as[int64](out), v)
	case C.SNAKE_DTYPE_UINT8:
		bad, ok = integersTo(as[uint8](out), v)
	case C.SNAKE_DTYPE_UINT16:
		bad, ok = integersTo(as[uint16](out), v)
	case C.SNAKE_DTYPE_UINT32:
		bad, ok = integersTo(as[uint32](out), v)
	case C.SNAKE_DTYPE_UINT64:
		bad, ok = integersTo(as[uint64](out), v)
	case C.SNAKE_DTYPE_FLOAT32:
		bad, ok = floatsTo(as[float32](out), v)
	case C.SNAKE_DTYPE_FLOAT64:
		bad, ok = floatsTo(as[float64](out), v)
	case C.SNAKE_DTYPE_COMPLEX64:
		if ok = from == C.SNAKE_DTYPE_COMPLEX128; ok {
			bad = convert(parts[float32](out), parts[float64](elements[complex128](v)))
		}
	case C.SNAKE_DTYPE_COMPLEX128:
		if ok = from == C.SNAKE_DTYPE_COMPLEX64; ok {
			bad = convert(parts[float64](out), parts[float32](elements[complex64](v)))
		}
	}
	if !ok {
		return nil, s.mismatch([]T(nil), v)
	}
	if bad >= 0 {
		if from == C.SNAKE_DTYPE_COMPLEX128 {
			bad /= 2
		}
		return nil, atIndex(bad, fmt.Errorf("%s does not fit %v exactly", elementString(v, bad), to))
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
func integersTo[T integer](out []T, v *C.snake_value) (bad int, ok bool) {
	switch v.dtype {
	case C.SNAKE_DTYPE_INT8:
		return convert(out, elements[int8](v)), true
	case C.SNAKE_DTYPE_INT16:
		return convert(out, elements[int16](v)), true
	case C.SNAKE_DTYPE_INT32:
		return convert(out, elements[int32](v)), true
	case C.SNAKE_DTYPE_INT64:
		return convert(out, elements[int64](v)), true
	case C.SNAKE_DTYPE_UINT8:
		return convert(out, elements[uint8](v)), true
	case C.SNAKE_DTYPE_UINT16:
		return convert(out, elements[uint16](v)), true
	case C.SNAKE_DTYPE_UINT32:
		return convert(out, elements[uint32](v)), true
	case C.SNAKE_DTYPE_UINT64:
		return convert(out, elements[uint64](v)), true
	}
	return -1, false
}

// floatsTo converts an array of floats. It returns the index of the first that does not fit, or -1.
func floatsTo[T floating](out []T, v *C.snake_value) (bad int, ok bool) {
	switch v.dtype {
	case C.SNAKE_DTYPE_FLOAT16:
		for i, half := range elements[uint16](v) {
			out[i] = T(float16(half))
		}
		return -1, true
	case C.SNAKE_DTYPE_FLOAT32:
		return convert(out, elements[float32](v)), true
	case C.SNAKE_DTYPE_FLOAT64:
		return convert(out, elements[float64](v)), true
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
func elementString(v *C.snake_value, i int) string {
	switch v.dtype {
	case C.SNAKE_DTYPE_INT8:
		return fmt.Sprint(elements[int8](v)[i])
	case C.SNAKE_DTYPE_INT16:
		return fmt.Sprint(elements[int16](v)[i])
	case C.SNAKE_DTYPE_INT32:
		return fmt.Sprint(elements[int32](v)[i])
	case C.SNAKE_DTYPE_INT64:
		return fmt.Sprint(elements[int64](v)[i])
	case C.SNAKE_DTYPE_UINT8:
		return fmt.Sprint(elements[uint8](v)[i])
	case C.SNAKE_DTYPE_UINT16:
		return fmt.Sprint(elements[uint16](v)[i])
	case C.SNAKE_DTYPE_UINT32:
		return fmt.Sprint(elements[uint32](v)[i])
	case C.SNAKE_DTYPE_UINT64:
		return fmt.Sprint(elements[uint64](v)[i])
	case C.SNAKE_DTYPE_FLOAT64:
		return fmt.Sprint(elements[float64](v)[i])
	case C.SNAKE_DTYPE_COMPLEX128:
		return fmt.Sprint(elements[complex128](v)[i])
	}
	return "the value"
}
