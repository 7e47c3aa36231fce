package python

// #include "core.h"
import "C"

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unsafe"
)

// results reads the values that describe a result, one after the other; a container stands before its children.
type results struct {
	lane   *lane // that they came through
	values []C.snake_value
	bytes  unsafe.Pointer // what the positions of texts and bytes count in
	next   int

	allowUnknown, allowMissing bool
	// shares tells that these are the arguments of a Go function: slices of numbers may lie in memory of Python's.
	shares bool
}

// DecodeOption relaxes what [Object.Decode] and [As] accept.
type DecodeOption int

const (
	// AllowUnknown ignores keys of a dict that the struct has no field for.
	AllowUnknown DecodeOption = iota + 1
	// AllowMissing leaves fields of a struct as they are that Python has no value for.
	AllowMissing
)

// read starts to read what the core has left in a frame.
func (l *lane) read(r *C.snake_result, options []DecodeOption) *results {
	s := new(results).reset(l, r)
	for _, option := range options {
		switch option {
		case AllowUnknown:
			s.allowUnknown = true
		case AllowMissing:
			s.allowMissing = true
		}
	}
	return s
}

// reset starts to read another result.
func (s *results) reset(l *lane, r *C.snake_result) *results {
	*s = results{lane: l}
	if r.tree != nil {
		s.values = unsafe.Slice(r.tree.values, r.tree.values_len)
		s.bytes = unsafe.Pointer(r.tree.bytes)
	} else {
		s.values = unsafe.Slice(&r.value, 1)
		s.bytes = unsafe.Pointer(r.data)
	}
	return s
}

// peek returns the value that take returns next.
func (s *results) peek() *C.snake_value { return &s.values[s.next] }

func (s *results) take() *C.snake_value {
	s.next++
	return &s.values[s.next-1]
}

// skip passes over a value and its children.
func (s *results) skip() {
	v := s.take()
	children := 0
	switch v.kind {
	case C.SNAKE_KIND_LIST, C.SNAKE_KIND_TUPLE, C.SNAKE_KIND_SET, C.SNAKE_KIND_MASKED, C.SNAKE_KIND_RATIONAL, C.SNAKE_KIND_IMAGE:
		children = int(v.len) //nolint:gosec // a length in memory
	case C.SNAKE_KIND_DICT, C.SNAKE_KIND_RECORD, C.SNAKE_KIND_COLUMNS:
		children = 2 * int(v.len) //nolint:gosec // a length in memory
	case C.SNAKE_KIND_DATETIME, C.SNAKE_KIND_TIME:
		children = 2 * int(v.len) //nolint:gosec // 0 or 1
	case C.SNAKE_KIND_ND_ARRAY:
		children = int(v.len) //nolint:gosec // a number of dimensions
	}
	if v.kind == C.SNAKE_KIND_ARRAY || v.kind == C.SNAKE_KIND_ND_ARRAY {
		if d := dtype(v.dtype); d.isTime() {
			children += 2
		}
	}
	for range children {
		s.skip()
	}
}

// data returns the bytes of a text or bytes value, which lie in C memory.
func (s *results) data(v *C.snake_value) []byte {
	if v.len == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Add(s.bytes, v.bits)), v.len)
}

// items tells whether a value is a container of items, each of which follows its name if `named`, and passes over its
// head. Of the records, only the named tuples have items.
func (s *results) items(v *C.snake_value) (count int, named, ok bool) {
	switch v.kind {
	case C.SNAKE_KIND_LIST, C.SNAKE_KIND_TUPLE, C.SNAKE_KIND_SET:
	case C.SNAKE_KIND_RECORD:
		if named = v.bits != 0; !named {
			return 0, false, false
		}
	default:
		return 0, false, false
	}
	s.take()
	return int(v.len), named, true //nolint:gosec // a length in memory
}

func (s *results) text(v *C.snake_value) string { return string(s.data(v)) }

// address turns the address in a value into a pointer into C memory.
func address(v *C.snake_value) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(&v.bits))
}

// elements returns the elements of an array of one dimension, which lie in C memory.
func elements[T any](v *C.snake_value) []T {
	if v.len == 0 {
		return nil
	}
	return unsafe.Slice((*T)(address(v)), v.len)
}

// placed is an error in a part of a result.
type placed struct {
	place string // from the outside in: ["rows"][3].name
	err   error
}

func (p *placed) Error() string { return p.place + ": " + p.err.Error() }
func (p *placed) Unwrap() error { return p.err }

// at says where in a container an error is.
func at(place string, err error) error {
	if inner, ok := err.(*placed); ok { //nolint:errorlint // it is never wrapped
		return &placed{place + inner.place, inner.err}
	}
	return &placed{place, err}
}

func atIndex(i int, err error) error       { return at("["+strconv.Itoa(i)+"]", err) }
func atField(name string, err error) error { return at("."+name, err) }
func atResult(err error) error             { return at("result", err) }
func (s *results) atKey(v *C.snake_value, err error) error {
	return at("["+s.keyString(v)+"]", err)
}

// keyString formats a key of a dict for a message.
func (s *results) keyString(v *C.snake_value) string {
	switch v.kind {
	case C.SNAKE_KIND_TEXT:
		return strconv.Quote(s.text(v))
	case C.SNAKE_KIND_INT:
		return strconv.FormatInt(int64(v.bits), 10) //nolint:gosec // the bits are those of an int64
	}
	return s.kind(v)
}

// mismatch says that a result is not what was wanted.
func (s *results) mismatch(wanted any, v *C.snake_value) error {
	want := fmt.Sprintf("%T", wanted)
	if t, isType := wanted.(reflect.Type); isType {
		want = t.String()
	}
	return fmt.Errorf("want %s, got %s", strings.ReplaceAll(want, "interface {}", "any"), s.kind(v))
}

// kind says what a result is, in Python's words.
func (s *results) kind(v *C.snake_value) string {
	switch v.kind {
	case C.SNAKE_KIND_ARRAY:
		return "array of " + dtype(v.dtype).String()
	case C.SNAKE_KIND_ND_ARRAY:
		if v.len == 0 {
			return dtype(v.dtype).String()
		}
		var lengths []string
		for _, length := range unsafe.Slice(v, v.len+1)[1:] {
			lengths = append(lengths, fmt.Sprint(uint64(length.bits)))
		}
		return fmt.Sprintf("array of %v and shape (%s)", dtype(v.dtype), strings.Join(lengths, ", "))
	case C.SNAKE_KIND_OTHER:
		return s.text(v)
	case C.SNAKE_KIND_HOST:
		value, _ := hosted.value(uint64(v.bits))
		return fmt.Sprintf("Go value of type %T", value)
	case C.SNAKE_KIND_MASKED:
		return "masked " + s.kind(&unsafe.Slice(v, 2)[1])
	case C.SNAKE_KIND_IMAGE:
		return "image of Pillow of kind " + s.text(&unsafe.Slice(v, 2)[1])
	case C.SNAKE_KIND_TIME:
		if v.len > 0 {
			return "time with a zone"
		}
	}
	return kindNames[v.kind]
}

var kindNames = [...]string{
	C.SNAKE_KIND_NONE:     "None",
	C.SNAKE_KIND_BOOL:     "bool",
	C.SNAKE_KIND_INT:      "int",
	C.SNAKE_KIND_UINT:     "int",
	C.SNAKE_KIND_FLOAT:    "float",
	C.SNAKE_KIND_COMPLEX:  "complex",
	C.SNAKE_KIND_TEXT:     "str",
	C.SNAKE_KIND_BYTES:    "bytes",
	C.SNAKE_KIND_BIG_INT:  "int",
	C.SNAKE_KIND_LIST:     "list",
	C.SNAKE_KIND_TUPLE:    "tuple",
	C.SNAKE_KIND_DICT:     "dict",
	C.SNAKE_KIND_OBJECT:   "object",
	C.SNAKE_KIND_SET:      "set",
	C.SNAKE_KIND_RECORD:   "object with fields",
	C.SNAKE_KIND_DATETIME: "datetime",
	C.SNAKE_KIND_DATE:     "date",
	C.SNAKE_KIND_TIME:     "time",
	C.SNAKE_KIND_DURATION: "timedelta",
	C.SNAKE_KIND_DECIMAL:  "Decimal",
	C.SNAKE_KIND_UUID:     "UUID",
	C.SNAKE_KIND_COLUMNS:  "columns",
	C.SNAKE_KIND_MASKED:   "masked array",
	C.SNAKE_KIND_RATIONAL: "fractions.Fraction",
	C.SNAKE_KIND_FUNCTION: "Go function",
}
