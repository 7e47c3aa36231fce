package python

// #include "core.h"
import "C"

import (
	"fmt"
	"reflect"
	"unsafe"
)

// readElements reads an array into a slice whose elements are not, or not only, numbers: nested slices, pointers,
// any, times.
func (s *results) readElements(target reflect.Value) error {
	v, t := s.take(), target.Type()
	shape := s.shape(v)
	var unit string
	var count int64
	if dtype(v.dtype).isTime() {
		unit, count = s.text(s.take()), int64(s.take().bits) //nolint:gosec // the bits are those of an int64
	}
	if len(shape) == 0 {
		return s.mismatch(t, v)
	}
	return s.fill(target, v, shape, address(v), unit, count)
}

// fill reads a part of an array, whose first element is at `data`.
func (s *results) fill(target reflect.Value, v *C.snake_value, shape []int, data unsafe.Pointer, unit string, count int64) error {
	t := target.Type()
	size := dtype(v.dtype).size()
	if len(shape) > 1 {
		inner := t.Elem().Kind()
		if inner != reflect.Slice && inner != reflect.Array {
			return s.mismatch(t, v)
		}
		out := reflect.MakeSlice(t, shape[0], shape[0])
		for _, length := range shape[1:] {
			size *= uintptr(length) //nolint:gosec // a length in memory
		}
		for i := range shape[0] {
			part := out.Index(i)
			if inner == reflect.Array {
				part = reflect.New(reflect.SliceOf(part.Type().Elem())).Elem()
			}
			if err := s.fill(part, v, shape[1:], unsafe.Add(data, uintptr(i)*size), unit, count); err != nil { //nolint:gosec // an index
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
	row := C.snake_value{kind: C.SNAKE_KIND_ARRAY, dtype: v.dtype, len: C.uint64_t(shape[0])} //nolint:gosec // a length
	*(*unsafe.Pointer)(unsafe.Pointer(&row.bits)) = data
	if unit != "" {
		target.Set(reflect.MakeSlice(t, shape[0], shape[0]))
		return s.fillTimes(target, &row, unit, count)
	}
	element := t.Elem()
	if element.Kind() == reflect.Pointer || element.Kind() == reflect.Interface && element.NumMethod() == 0 {
		return s.fillBoxed(target, &row, nil)
	}
	if _, kind := elementShape(element); kind == reflect.Invalid || element.Kind() == reflect.Array {
		return s.mismatch(t, v)
	}
	// A slice of numbers, perhaps of a named type: read it as one of the underlying type.
	part := results{lane: s.lane, values: []C.snake_value{row}}
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
			return err
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

// readMasked reads a masked array into pointers or interfaces: nil where it has no value.
func (s *results) readMasked(target reflect.Value) error {
	t := target.Type()
	v := s.take()
	if kind := t.Elem().Kind(); kind != reflect.Pointer && kind != reflect.Interface {
		return fmt.Errorf("want %v, got %s: ask for []*%v or python.Masked to see which values are missing", t, s.kind(v), t.Elem())
	}
	if t.Elem().Kind() == reflect.Interface && t.Elem().NumMethod() > 0 {
		return s.mismatch(t, v)
	}
	data, mask := s.take(), s.take()
	if data.kind != C.SNAKE_KIND_ARRAY || mask.kind != C.SNAKE_KIND_ARRAY {
		return s.mismatch(t, data)
	}
	return s.fillBoxed(target, data, elements[bool](mask))
}

// fillTimes reads datetime64 or timedelta64 elements; NaT becomes a nil pointer, or is an error where there is no
// pointer.
func (s *results) fillTimes(out reflect.Value, row *C.snake_value, unit string, count int64) error {
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
