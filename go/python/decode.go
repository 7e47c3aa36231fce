package python

// #include "core.h"
import "C"

import (
	"fmt"
	"image"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"time"
)

// decoder is a type of this package that reads itself from a result.
type decoder interface {
	decode(s *results) error
}

// decode reads a result into what `target` points to. The types that need no reflection are named here.
func (s *results) decode(target any) (err error) {
	if s.peek().kind == C.SNAKE_KIND_HOST {
		return s.readHosted(reflect.ValueOf(target).Elem())
	}
	switch t := target.(type) {
	case *[]float64:
		*t, err = readNumbers[float64](s)
	case *[]int:
		*t, err = readNumbers[int](s)
	case *[]bool:
		*t, err = readNumbers[bool](s)
	case *[]byte:
		*t, err = s.readBytes()
	case *[]int8:
		*t, err = readNumbers[int8](s)
	case *[]int16:
		*t, err = readNumbers[int16](s)
	case *[]int32:
		*t, err = readNumbers[int32](s)
	case *[]int64:
		*t, err = readNumbers[int64](s)
	case *[]uint:
		*t, err = readNumbers[uint](s)
	case *[]uint16:
		*t, err = readNumbers[uint16](s)
	case *[]uint32:
		*t, err = readNumbers[uint32](s)
	case *[]uint64:
		*t, err = readNumbers[uint64](s)
	case *[]float32:
		*t, err = readNumbers[float32](s)
	case *[]complex64:
		*t, err = readNumbers[complex64](s)
	case *[]complex128:
		*t, err = readNumbers[complex128](s)
	case *float64:
		*t, err = readFloat[float64](s)
	case *int:
		*t, err = readInteger[int](s)
	case *bool:
		return readNumber(s, t)
	case *string:
		*t, err = s.readString()
	case *any:
		*t, err = s.natural()
	case *time.Time:
		*t, err = readTime(s)
	case *time.Duration:
		*t, err = readDuration(s)
	case *big.Int:
		return s.readBigInt(t)
	case *big.Rat:
		return s.readRational(t)
	case *image.Gray, *image.Gray16, *image.RGBA, *image.NRGBA, *image.RGBA64, *image.NRGBA64, *image.CMYK, *image.YCbCr, *image.Image:
		return s.readImage(target)
	case **Object:
		*t, err = s.readObject()
	case *Tuple:
		var items []any
		items, err = s.anyItems(C.SNAKE_KIND_TUPLE, Tuple(nil))
		*t = items
	case *Set:
		var items []any
		items, err = s.anyItems(C.SNAKE_KIND_SET, Set(nil))
		*t = items
	case decoder:
		return t.decode(s)
	default:
		return s.reflected(reflect.ValueOf(target).Elem())
	}
	return err
}

// reflected reads a result into a variable by the kind of its type.
func (s *results) reflected(target reflect.Value) error {
	if s.peek().kind == C.SNAKE_KIND_FUNCTION {
		return s.readHosted(target)
	}
	switch t := target.Type(); target.Kind() {
	case reflect.Func:
		if isIterator(t) {
			return s.readIterator(target)
		}
		return s.readCallable(target)
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8,
		reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr, reflect.Float32, reflect.Float64,
		reflect.Complex64, reflect.Complex128:
		return s.readKind(target)
	case reflect.String:
		text, err := s.readString()
		if err == nil {
			target.SetString(text)
		}
		return err
	case reflect.Pointer:
		if s.peek().kind == C.SNAKE_KIND_NONE || s.isNotATime() {
			s.skip()
			target.SetZero()
			return nil
		}
		pointee := reflect.New(t.Elem())
		if err := s.decode(pointee.Interface()); err != nil {
			return err
		}
		target.Set(pointee)
		return nil
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return s.readInterface(target)
		}
		value, err := s.natural()
		switch {
		case err != nil:
		case value == nil:
			target.SetZero()
		default:
			target.Set(reflect.ValueOf(value))
		}
		return err
	case reflect.Slice:
		return s.readSlice(target)
	case reflect.Array:
		return s.readArray(target)
	case reflect.Map:
		return s.readMap(target)
	case reflect.Struct:
		return s.readStruct(target)
	case reflect.Chan:
		if s.peek().kind == C.SNAKE_KIND_NONE {
			s.take()
			target.SetZero()
			return nil
		}
		return s.mismatch(t, s.peek())
	default:
		return fmt.Errorf("%v is no target of a conversion", t)
	}
}

// readKind reads a number or bool into a variable of a named type.
func (s *results) readKind(target reflect.Value) error {
	p := target.Addr().UnsafePointer()
	switch target.Kind() {
	case reflect.Bool:
		return readNumber(s, (*bool)(p))
	case reflect.Int:
		return readNumber(s, (*int)(p))
	case reflect.Int8:
		return readNumber(s, (*int8)(p))
	case reflect.Int16:
		return readNumber(s, (*int16)(p))
	case reflect.Int32:
		return readNumber(s, (*int32)(p))
	case reflect.Int64:
		return readNumber(s, (*int64)(p))
	case reflect.Uint:
		return readNumber(s, (*uint)(p))
	case reflect.Uint8:
		return readNumber(s, (*uint8)(p))
	case reflect.Uint16:
		return readNumber(s, (*uint16)(p))
	case reflect.Uint32:
		return readNumber(s, (*uint32)(p))
	case reflect.Uint64, reflect.Uintptr:
		return readNumber(s, (*uint64)(p))
	case reflect.Float32:
		return readNumber(s, (*float32)(p))
	case reflect.Float64:
		return readNumber(s, (*float64)(p))
	case reflect.Complex64:
		return readNumber(s, (*complex64)(p))
	default:
		return readNumber(s, (*complex128)(p))
	}
}

func (s *results) readString() (string, error) {
	v := s.peek()
	if v.kind != C.SNAKE_KIND_TEXT && v.kind != C.SNAKE_KIND_DECIMAL {
		return "", s.mismatch("", v)
	}
	return s.text(s.take()), nil
}

func (s *results) readBytes() ([]byte, error) {
	if s.peek().kind == C.SNAKE_KIND_BYTES {
		return append([]byte{}, s.data(s.take())...), nil
	}
	return readNumbers[byte](s)
}

func (s *results) readBigInt(target *big.Int) error {
	v := s.peek()
	integer := s.integer(v)
	if integer == nil {
		return s.mismatch(target, v)
	}
	s.take()
	target.Set(integer)
	return nil
}

// readRational takes decimals, integers and finite floats: big.Rat holds all of them exactly.
func (s *results) readRational(target *big.Rat) error {
	v := s.peek()
	switch v.kind {
	case C.SNAKE_KIND_DECIMAL:
		return readDecimal(s.text(s.take()), target)
	case C.SNAKE_KIND_RATIONAL:
		s.take()
		numerator, denominator := s.integer(s.take()), s.integer(s.take())
		if numerator == nil || denominator == nil || denominator.Sign() == 0 {
			return fmt.Errorf("want %T, got a fraction of %v and %v", target, numerator, denominator)
		}
		target.SetFrac(numerator, denominator)
		return nil
	case C.SNAKE_KIND_FLOAT:
		float, err := readFloat[float64](s)
		if err == nil && (target.SetFloat64(float) == nil || isNegativeZero(float)) {
			err = fmt.Errorf("want %T, got float %v", target, float)
		}
		return err
	}
	integer := s.integer(v)
	if integer == nil {
		return s.mismatch(target, v)
	}
	s.take()
	target.SetInt(integer)
	return nil
}

// readDecimal takes a decimal by its text. NaN, the infinities, a zero below zero and exponents beyond a million have no *big.Rat.
func readDecimal(text string, target *big.Rat) error {
	if _, ok := target.SetString(text); !ok || target.Sign() == 0 && strings.HasPrefix(text, "-") {
		return fmt.Errorf("want %T, got Decimal %s: ask for string", target, text)
	}
	return nil
}

func isNegativeZero(float float64) bool { return float == 0 && math.Signbit(float) }

// readObject takes over a reference.
func (s *results) readObject() (*Object, error) {
	v := s.take()
	switch v.kind {
	case C.SNAKE_KIND_NONE:
		return s.lane.in.none, nil
	case C.SNAKE_KIND_OBJECT:
		pointer := address(v)
		v.bits = 0 // the reference is ours now
		return newObject(s.lane, pointer), nil
	}
	return nil, s.mismatch((*Object)(nil), v)
}

// anyItems takes a container of one kind as it is.
func (s *results) anyItems(kind C.uint32_t, want any) ([]any, error) {
	v := s.peek()
	if v.kind != kind {
		return nil, s.mismatch(want, v)
	}
	s.take()
	items := make([]any, v.len)
	for i := range items {
		var err error
		if items[i], err = s.natural(); err != nil {
			return nil, atIndex(i, err)
		}
	}
	return items, nil
}

func decodeNew[T any](s *results) (T, error) {
	var value T
	err := s.decode(&value)
	return value, err
}

// readSlice reads a slice of any type.
func (s *results) readSlice(target reflect.Value) error {
	v, t := s.peek(), target.Type()
	if count, named, ok := s.items(v); ok {
		out := reflect.MakeSlice(t, count, count)
		target.Set(out)
		return s.readItems(out, named)
	}
	switch v.kind {
	case C.SNAKE_KIND_ARRAY, C.SNAKE_KIND_ND_ARRAY:
		return s.readElements(target)
	case C.SNAKE_KIND_MASKED:
		return s.readMasked(target)
	case C.SNAKE_KIND_COLUMNS:
		return s.readRows(target)
	case C.SNAKE_KIND_BYTES:
		if t.Elem().Kind() == reflect.Uint8 {
			target.SetBytes(slices.Clone(s.data(s.take())))
			return nil
		}
	}
	return s.mismatch(t, v)
}

func (s *results) readItems(out reflect.Value, named bool) error {
	for i := range out.Len() {
		if named {
			s.skip()
		}
		if err := s.decode(out.Index(i).Addr().Interface()); err != nil {
			return atIndex(i, err)
		}
	}
	return nil
}

// readArray reads a Go array, whose length must be right.
func (s *results) readArray(target reflect.Value) error {
	v, t := s.peek(), target.Type()
	if t.Elem().Kind() == reflect.Uint8 && (v.kind == C.SNAKE_KIND_UUID || v.kind == C.SNAKE_KIND_BYTES) {
		if int(v.len) != t.Len() { //nolint:gosec // a length in memory
			return fmt.Errorf("want %v, got %d bytes", t, v.len)
		}
		s.take()
		reflect.Copy(target, reflect.ValueOf(s.data(v)))
		return nil
	}
	values := reflect.New(reflect.SliceOf(t.Elem())).Elem()
	if err := s.readSlice(values); err != nil {
		return err
	}
	if values.Len() != t.Len() {
		return fmt.Errorf("want %v, got %d items", t, values.Len())
	}
	reflect.Copy(target, values)
	return nil
}

// readMap reads a map from a dict, a record or columns.
func (s *results) readMap(target reflect.Value) error {
	v, t := s.peek(), target.Type()
	switch v.kind {
	case C.SNAKE_KIND_DICT, C.SNAKE_KIND_RECORD, C.SNAKE_KIND_COLUMNS:
	default:
		return s.mismatch(t, v)
	}
	s.take()
	out := reflect.MakeMapWithSize(t, int(v.len)) //nolint:gosec // a length in memory
	for range uint64(v.len) {
		at := s.peek()
		key, value := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
		if err := s.decode(key.Addr().Interface()); err != nil {
			return fmt.Errorf("key: %w", err)
		}
		if !key.Comparable() {
			return fmt.Errorf("a key that is a %s cannot be a key in Go", s.kind(at))
		}
		if err := s.decode(value.Addr().Interface()); err != nil {
			return s.atKey(at, err)
		}
		if out.MapIndex(key).IsValid() {
			return fmt.Errorf("two keys are equal in Go: %#v", key.Interface())
		}
		out.SetMapIndex(key, value)
	}
	target.Set(out)
	return nil
}

// readStruct reads a struct: from a dict or record by name, from a tuple by position, from columns by name.
func (s *results) readStruct(target reflect.Value) error {
	r, err := recordOf(target.Type())
	if err != nil {
		return err
	}
	v := s.peek()
	switch v.kind {
	case C.SNAKE_KIND_DICT, C.SNAKE_KIND_RECORD, C.SNAKE_KIND_COLUMNS:
		s.take()
		return s.readFields(target, r, v)
	case C.SNAKE_KIND_TUPLE:
		s.take()
		if int(v.len) != len(r.fields) { //nolint:gosec // a length in memory
			return fmt.Errorf("want %v with %d fields, got a tuple of %d", target.Type(), len(r.fields), v.len)
		}
		for i, field := range r.fields {
			if err := s.decode(target.FieldByIndex(field.index).Addr().Interface()); err != nil {
				return atIndex(i, err)
			}
		}
		return nil
	}
	return s.mismatch(target.Type(), v)
}

func (s *results) readFields(target reflect.Value, r *record, head *C.snake_value) error {
	seen := make([]bool, len(r.fields))
	for range uint64(head.len) {
		key := s.take()
		index, known := -1, false
		if key.kind == C.SNAKE_KIND_TEXT {
			index, known = r.byName[s.text(key)]
		} else {
			s.next--
			s.skip()
		}
		switch {
		case known && seen[index]:
			return fmt.Errorf("two keys are equal in Go: %q", s.text(key))
		case known:
			seen[index] = true
			if err := s.decode(target.FieldByIndex(r.fields[index].index).Addr().Interface()); err != nil {
				if head.kind == C.SNAKE_KIND_DICT {
					return s.atKey(key, err)
				}
				return atField(r.fields[index].name, err)
			}
		case head.kind != C.SNAKE_KIND_RECORD && !s.allowUnknown:
			return fmt.Errorf("%v has no field for the key %s: add one or pass python.AllowUnknown", target.Type(), s.keyString(key))
		default:
			s.skip()
		}
	}
	for i, field := range r.fields {
		if !seen[i] && !field.omitEmpty && !s.allowMissing {
			return missing(target.Type(), field.name)
		}
	}
	return nil
}

// readRows reads a slice of structs or maps from columns.
func (s *results) readRows(target reflect.Value) error {
	v, t := s.take(), target.Type()
	rows, seen := -1, map[string]bool{}
	var out reflect.Value
	for range uint64(v.len) {
		name := s.text(s.take())
		fieldType, set, err := column(t.Elem(), name)
		switch {
		case err != nil:
			return err
		case seen[name]:
			return fmt.Errorf("two columns are named %q", name)
		case fieldType == nil && !s.allowUnknown:
			return fmt.Errorf("%v has no field for the column %q: add one or pass python.AllowUnknown", t.Elem(), name)
		case fieldType == nil:
			if length := s.length(); rows < 0 && length >= 0 {
				rows, out = length, reflect.MakeSlice(t, length, length)
			}
			s.skip()
			continue
		}
		seen[name] = true
		values := reflect.New(reflect.SliceOf(fieldType)).Elem()
		if err := s.decode(values.Addr().Interface()); err != nil {
			return at(fmt.Sprintf("[%q]", name), err)
		}
		if rows < 0 {
			rows = values.Len()
			out = reflect.MakeSlice(t, rows, rows)
		}
		if values.Len() != rows {
			return fmt.Errorf("column %q has %d rows, want %d", name, values.Len(), rows)
		}
		for i := range rows {
			set(out.Index(i), values.Index(i))
		}
	}
	if rows < 0 {
		out = reflect.MakeSlice(t, 0, 0)
	}
	if t.Elem().Kind() == reflect.Struct {
		r, err := recordOf(t.Elem())
		if err != nil {
			return err
		}
		for _, field := range r.fields {
			if !seen[field.name] && !field.omitEmpty && !s.allowMissing {
				return missing(t.Elem(), field.name)
			}
		}
	}
	target.Set(out)
	return nil
}

// length returns how many items the next value has; -1 if it is no column.
func (s *results) length() int {
	v := s.peek()
	switch v.kind {
	case C.SNAKE_KIND_ARRAY, C.SNAKE_KIND_LIST:
		return int(v.len) //nolint:gosec // a length in memory
	case C.SNAKE_KIND_ND_ARRAY:
		if v.len > 0 {
			return int(s.values[s.next+1].bits) //nolint:gosec // a length in memory
		}
	case C.SNAKE_KIND_MASKED:
		ahead := *s
		ahead.take()
		return ahead.length()
	}
	return -1
}

func missing(t reflect.Type, name string) error {
	return fmt.Errorf("want %v, got no value for its field %q: pass python.AllowMissing to leave it as it is", t, name)
}

// column returns the type of a named part of a row, nil if there is none, and how to set it.
func column(row reflect.Type, name string) (reflect.Type, func(row, value reflect.Value), error) {
	switch row.Kind() {
	case reflect.Struct:
		r, err := recordOf(row)
		if err != nil {
			return nil, nil, err
		}
		index, known := r.byName[name]
		if !known {
			return nil, nil, nil
		}
		field := r.fields[index]
		return field.typ, func(row, value reflect.Value) { row.FieldByIndex(field.index).Set(value) }, nil
	case reflect.Map:
		if row.Key().Kind() == reflect.String {
			return row.Elem(), func(row, value reflect.Value) {
				if row.IsNil() {
					row.Set(reflect.MakeMap(row.Type()))
				}
				row.SetMapIndex(reflect.ValueOf(name).Convert(row.Type().Key()), value)
			}, nil
		}
	}
	return nil, nil, fmt.Errorf("want a struct or a map with string keys for each row, got %v", row)
}

// shape reads the lengths that follow an array, outermost first.
func (s *results) shape(v *C.snake_value) []int {
	if v.kind == C.SNAKE_KIND_ARRAY {
		return []int{int(v.len)} //nolint:gosec // a length in memory
	}
	shape := make([]int, v.len)
	for i := range shape {
		shape[i] = int(s.take().bits) //nolint:gosec // a length in memory
	}
	return shape
}
