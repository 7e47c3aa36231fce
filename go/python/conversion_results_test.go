package python

import (
	"errors"
	"image"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"
)

// The tests of this file walk the table Python → Go: what each row gives, and what it refuses, with the path to the place.

type (
	named struct {
		Name int64 `py:"name"`
	}
	base struct {
		ID int `py:"id"`
	}
	derived struct {
		base
		Label  string `py:"label,omitempty"`
		Hidden string `py:"-"`
	}
	tree struct {
		Value    int     `py:"value"`
		Left     *tree   `py:"left,omitempty"`
		Children []tree  `py:"children,omitempty"`
		Parent   **tree  `py:"parent,omitempty"`
		Any      any     `py:"any,omitempty"`
		Object   *Object `py:"object,omitempty"`
	}
	anything      any
	anythingSlice []anything
)

func TestResultNumbers(t *testing.T) {
	bignum := func(text string) *big.Int {
		n, _ := new(big.Int).SetString(text, 10)
		return n
	}
	checkConversions(t, []conversion{
		// Each integer type at its limits, and one beyond.
		gives[int8]("-128", math.MinInt8), gives[int8]("127", math.MaxInt8), refuses[int8]("128", "result: 128 does not fit int8"), refuses[int8]("-129", "result: -129 does not fit int8"),
		gives[int16]("-2**15", math.MinInt16), gives[int16]("2**15-1", math.MaxInt16), refuses[int16]("2**15", "result: 32768 does not fit int16"), refuses[int16]("-2**15-1", "result: -32769 does not fit int16"),
		gives[int32]("-2**31", math.MinInt32), gives[int32]("2**31-1", math.MaxInt32), refuses[int32]("2**31", "result: 2147483648 does not fit int32"), refuses[int32]("-2**31-1", "result: -2147483649 does not fit int32"),
		gives[int64]("-2**63", math.MinInt64), gives[int64]("2**63-1", math.MaxInt64), refuses[int64]("2**63", "result: 9223372036854775808 does not fit int64"), refuses[int64]("-2**63-1", "result: -9223372036854775809 does not fit int64"),
		gives[int]("-2**63", math.MinInt), gives[int]("2**63-1", math.MaxInt), refuses[int]("2**64", "result: 18446744073709551616 does not fit int"),
		gives[uint8]("255", math.MaxUint8), refuses[uint8]("256", "result: 256 does not fit uint8"), refuses[uint8]("-1", "result: -1 does not fit uint8"),
		gives[uint16]("2**16-1", math.MaxUint16), refuses[uint16]("2**16", "result: 65536 does not fit uint16"), refuses[uint16]("-1", "result: -1 does not fit uint16"),
		gives[uint32]("2**32-1", math.MaxUint32), refuses[uint32]("2**32", "result: 4294967296 does not fit uint32"), refuses[uint32]("-1", "result: -1 does not fit uint32"),
		gives[uint64]("2**64-1", math.MaxUint64), refuses[uint64]("2**64", "result: 18446744073709551616 does not fit uint64"), refuses[uint64]("-1", "result: -1 does not fit uint64"),
		gives[uint]("2**64-1", math.MaxUint), refuses[uint]("-1", "result: -1 does not fit uint"),
		gives[uintptr]("2**64-1", math.MaxUint64),
		refuses[int]("10**100", "result: an int of 42 bytes does not fit int"),
		gives[time.Month]("3", time.March), gives[myInt]("-7", -7), refuses[myInt]("2**15", "result: 32768 does not fit int16"),

		// NumPy scalars and 0-d arrays are the numbers that they are.
		gives[int]("np.int8(-5)", -5), gives[uint8]("np.int64(200)", 200), refuses[uint8]("np.int64(300)", "result: 300 does not fit uint8"), gives[uint64]("np.uint64(2**64-1)", math.MaxUint64),
		gives[int]("np.array(5)", 5), gives[int]("np.array(5, '>i2')", 5), gives[bool]("np.array(True)", true), gives[bool]("np.False_", false), gives[float64]("np.array(0.5, '>f4')", 0.5),
		gives[complex128]("np.array(1j, 'c8')", 1i), gives[string]("np.array('x')", "x"), gives[string]("np.str_('x')", "x"), gives[[]byte]("np.bytes_(b'x')", []byte("x")),
		gives[float32]("np.float16(0.1)", 0.099975586), gives[float64]("np.float32(0.1)", 0.10000000149011612),
		refuses[int]("np.float64(5)", "result: want int, got float"), refuses[float64]("np.longdouble(5)", "result: want float64, got numpy.longdouble"),

		// A bool is no int, a float is no int, and nothing else is a bool.
		refuses[int]("True", "result: want int, got bool"), refuses[float64]("True", "result: want float64, got bool"), refuses[*big.Int]("True", "result: want *big.Int, got bool"), refuses[uint8]("np.True_", "result: want uint8, got bool"),
		refuses[int]("1.0", "result: want int, got float"), refuses[int]("'1'", "result: want int, got str"), refuses[bool]("1", "result: want bool, got int"), refuses[bool]("np.int8(1)", "result: want bool, got int"),
		refuses[bool]("None", "result: want bool, got None"), refuses[int]("None", "result: want int, got None"), refuses[int]("1j", "result: want int, got complex"), refuses[int]("decimal.Decimal(1)", "result: want int, got Decimal"),
		refuses[int]("fractions.Fraction(1)", "result: want int, got fractions.Fraction"), refuses[int]("[1]", "result: want int, got list"), refuses[int]("np.array([1])", "result: want int, got array of int64"),

		// Ints as floats where they are exact; floats as float32 where they are.
		gives[float64]("2**53", 1<<53), refuses[float64]("2**53+1", "result: 9007199254740993 does not fit float64 exactly"), gives[float64]("-2**1000", -math.Ldexp(1, 1000)), refuses[float64]("2**1024", "result: an int of 129 bytes does not fit float64 exactly"),
		gives[float32]("2**24", 1<<24), refuses[float32]("2**24+1", "result: 16777217 does not fit float32 exactly"), gives[float32]("2**127", float32(math.Ldexp(1, 127))), refuses[float32]("2**128", "result: 340282366920938463463374607431768211456 does not fit float32 exactly"),
		gives[float32]("0.5", 0.5), refuses[float32]("0.1", "result: 0.1 does not fit float32 exactly"), refuses[float32]("1e39", "result: 1e+39 does not fit float32 exactly"), refuses[float32]("1e-300", "result: 1e-300 does not fit float32 exactly"),
		gives[float32]("math.nan", float32(math.NaN())), gives[float64]("-0.0", math.Copysign(0, -1)), gives[float32]("-math.inf", float32(math.Inf(-1))), refuses[float64]("'1'", "result: want float64, got str"),
		gives[complex128]("1+2j", 1+2i), gives[complex64]("1+2j", 1+2i), gives[complex128]("3", 3), gives[complex128]("0.1", 0.1), refuses[complex64]("0.1j", "result: (0+0.1i) does not fit complex64 exactly"), refuses[complex64]("0.1", "result: 0.1 does not fit complex64 exactly"),
		refuses[complex128]("2**53+1", "result: 9007199254740993 does not fit complex128 exactly"), refuses[complex128]("'x'", "result: want complex128, got str"), refuses[float64]("1j", "result: want float64, got complex"),

		gives("0", new(big.Int)), gives("-2**63", big.NewInt(math.MinInt64)), gives("2**64", bignum("18446744073709551616")), gives("-2**64", bignum("-18446744073709551616")), gives("-2**127", bignum("-170141183460469231731687303715884105728")),
		gives("255", *big.NewInt(255)), gives("np.uint64(2**64-1)", bignum("18446744073709551615")), refuses[*big.Int]("1.0", "result: want *big.Int, got float"), refuses[big.Int]("'1'", "result: want *big.Int, got str"), gives[*big.Int]("None", nil),
		gives("decimal.Decimal('1.50')", big.NewRat(3, 2)), gives("decimal.Decimal('-1E+3')", big.NewRat(-1000, 1)), gives("0.5", big.NewRat(1, 2)), gives("7", big.NewRat(7, 1)),
		refuses[*big.Rat]("decimal.Decimal('NaN')", "result: want *big.Rat, got Decimal NaN: ask for string"), refuses[*big.Rat]("math.inf", "result: want *big.Rat, got float +Inf"), refuses[*big.Rat]("'1/2'", "result: want *big.Rat, got str"),
		refuses[*big.Rat]("decimal.Decimal('1E+999999999')", "…Decimal 1E+999999999"),
	})
}

func TestResultTexts(t *testing.T) {
	checkConversions(t, []conversion{
		gives("''", ""), gives("'a\\0é€🐍'", "a\x00é€🐍"), gives("Text('sub')", "sub"), gives("'x' * 10000", strings.Repeat("x", 10000)), gives("'m'", myString("m")),
		refuses[string]("b'x'", "result: want string, got bytes"), refuses[string]("5", "result: want string, got int"), refuses[string]("None", "result: want string, got None"), refuses[string]("'\\ud800'", "…UnicodeEncodeError"),
		refuses[[]string]("['a', '\\ud800']", "…UnicodeEncodeError"),
		gives("b'a\\0\\xff'", []byte("a\x00\xff")), gives("bytearray(b'ab')", []byte("ab")), gives("memoryview(b'abcd')[::2]", []byte("ac")), gives("memoryview(b'')", []byte{}), gives("b'ab'", myBytes("ab")), gives("b'ab'", [2]byte{'a', 'b'}),
		gives("[1, 255]", []byte{1, 255}), refuses[[]byte]("[1, 256]", "result[1]: 256 does not fit uint8"), refuses[[]byte]("'ab'", "result: want []uint8, got str"), refuses[[2]byte]("b'abc'", "result: want [2]uint8, got 3 bytes"),
		gives("memoryview(np.arange(3, dtype='i4'))", []int32{0, 1, 2}), gives("array.array('d', [1, 2])", []float64{1, 2}), gives("b''", any([]byte{})), refuses[[]int]("b'ab'", "result: want []int, got bytes"), refuses[[]string]("'ab'", "result: want []string, got str"),
		gives("pathlib.PurePosixPath('a/b')", "a/b"), gives("PathLike()", "a/b"), gives("pathlib.PurePosixPath('a')", any("a")), gives("decimal.Decimal('1.50')", "1.50"), gives("decimal.Decimal('sNaN')", "sNaN"),
		gives("uuid.UUID(int=1)", [16]byte{15: 1}), gives("uuid.UUID(int=1)", any([16]byte{15: 1})), refuses[string]("uuid.UUID(int=1)", "result: want string, got UUID"), refuses[[15]byte]("uuid.UUID(int=1)", "result: want [15]uint8, got 16 bytes"),
		gives("Colour.RED", "red"), gives("Colour.PAIR", [2]int{1, 2}), gives("Level.HIGH", 3), gives("Word.HELLO", "hello"), gives("Bits.TWO", 2), gives("Level.HIGH", any(3)), gives("Colour.RED", any("red")),
		refuses[int]("Colour.RED", "result: want int, got str"), refuses[any]("Colour.OBJECT", "result: want any, got object: ask for *python.Object to get a reference"),
	})
}

func TestResultContainers(t *testing.T) {
	checkConversions(t, []conversion{
		// Anything that has items, as a slice.
		gives("[1, 2]", []int{1, 2}), gives("(1, 2)", []int{1, 2}), gives("{7}", []int{7}), gives("frozenset({7})", []int{7}), gives("generator(1, 2)", []int{1, 2}), gives("range(3)", []int{0, 1, 2}), gives("{1: 2}.values()", []int{2}), gives("collections.deque([1])", []int{1}),
		gives("map(str, (1, 2))", []string{"1", "2"}), gives("[]", []string{}), gives("np.array(['a', 'b'], object)", []string{"a", "b"}), gives("[[1], []]", [][]int{{1}, {}}), gives("[b'a']", [][]byte{[]byte("a")}), gives("[[1, 2.5]]", [][]float64{{1, 2.5}}),
		refuses[[]int]("[1, '2']", "result[1]: want int, got str"), refuses[[]int]("[1, True]", "result[1]: want int, got bool"), refuses[[]int]("[1, None]", "result[1]: want int, got None"), refuses[[]string]("['a', 1]", "result[1]: want string, got int"),
		refuses[[][]int]("[[1], [1, 2.5]]", "result[1][1]: want int, got float"), refuses[[]int]("{1: 2}", "result: want []int, got dict"), refuses[[]int]("failing_generator()", "…ValueError: in the middle"), refuses[[]float64]("[1, 2**53+1]", "result[1]: 9007199254740993 does not fit float64 exactly"),
		refuses[[]int8]("[1, 200]", "result[1]: 200 does not fit int8"), refuses[[]any]("5", "result: want []any, got int"), refuses[[]int]("5", "result: want []int, got int"), refuses[[]named]("[1]", "result[0]: want python.named, got int"),
		gives("[1, None]", []*int{pointer(1), nil}), gives("None", (*[]int)(nil)), refuses[[]int]("None", "result: want []int, got None"),

		// Tuples, also those with names, as structs, arrays and slices.
		gives("(1, 'x')", pairRecord{1, "x"}), gives("Pair(1, 'x')", pairRecord{1, "x"}), gives("(1, 2)", [2]int{1, 2}), gives("[1, 2]", [2]int{1, 2}), gives("((1, 2), (3, 4))", [2][2]int{{1, 2}, {3, 4}}), gives("()", [0]int{}),
		gives("(1, 'x')", Tuple{1, "x"}), gives("()", Tuple{}), gives("(1, (2,))", Tuple{1, Tuple{2}}), gives("Pair(1, 'x')", Tuple{1, "x"}), gives("Pair(1, 'x')", []any{1, "x"}), gives("(1, 'x')", []any{1, "x"}), gives("Numbers(1, 2)", []int{1, 2}),
		gives("Numbers(1, 2)", [2]int{1, 2}), gives("[Pair(1, 'x')]", []pairRecord{{1, "x"}}), gives("np.linalg.eigh(np.eye(1))", struct {
			Values  []float64   `py:"eigenvalues"`
			Vectors [][]float64 `py:"eigenvectors"`
		}{[]float64{1}, [][]float64{{1}}}),
		refuses[pairRecord]("(1,)", "result: want python.pairRecord with 2 fields, got a tuple of 1"), refuses[pairRecord]("(1, 2)", "result[1]: want string, got int"), refuses[[2]int]("(1, 2, 3)", "result: want [2]int, got 3 items"),
		refuses[[2]int]("(1, 'x')", "result[1]: want int, got str"), refuses[Tuple]("[1]", "result: want python.Tuple, got list"), refuses[Set]("[1]", "result: want python.Set, got list"), gives("{1}", Set{1}), gives("frozenset()", Set{}),

		// Dicts and mappings as maps.
		gives("{'a': 1}", map[string]int{"a": 1}), gives("Map(a=1)", map[string]int{"a": 1}), gives("collections.defaultdict(int, a=1)", map[string]int{"a": 1}), gives("types.MappingProxyType({'a': 1})", map[string]int{"a": 1}), gives("{}", map[string]int{}),
		gives("{1: 'a', 2: 'b'}", map[int]string{1: "a", 2: "b"}), gives("{(1, 2): 3}", map[[2]int]int{{1, 2}: 3}), gives("{(1, 'x'): 3}", map[pairRecord]int{{1, "x"}: 3}), gives("{'a': [1]}", map[myString][]int{"a": {1}}), gives("{1: 2, 'x': 3, None: 4}", map[any]any{1: 2, "x": 3, nil: 4}),
		gives("{datetime.date(2020, 1, 2): 1}", map[time.Time]int{time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC): 1}), gives("{True: 1, 2: 1}", map[any]int{true: 1, 2: 1}), gives("Point(1)", map[string]any{"x": 1, "y": 0.5}),
		refuses[map[string]int]("{'a': 'b'}", `result["a"]: want int, got str`), refuses[map[string]int]("{1: 2}", "result: key: want string, got int"), refuses[map[string]map[string]int8]("{'a': {'b': 300}}", `result["a"]["b"]: 300 does not fit int8`), refuses[map[int]int]("{5: 'x'}", "result[5]: want int, got str"),
		refuses[map[any]int]("{(1, 2): 3}", "result: a key that is a tuple cannot be a key in Go"), refuses[map[string]int]("[1]", "result: want map[string]int, got list"), refuses[map[string]int]("None", "result: want map[string]int, got None"), refuses[map[float64]int]("{2.5: 'x'}", "…want int, got str"),

		// Keys that differ in Python and not in Go are not merged.
		refuses[map[string]int]("{'a': 1, pathlib.PurePosixPath('a'): 2}", "…a"), refuses[any]("{'red': 1, Colour.RED: 2}", "…red"), refuses[map[string]int]("{'red': 1, Colour.RED: 2}", "…red"),
		refuses[any]("{datetime.date(2020, 1, 1): 1, datetime.datetime(2020, 1, 1): 2}", "…"), refuses[any]("{datetime.time(0, 0, 1): 1, datetime.timedelta(seconds=1): 2}", "…"), refuses[any]("{'1': 1, decimal.Decimal('NaN'): 2, 'NaN': 3}", "…"),

		// A path through everything.
		refuses[map[string][]named]("{'rows': [{'name': 1}, {'name': 2}, {'name': 3}, {'name': 'x'}]}", `result["rows"][3]["name"]: want int64, got str`),
		refuses[map[string][]named]("{'rows': [Plain(name=1), Plain(name='x')]}", `result["rows"][1].name: want int64, got str`),
		refuses[map[string][]named]("{'rows': [{'name': 1}, {'name': True}]}", `result["rows"][1]["name"]: want int64, got bool`),
	})
}

func TestResultRecords(t *testing.T) {
	checkConversions(t, []conversion{
		// Dict, mapping and objects with attributes.
		gives("{'x': 1, 'y': 2}", pointRecord{1, 2}), gives("Map(x=1, y=2)", pointRecord{1, 2}), gives("Point(1)", pointRecord{1, 0.5}), gives("types.SimpleNamespace(x=1, y=2, z=3)", pointRecord{1, 2}), gives("Slotted(1, 2)", pointRecord{1, 2}), gives("Plain(x=1, y=2, z=3)", pointRecord{1, 2}),
		gives("[Point(1), {'x': 2, 'y': 0}]", []pointRecord{{1, 0.5}, {2, 0}}), gives("Line(Point(1))", struct {
			Start pointRecord  `py:"start"`
			End   *pointRecord `py:"end"`
		}{pointRecord{1, 0.5}, nil}), gives("Plain(name=3)", &named{3}), gives("None", (*named)(nil)),

		// Unknown and missing keys: the caller chooses.
		refuses[pointRecord]("{'x': 1, 'y': 2, 'z': 3}", `result: python.pointRecord has no field for the key "z": add one or pass python.AllowUnknown`), gives("{'x': 1, 'y': 2, 'z': [3, {}], (1, 2): 3, 4: np.zeros((2, 2))}", pointRecord{1, 2}, AllowUnknown),
		refuses[pointRecord]("{'x': 1}", `result: want python.pointRecord, got no value for its field "y": pass python.AllowMissing to leave it as it is`), gives("{'x': 1}", pointRecord{1, 0}, AllowMissing), gives("{'x': 1, 'z': 2}", pointRecord{1, 0}, AllowMissing, AllowUnknown),
		refuses[pointRecord]("Plain(x=1)", `result: want python.pointRecord, got no value for its field "y": pass python.AllowMissing to leave it as it is`), gives("Plain(x=1)", pointRecord{1, 0}, AllowMissing),
		refuses[pointRecord]("{1: 2}", `result: python.pointRecord has no field for the key 1: add one or pass python.AllowUnknown`), refuses[pointRecord]("{}", `…no value for its field "x"`),
		refuses[[]pointRecord]("[{'x': 1, 'y': 2}, {'x': 1}]", `result[1]: want python.pointRecord, got no value for its field "y": pass python.AllowMissing to leave it as it is`),

		// Tags, embedded structs.
		gives("{'id': 1}", derived{base{1}, "", ""}), gives("{'id': 1, 'label': 'l'}", derived{base{1}, "l", ""}), refuses[derived]("{'id': 1, 'Hidden': 'x'}", `result: python.derived has no field for the key "Hidden": add one or pass python.AllowUnknown`),
		refuses[derived]("{'id': 'x'}", `result["id"]: want int, got str`), refuses[derived]("Plain(id='x')", `result.id: want int, got str`), gives("(1, 'l')", derived{base{1}, "l", ""}),
		refuses[struct {
			A int `py:"x"`
			B int `py:"x"`
		}]("{}", `…struct { A int "py:\"x\""; B int "py:\"x\"" }: two fields are named "x"`),
		refuses[struct {
			a int `py:"x"`
		}]("{}", `…struct { a int "py:\"x\"" }: field a has a py tag but is not exported`),

		// Recursive types.
		gives("{'value': 1, 'left': {'value': 2}, 'children': [{'value': 3, 'children': []}]}", tree{Value: 1, Left: &tree{Value: 2}, Children: []tree{{Value: 3, Children: []tree{}}}}), gives("{'value': 1, 'left': None}", tree{Value: 1}),
		refuses[tree]("{'value': 1, 'children': [{'value': 2, 'left': {'value': 'x'}}]}", `result["children"][0]["left"]["value"]: want int, got str`), gives("{'value': 1, 'any': [1, 'x'], 'parent': {'value': 2}}", tree{Value: 1, Any: []any{1, "x"}, Parent: pointer(&tree{Value: 2})}),

		// What has no fields.
		refuses[pointRecord]("5", "result: want python.pointRecord, got int"), refuses[pointRecord]("None", "result: want python.pointRecord, got None"), refuses[pointRecord]("object()", `…no value for its field "x"`), refuses[pointRecord]("[1, 2]", "result: want python.pointRecord, got list"),
		refuses[pointRecord]("Hostile()", "…ZeroDivisionError"), refuses[named]("sum", `…no value for its field "name"`),
	})
}

func TestResultAny(t *testing.T) {
	checkConversions(t, []conversion{
		gives[any]("None", nil), gives[any]("True", true), gives[any]("5", 5), gives[any]("2**63", uint64(1<<63)), gives[any]("2**64", new(big.Int).Lsh(big.NewInt(1), 64)), gives[any]("0.5", 0.5), gives[any]("1j", 1i), gives[any]("'x'", "x"), gives[any]("b'x'", []byte("x")),
		gives[any]("[1, 'x', None, [True]]", []any{1, "x", nil, []any{true}}), gives[any]("(1,)", Tuple{1}), gives[any]("{1}", Set{1}), gives[any]("{'a': 1}", map[string]any{"a": 1}), gives[any]("{}", map[string]any{}), gives[any]("{1: 2}", map[any]any{1: 2}), gives[any]("{'a': 1, 2: 3}", map[any]any{"a": 1, 2: 3}),
		gives[any]("np.arange(2)", []int64{0, 1}), gives[any]("np.zeros((1, 2), 'f4')", &Array[float32]{[]float32{0, 0}, []int{1, 2}}), gives[any]("np.zeros(1, 'f2')", []float32{0}), gives[any]("np.array(['a'])", []any{"a"}), gives[any]("np.int8(3)", 3), gives[any]("np.float32(0.5)", 0.5),
		gives[any]("Point(1)", map[string]any{"x": 1, "y": 0.5}), gives[any]("Pair(1, 'x')", map[string]any{"left": 1, "right": "x"}), gives[any]("generator(1)", []any{1}), gives[any]("decimal.Decimal('0.5')", big.NewRat(1, 2)), gives[any]("decimal.Decimal('NaN')", "NaN"),
		gives[any]("datetime.timedelta(seconds=1)", time.Second), gives[any]("datetime.time(1)", time.Hour), gives[any]("datetime.date(2020, 1, 1)", time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)), gives[any]("np.datetime64('2020')", time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)),
		gives[any]("np.timedelta64(5, 's')", 5*time.Second), gives[any]("np.array([1, 'NaT'], 'm8[s]')", []*time.Duration{pointer(time.Second), nil}), gives[any]("np.array(['2020'], 'M8[s]')", []time.Time{time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)}),
		gives[anything]("None", nil), gives[anything]("5", 5), gives("[1, None]", anythingSlice{1, nil}), gives("np.arange(2)", anythingSlice{int64(0), int64(1)}), gives("np.array(['2020'], 'M8[s]')", []any{time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)}),
		refuses[any]("object()", "result: want any, got object: ask for *python.Object to get a reference"), refuses[any]("[1, sum]", "result[1]: want any, got builtin_function_or_method: ask for *python.Object to get a reference"), refuses[any]("{'a': sum}", `result["a"]: want any, got builtin_function_or_method: ask for *python.Object to get a reference`),
		refuses[any]("int", "result: want any, got type: ask for *python.Object to get a reference"), refuses[any]("collections.abc.Sized", "result: want any, got abc.ABCMeta: ask for *python.Object to get a reference"), refuses[int]("collections.abc.Sized", "result: want int, got abc.ABCMeta"),
		refuses[any]("{(1, 2): 3}", "…a key that is a tuple cannot be a key in Go: ask for *python.Object"), refuses[any]("math", "result: want any, got module: ask for *python.Object to get a reference"), refuses[any]("datetime.time(1, tzinfo=datetime.timezone.utc)", "…time"),

		// What no conversion can make.
		refuses[chan int]("5", "…chan int"), refuses[error]("5", "…error"), refuses[[]error]("[5]", "…error"), refuses[[]error]("np.arange(3)", "…"),
		refuses[map[string]error]("{'a': 5}", "…error"), refuses[[]chan int]("[5]", "…chan int"),
	})
}

func TestResultLimits(t *testing.T) {
	checkConversions(t, []conversion{
		refuses[any]("cycle()", "…nests deeper than 100 levels, or contains itself"), refuses[[]any]("cycle()", "…contains itself"), refuses[any]("nested(200)", "…nests deeper than 100 levels"),
	})
	in := interpreter(t)
	for depth, fits := range map[int]bool{99: true, 100: true, 102: false} {
		_, err := evaluate[any](in, "oracle:nested", depth)
		if (err == nil) != fits || !fits && !errors.Is(err, ErrLimit) {
			t.Errorf("%d levels: %v", depth, err)
		}
	}
	if _, err := evaluate[any](in, "oracle:value", "itertools.repeat(None)"); !errors.Is(err, ErrLimit) {
		t.Errorf("endless iterator: %v", err)
	}
}

func TestDecode(t *testing.T) {
	in := interpreter(t)
	five := expression(t, in, "5")
	defer five.Close()
	var n int
	if err := five.Decode(&n); err != nil || n != 5 {
		t.Errorf("got %d, %v", n, err)
	}
	for _, target := range []any{nil, 5, (*int)(nil), "x"} {
		if err := five.Decode(target); err == nil || !strings.Contains(err.Error(), "want a pointer") {
			t.Errorf("%T: got %v", target, err)
		}
	}
	// What was in the target before does not stay, except for fields that Python has no value for.
	rest := pointRecord{1, 2}
	if err := expression(t, in, "{'x': 7}").Decode(&rest, AllowMissing); err != nil || rest != (pointRecord{7, 2}) {
		t.Errorf("got %v, %v", rest, err)
	}
	m := map[string]int{"old": 1}
	if err := expression(t, in, "{'a': 1}").Decode(&m); err != nil || len(m) != 1 {
		t.Errorf("got %v, %v", m, err)
	}
	p := &n
	if err := expression(t, in, "None").Decode(&p); err != nil || p != nil {
		t.Errorf("got %v, %v", p, err)
	}
	p = &n
	if err := expression(t, in, "6").Decode(&p); err != nil || p == &n || *p != 6 || n != 5 {
		t.Errorf("Decode has written through a pointer: %v, %v", n, err)
	}
	var a anything = 5
	if err := expression(t, in, "None").Decode(&a); err != nil || a != nil {
		t.Errorf("a named interface: got %v, %v", a, err)
	}
	var closed *Object = expression(t, in, "[1]")
	_ = closed.Close()
	if _, err := As[any](closed); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// References inside results are taken over where they are asked for; all the rest is given back, also after an error in the middle.
func TestResultObjects(t *testing.T) {
	in := interpreter(t)
	type holder struct {
		First *Object            `py:"first"`
		Rest  []*Object          `py:"rest"`
		Map   map[string]*Object `py:"map"`
	}
	flatObjects(t, in, func() {
		h, err := evaluate[holder](in, "oracle:value", "{'first': sum, 'rest': [1, None, [2]], 'map': {'k': object}}")
		if err != nil {
			t.Fatal(err)
		}
		if have, want := shown(h), `python.holder {First: object <built-in function sum> <nil>, Rest: [object 1 <nil> object None <nil> object [2] <nil>], Map: {"k": object <class 'object'> <nil>}}`; have != want {
			t.Errorf("got %s, want %s", have, want)
		}
		if !h.Rest[1].IsNone() {
			t.Error("None is not None")
		}
		for _, o := range append(h.Rest, h.First, h.Map["k"]) {
			_ = o.Close()
			_ = o.Close()
		}
		tuple, err := evaluate[struct {
			A *Object
			B int
		}](in, "oracle:value", "(sum, 1)")
		if err != nil || tuple.A.String() != "<built-in function sum>" {
			t.Errorf("got %v, %v", tuple, err)
		}
		_ = tuple.A.Close()
		for _, source := range []string{"{'first': sum, 'rest': [1, 2, 3], 'map': 5}", "{'first': sum, 'rest': 5, 'map': {}}", "{'first': sum, 'rest': failing_generator(), 'map': {}}"} {
			if _, err := evaluate[holder](in, "oracle:value", source); err == nil {
				t.Errorf("%s: want an error", source)
			}
		}
		if _, err := evaluate[[]struct {
			O *Object
			N int
		}](in, "oracle:value", "[(sum, 1), (sum, 2), (sum, 'x')]"); err == nil || !strings.Contains(err.Error(), "result[2][1]: want int, got str") {
			t.Errorf("got %v", err)
		}
		if _, err := evaluate[[]*Object](in, "oracle:value", "[1, *nested(1), *itertools.islice(failing_generator(), 1)]"); err != nil {
			t.Error(err)
		}
		objects, err := evaluate[[]*Object](in, "oracle:value", "np.array([1, 'x', None], object)")
		if err != nil || len(objects) != 3 {
			t.Errorf("object array: %v, %v", objects, err)
		}
	})
}

func TestResultImages(t *testing.T) {
	checkConversions(t, []conversion{
		gives("np.array([[1, 2]], 'u1')", image.Gray{Pix: []byte{1, 2}, Stride: 2, Rect: image.Rect(0, 0, 2, 1)}), gives("np.arange(8, dtype='u1').reshape(1, 2, 4)[:, ::-1]", &image.RGBA{Pix: []byte{4, 5, 6, 7, 0, 1, 2, 3}, Stride: 8, Rect: image.Rect(0, 0, 2, 1)}),
		refuses[image.Gray]("np.zeros((1, 2, 4), 'u1')", "…want image.Gray from an array of shape (height, width), got "), refuses[image.RGBA]("np.zeros((1, 2, 3), 'u1')", "…want image.RGBA from an array of shape (height, width, 4), got "),
		refuses[image.Gray]("np.zeros((1, 2))", "…float64"), refuses[image.Gray]("5", "…image.Gray"),
	})
}
