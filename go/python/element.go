package python

// #include "core.h"
import "C"

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"unsafe"
)

// arrayValue is an array of a result, taken from it with all that follows.
type arrayValue struct {
	head  *C.snake_value
	shape []int
	data  unsafe.Pointer
	unit  string // of times, and how many of it an element counts
	count int64
}

// array takes an array.
func (s *results) array() arrayValue {
	v := s.take()
	a := arrayValue{head: v, shape: s.shape(v), data: address(v)}
	if dtype(v.dtype).isTime() {
		a.unit, a.count = s.text(s.take()), int64(s.take().bits) //nolint:gosec // the bits are those of an int64
	}
	return a
}

// flat describes the elements as an array of one dimension.
func (a arrayValue) flat() *C.snake_value {
	row := C.snake_value{kind: C.SNAKE_KIND_ARRAY, dtype: a.head.dtype, len: 1}
	for _, length := range a.shape {
		row.len *= C.uint64_t(length) //nolint:gosec // a length in memory
	}
	*(*unsafe.Pointer)(unsafe.Pointer(&row.bits)) = a.data
	return &row
}

// part is one of the parts along the first dimension.
func (a arrayValue) part(i int) arrayValue {
	size := dtype(a.head.dtype).size()
	for _, length := range a.shape[1:] {
		size *= uintptr(length) //nolint:gosec // a length in memory
	}
	a.shape, a.data = a.shape[1:], unsafe.Add(a.data, uintptr(i)*size) //nolint:gosec // an index
	return a
}

// readElements reads an array into a slice whose elements are not, or not only, numbers: nested slices, pointers,
// any, times.
func (s *results) readElements(target reflect.Value) error {
	a := s.array()
	if len(a.shape) == 0 {
		return s.mismatch(target.Type(), a.head)
	}
	return s.fill(target, a, nil)
}

// fill reads an array, or a part of one. Where there is a mask and it is true, the element becomes nil.
func (s *results) fill(target reflect.Value, a arrayValue, mask []bool) error {
	t := target.Type()
	if len(a.shape) > 1 {
		inner := t.Elem().Kind()
		if inner != reflect.Slice && inner != reflect.Array {
			return s.mismatch(t, a.head)
		}
		out := reflect.MakeSlice(t, a.shape[0], a.shape[0])
		for i := range a.shape[0] {
			part := out.Index(i)
			if inner == reflect.Array {
				part = reflect.New(reflect.SliceOf(part.Type().Elem())).Elem()
			}
			var masked []bool
			if mask != nil {
				each := len(mask) / a.shape[0]
				masked = mask[i*each : (i+1)*each]
			}
			if err := s.fill(part, a.part(i), masked); err != nil {
				return atIndex(i, err)
			}
			if inner == reflect.Array {
				if part.Len() != out.Index(i).Len() {
					return atIndex(i, fmt.Errorf("want %v, got %d items", t.Elem(), part.Len()))
				}
				reflect.Copy(out.Index(i), part)
			}
		}
		target.Set(out)
		return nil
	}
	row := a.flat()
	if a.unit != "" {
		target.Set(reflect.MakeSlice(t, a.shape[0], a.shape[0]))
		return s.fillTimes(target, row, a.unit, a.count, mask)
	}
	element := t.Elem()
	if element.Kind() == reflect.Pointer || element.Kind() == reflect.Interface && element.NumMethod() == 0 {
		return s.fillBoxed(target, row, mask)
	}
	if _, kind := elementShape(element); kind == reflect.Invalid || element.Kind() == reflect.Array {
		return s.mismatch(t, a.head)
	}
	// A slice of numbers, perhaps of a named type: read it as one of the underlying type.
	part := results{lane: s.lane, values: []C.snake_value{*row}}
	plain := reflect.New(reflect.SliceOf(plainTypes[element.Kind()]))
	if err := part.decode(plain.Interface()); err != nil {
		return err
	}
	target.Set(reflect.NewAt(t, plain.UnsafePointer()).Elem())
	return nil
}

// plainTypes are the unnamed types of numbers by kind.
var plainTypes = map[reflect.Kind]reflect.Type{
	reflect.Bool: reflect.TypeFor[bool](), reflect.Int: reflect.TypeFor[int](), reflect.Int8: reflect.TypeFor[int8](),
	reflect.Int16: reflect.TypeFor[int16](), reflect.Int32: reflect.TypeFor[int32](), reflect.Int64: reflect.TypeFor[int64](),
	reflect.Uint: reflect.TypeFor[uint](), reflect.Uint8: reflect.TypeFor[uint8](), reflect.Uint16: reflect.TypeFor[uint16](),
	reflect.Uint32: reflect.TypeFor[uint32](), reflect.Uint64: reflect.TypeFor[uint64](), reflect.Uintptr: reflect.TypeFor[uint64](),
	reflect.Float32: reflect.TypeFor[float32](), reflect.Float64: reflect.TypeFor[float64](),
	reflect.Complex64: reflect.TypeFor[complex64](), reflect.Complex128: reflect.TypeFor[complex128](),
}

// fillBoxed reads an array into pointers or interfaces; those at which `mask` is true become nil.
func (s *results) fillBoxed(target reflect.Value, row *C.snake_value, mask []bool) error {
	t := target.Type().Elem()
	part := results{lane: s.lane, values: []C.snake_value{*row}}
	var values reflect.Value
	if t.Kind() == reflect.Interface {
		natural, err := part.naturalArray()
		if err != nil {
			return err
		}
		values = reflect.ValueOf(natural)
	} else {
		slice := reflect.New(reflect.SliceOf(t.Elem()))
		if err := part.decode(slice.Interface()); err != nil {
			return s.unboxable(target.Type(), row, err)
		}
		values = slice.Elem()
	}
	out := reflect.MakeSlice(target.Type(), values.Len(), values.Len())
	for i := range values.Len() {
		switch {
		case mask != nil && mask[i]:
		case t.Kind() == reflect.Interface:
			out.Index(i).Set(values.Index(i))
		default:
			out.Index(i).Set(values.Index(i).Addr())
		}
	}
	target.Set(out)
	return nil
}

// unboxable says why an array cannot be read into pointers: the cell where NaN stands for a gap, if that is why.
func (s *results) unboxable(target reflect.Type, row *C.snake_value, err error) error {
	if _, atPlace := err.(*placed); atPlace { //nolint:errorlint // it is never wrapped
		return err
	}
	if _, isInteger := integerKinds[target.Elem().Elem().Kind()]; isInteger {
		if i := firstNaN(row); i >= 0 {
			return atIndex(i, fmt.Errorf("want %v, got NaN in an %s: pandas makes integers with a gap floats; ask for []*float64, or keep them "+
				"integers in Python with convert_dtypes() or dtype \"Int64\"", target.Elem(), s.kind(row)))
		}
	}
	return s.mismatch(target, row)
}

var integerKinds = map[reflect.Kind]struct{}{
	reflect.Int: {}, reflect.Int8: {}, reflect.Int16: {}, reflect.Int32: {}, reflect.Int64: {},
	reflect.Uint: {}, reflect.Uint8: {}, reflect.Uint16: {}, reflect.Uint32: {}, reflect.Uint64: {}, reflect.Uintptr: {},
}

// firstNaN returns the index of the first NaN in an array of floats; -1 if there is none.
func firstNaN(row *C.snake_value) int {
	switch dtype(row.dtype) {
	case C.SNAKE_DTYPE_FLOAT16:
		return slices.IndexFunc(elements[uint16](row), func(half uint16) bool { return math.IsNaN(float64(float16(half))) })
	case C.SNAKE_DTYPE_FLOAT32:
		return slices.IndexFunc(elements[float32](row), func(x float32) bool { return x != x })
	case C.SNAKE_DTYPE_FLOAT64:
		return slices.IndexFunc(elements[float64](row), math.IsNaN)
	}
	return -1
}

// readMasked reads a masked array into pointers or interfaces: nil where it has no value.
func (s *results) readMasked(target reflect.Value) error {
	t, v := target.Type(), s.take()
	what := s.kind(v)
	data := s.array()
	mask := elements[bool](s.array().flat())
	// What the elements are, as deep as the array is.
	element := t
	for range data.shape {
		if element.Kind() != reflect.Slice && element.Kind() != reflect.Array {
			return fmt.Errorf("want %v, got %s: ask for %s or python.Masked", t, what, slicesOf(len(data.shape), "*T"))
		}
		element = element.Elem()
	}
	switch element.Kind() {
	case reflect.Pointer:
	case reflect.Interface:
		if element.NumMethod() > 0 {
			return fmt.Errorf("want %v, got %s", t, what)
		}
	case reflect.Slice, reflect.Array:
		return fmt.Errorf("want %v, got %s: ask for %s or python.Masked", t, what, slicesOf(len(data.shape), "*T"))
	default:
		return fmt.Errorf("want %v, got %s: ask for %s or python.Masked to see which values are missing", t, what, slicesOf(len(data.shape), "*"+element.String()))
	}
	return s.fill(target, data, mask)
}

// slicesOf writes the type of slices of a rank.
func slicesOf(rank int, element string) string { return strings.Repeat("[]", rank) + element }

// fillTimes reads datetime64 or timedelta64 elements; NaT becomes a nil pointer, or is an error where there is no
// pointer.
func (s *results) fillTimes(out reflect.Value, row *C.snake_value, unit string, count int64, mask []bool) error {
	element := out.Type().Elem()
	pointer := element.Kind() == reflect.Pointer
	boxes := pointer || element.Kind() == reflect.Interface && element.NumMethod() == 0
	if pointer {
		element = element.Elem()
	}
	wanted := timeType
	if dtype(row.dtype) == C.SNAKE_DTYPE_TIMEDELTA64 {
		wanted = durationType
	}
	if element != wanted && (pointer || !boxes) {
		return s.mismatch(out.Type(), row)
	}
	for i, value := range elements[int64](row) {
		if mask != nil && mask[i] {
			continue
		}
		var converted any
		var ok bool
		var err error
		if wanted == timeType {
			converted, ok, err = timeOf(value, unit, count)
		} else {
			converted, ok, err = durationOf(value, unit, count)
		}
		switch {
		case err != nil:
			return atIndex(i, err)
		case !ok && !boxes:
			return atIndex(i, fmt.Errorf("want %v, got NaT: ask for []*%v", wanted, wanted))
		case !ok:
		case pointer:
			boxed := reflect.New(element)
			boxed.Elem().Set(reflect.ValueOf(converted))
			out.Index(i).Set(boxed)
		default:
			out.Index(i).Set(reflect.ValueOf(converted))
		}
	}
	return nil
}
