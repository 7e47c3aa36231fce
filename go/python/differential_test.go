package python

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"
)

// The differential tests let Python judge: random values of every row of both tables cross the border, and Python compares them with
// what it makes of them itself. GOPHERSNAKE_SEED repeats a run, GOPHERSNAKE_CASES makes it longer.

const defaultCases = 100_000

func seedAndCases(t *testing.T) (seed int64, cases int) {
	seed = numberOf(t, "GOPHERSNAKE_SEED", time.Now().UnixNano())
	cases = int(numberOf(t, "GOPHERSNAKE_CASES", defaultCases))
	fmt.Printf("%s: GOPHERSNAKE_SEED=%d GOPHERSNAKE_CASES=%d\n", t.Name(), seed, cases)
	return seed, cases
}

// random makes Go values together with the Python expression that they have to equal.
type random struct {
	*rand.Rand
	in      *Interpreter
	objects []*Object // what rows of objects pass
}

// TestRandomArguments: Go → Python.
func TestRandomArguments(t *testing.T) {
	in := interpreter(t)
	seed, cases := seedAndCases(t)
	cases = cases * 4 / 10
	r := &random{Rand: rand.New(rand.NewPCG(uint64(seed), 1)), in: in}
	compare, err := in.Func("oracle:compare")
	if err != nil {
		t.Fatal(err)
	}
	defer compare.Close()
	const batch = 500
	for done := 0; done < cases && !t.Failed(); done += batch {
		var values []any
		var source strings.Builder
		source.WriteByte('[')
		for range batch {
			value, text := r.argument(3)
			values = append(values, value)
			source.WriteString(text + ",\n")
		}
		source.WriteByte(']')
		answer, err := compare.Call(background, source.String(), values)
		if err != nil {
			r.narrow(t, compare, values, source.String(), err)
			return
		}
		found, err := As[[]string](answer)
		if err != nil {
			t.Fatal(err)
		}
		for _, difference := range found {
			index, _ := strconv.Atoi(difference[1:strings.IndexByte(difference, ']')])
			t.Errorf("seed %d: Go %T: %s\n%.300s", seed, values[index], difference, fmt.Sprintf("%#v", values[index]))
		}
		_ = answer.Close()
	}
}

// narrow finds the first value of a batch that fails.
func (r *random) narrow(t *testing.T, compare *Function, values []any, source string, failure error) {
	lines := strings.Split(strings.Trim(source, "[]"), ",\n")
	for i, value := range values {
		if _, err := compare.Call(background, "["+lines[i]+"]", []any{value}); err != nil {
			t.Fatalf("Go %T: %v\n%.300s\nPython %s", value, err, fmt.Sprintf("%#v", value), lines[i])
		}
	}
	t.Fatalf("a batch fails, none of its values does: %v", failure)
}

// Types of a random argument that are no builtin ones.
type (
	myInt    int16
	myString string
	myBytes  []byte
	myFloat  float32
	inner    struct {
		Inside int `py:"inside"`
	}
	outer struct {
		inner
		Name    string         `py:"name"`
		Empty   string         `py:"empty,omitempty"`
		Hidden  int            `py:"-"`
		Numbers []float64      `py:"numbers"`
		Next    *outer         `py:"next"`
		Any     any            `py:"any"`
		Map     map[string]int `py:"map"`
		private int
	}
	celsius struct{ degrees float64 }
)

// ToPython makes a tuple of a temperature.
func (c celsius) ToPython() (any, error) { return Tuple{c.degrees, "°C"}, nil }

// argument returns a value of a random row, and Python's expression for it.
func (r *random) argument(depth int) (any, string) {
	kinds := 22
	if depth > 0 {
		kinds = 34
	}
	switch r.IntN(kinds) {
	case 0:
		return []any{nil, (*int)(nil), (*outer)(nil), map[string]int(nil), (*Object)(nil), (*Function)(nil), (*big.Int)(nil), (*celsius)(nil)}[r.IntN(8)], "None"
	case 1:
		if r.IntN(2) == 0 {
			return false, "False"
		}
		return true, "True"
	case 2:
		n := r.integer()
		text := strconv.FormatInt(n, 10)
		switch r.IntN(6) {
		case 0:
			return int8(n), strconv.Itoa(int(int8(n)))
		case 1:
			return int16(n), strconv.Itoa(int(int16(n)))
		case 2:
			return int32(n), strconv.Itoa(int(int32(n)))
		case 3:
			return myInt(n), strconv.Itoa(int(int16(n)))
		case 4:
			return int(n), text
		}
		return n, text
	case 3:
		n := uint64(r.integer())
		switch r.IntN(6) {
		case 0:
			return uint8(n), strconv.FormatUint(uint64(uint8(n)), 10)
		case 1:
			return uint16(n), strconv.FormatUint(uint64(uint16(n)), 10)
		case 2:
			return uint32(n), strconv.FormatUint(uint64(uint32(n)), 10)
		case 3:
			return uintptr(n), strconv.FormatUint(n, 10)
		case 4:
			return uint(n), strconv.FormatUint(n, 10)
		}
		return n, strconv.FormatUint(n, 10)
	case 4, 5:
		x := r.float()
		if r.IntN(3) > 0 {
			return x, floatSource(x)
		}
		narrow := float32(x)
		if r.IntN(2) == 0 {
			return myFloat(narrow), floatSource(float64(narrow))
		}
		return narrow, floatSource(float64(narrow))
	case 6:
		c := complex(r.float(), r.float())
		if r.IntN(2) == 0 {
			narrow := complex64(c)
			c = complex128(narrow)
			return narrow, "complex(" + floatSource(real(c)) + ", " + floatSource(imag(c)) + ")"
		}
		return c, "complex(" + floatSource(real(c)) + ", " + floatSource(imag(c)) + ")"
	case 7:
		n := r.bigInt()
		if r.IntN(2) == 0 {
			return *n, n.String()
		}
		return n, n.String()
	case 8, 9:
		s := r.text()
		if r.IntN(4) == 0 {
			return myString(s), textSource(s)
		}
		return s, textSource(s)
	case 10:
		b := r.bytes()
		if r.IntN(4) == 0 {
			return myBytes(b), "bytes.fromhex('" + hex.EncodeToString(b) + "')"
		}
		return b, "bytes.fromhex('" + hex.EncodeToString(b) + "')"
	case 11:
		return r.time()
	case 12:
		micros := r.Int64() >> r.IntN(64)
		if r.IntN(2) == 0 {
			micros = -micros
		}
		micros /= 1000
		return time.Duration(micros) * time.Microsecond, fmt.Sprintf("datetime.timedelta(microseconds=%d)", micros)
	case 13:
		month := time.Month(1 + r.IntN(12))
		return month, strconv.Itoa(int(month))
	case 14, 15, 16:
		return r.array()
	case 17:
		rows, columns := r.IntN(4), 1+r.IntN(3)
		nested, texts := make([][]float64, rows), make([]string, rows)
		for i := range nested {
			nested[i] = r.floats(columns)
			texts[i] = arraySource(nested[i])
		}
		return nested, "[" + strings.Join(texts, ", ") + "]"
	case 18:
		var values []string
		var texts []string
		for range r.IntN(5) {
			s := r.text()
			values, texts = append(values, s), append(texts, textSource(s))
		}
		return values, "[" + strings.Join(texts, ", ") + "]"
	case 19:
		x := r.float()
		return celsius{x}, "(" + floatSource(x) + ", '\\xb0C')"
	case 20:
		n := r.integer()
		p := &n
		return &p, strconv.FormatInt(n, 10)
	case 21:
		if len(r.objects) == 0 {
			sum, err := r.in.Object("builtins:sum")
			if err != nil {
				panic(err)
			}
			r.objects = append(r.objects, sum)
		}
		return r.objects[0], "sum"
	case 22, 23:
		return r.items("[", "]", func(items []any) any { return items }, depth)
	case 24:
		return r.items("(", ",)", func(items []any) any { return Tuple(items) }, depth)
	case 25:
		var items Set
		var texts []string
		for i := range r.IntN(4) {
			n := r.integer()*8 + int64(i)
			items, texts = append(items, n), append(texts, strconv.FormatInt(n, 10))
		}
		if r.IntN(2) == 0 {
			s := r.text()
			items, texts = append(items, s, nil, Tuple{1, s}), append(texts, textSource(s), "None", "(1, "+textSource(s)+")")
		}
		return items, "set([" + strings.Join(texts, ", ") + "])"
	case 26:
		values, texts := map[string]any{}, []string{}
		for range r.IntN(4) {
			key := r.text()
			if _, twice := values[key]; twice {
				continue
			}
			value, text := r.argument(depth - 1)
			values[key] = value
			texts = append(texts, textSource(key)+": "+text)
		}
		return values, "{" + strings.Join(texts, ", ") + "}"
	case 27:
		values, texts := map[int64]string{}, []string{}
		for range r.IntN(4) {
			n, s := r.integer(), r.text()
			if _, twice := values[n]; !twice {
				values[n], texts = s, append(texts, strconv.FormatInt(n, 10)+": "+textSource(s))
			}
		}
		return values, "{" + strings.Join(texts, ", ") + "}"
	case 28:
		x := r.float()
		at, atText := r.time()
		return map[any]any{x: 1, "x": true, at: nil, nil: 2.5},
			"{" + floatSource(x) + ": 1, 'x': True, " + atText + ": None, None: 2.5}"
	case 29:
		return r.record(depth)
	case 30:
		value, text := r.record(depth)
		return pointer(value.(outer)), text
	case 31:
		x, y := r.integer(), r.float()
		class, err := r.in.Object("oracle:Point")
		if err != nil {
			panic(err)
		}
		fields := struct {
			X int64   `py:"x"`
			Y float64 `py:"y"`
		}{x, y}
		return New(class, fields), fmt.Sprintf("Point(%d, %s)", x, floatSource(y))
	case 32:
		value, text := r.argument(depth - 1)
		return []map[string]any{{"a": value}, nil}, "[{'a': " + text + "}, None]"
	}
	value, text := r.argument(depth - 1)
	return &value, text
}

func (r *random) items(before, after string, as func([]any) any, depth int) (any, string) {
	items, texts := []any{}, []string{}
	for range r.IntN(5) {
		value, text := r.argument(depth - 1)
		items, texts = append(items, value), append(texts, text)
	}
	if len(items) == 0 {
		after = strings.TrimPrefix(after, ",")
	}
	return as(items), before + strings.Join(texts, ", ") + after
}

func (r *random) record(depth int) (any, string) {
	value, valueText := r.argument(depth - 1)
	record := outer{inner: inner{int(r.integer())}, Name: r.text(), Hidden: 5, Numbers: r.floats(r.IntN(4)), Any: value, private: 6}
	text := fmt.Sprintf("{'inside': %d, 'name': %s, 'numbers': %s, 'any': %s, 'map': ", record.Inside, textSource(record.Name), arraySource(record.Numbers), valueText)
	if r.IntN(2) == 0 {
		record.Map = map[string]int{"k": 1}
		text += "{'k': 1}"
	} else {
		text += "None"
	}
	if r.IntN(2) == 0 {
		record.Empty = "x"
		text += ", 'empty': 'x'"
	}
	if r.IntN(3) == 0 && depth > 1 {
		next, nextText := r.record(depth - 1)
		record.Next = pointer(next.(outer))
		return record, text + ", 'next': " + nextText + "}"
	}
	return record, text + ", 'next': None}"
}

// integer returns integers of all lengths, those at powers of two above all.
func (r *random) integer() int64 {
	switch r.IntN(3) {
	case 0:
		return int64(r.IntN(10)) - 5
	case 1:
		return int64(uint64(1)<<r.IntN(64)) + int64(r.IntN(3)) - 1
	}
	return int64(r.Uint64() >> r.IntN(64))
}

func (r *random) bigInt() *big.Int {
	n := new(big.Int).Lsh(big.NewInt(1), uint(r.IntN(300)))
	n.Add(n, big.NewInt(int64(r.IntN(3))-1))
	if r.IntN(2) == 0 {
		n.Mul(n, new(big.Int).SetUint64(r.Uint64()))
	}
	if r.IntN(2) == 0 {
		n.Neg(n)
	}
	return n
}

// float returns floats of all sizes, special ones above all.
func (r *random) float() float64 {
	switch r.IntN(4) {
	case 0:
		special := []float64{0, math.Copysign(0, -1), 1, -1, math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat64, math.SmallestNonzeroFloat64, 1 << 53, 1<<53 + 2, 0.1, math.MaxFloat32}
		return special[r.IntN(len(special))]
	case 1:
		return r.NormFloat64()
	case 2:
		return math.Ldexp(r.Float64(), r.IntN(120)-60)
	}
	x := math.Float64frombits(r.Uint64())
	if x != x {
		return math.NaN() // the payload of a NaN is no value
	}
	return x
}

func (r *random) floats(n int) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = r.float()
	}
	return values
}

func (r *random) text() string {
	alphabet := []rune("abc \x00\n\"'\\{}é€\u200d\uffff🐍\U0010ffff")
	runes := make([]rune, r.IntN(6))
	for i := range runes {
		runes[i] = alphabet[r.IntN(len(alphabet))]
	}
	if r.IntN(500) == 0 {
		return strings.Repeat(string(runes), 3000)
	}
	return string(runes)
}

func (r *random) bytes() []byte {
	b := make([]byte, r.IntN(12))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

var zones = func() (zones []*time.Location) {
	for _, name := range []string{"Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Europe/London"} {
		if zone, err := time.LoadLocation(name); err == nil {
			zones = append(zones, zone)
		}
	}
	return append(zones, time.UTC, time.FixedZone("", 3600), time.FixedZone("odd", -86399), time.FixedZone("", 1))
}()

func (r *random) time() (any, string) {
	zone := zones[r.IntN(len(zones))]
	at := time.Date(2+r.IntN(9997), time.Month(1+r.IntN(12)), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), r.IntN(1e6)*1000, zone)
	_, offset := at.Zone()
	return at, fmt.Sprintf("datetime.datetime(%d, %d, %d, %d, %d, %d, %d, datetime.timezone(datetime.timedelta(seconds=%d)))",
		at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond()/1000, offset)
}

// array returns arrays of every type of number, as slices, as Go arrays by pointer, and with shapes and strides.
func (r *random) array() (any, string) {
	switch r.IntN(13) {
	case 0:
		return arrayOf[bool](r)
	case 1:
		return arrayOf[int8](r)
	case 2:
		return arrayOf[int16](r)
	case 3:
		return arrayOf[int32](r)
	case 4:
		return arrayOf[int64](r)
	case 5:
		return arrayOf[uint16](r)
	case 6:
		return arrayOf[uint32](r)
	case 7:
		return arrayOf[uint64](r)
	case 8:
		return arrayOf[float32](r)
	case 9:
		return arrayOf[float64](r)
	case 10:
		return arrayOf[complex64](r)
	case 11:
		return arrayOf[complex128](r)
	}
	return arrayOf[myInt](r)
}

func arrayOf[T Number](r *random) (any, string) {
	fill := func(data []T) {
		raw := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), len(data)*int(unsafe.Sizeof(*new(T))))
		for i := range raw {
			raw[i] = byte(r.Uint32())
			if reflect.TypeFor[T]().Kind() == reflect.Bool {
				raw[i] &= 1
			}
		}
	}
	data := make([]T, r.IntN(7))
	fill(data)
	switch r.IntN(6) {
	case 0:
		return &Array[T]{data, []int{len(data)}}, arraySource(data)
	case 1: // any shape
		var shape []int
		elements := 1
		for range r.IntN(4) {
			shape = append(shape, r.IntN(4))
			elements *= shape[len(shape)-1]
		}
		data = make([]T, elements)
		fill(data)
		if len(shape) == 0 {
			return Lend(data), arraySource(data)
		}
		return Lend(data).Reshape(shape...), arraySource(data) + ".reshape(" + strings.ReplaceAll(strings.Trim(fmt.Sprint(shape), "[]"), " ", ", ") + ")"
	case 2: // any strides
		shape, strides, last := []int{1 + r.IntN(3), 1 + r.IntN(3)}, []int{r.IntN(4), r.IntN(4)}, 0
		for axis := range shape {
			last += (shape[axis] - 1) * strides[axis]
		}
		data = make([]T, last+1+r.IntN(3))
		fill(data)
		size := int(unsafe.Sizeof(*new(T)))
		return Lend(data).Strided(shape, strides), fmt.Sprintf("np.lib.stride_tricks.as_strided(%s, (%d, %d), (%d, %d))",
			arraySource(data), shape[0], shape[1], strides[0]*size, strides[1]*size)
	case 3:
		a := new([2][3]T)
		fill(unsafe.Slice(&a[0][0], 6))
		return a, arraySource(unsafe.Slice(&a[0][0], 6)) + ".reshape(2, 3)"
	case 4:
		a := make([][2]T, 1+r.IntN(3))
		fill(unsafe.Slice(&a[0][0], 2*len(a)))
		return a, arraySource(unsafe.Slice(&a[0][0], 2*len(a))) + fmt.Sprintf(".reshape(%d, 2)", len(a))
	}
	if _, bytes := any(data).([]byte); bytes {
		return Lend(data), arraySource(data)
	}
	return data, arraySource(data)
}

// arraySource is the Python expression for an array, by its bytes.
func arraySource[T Number](data []T) string {
	raw := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), len(data)*int(unsafe.Sizeof(*new(T))))
	return fmt.Sprintf("from_hex('%v', '%x')", dtypeOf[T](), raw)
}

func floatSource(x float64) string {
	switch {
	case x != x:
		return "math.nan"
	case math.IsInf(x, 0):
		if x < 0 {
			return "-math.inf"
		}
		return "math.inf"
	}
	return "float.fromhex('" + strconv.FormatFloat(x, 'x', -1, 64) + "')"
}

// textSource is the Python expression for a text, in ASCII.
func textSource(s string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for _, c := range s {
		fmt.Fprintf(&b, `\U%08x`, c)
	}
	b.WriteByte('\'')
	return b.String()
}

// A roundTrip takes values that Python makes into one Go type and sends them back.
type roundTrip struct {
	name  string // of the maker in testdata/oracle.py
	batch func(o *Object) (any, error)
	one   func(o *Object) (any, error)
}

func roundTripOf[T any](name string) roundTrip {
	return roundTrip{name,
		func(o *Object) (any, error) {
			values, err := As[[]T](o)
			boxed := make([]any, len(values))
			for i, value := range values {
				boxed[i] = value
			}
			return boxed, err
		},
		func(o *Object) (any, error) { return As[T](o) },
	}
}

type (
	pointRecord struct {
		X int     `py:"x"`
		Y float64 `py:"y"`
	}
	treeRecord struct {
		Name     string                `py:"name"`
		Children []*treeRecord         `py:"children"`
		ByName   map[string]treeRecord `py:"by_name"`
	}
	pairRecord struct {
		Left  int    `py:"left"`
		Right string `py:"right"`
	}
	optionalRecord struct {
		A *int      `py:"a"`
		B *string   `py:"b,omitempty"`
		C []float64 `py:"c"`
		D any       `py:"d"`
	}
)

// roundTrips are the rows of the table Python → Go.
var roundTrips = []roundTrip{
	roundTripOf[bool]("bool"),
	roundTripOf[int8]("int8"), roundTripOf[int16]("int16"), roundTripOf[int32]("int32"), roundTripOf[int64]("int64"), roundTripOf[int]("int64"),
	roundTripOf[uint8]("uint8"), roundTripOf[uint16]("uint16"), roundTripOf[uint32]("uint32"), roundTripOf[uint64]("uint64"), roundTripOf[uint]("uint64"),
	roundTripOf[float32]("float32"), roundTripOf[float64]("float64"), roundTripOf[complex64]("complex64"), roundTripOf[complex128]("complex128"),
	roundTripOf[myInt]("int16"), roundTripOf[myFloat]("float32"), roundTripOf[myString]("str"),
	roundTripOf[*big.Int]("bigint"), roundTripOf[big.Int]("bigint"), roundTripOf[string]("str"), roundTripOf[[]byte]("bytes"), roundTripOf[myBytes]("bytes"),
	roundTripOf[time.Time]("datetime"), roundTripOf[time.Time]("date"), roundTripOf[time.Duration]("timedelta"), roundTripOf[time.Duration]("time"),
	roundTripOf[time.Time]("datetime64"), roundTripOf[time.Duration]("timedelta64"),
	roundTripOf[string]("decimal"), roundTripOf[[16]byte]("uuid"), roundTripOf[string]("path"), roundTripOf[string]("enum"), roundTripOf[int]("intenum"),
	roundTripOf[[]int]("ints"), roundTripOf[[]float64]("floats"), roundTripOf[[]string]("strs"), roundTripOf[[]any]("items"), roundTripOf[[3]int]("triple"),
	roundTripOf[Tuple]("tuple"), roundTripOf[Set]("set"), roundTripOf[[][]float64]("rows"), roundTripOf[[]*int]("optionals"),
	roundTripOf[map[string]int]("dict_str_int"), roundTripOf[map[int]string]("dict_int_str"), roundTripOf[map[string]any]("dict_str_any"), roundTripOf[map[any]any]("dict_any_any"),
	roundTripOf[pointRecord]("point"), roundTripOf[*pointRecord]("point"), roundTripOf[pairRecord]("pair"), roundTripOf[treeRecord]("tree"),
	roundTripOf[optionalRecord]("optional_record"), roundTripOf[*int]("optional"), roundTripOf[any]("any"), roundTripOf[*Object]("object"),
	roundTripOf[[]bool]("array_bool"), roundTripOf[[]int8]("array_int8"), roundTripOf[[]int16]("array_int16"), roundTripOf[[]int32]("array_int32"),
	roundTripOf[[]int64]("array_int64"), roundTripOf[[]uint16]("array_uint16"), roundTripOf[[]uint32]("array_uint32"), roundTripOf[[]uint64]("array_uint64"),
	roundTripOf[[]float32]("array_float32"), roundTripOf[[]float64]("array_float64"), roundTripOf[[]complex64]("array_complex64"), roundTripOf[[]complex128]("array_complex128"),
	roundTripOf[*Array[bool]]("ndarray_bool"), roundTripOf[*Array[int8]]("ndarray_int8"), roundTripOf[*Array[uint8]]("ndarray_uint8"), roundTripOf[*Array[int16]]("ndarray_int16"),
	roundTripOf[*Array[int64]]("ndarray_int64"), roundTripOf[*Array[uint64]]("ndarray_uint64"), roundTripOf[*Array[float32]]("ndarray_float16"), roundTripOf[*Array[float32]]("ndarray_float32"),
	roundTripOf[*Array[float64]]("ndarray_float64"), roundTripOf[*Array[complex64]]("ndarray_complex64"), roundTripOf[*Array[complex128]]("ndarray_complex128"),
	roundTripOf[[]time.Time]("array_datetime64"), roundTripOf[[]*time.Duration]("array_timedelta64"), roundTripOf[[]string]("array_str"), roundTripOf[[]pointRecord]("array_struct"),
}

// TestRandomResults: Python → Go → Python.
func TestRandomResults(t *testing.T) {
	in := interpreter(t)
	seed, cases := seedAndCases(t)
	const batch = 60
	rounds := max(1, cases*4/10/batch/len(roundTrips))
	for index, row := range roundTrips {
		t.Run(fmt.Sprintf("%s %d", row.name, index), func(t *testing.T) {
			for round := 0; round < rounds && !t.Failed(); round++ {
				o, err := in.apply("oracle:make", row.name, seed, round*1000+index, batch)
				if err != nil {
					t.Fatal(err)
				}
				// One in four crosses alone, without the list around it.
				back, err := row.cross(o, round%4 == 3)
				_ = o.Close()
				if err != nil {
					t.Fatalf("seed %d, round %d: %v", seed, round, err)
				}
				found, err := evaluate[[]string](in, "oracle:verify", row.name, back)
				if err != nil {
					t.Fatalf("seed %d, round %d: %v", seed, round, err)
				}
				for _, difference := range found {
					t.Errorf("seed %d, round %d: %s", seed, round, difference)
				}
			}
		})
	}
}

// cross takes the values of a list, together or each alone.
func (row roundTrip) cross(list *Object, alone bool) (any, error) {
	if !alone {
		return row.batch(list)
	}
	var values []any
	for item, err := range list.Iter() {
		if err != nil {
			return nil, err
		}
		value, err := row.one(item)
		if err != nil {
			return nil, fmt.Errorf("%v: %w", item, err)
		}
		values = append(values, value)
	}
	return values, nil
}

// A judgement asks for a random Python object as a type of number: Python says whether it is one of its values.
type judgement struct {
	name string
	as   func(o *Object) (any, error)
}

func judgementOf[T any]() judgement {
	return judgement{fmt.Sprintf("%T", *new(T)), func(o *Object) (any, error) { return As[T](o) }}
}

// TestRandomNumbers: any object as any type of number is exactly that number, or an error.
func TestRandomNumbers(t *testing.T) {
	in := interpreter(t)
	seed, cases := seedAndCases(t)
	cases = cases * 2 / 10
	judgements := []judgement{
		judgementOf[bool](), judgementOf[int8](), judgementOf[int16](), judgementOf[int32](), judgementOf[int64](), judgementOf[uint8](), judgementOf[uint16](),
		judgementOf[uint32](), judgementOf[uint64](), judgementOf[float32](), judgementOf[float64](), judgementOf[complex64](), judgementOf[complex128](),
	}
	const batch = 200
	for done := 0; done < cases && !t.Failed(); {
		for _, j := range judgements {
			objects, err := evaluate[[]*Object](in, "oracle:numbers", j.name, seed, done, batch)
			if err != nil {
				t.Fatal(err)
			}
			accepted, values := make([]bool, len(objects)), make([]any, len(objects))
			for i, o := range objects {
				value, err := j.as(o)
				if accepted[i] = err == nil; err == nil {
					values[i] = value
				}
				_ = o.Close()
			}
			found, err := evaluate[[]string](in, "oracle:judge", j.name, accepted, values)
			if err != nil {
				t.Fatal(err)
			}
			for _, difference := range found {
				t.Errorf("seed %d: %s: %s", seed, j.name, difference)
			}
			done += batch
		}
	}
}
