package python

// #include "core.h"
import "C"

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// KW holds keyword arguments. It is the last argument of a call.
type KW map[string]any

// addArguments describes the arguments of a call and returns how many are positional and how many have a keyword.
func (f *frame) addArguments(arguments []any) (args, kwargs int, err error) {
	var keywords KW
	if last := len(arguments) - 1; last >= 0 {
		if kw, ok := arguments[last].(KW); ok {
			keywords, arguments = kw, arguments[:last]
		}
	}
	for i, argument := range arguments {
		if err := f.addValue(argument, 0); err != nil {
			return 0, 0, fmt.Errorf("argument %d: %w", i+1, err)
		}
	}
	names := make([]string, 0, len(keywords))
	for name := range keywords {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		err := f.addText(name)
		if err == nil {
			err = f.addValue(keywords[name], 0)
		}
		if err != nil {
			return 0, 0, fmt.Errorf("argument %q: %w", name, err)
		}
	}
	return len(arguments), len(names), nil
}

// addValue describes a value and its children.
func (f *frame) addValue(value any, depth int) error {
	if depth > C.SNAKE_MAX_DEPTH {
		return fmt.Errorf("%w: it nests deeper than %d levels", ErrLimit, C.SNAKE_MAX_DEPTH)
	}
	switch v := value.(type) {
	case nil:
		f.add(C.SNAKE_KIND_NONE, 0, 0, 0)
	case []float64:
		f.lend(Lend(v))
	case Lent:
		f.lend(v)
	case float64:
		f.add(C.SNAKE_KIND_FLOAT, 0, math.Float64bits(v), 0)
	case int:
		f.addInt(int64(v))
	case string:
		return f.addText(v)
	case bool:
		var bit uint64
		if v {
			bit = 1
		}
		f.add(C.SNAKE_KIND_BOOL, 0, bit, 0)
	case []byte:
		f.add(C.SNAKE_KIND_BYTES, 0, uint64(len(f.bytes)), uint64(len(v)))
		f.bytes = append(f.bytes, v...)
	case int8:
		f.addInt(int64(v))
	case int16:
		f.addInt(int64(v))
	case int32:
		f.addInt(int64(v))
	case int64:
		f.addInt(v)
	case uint8:
		f.addInt(int64(v))
	case uint16:
		f.addInt(int64(v))
	case uint32:
		f.addInt(int64(v))
	case uint64:
		f.add(C.SNAKE_KIND_UINT, 0, v, 0)
	case uint:
		f.add(C.SNAKE_KIND_UINT, 0, uint64(v), 0)
	case uintptr:
		f.add(C.SNAKE_KIND_UINT, 0, uint64(v), 0)
	case float32:
		f.add(C.SNAKE_KIND_FLOAT, 0, math.Float64bits(float64(v)), 0)
	case complex64:
		f.addComplex(complex128(v))
	case complex128:
		f.addComplex(v)
	case []bool:
		f.lend(Lend(v))
	case []int:
		f.lend(Lend(v))
	case []int8:
		f.lend(Lend(v))
	case []int16:
		f.lend(Lend(v))
	case []int32:
		f.lend(Lend(v))
	case []int64:
		f.lend(Lend(v))
	case []uint:
		f.lend(Lend(v))
	case []uint16:
		f.lend(Lend(v))
	case []uint32:
		f.lend(Lend(v))
	case []uint64:
		f.lend(Lend(v))
	case []float32:
		f.lend(Lend(v))
	case []complex64:
		f.lend(Lend(v))
	case []complex128:
		f.lend(Lend(v))
	case []string:
		return addList(f, v, depth)
	case []any:
		return addList(f, v, depth)
	case *Object:
		if v == nil {
			f.add(C.SNAKE_KIND_NONE, 0, 0, 0)
			return nil
		}
		return f.addObject(v.handle)
	case *Function:
		if v == nil {
			f.add(C.SNAKE_KIND_NONE, 0, 0, 0)
			return nil
		}
		return f.addObject(&v.handle)
	case KW:
		return fmt.Errorf("want keyword arguments as the last argument only")
	default:
		return fmt.Errorf("a Go %T has no form in Python: pass a number, bool, string, []byte, numeric slice, "+
			"[]string, []any or *python.Object", value)
	}
	return nil
}

func (f *frame) addInt(v int64) {
	f.add(C.SNAKE_KIND_INT, 0, uint64(v), 0) //nolint:gosec // the bits are what is wanted
}

func (f *frame) addComplex(v complex128) {
	f.add(C.SNAKE_KIND_COMPLEX, 0, math.Float64bits(real(v)), math.Float64bits(imag(v)))
}

func (f *frame) addText(s string) error {
	if !utf8.ValidString(s) {
		valid := 0
		for valid < len(s) {
			r, size := utf8.DecodeRuneInString(s[valid:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			valid += size
		}
		return fmt.Errorf("want valid UTF-8, got byte 0x%02x at offset %d: pass []byte for bytes", s[valid], valid)
	}
	f.add(C.SNAKE_KIND_TEXT, 0, uint64(len(f.bytes)), uint64(len(s)))
	f.bytes = append(f.bytes, s...)
	return nil
}

func (f *frame) addObject(h *handle) error {
	if h == nil {
		f.add(C.SNAKE_KIND_NONE, 0, 0, 0)
		return nil
	}
	pointer, ok := h.enter()
	if !ok {
		return ErrClosed
	}
	f.used = append(f.used, h)
	f.add(C.SNAKE_KIND_OBJECT, 0, uint64(uintptr(pointer)), 0)
	return nil
}

func addList[T any](f *frame, items []T, depth int) error {
	f.add(C.SNAKE_KIND_LIST, 0, 0, uint64(len(items)))
	for i, item := range items {
		if err := f.addValue(item, depth+1); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
	}
	return nil
}

// decode converts a result into what `target` points to.
func decode(r *C.snake_result, target any) (err error) {
	switch t := target.(type) {
	case *[]bool:
		*t, err = copyArray[bool](r)
	case *[]int:
		*t, err = copyArray[int](r)
	case *[]int8:
		*t, err = copyArray[int8](r)
	case *[]int16:
		*t, err = copyArray[int16](r)
	case *[]int32:
		*t, err = copyArray[int32](r)
	case *[]int64:
		*t, err = copyArray[int64](r)
	case *[]uint:
		*t, err = copyArray[uint](r)
	case *[]byte:
		if r.value.kind == C.SNAKE_KIND_BYTES {
			*t = slices.Clone(elements[byte](r))
			return nil
		}
		*t, err = copyArray[byte](r)
	case *[]uint16:
		*t, err = copyArray[uint16](r)
	case *[]uint32:
		*t, err = copyArray[uint32](r)
	case *[]uint64:
		*t, err = copyArray[uint64](r)
	case *[]float32:
		*t, err = copyArray[float32](r)
	case *[]float64:
		*t, err = copyArray[float64](r)
	case *[]complex64:
		*t, err = copyArray[complex64](r)
	case *[]complex128:
		*t, err = copyArray[complex128](r)
	case *bool:
		if r.value.kind != C.SNAKE_KIND_BOOL {
			return mismatch[bool](r)
		}
		*t = r.value.bits != 0
	case *int:
		*t, err = decodeInteger[int](r)
	case *int8:
		*t, err = decodeInteger[int8](r)
	case *int16:
		*t, err = decodeInteger[int16](r)
	case *int32:
		*t, err = decodeInteger[int32](r)
	case *int64:
		*t, err = decodeInteger[int64](r)
	case *uint:
		*t, err = decodeInteger[uint](r)
	case *uint8:
		*t, err = decodeInteger[uint8](r)
	case *uint16:
		*t, err = decodeInteger[uint16](r)
	case *uint32:
		*t, err = decodeInteger[uint32](r)
	case *uint64:
		*t, err = decodeInteger[uint64](r)
	case *float32:
		*t, err = decodeFloat[float32](r)
	case *float64:
		*t, err = decodeFloat[float64](r)
	case *complex64:
		var wide complex128
		if wide, err = decodeComplex(r); err != nil {
			return err
		}
		*t = complex64(wide)
		if back := complex128(*t); back != wide && back == back && wide == wide {
			return fmt.Errorf("%v does not fit complex64 exactly", wide)
		}
	case *complex128:
		*t, err = decodeComplex(r)
	case *string:
		if r.value.kind != C.SNAKE_KIND_TEXT {
			return mismatch[string](r)
		}
		*t = dataString(r)
	default:
		return fmt.Errorf("%T is no target of a conversion: want a number, bool, string, []byte or numeric slice", target)
	}
	return err
}

func decodeInteger[T integer](r *C.snake_result) (T, error) {
	var out [1]T
	bad := -1
	switch r.value.kind {
	case C.SNAKE_KIND_INT:
		bad = convert(out[:], []int64{int64(r.value.bits)}) //nolint:gosec // the bits are those of an int64
	case C.SNAKE_KIND_UINT:
		bad = convert(out[:], []uint64{uint64(r.value.bits)})
	case C.SNAKE_KIND_BIG_INT:
		bad = 0
	default:
		return 0, mismatch[T](r)
	}
	if bad >= 0 {
		return 0, fmt.Errorf("%s does not fit %T", describeInteger(r), out[0])
	}
	return out[0], nil
}

// decodeFloat takes floats, and integers where they are exact, as Python does wherever it wants a float.
func decodeFloat[T floating](r *C.snake_result) (T, error) {
	var out [1]T
	bad := -1
	var value any
	switch r.value.kind {
	case C.SNAKE_KIND_FLOAT:
		float := math.Float64frombits(uint64(r.value.bits))
		bad = convert(out[:], []float64{float})
		value = float
	case C.SNAKE_KIND_INT:
		bad = exactFloat(out[:], new(big.Int).SetInt64(int64(r.value.bits))) //nolint:gosec // the bits are those of an int64
	case C.SNAKE_KIND_UINT:
		bad = exactFloat(out[:], new(big.Int).SetUint64(uint64(r.value.bits)))
	case C.SNAKE_KIND_BIG_INT:
		bad = exactFloat(out[:], bigInteger(r))
	default:
		return 0, mismatch[T](r)
	}
	if bad >= 0 {
		if value == nil {
			value = describeInteger(r)
		}
		return 0, fmt.Errorf("%v does not fit %T exactly", value, out[0])
	}
	return out[0], nil
}

// exactFloat converts an integer whose value a float holds; else it returns 0 as the index of the culprit.
func exactFloat[T floating](out []T, integer *big.Int) int {
	float, _ := new(big.Float).SetInt(integer).Float64()
	out[0] = T(float)
	back, accuracy := big.NewFloat(0).SetInt(integer), big.Exact
	if math.IsInf(float64(out[0]), 0) {
		return 0
	}
	if back.Cmp(big.NewFloat(float64(out[0]))) != 0 || accuracy != big.Exact {
		return 0
	}
	return -1
}

func decodeComplex(r *C.snake_result) (complex128, error) {
	if r.value.kind == C.SNAKE_KIND_COMPLEX {
		return complex(math.Float64frombits(uint64(r.value.bits)), math.Float64frombits(uint64(r.value.len))), nil
	}
	real, err := decodeFloat[float64](r)
	if err != nil {
		return 0, mismatch[complex128](r)
	}
	return complex(real, 0), nil
}

// bigInteger returns an integer of any size, which comes as little-endian two's complement.
func bigInteger(r *C.snake_result) *big.Int {
	digits := slices.Clone(elements[byte](r))
	slices.Reverse(digits)
	integer := new(big.Int).SetBytes(digits)
	if len(digits) > 0 && digits[0]&0x80 != 0 {
		integer.Sub(integer, new(big.Int).Lsh(big.NewInt(1), uint(len(digits))*8))
	}
	return integer
}

func describeInteger(r *C.snake_result) string {
	switch r.value.kind {
	case C.SNAKE_KIND_INT:
		return fmt.Sprint(int64(r.value.bits)) //nolint:gosec // the bits are those of an int64
	case C.SNAKE_KIND_UINT:
		return fmt.Sprint(uint64(r.value.bits))
	}
	if integer := bigInteger(r); integer.BitLen() <= 256 {
		return integer.String()
	}
	return fmt.Sprintf("an int of %d bytes", r.value.len)
}

// dataString copies the text of a result.
func dataString(r *C.snake_result) string {
	return strings.Clone(unsafe.String((*byte)(r.data), r.data_len))
}

// mismatch says that a result is not what was wanted.
func mismatch[T any](r *C.snake_result) error {
	return fmt.Errorf("want %T, got %s", *new(T), kindString(r))
}

// kindString says what a result is, in Python's words.
func kindString(r *C.snake_result) string {
	switch r.value.kind {
	case C.SNAKE_KIND_NONE:
		return "None"
	case C.SNAKE_KIND_BOOL:
		return "bool"
	case C.SNAKE_KIND_INT, C.SNAKE_KIND_UINT, C.SNAKE_KIND_BIG_INT:
		return "int"
	case C.SNAKE_KIND_FLOAT:
		return "float"
	case C.SNAKE_KIND_COMPLEX:
		return "complex"
	case C.SNAKE_KIND_TEXT:
		return "str"
	case C.SNAKE_KIND_BYTES:
		return "bytes"
	case C.SNAKE_KIND_ARRAY:
		return "array of " + dtype(r.value.dtype).String()
	}
	return dataString(r)
}
