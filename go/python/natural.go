package python

// #include "core.h"
import "C"

import (
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"
)

// natural takes whatever comes, as the Go value that a programmer would choose for it.
func (s *results) natural() (any, error) {
	v := s.peek()
	switch v.kind {
	case C.SNAKE_KIND_NONE:
		s.take()
		return nil, nil
	case C.SNAKE_KIND_BOOL:
		return s.take().bits != 0, nil
	case C.SNAKE_KIND_INT:
		return int(s.take().bits), nil //nolint:gosec // the bits are those of an int64
	case C.SNAKE_KIND_UINT:
		return uint64(s.take().bits), nil
	case C.SNAKE_KIND_BIG_INT:
		return s.integer(s.take()), nil
	case C.SNAKE_KIND_FLOAT:
		return readFloat[float64](s)
	case C.SNAKE_KIND_COMPLEX:
		return readComplex[complex128](s)
	case C.SNAKE_KIND_TEXT:
		return s.text(s.take()), nil
	case C.SNAKE_KIND_BYTES:
		return s.readBytes()
	case C.SNAKE_KIND_LIST:
		return s.anyItems(C.SNAKE_KIND_LIST, []any(nil))
	case C.SNAKE_KIND_TUPLE:
		items, err := s.anyItems(C.SNAKE_KIND_TUPLE, nil)
		return Tuple(items), err
	case C.SNAKE_KIND_SET:
		items, err := s.anyItems(C.SNAKE_KIND_SET, nil)
		return Set(items), err
	case C.SNAKE_KIND_DICT, C.SNAKE_KIND_RECORD, C.SNAKE_KIND_COLUMNS:
		return s.naturalMap()
	case C.SNAKE_KIND_ARRAY, C.SNAKE_KIND_ND_ARRAY:
		return s.naturalArray()
	case C.SNAKE_KIND_OBJECT:
		return s.readObject()
	case C.SNAKE_KIND_HOST, C.SNAKE_KIND_FUNCTION:
		var value any
		err := s.readHosted(reflect.ValueOf(&value).Elem())
		return value, err
	case C.SNAKE_KIND_DATETIME, C.SNAKE_KIND_DATE:
		return readTime(s)
	case C.SNAKE_KIND_TIME, C.SNAKE_KIND_DURATION:
		return readDuration(s)
	case C.SNAKE_KIND_DECIMAL:
		text := s.text(s.take())
		if strings.ContainsAny(text, "nN") { // NaN or infinite
			return text, nil
		}
		decimal := new(big.Rat)
		return decimal, readDecimal(text, decimal)
	case C.SNAKE_KIND_RATIONAL:
		return decodeNew[*big.Rat](s)
	case C.SNAKE_KIND_IMAGE:
		return s.naturalImage()
	case C.SNAKE_KIND_UUID:
		return [16]byte(s.data(s.take())), nil
	}
	return nil, fmt.Errorf("want any, got %s: ask for *python.Object to get a reference", s.kind(v))
}

// naturalMap takes a dict as map[string]any if all its keys are strings, else as map[any]any.
func (s *results) naturalMap() (any, error) {
	head := s.take()
	texts, all := map[string]any{}, map[any]any{}
	for range uint64(head.len) {
		at := s.peek()
		key, err := s.natural()
		if err != nil {
			return nil, err
		}
		if !reflect.TypeOf(&key).Elem().Comparable() || (key != nil && !reflect.ValueOf(key).Comparable()) {
			return nil, fmt.Errorf("a key that is a %s cannot be a key in Go: ask for *python.Object", s.kind(at))
		}
		value, err := s.natural()
		if err != nil {
			return nil, s.atKey(at, err)
		}
		if _, twice := all[key]; twice {
			return nil, fmt.Errorf("two keys are equal in Go: %#v", key)
		}
		if text, ok := key.(string); ok {
			texts[text] = value
		}
		all[key] = value
	}
	if len(texts) == len(all) {
		return texts, nil
	}
	return all, nil
}

// naturalArray takes an array of one dimension as a slice of its own type, another one as an [Array].
func (s *results) naturalArray() (any, error) {
	v := s.peek()
	switch dtype(v.dtype) {
	case C.SNAKE_DTYPE_BOOL:
		return naturalArrayOf[bool](s)
	case C.SNAKE_DTYPE_INT8:
		return naturalArrayOf[int8](s)
	case C.SNAKE_DTYPE_INT16:
		return naturalArrayOf[int16](s)
	case C.SNAKE_DTYPE_INT32:
		return naturalArrayOf[int32](s)
	case C.SNAKE_DTYPE_INT64:
		return naturalArrayOf[int64](s)
	case C.SNAKE_DTYPE_UINT8:
		return naturalArrayOf[uint8](s)
	case C.SNAKE_DTYPE_UINT16:
		return naturalArrayOf[uint16](s)
	case C.SNAKE_DTYPE_UINT32:
		return naturalArrayOf[uint32](s)
	case C.SNAKE_DTYPE_UINT64:
		return naturalArrayOf[uint64](s)
	case C.SNAKE_DTYPE_FLOAT16, C.SNAKE_DTYPE_FLOAT32:
		return naturalArrayOf[float32](s)
	case C.SNAKE_DTYPE_FLOAT64:
		return naturalArrayOf[float64](s)
	case C.SNAKE_DTYPE_COMPLEX64:
		return naturalArrayOf[complex64](s)
	case C.SNAKE_DTYPE_COMPLEX128:
		return naturalArrayOf[complex128](s)
	case C.SNAKE_DTYPE_DATETIME64:
		if s.isNotATime() {
			s.skip()
			return nil, nil
		}
		if v.kind == C.SNAKE_KIND_ND_ARRAY && v.len == 0 {
			return readTime(s)
		}
		return s.naturalTimes(timeType)
	default:
		if s.isNotATime() {
			s.skip()
			return nil, nil
		}
		if v.kind == C.SNAKE_KIND_ND_ARRAY && v.len == 0 {
			return readDuration(s)
		}
		return s.naturalTimes(durationType)
	}
}

// naturalTimes takes an array of times as nested slices of its rank, of pointers if a time is missing.
func (s *results) naturalTimes(t reflect.Type) (any, error) {
	ahead := *s
	a := ahead.array()
	if slices.Contains(elements[int64](a.flat()), notATime) {
		t = reflect.PointerTo(t)
	}
	for range a.shape {
		t = reflect.SliceOf(t)
	}
	out := reflect.New(t)
	err := s.decode(out.Interface())
	return out.Elem().Interface(), err
}

func naturalArrayOf[T Number](s *results) (any, error) {
	if s.peek().kind == C.SNAKE_KIND_ARRAY {
		return readNumbers[T](s)
	}
	return decodeNew[*Array[T]](s)
}
