package python

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"unsafe"
)

// target is a Go type that results are converted to.
type target struct {
	name  string
	as    func(in *Interpreter, expression string) (any, error) // by way of an object
	bound func(in *Interpreter, expression string) (any, error) // in one crossing
}

func to[T any]() target {
	return target{
		fmt.Sprintf("%T", *new(T)),
		func(in *Interpreter, expression string) (any, error) {
			return evaluate[T](in, "fixtures:value", expression)
		},
		func(in *Interpreter, expression string) (any, error) { return direct[T](in, expression) },
	}
}

// errorsIs spares tests the import of both packages.
func errorsIs(err, target error) bool { return errors.Is(err, target) }

func TestResults(t *testing.T) {
	in := interpreter(t)
	inf, nan := math.Inf(1), math.NaN()
	for _, row := range []struct {
		expression string
		target     target
		want       any
	}{
		{"True", to[bool](), true},
		{"False", to[bool](), false},
		{"np.True_", to[bool](), true},
		{"np.array(True)", to[bool](), true},

		{"-128", to[int8](), int8(-128)},
		{"127", to[int8](), int8(127)},
		{"-2**15", to[int16](), int16(-1 << 15)},
		{"2**15 - 1", to[int16](), int16(1<<15 - 1)},
		{"-2**31", to[int32](), int32(-1 << 31)},
		{"2**31 - 1", to[int32](), int32(1<<31 - 1)},
		{"-2**63", to[int64](), int64(-1 << 63)},
		{"2**63 - 1", to[int64](), int64(1<<63 - 1)},
		{"-2**63", to[int](), -1 << 63},
		{"2**63 - 1", to[int](), 1<<63 - 1},
		{"255", to[uint8](), uint8(255)},
		{"2**16 - 1", to[uint16](), uint16(1<<16 - 1)},
		{"2**32 - 1", to[uint32](), uint32(1<<32 - 1)},
		{"2**64 - 1", to[uint64](), uint64(1<<64 - 1)},
		{"2**64 - 1", to[uint](), uint(1<<64 - 1)},
		{"2**63", to[uint64](), uint64(1 << 63)},
		{"Colour.RED", to[int](), 7},
		{"np.int8(-5)", to[int64](), int64(-5)},
		{"np.uint64(2**64 - 1)", to[uint64](), uint64(1<<64 - 1)},
		{"np.array(5)", to[int](), 5},
		{"np.array(5, dtype='>i2')", to[int](), 5},
		{"np.arange(3)[1]", to[uint8](), uint8(1)},

		{"0.1", to[float64](), 0.1},
		{"-0.0", to[float64](), math.Copysign(0, -1)},
		{"math.inf", to[float64](), inf},
		{"math.nan", to[float64](), nan},
		{"0.5", to[float32](), float32(0.5)},
		{"-0.0", to[float32](), float32(math.Copysign(0, -1))},
		{"-math.inf", to[float32](), float32(math.Inf(-1))},
		{"math.nan", to[float32](), float32(nan)},
		{"np.float32(0.1)", to[float32](), float32(0.1)},
		{"np.float32(0.1)", to[float64](), float64(float32(0.1))},
		{"np.float16(0.1)", to[float32](), float32(0.099975586)},
		{"np.float64(0.1)", to[float64](), 0.1},
		{"np.array(0.1)", to[float64](), 0.1},
		{"7", to[float64](), 7.0},
		{"-7", to[float32](), float32(-7)},
		{"2**53", to[float64](), float64(1 << 53)},
		{"2**64 - 2**11", to[float64](), float64(1<<64 - 1<<11)},
		{"-2**1000", to[float64](), -math.Ldexp(1, 1000)},
		{"2**24", to[float32](), float32(1 << 24)},
		{"2**127", to[float32](), float32(math.Ldexp(1, 127))},

		{"1 + 2j", to[complex128](), 1 + 2i},
		{"1 + 2j", to[complex64](), complex64(1 + 2i)},
		{"np.complex64(0.5j)", to[complex128](), 0.5i},
		{"0.1", to[complex128](), complex(0.1, 0)},
		{"3", to[complex64](), complex64(3)},
		{"complex(math.nan, 1)", to[complex64](), complex(float32(nan), 1)},
		{"complex(-0.0, -math.inf)", to[complex64](), complex(float32(math.Copysign(0, -1)), float32(math.Inf(-1)))},

		{"''", to[string](), ""},
		{"'a\\0b'", to[string](), "a\x00b"},
		{"'h\\xe9\\u20ac\\U0001f40d'", to[string](), "hé€🐍"},
		{"Text('sub')", to[string](), "sub"},
		{"np.str_('scalar')", to[string](), "scalar"},
		{"'x' * 8191", to[string](), strings.Repeat("x", 8191)},
		{"'x' * 8192", to[string](), strings.Repeat("x", 8192)},
		{"'x' * 8193", to[string](), strings.Repeat("x", 8193)},
		{"'\\u20ac' * 5000", to[string](), strings.Repeat("€", 5000)},

		{"b''", to[[]byte](), []byte{}},
		{"b'a\\0\\xff'", to[[]byte](), []byte("a\x00\xff")},
		{"bytearray(b'ab')", to[[]byte](), []byte("ab")},
		{"memoryview(b'abcd')[::2]", to[[]byte](), []byte("ac")},
		{"np.bytes_(b'ab')", to[[]byte](), []byte("ab")},
		{"np.array([1, 2], dtype='u1')", to[[]byte](), []byte{1, 2}},
		{"np.array([1, 2])", to[[]byte](), []byte{1, 2}},
		{"b'x' * 8193", to[[]byte](), []byte(strings.Repeat("x", 8193))},

		{"np.arange(6)[::-2]", to[[]int](), []int{5, 3, 1}},
		{"np.zeros(0)", to[[]float64](), []float64{}},
		{"np.zeros(0, dtype='f4')[::2]", to[[]float64](), []float64{}},
		{"np.broadcast_to(np.int32(7), 3)", to[[]int64](), []int64{7, 7, 7}},
		{"np.zeros((4, 3))[:, 1]", to[[]float64](), []float64{0, 0, 0, 0}},
		{"np.zeros(2, dtype=[('x', 'i2'), ('y', 'f8')])['y']", to[[]float64](), []float64{0, 0}},
		{"(np.arange(3) + 1j).imag", to[[]float64](), []float64{1, 1, 1}},
		{"np.array([True, False, True])[::-1]", to[[]bool](), []bool{true, false, true}},
		{"np.array([1, 2], dtype=np.longlong)", to[[]int](), []int{1, 2}},
		{"np.array([1, 2], dtype=np.ulonglong)", to[[]uint](), []uint{1, 2}},
		{"mapped(3)", to[[]int](), []int{0, 1, 2}},
	} {
		for way, convert := range map[string]func(*Interpreter, string) (any, error){"As": row.target.as, "Bind": row.target.bound} {
			got, err := convert(in, row.expression)
			// %#v tells NaN from NaN and 0 from -0 as wanted.
			if have, want := fmt.Sprintf("%T %#v", got, got), fmt.Sprintf("%T %#v", row.want, row.want); err != nil || have != want {
				t.Errorf("%s by %s: got %s, %v, want %s", row.expression, way, have, err, want)
			}
		}
	}
}

func TestResultErrors(t *testing.T) {
	in := interpreter(t)
	for _, row := range []struct {
		expression string
		target     target
		want       string
	}{
		// A bool is no number and a number is no bool.
		{"True", to[int](), "want int, got bool"},
		{"True", to[float64](), "want float64, got bool"},
		{"np.True_", to[uint8](), "want uint8, got bool"},
		{"1", to[bool](), "want bool, got int"},
		{"np.int8(1)", to[bool](), "want bool, got int"},
		{"np.array([True])", to[[]uint8](), "want []uint8, got array of bool"},
		{"np.array([1], dtype='u1')", to[[]bool](), "want []bool, got array of uint8"},
		// Kinds.
		{"1.0", to[int](), "want int, got float"},
		{"np.float64(1)", to[int](), "want int, got float"},
		{"1j", to[float64](), "want float64, got complex"},
		{"'1'", to[int](), "want int, got str"},
		{"b'1'", to[string](), "want string, got bytes"},
		{"'1'", to[[]byte](), "want []uint8, got str"},
		{"None", to[string](), "want string, got None"},
		{"[1]", to[int](), "want int, got list"},
		{"('1',)", to[[]int](), "result[0]: want int, got str"},
		{"{}", to[string](), "want string, got dict"},
		{"object", to[string](), "want string, got type"},
		{"Broken('x')", to[string](), "want string, got fixtures.Broken"},
		{"datetime.date(2020, 1, 1)", to[string](), "want string, got date"},
		{"np.arange(3)", to[int](), "want int, got array of int64"},
		{"memoryview(np.zeros(2))", to[[]byte](), "want []uint8, got array of float64"},
		{"memoryview(np.zeros((2, 2), 'u1'))", to[[]byte](), "want []uint8, got array of uint8 and shape (2, 2)"},
		{"np.longdouble(0.1)", to[float64](), "want float64, got numpy.longdouble"},
		// Values.
		{"128", to[int8](), "128 does not fit int8"},
		{"-129", to[int8](), "-129 does not fit int8"},
		{"2**15", to[int16](), "does not fit int16"},
		{"-2**15 - 1", to[int16](), "does not fit int16"},
		{"2**31", to[int32](), "does not fit int32"},
		{"-2**31 - 1", to[int32](), "does not fit int32"},
		{"2**63", to[int64](), "9223372036854775808 does not fit int64"},
		{"-2**63 - 1", to[int64](), "-9223372036854775809 does not fit int64"},
		{"2**63", to[int](), "does not fit int"},
		{"256", to[uint8](), "does not fit uint8"},
		{"-1", to[uint8](), "-1 does not fit uint8"},
		{"2**16", to[uint16](), "does not fit uint16"},
		{"2**32", to[uint32](), "does not fit uint32"},
		{"2**64", to[uint64](), "18446744073709551616 does not fit uint64"},
		{"-1", to[uint64](), "-1 does not fit uint64"},
		{"-1", to[uint](), "-1 does not fit uint"},
		{"2**100000", to[int](), "does not fit int"},
		{"-2**100000", to[uint64](), "does not fit uint64"},
		{"np.uint64(2**64 - 1)", to[int64](), "does not fit int64"},
		{"2**53 + 1", to[float64](), "9007199254740993 does not fit float64 exactly"},
		{"-2**63 + 1", to[float64](), "does not fit float64 exactly"},
		{"2**64 - 1", to[float64](), "does not fit float64 exactly"},
		{"2**1024", to[float64](), "does not fit float64 exactly"},
		{"10**400", to[float64](), "does not fit float64 exactly"},
		{"2**24 + 1", to[float32](), "16777217 does not fit float32 exactly"},
		{"2**128", to[float32](), "does not fit float32 exactly"},
		{"0.1", to[float32](), "0.1 does not fit float32 exactly"},
		{"1e300", to[float32](), "1e+300 does not fit float32 exactly"},
		{"5e-324", to[float32](), "5e-324 does not fit float32 exactly"},
		{"0.1j", to[complex64](), "does not fit complex64 exactly"},
		{"complex(math.nan, 0.1)", to[complex64](), "does not fit complex64 exactly"},
		{"complex(1e300, math.nan)", to[complex64](), "does not fit complex64 exactly"},
		{"2**53 + 1", to[complex128](), "complex128"},
		// A time is no number, whatever its unit.
		{"np.datetime64('2020-01-01', 's')", to[int](), "want int, got datetime64"},
		{"np.datetime64('2020-01-01', 'ns')", to[int](), "want int, got datetime64"},
		{"np.timedelta64(5, 'ns')", to[int](), "want int, got timedelta64"},
		// No targets.
		{"'x'", to[temperature](), "want float64, got str"},
		{"{'a': 'x'}", to[map[string]int](), `result["a"]: want int, got str`},
		{"1", to[error](), "no target of a conversion"},
		// Text without a UTF-8 form.
		{"'ok \\ud800'", to[string](), "UnicodeEncodeError"},
		{"Text('\\udfff' * 9000)", to[string](), "UnicodeEncodeError"},
	} {
		for way, convert := range map[string]func(*Interpreter, string) (any, error){"As": row.target.as, "Bind": row.target.bound} {
			got, err := convert(in, row.expression)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%s to %s by %s: got %#v, %v, want … %s", row.expression, row.target.name, way, got, err, row.want)
			}
		}
	}
}

// What Go values become in Python.
func TestArguments(t *testing.T) {
	in := interpreter(t)
	object := mustEvaluate(t, in, "{1: 2}")
	function, err := in.Func("builtins:len")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		argument any
		want     string
	}{
		{nil, "None"},
		{(*Object)(nil), "None"},
		{(*Function)(nil), "None"},
		{mustEvaluate(t, in, "None"), "None"},
		{true, "True"},
		{false, "False"},
		{-1, "-1"},
		{int8(-128), "-128"},
		{int16(-1 << 15), "-32768"},
		{int32(-1 << 31), "-2147483648"},
		{int64(-1 << 63), "-9223372036854775808"},
		{uint8(255), "255"},
		{uint16(1<<16 - 1), "65535"},
		{uint32(1<<32 - 1), "4294967295"},
		{uint64(1<<64 - 1), "18446744073709551615"},
		{uint(1<<64 - 1), "18446744073709551615"},
		{uintptr(1<<64 - 1), "18446744073709551615"},
		{0.1, "0.1"},
		{math.Copysign(0, -1), "-0.0"},
		{math.NaN(), "nan"},
		{math.Inf(-1), "-inf"},
		{float32(0.1), "0.10000000149011612"},
		{1 + 2i, "(1+2j)"},
		{complex64(0.5i), "0.5j"},
		{"", "''"},
		{"a\x00b", `'a\x00b'`},
		{"hé€🐍", "'hé€🐍'"},
		{"�", "'�'"}, // the replacement character itself is valid
		{[]byte(nil), "b''"},
		{[]byte("a\x00\xff"), `b'a\x00\xff'`},
		{[]string{"a", ""}, "['a', '']"},
		{[]string(nil), "[]"},
		{[]any{1, "x", nil, []any{2.5, []byte("b")}, []string{}}, "[1, 'x', None, [2.5, b'b'], []]"},
		{[]any(nil), "[]"},
		{object, "{1: 2}"},
		{function, "<built-in function len>"},
		{[]uint16{1}, "array([1], dtype=uint16)"},
		{Lend([]byte{1}), "array([1], dtype=uint8)"},
		{Lend([]temperature{36.6}), "array([36.6])"},
	} {
		if got, err := evaluate[string](in, "fixtures:written", row.argument); err != nil || got != "("+row.want+",)" {
			t.Errorf("%#v: got %s, %v, want (%s,)", row.argument, got, err, row.want)
		}
	}
	for _, row := range []struct {
		arguments []any
		want      string
	}{
		{nil, "()"},
		{[]any{KW{}}, "()"},
		{[]any{KW(nil)}, "()"},
		{[]any{1, KW{"b": 2, "a": "x"}}, "((1,), {'a': 'x', 'b': 2})"},
		{[]any{KW{"é €": []any{nil}, "": 1, "class": true}}, "((), {'': 1, 'class': True, 'é €': [None]})"},
	} {
		if got, err := evaluate[string](in, "fixtures:written", row.arguments...); err != nil || got != row.want {
			t.Errorf("%#v: got %s, %v, want %s", row.arguments, got, err, row.want)
		}
	}
}

func mustEvaluate(t *testing.T, in *Interpreter, expression string, arguments ...any) *Object {
	t.Helper()
	f, err := in.Func("fixtures:value")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	object, err := f.Call(context.Background(), append([]any{expression}, arguments...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = object.Close() })
	return object
}

func TestArgumentErrors(t *testing.T) {
	in := interpreter(t)
	closedObject := mustEvaluate(t, in, "{}")
	_ = closedObject.Close()
	cyclic := []any{1, nil}
	cyclic[1] = cyclic
	deepest, tooDeep := nested(100), nested(101)
	for _, row := range []struct {
		arguments []any
		want      string
		is        error
	}{
		{[]any{1, map[string]int128{"a": {}}}, `argument 2: ["a"]: a Go python.int128 has no form in Python`, nil},
		{[]any{unsafe.Pointer(nil)}, "argument 1: a Go unsafe.Pointer has no form in Python", nil},
		{[]any{new(unsafe.Pointer)}, "argument 1: a Go unsafe.Pointer has no form in Python", nil},
		{[]any{[]any{1, []any{2, int128{}}}}, "argument 1: [1]: [1]: a Go python.int128 has no form in Python", nil},
		{[]any{KW{"x": 1, "y": int128{}}}, `argument "y": a Go python.int128 has no form in Python`, nil},
		{[]any{"ok", "a\xffb"}, "argument 2: want valid UTF-8, got byte 0xff at offset 1", nil},
		{[]any{[]string{"ok", "\xed\xa0\x80"}}, "argument 1: [1]: want valid UTF-8, got byte 0xed at offset 0", nil},
		{[]any{KW{"\xff": 1}}, "want valid UTF-8, got byte 0xff at offset 0", nil},
		{[]any{KW{"x": 1}, 2}, "argument 1: want keyword arguments as the last argument only", nil},
		{[]any{[]any{KW{"x": 1}}}, "argument 1: [0]: want keyword arguments as the last argument only", nil},
		{[]any{tooDeep}, "deeper than 100 levels", ErrLimit},
		{[]any{KW{"deep": tooDeep}}, "deeper than 100 levels", ErrLimit},
		{[]any{cyclic}, "argument 1: [1]: [1]:", ErrLimit},
		{[]any{1, closedObject}, "argument 2: python: closed", ErrClosed},
		{[]any{[]any{closedObject}}, "argument 1: [0]: python: closed", ErrClosed},
		{[]any{deepest}, "", nil},
	} {
		err := run(in, "fixtures:nothing", row.arguments...)
		switch {
		case row.want == "":
			if err != nil {
				t.Errorf("%v: %v", row.arguments, err)
			}
		case err == nil || !strings.HasPrefix(err.Error(), "python: fixtures:nothing: ") || !strings.Contains(err.Error(), row.want):
			t.Errorf("%T: got %.300v, want … %s", row.arguments[0], err, row.want)
		case row.is != nil && !errors.Is(err, row.is):
			t.Errorf("%T: %.300v is no %v", row.arguments[0], err, row.is)
		}
		if errors.Is(err, ErrInternal) {
			t.Errorf("%T: a mistake of the caller is called a bug: %v", row.arguments[0], err)
		}
	}
	// The zero value of an argument type is a mistake of the caller too.
	if err := run(in, "fixtures:nothing", Lent{}); err == nil || errors.Is(err, ErrInternal) {
		t.Errorf("Lent{}: got %v, want an error that tells to use Lend", err)
	}
}

type int128 struct{ _, _ uint64 }

// nested returns a list in a list in a list …
func nested(depth int) any {
	var value any = 1
	for range depth {
		value = []any{value}
	}
	return value
}
