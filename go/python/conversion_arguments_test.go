package python

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"math/big"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"
)

// The tests of this file walk the table Go → Python.

type (
	celsiusPointer struct{ degrees float64 }
	failing        struct{}
	itself         struct{ X int }
	ring           struct{ Next *ring }
	chain          struct{ Next *chain }
	flag           bool
	number         float64
)

// ToPython has a pointer as its receiver.
func (c *celsiusPointer) ToPython() (any, error) { return c.degrees, nil }

// ToPython fails.
func (failing) ToPython() (any, error) { return nil, errors.New("on purpose") }

// ToPython never ends.
func (i itself) ToPython() (any, error) { return i, nil }

// Each value, and what Python says that it got: an expression of which the value is equal, types included.
func TestArgumentTable(t *testing.T) {
	in := interpreter(t)
	object := expression(t, in, "object")
	defer object.Close()
	sum, err := in.Func("builtins:sum")
	if err != nil {
		t.Fatal(err)
	}
	defer sum.Close()
	point, line := expression(t, in, "Point"), expression(t, in, "Line")
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	big64 := new(big.Int).Lsh(big.NewInt(1), 64)
	five := 5
	same, err := in.Func("oracle:same")
	if err != nil {
		t.Fatal(err)
	}
	defer same.Close()
	var flat []flatRow
	for _, row := range []struct {
		value any
		want  string
	}{
		{nil, "None"}, {(*int)(nil), "None"}, {(*big.Int)(nil), "None"}, {(*Object)(nil), "None"}, {(*Function)(nil), "None"}, {(*celsiusPointer)(nil), "None"}, {(*Array[int])(nil), "None"}, {(*image.Gray)(nil), "None"}, {map[string]int(nil), "None"}, {(*[3]int)(nil), "None"}, {error(nil), "None"},
		{true, "True"}, {flag(false), "False"}, {&[]bool{true}[0], "True"},
		{int(-5), "-5"}, {int8(math.MinInt8), "-128"}, {int16(math.MaxInt16), "2**15-1"}, {int32(math.MinInt32), "-2**31"}, {int64(math.MinInt64), "-2**63"}, {uint(math.MaxUint), "2**64-1"}, {uint8(255), "255"}, {uint16(7), "7"}, {uint32(math.MaxUint32), "2**32-1"},
		{uint64(math.MaxUint64), "2**64-1"}, {uintptr(1), "1"}, {time.March, "3"}, {&five, "5"}, {'x', "120"},
		{big.NewInt(-1), "-1"}, {big64, "2**64"}, {new(big.Int).Neg(big64), "-2**64"}, {*big64, "2**64"}, {new(big.Int).Neg(new(big.Int).Lsh(big.NewInt(1), 63)), "-2**63"}, {new(big.Int).Lsh(big.NewInt(1), 127), "2**127"}, {new(big.Int).Neg(new(big.Int).Lsh(big.NewInt(1), 127)), "-2**127"},
		{1.5, "1.5"}, {float32(0.1), "0.10000000149011612"}, {math.Inf(-1), "-math.inf"}, {math.NaN(), "math.nan"}, {math.Copysign(0, -1), "-0.0"}, {number(2), "2.0"}, {1 + 2i, "1+2j"}, {complex64(1i), "1j"},
		{"", "''"}, {"a\x00é€🐍", "'a\\0é€🐍'"}, {myString("x"), "'x'"}, {[]byte("a\xff"), "b'a\\xff'"}, {[]byte(nil), "b''"}, {myBytes("b"), "b'b'"}, {[]byte{}, "b''"},

		{time.Date(2020, 2, 29, 1, 2, 3, 4000, time.UTC), "datetime.datetime(2020, 2, 29, 1, 2, 3, 4, datetime.timezone.utc)"}, {time.Date(2020, 7, 1, 12, 0, 0, 0, berlin), "datetime.datetime(2020, 7, 1, 12, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))"},
		{time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), "datetime.datetime(1, 1, 1, tzinfo=datetime.timezone.utc)"}, {time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC), "datetime.datetime.max.replace(tzinfo=datetime.timezone.utc)"},
		{time.Date(1, 1, 1, 0, 0, 0, 0, time.FixedZone("", 7200)), "datetime.datetime(1, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))"},
		{time.Duration(0), "datetime.timedelta()"}, {-time.Microsecond, "datetime.timedelta(microseconds=-1)"}, {time.Duration(math.MaxInt64).Truncate(time.Microsecond), "datetime.timedelta(microseconds=9223372036854775)"}, {time.Duration(math.MinInt64).Truncate(time.Microsecond), "datetime.timedelta(microseconds=-9223372036854775)"},
		{[]time.Duration{time.Second}, "[datetime.timedelta(seconds=1)]"}, {map[time.Month]time.Duration{1: time.Hour}, "{1: datetime.timedelta(hours=1)}"},

		{[]int{1, 2}, "np.array([1, 2])"}, {[]int(nil), "np.zeros(0, 'i8')"}, {[]float32{1}, "np.ones(1, 'f4')"}, {[]bool{true}, "np.array([True])"}, {[]uint16{1}, "np.ones(1, 'u2')"}, {[]time.Month{3}, "np.array([3])"}, {[]number{3}, "np.array([3.0])"}, {[]uintptr{1}, "np.ones(1, 'u8')"}, {[]complex64{1i}, "np.array([1j], 'c8')"},
		{[2]int{1, 2}, "np.array([1, 2])"}, {&[2]float32{1, 2}, "np.array([1, 2], 'f4')"}, {&[2][3]int8{{1, 2, 3}, {4, 5, 6}}, "np.array([[1, 2, 3], [4, 5, 6]], 'i1')"}, {[][2]bool{{true, false}}, "np.array([[True, False]])"}, {&[1][1][2]float64{{{1, 2}}}, "np.array([[[1.0, 2.0]]])"}, {[0]float64{}, "np.zeros(0)"}, {&[0][3]int{}, "np.zeros((0, 3), 'i8')"}, {[][3]int16{}, "np.zeros((0, 3), 'i2')"},
		{&[3]byte{1, 2, 3}, "np.array([1, 2, 3], 'u1')"}, {[][]float64{{1}, {}, {2, 3}}, "[np.array([1.0]), np.zeros(0), np.array([2.0, 3.0])]"}, {[][][]int{{{1}}}, "[[np.array([1])]]"}, {[][]byte{[]byte("a")}, "[b'a']"}, {[]string{"a", ""}, "['a', '']"}, {[]any{1, "x", nil, []any{}}, "[1, 'x', None, []]"},
		{[]*int{&five, nil}, "[5, None]"}, {[2]string{"a", "b"}, "['a', 'b']"}, {[]error{nil}, "[None]"}, {[]struct{}{{}}, "[{}]"}, {[]*big.Int{big64}, "[2**64]"}, {[]myString{"x"}, "['x']"}, {[]celsius{{1}}, "[(1.0, '\\xb0C')]"}, {[]Tuple{{1}}, "[(1,)]"}, {[]*celsiusPointer{{1}}, "[1.0]"},
		{map[string]int{"a": 1}, "{'a': 1}"}, {map[int]string{-1: "a"}, "{-1: 'a'}"}, {map[float64]bool{0.5: true}, "{0.5: True}"}, {map[bool]any{true: nil}, "{True: None}"}, {map[any]any{nil: 1, "x": []int{1}}, "{None: 1, 'x': np.array([1])}"}, {map[time.Time]int{time.Unix(0, 0).UTC(): 1}, "{datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc): 1}"},
		{map[*Object]int{object: 1}, "{object: 1}"}, {map[celsius]int{{1}: 1}, "{(1.0, '\\xb0C'): 1}"}, {map[string]map[string]int{"a": {}, "b": nil}, "{'a': {}, 'b': None}"}, {map[[2]string]int{{"a", "b"}: 1}, "{('a', 'b'): 1}"}, {map[[2]int]int{{1, 2}: 1}, "{(1, 2): 1}"},
		{derived{base{1}, "", "hidden"}, "{'id': 1}"}, {&derived{base{1}, "l", ""}, "{'id': 1, 'label': 'l'}"}, {struct{}{}, "{}"}, {tree{Value: 1, Left: &tree{Value: 2}, Children: []tree{{Value: 3}}}, "{'value': 1, 'left': {'value': 2}, 'children': [{'value': 3}]}"}, {struct{ A, B any }{nil, Tuple{}}, "{'A': None, 'B': ()}"},
		{struct {
			T  time.Time     `py:"t"`
			D  time.Duration `py:"d"`
			N  *big.Int
			L  Lent
			M  [2]float64
			Im *image.Gray
		}{time.Unix(0, 0).UTC(), time.Second, big64, Matrix([]int{1, 2}, 1, 2), [2]float64{1, 2}, nil}, "{'t': datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc), 'd': datetime.timedelta(seconds=1), 'N': 2**64, 'L': np.array([[1, 2]]), 'M': np.array([1.0, 2.0]), 'Im': None}"},
		{struct {
			A Array[float64] `py:"a"`
		}{Array[float64]{[]float64{1}, []int{1, 1}}}, "{'a': np.array([[1.0]])}"},
		{Tuple{1, "x", nil}, "(1, 'x', None)"}, {Tuple(nil), "()"}, {Tuple{Tuple{}, []float64{1}}, "((), np.array([1.0]))"}, {Set{1, "x", Tuple{1}}, "{1, 'x', (1,)}"}, {Set{}, "set()"},
		{object, "object"}, {sum, "sum"}, {[]*Object{object, nil}, "[object, None]"}, {in.none, "None"}, {&object, "object"},
		{celsius{1}, "(1.0, '\\xb0C')"}, {&celsius{1}, "(1.0, '\\xb0C')"}, {&celsiusPointer{2}, "2.0"}, {&Array[int8]{[]int8{1, 2}, []int{2, 1}}, "np.array([[1], [2]], 'i1')"}, {&Array[int8]{[]int8{1}, []int{}}, "np.array(1, 'i1')"},
		{New(point, pointRecord{1, 2}), "Point(1, 2.0)"}, {New(point, map[string]any{"x": 1}), "Point(1)"}, {New(point, KW{"x": 1}), "Point(1)"}, {New(line, map[string]any{"start": New(point, map[string]int{"x": 1})}), "Line(Point(1))"}, {[]Instance{New(point, pointRecord{1, 2})}, "[Point(1, 2.0)]"},
		{Collect(slices.Values([]float64{1, 2})), "np.array([1.0, 2.0])"},
		{&image.Gray{Pix: []byte{1, 2, 3, 4}, Stride: 2, Rect: image.Rect(0, 0, 2, 2)}, "np.array([[1, 2], [3, 4]], 'u1')"}, {&image.Gray{}, "np.zeros((0, 0), 'u1')"},
	} {
		difference, err := pythonText(in, "str(differs("+row.want+", x))", row.value)
		if err != nil || difference != "None" {
			t.Errorf("%.200s: %s, %v", shown(row.value), difference, err)
		}
		flat = append(flat, flatRow{row.want, func() {
			if o, err := same.Call(background, row.value); err == nil {
				_ = o.Close()
			}
		}})
	}
	flatRows(t, in, flat)
	if retained := in.Stats().Retained; retained != 0 {
		t.Errorf("%d arrays are retained", retained)
	}
}

// Each value that has no form in Python, and the error that names its place.
func TestArgumentErrorTable(t *testing.T) {
	in := interpreter(t)
	same, err := in.Func("oracle:same")
	if err != nil {
		t.Fatal(err)
	}
	defer same.Close()
	closed := expression(t, in, "object()")
	_ = closed.Close()
	point := expression(t, in, "Point")
	self := &ring{}
	self.Next = self
	list := []any{nil}
	list[0] = list
	dict := map[string]any{}
	dict["self"] = dict
	deep := any(nil)
	for range 101 {
		deep = []any{deep}
	}
	huge := make([]struct{}, 1<<24+1)
	var flat []flatRow
	for _, row := range []struct {
		arguments []any
		want      string // contained
		is        error
	}{
		{[]any{"a\xffb"}, "argument 1: want valid UTF-8, got byte 0xff at offset 1: pass []byte for bytes", nil}, {[]any{1, []string{"a", "\xff"}}, "argument 2: [1]: want valid UTF-8, got byte 0xff at offset 0", nil},
		{[]any{map[string]string{"k": "\xff"}}, `argument 1: ["k"]: want valid UTF-8`, nil}, {[]any{map[string]string{"\xff": "v"}}, "argument 1: key", nil}, {[]any{struct{ A []string }{[]string{"\xff"}}}, "argument 1: .A: [0]: want valid UTF-8", nil}, {[]any{Tuple{1, Set{"\xff"}}}, "argument 1: [1]: [0]: want valid UTF-8", nil},
		{[]any{unsafe.Pointer(nil)}, "argument 1: a Go unsafe.Pointer has no form in Python", nil}, {[]any{[]any{1, unsafe.Pointer(nil)}}, "argument 1: [1]: a Go unsafe.Pointer has no form in Python", nil},
		{[]any{map[string]any{"a": unsafe.Pointer(nil)}}, `argument 1: ["a"]: a Go unsafe.Pointer has no form in Python`, nil},
		{[]any{time.Unix(0, 1)}, "argument 1: 1970-01-01 00:00:00.000000001 +0000 UTC has nanoseconds, which a datetime has not: " + howToTruncate, nil}, {[]any{[]time.Duration{1}}, "argument 1: [0]: 1ns has nanoseconds, which a timedelta has not: " + howToTruncate, nil},
		{[]any{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}, "argument 1: 10000-01-01 00:00:00 +0000 UTC is outside of the years 1 to 9999 of a datetime", nil}, {[]any{time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC)}, "is outside of the years 1 to 9999 of a datetime", nil}, {[]any{time.Unix(1<<62, 0)}, "is outside of the years 1 to 9999 of a datetime", nil},
		{[]any{time.Date(2020, 1, 1, 0, 0, 0, 0, time.FixedZone("", 86400))}, "argument 1", nil},
		{[]any{KW{}, 1}, "argument 1: want keyword arguments as the last argument only", nil}, {[]any{[]any{KW{}}}, "argument 1: [0]: want keyword arguments as the last argument only", nil}, {[]any{KW{"a": unsafe.Pointer(nil)}}, `argument "a": a Go unsafe.Pointer`, nil}, {[]any{KW{"\xff": 1}}, "want valid UTF-8", nil}, {[]any{KW{"argument": 1, "b": 2}}, "same() got an unexpected keyword argument 'b'", TypeError},
		{[]any{}, "same() missing 1 required positional argument: 'argument'", TypeError}, {[]any{1, 2}, "same() takes 1 positional argument but 2 were given", TypeError}, {[]any{1, KW{"argument": 2}}, "same() got multiple values for argument 'argument'", TypeError},
		{[]any{failing{}}, "argument 1: python.failing.ToPython: on purpose", nil}, {[]any{[]any{failing{}}}, "argument 1: [0]: python.failing.ToPython: on purpose", nil}, {[]any{itself{}}, "argument 1: ", ErrLimit}, {[]any{closed}, "argument 1: ", ErrClosed}, {[]any{[]any{closed}}, "argument 1: [0]: ", ErrClosed},
		{[]any{self}, "deeper than 100 levels, or contains itself", ErrLimit}, {[]any{list}, "contains itself", ErrLimit}, {[]any{dict}, "contains itself", ErrLimit}, {[]any{deep}, "deeper than 100 levels", ErrLimit}, {[]any{huge}, "more than 16777216 values", ErrLimit}, {[]any{1, []any{huge}}, "argument 2: [0]: ", ErrLimit},
		{[]any{New(5, pointRecord{})}, "argument 1: python.New: want a *python.Function or *python.Object as the class, got int", nil}, {[]any{New(point, 5)}, "argument 1: python.New: want a struct or a map as the fields, got int", nil}, {[]any{New(point, nil)}, "python.New: want a struct or a map as the fields, got <nil>", nil}, {[]any{New(point, pairRecord{})}, "unexpected keyword argument 'left'", TypeError},
		{[]any{New(point, map[int]int{1: 2})}, "", TypeError}, {[]any{New((*Object)(nil), pairRecord{})}, "", TypeError},
		{[]any{1, Set{[]any{1}}}, "argument 2", TypeError}, {[]any{map[struct{ A int }]int{{1}: 1}}, "argument 1", TypeError}, {[]any{map[any]any{1: "a", true: "b"}}, "two keys of a map are equal in Python", ValueError}, {[]any{0, map[any]any{1: "a", 1.0: "b"}}, "argument 2", ValueError}, {[]any{Set{1, 1.0, true}}, "", ValueError},
		{[]any{struct {
			A int `py:"x"`
			B int `py:"x"`
		}{}}, `two fields are named "x"`, nil}, {[]any{struct {
			a int `py:"x"`
		}{}}, "field a has a py tag but is not exported", nil},
		// What has fields, but none that Python could see, is not an empty dict.
		{[]any{errors.New("x")}, "argument 1", nil}, {[]any{new(big.Float)}, "argument 1", nil}, {[]any{celsiusPointer{1}}, "argument 1", nil}, {[]any{Lent{}}, "argument 1", nil},
	} {
		text, err := panicked(func() (string, error) {
			o, err := same.Call(background, row.arguments...)
			if err != nil {
				return "", err
			}
			defer o.Close()
			return o.String(), nil
		})
		if err == nil || !strings.Contains(err.Error(), row.want) || row.is != nil && !errors.Is(err, row.is) {
			t.Errorf("%.200s: got %s, %.300v\nwant %v %s", shown(row.arguments), text, err, row.is, row.want)
		}
		if row.want != "more than 16777216 values" {
			flat = append(flat, flatRow{row.want, func() {
				if o, err := same.Call(background, row.arguments...); err == nil {
					_ = o.Close()
				}
			}})
		}
	}
	flatRows(t, in, flat)
}

// Names, defaults, positional-only and keyword-only parameters are Python's.
func TestKeywordArguments(t *testing.T) {
	in := interpreter(t)
	for _, row := range []struct {
		signature string
		arguments []any
		want      string
	}{
		{"(a, /, b, *, c=3)", []any{1, 2}, "(1, 2, 3)"}, {"(a, /, b, *, c=3)", []any{1, KW{"b": 2, "c": 4}}, "(1, 2, 4)"}, {"(a, /, b, *, c=3)", []any{KW{"a": 1, "b": 2}}, "positional"}, {"(a, /, **b)", []any{1, KW{"a": 2}}, "(1, {'a': 2})"},
		{"(a, *, c)", []any{1, 2}, "takes 1 positional argument but 2 were given"}, {"(a, *, c)", []any{1}, "missing 1 required keyword-only argument: 'c'"}, {"(*a, **b)", []any{1, 2, KW{"x": []float64{1}, "é": nil}}, "((1, 2), {'x': array([1.]), 'é': None})"}, {"(*a, **b)", []any{KW{}}, "((), {})"}, {"(*a, **b)", []any{KW(nil)}, "((), {})"},
	} {
		f := expression(t, in, "(lambda "+strings.Trim(row.signature, "()")+": tuple(v for k, v in locals().items()))")
		got := ""
		o, err := f.Call(background, row.arguments...)
		if err != nil {
			got = err.Error()
		} else {
			got = o.String()
		}
		if !strings.Contains(got, row.want) {
			t.Errorf("%s with %v: got %s, want %s", row.signature, row.arguments, got, row.want)
		}
	}
}

// A chain of pointers nests as deep in Go as in Python.
func TestArgumentDepth(t *testing.T) {
	in := interpreter(t)
	for depth, fits := range map[int]bool{1: true, 60: true, 100: true, 101: false} {
		list, links := any(5), (*chain)(nil)
		for range depth {
			list, links = []any{list}, &chain{links}
		}
		for name, value := range map[string]any{"lists": list, "a chain of structs": links} {
			if err := run(in, "oracle:same", value); (err == nil) != fits || !fits && !errors.Is(err, ErrLimit) {
				t.Errorf("%d levels of %s: %.200v", depth, name, err)
			}
		}
	}
}

// Limits are looked at before memory is taken: neither of these would fit into it.
func TestArgumentSizes(t *testing.T) {
	in := interpreter(t)
	for name, value := range map[string]any{
		"2**40 empty structs": make([]struct{}, 1<<40), "a shape of 2**80": Lend([]float64{1}).Strided([]int{1 << 40, 1 << 40}, []int{0, 0}), "many times the limit": []any{make([]struct{}, 1<<23), make([]struct{}, 1<<23)},
	} {
		if err := run(in, "oracle:same", value); err == nil {
			t.Errorf("%s: want an error", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
}

func TestSubImages(t *testing.T) {
	in := interpreter(t)
	r := image.Rect(-3, 5, 7, 12)
	part := image.Rect(1, 7, 4, 11)
	gray, rgba, nrgba := image.NewGray(r), image.NewRGBA(r), image.NewNRGBA(r)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			gray.Set(x, y, color.Gray{uint8(10*(x+3) + y)})
			rgba.Set(x, y, color.RGBA{uint8(x + 3), uint8(y), uint8(x * y), 255})
			nrgba.Set(x, y, color.NRGBA{uint8(y), uint8(x + 3), 7, uint8(x + y)})
		}
	}
	grayPart, rgbaPart, nrgbaPart := gray.SubImage(part).(*image.Gray), rgba.SubImage(part).(*image.RGBA), nrgba.SubImage(part).(*image.NRGBA)
	for y := part.Min.Y; y < part.Max.Y; y++ {
		for x := part.Min.X; x < part.Max.X; x++ {
			index := Tuple{y - part.Min.Y, x - part.Min.X}
			for want, value := range map[any]any{grayPart.GrayAt(x, y): grayPart, rgbaPart.RGBAAt(x, y): rgbaPart, nrgbaPart.NRGBAAt(x, y): nrgbaPart} {
				got, err := evaluate[[]int](in, "oracle:value", "list(np.atleast_1d(a[0][a[1]]).tolist())", value, index)
				_, fields, _ := strings.Cut(shown(want), "{")
				if err != nil || numbersIn(fmt.Sprint(got)) != numbersIn(fields) {
					t.Errorf("%d, %d: got %v, %v, want %v", x, y, got, err, want)
				}
			}
		}
	}
	for value, want := range map[any]string{gray: "((7, 10), (10, 1), 'uint8', False)", grayPart: "((4, 3), (10, 1), 'uint8', False)", rgbaPart: "((4, 3, 4), (40, 4, 1), 'uint8', False)", nrgbaPart: "((4, 3, 4), (40, 4, 1), 'uint8', False)", gray.SubImage(image.Rect(50, 50, 60, 60)): "((0, 0), (0, 1), 'uint8', True)"} {
		got, err := pythonText(in, "repr((x.shape, x.strides, x.dtype.name, x.flags.writeable))", value)
		if err != nil || got != want && !strings.Contains(want, "(0, 0)") {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
	// There and back.
	back, err := evaluate[*image.RGBA](in, "oracle:same", rgbaPart)
	if err != nil || back.Rect != image.Rect(0, 0, 3, 4) {
		t.Fatal(back, err)
	}
	for y := range 4 {
		for x := range 3 {
			if back.RGBAAt(x, y) != rgbaPart.RGBAAt(x+1, y+7) {
				t.Errorf("pixel %d, %d differs", x, y)
			}
		}
	}
}

// numbersIn keeps the numbers of a shown struct.
func numbersIn(s string) string {
	numbers := strings.FieldsFunc(s, func(c rune) bool { return c < '0' || c > '9' })
	return strings.Join(numbers, " ")
}

var _ = scenario("many lends while collecting", func() {
	in := start()
	check(run(in, "oracle:same", 0))
	// Something to mark, so that most of the time the garbage collector does.
	ballast := make([]*[]byte, 1<<19)
	for i := range ballast {
		ballast[i] = new([]byte)
	}
	var done atomic.Bool
	go func() {
		for !done.Load() {
			runtime.GC()
		}
	}()
	for range 150 {
		values := make([]any, 130)
		for j := range values {
			values[j] = make([]float64, 1+j%50)
		}
		check(run(in, "oracle:compare", "a", values))
		values = nil
		runtime.GC()
		runtime.GC()
		check(run(in, "oracle:same", 0))
	}
	done.Store(true)
	runtime.KeepAlive(ballast)
})

// What the core was told of lent memory is forgotten with the call: the garbage collector must not come across it later.
func TestManyLendsWhileCollecting(t *testing.T) {
	passScenario(t, "many lends while collecting", "GODEBUG=clobberfree=1")
}
