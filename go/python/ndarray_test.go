package python

import (
	"fmt"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"
)

// dtypeRow converts arrays of one dtype in every way that there is for arrays of numbers.
type dtypeRow struct {
	dtype  string
	narrow bool // elements of one byte, which have neither order nor alignment
	check  func(in *Interpreter, o *Object, rank int, facts []bool) []string
}

func rowOf[T Number](dtype string) dtypeRow {
	return dtypeRow{dtype, strings.HasSuffix(dtype, "8") || dtype == "bool", func(in *Interpreter, o *Object, rank int, facts []bool) (wrong []string) {
		same := func(way string, copied any, err error) {
			if err == nil {
				var difference string
				if difference, err = evaluate[string](in, "oracle:resembles", o, copied); difference != "" {
					err = fmt.Errorf("%s", difference)
				}
			}
			if err != nil {
				wrong = append(wrong, way+": "+err.Error())
			}
		}
		array, err := As[*Array[T]](o)
		same("*Array", array, err)
		switch rank {
		case 0:
			number, err := As[T](o)
			same("T", []any{number}, err)
		case 1:
			slice, err := As[[]T](o)
			same("[]T", Lend(slice), err)
			into := make([]T, 10)
			n, err := CopyTo(o, into)
			same("CopyTo", Lend(into[:n]), err)
			if facts[3] {
				fixed, err := As[[3]T](o)
				same("[3]T", &fixed, err)
				pointers, err := As[[]*T](o)
				var values []any
				for _, p := range pointers {
					values = append(values, *p)
				}
				same("[]*T", values, err)
			}
		case 2:
			rows, err := As[[][]T](o)
			if len(array.Data) > 0 {
				same("[][]T", flatten(rows), err)
				fixed, err := As[[2][3]T](o)
				same("[2][3]T", &fixed, err)
				mixed, err := As[[][3]T](o)
				same("[][3]T", mixed, err)
			}
		case 3:
			planes, err := As[[][][]T](o)
			if len(array.Data) > 0 {
				same("[][][]T", flatten(slices.Concat(planes...)), err)
			}
		}
		view, err := Borrow[T](o)
		fits := facts[0] && facts[1] && dtypeOf[T]().String() == dtype
		if fits != (err == nil) {
			wrong = append(wrong, fmt.Sprintf("Borrow: %v with native %v, positive strides %v", err, facts[0], facts[1]))
		}
		if err == nil {
			defer view.Release()
			for i := range array.Data {
				index := indexOf(i, array.Shape)
				if view.At(index...) != array.At(index...) {
					wrong = append(wrong, fmt.Sprintf("Borrow: element %v is %v, want %v", index, view.At(index...), array.At(index...)))
				}
			}
			if !slices.Equal(view.Shape, array.Shape) || view.Writable != facts[2] {
				wrong = append(wrong, fmt.Sprintf("Borrow: shape %v, writable %v", view.Shape, view.Writable))
			}
		}
		return wrong
	}}
}

// flatten puts numbers into a list.
func flatten[T any](rows [][]T) []any {
	list := []any{}
	for _, row := range rows {
		for _, number := range row {
			list = append(list, number)
		}
	}
	return list
}

// indexOf returns the index of the element that is number i in row-major order.
func indexOf(i int, shape []int) []int {
	index := make([]int, len(shape))
	for axis := len(shape) - 1; axis >= 0; axis-- {
		index[axis] = i % shape[axis]
		i /= shape[axis]
	}
	return index
}

// Every dtype, in every order, stride, byte order, alignment and rank, into every kind of target.
func TestArrayLayouts(t *testing.T) {
	in := interpreter(t)
	cases := 0
	for _, row := range []dtypeRow{
		rowOf[bool]("bool"), rowOf[int8]("int8"), rowOf[int16]("int16"), rowOf[int32]("int32"), rowOf[int64]("int64"), rowOf[int]("int64"), rowOf[uint8]("uint8"), rowOf[uint16]("uint16"), rowOf[uint32]("uint32"), rowOf[uint64]("uint64"), rowOf[uint]("uint64"),
		rowOf[float32]("float16"), rowOf[float32]("float32"), rowOf[float64]("float64"), rowOf[complex64]("complex64"), rowOf[complex128]("complex128"), rowOf[myInt]("int16"), rowOf[number]("float64"), rowOf[flag]("bool"),
	} {
		for rank := range 5 {
			for _, layout := range []string{"C", "F", "strided", "reversed", "broadcast", "empty", "read-only"} {
				for order := range 4 {
					swapped, unaligned := order&1 != 0, order&2 != 0
					if order > 0 && row.narrow {
						continue
					}
					o, err := in.apply("oracle:arranged", row.dtype, rank, layout, swapped, unaligned)
					if err != nil {
						t.Fatal(err)
					}
					facts, err := evaluate[[]bool](in, "oracle:facts", o)
					if err != nil {
						t.Fatal(err)
					}
					for _, wrong := range row.check(in, o, rank, append(facts, layout != "empty")) {
						t.Errorf("%s, rank %d, %s, swapped %v, unaligned %v: %s", row.dtype, rank, layout, swapped, unaligned, wrong)
					}
					cases++
					_ = o.Close()
				}
			}
		}
	}
	t.Logf("%d arrays", cases)
}

func TestArrayConversions(t *testing.T) {
	utc := func(year int, month time.Month, day, hour, minute, second, nano int) time.Time {
		return time.Date(year, month, day, hour, minute, second, nano, time.UTC)
	}
	nan := math.NaN()
	checkConversions(t, []conversion{
		// Sizes may change where every value stays; kinds may not.
		gives("np.array([1, 255], 'u1')", []int64{1, 255}), gives("np.array([1, -128])", []int8{1, -128}), refuses[[]int8]("np.array([1, 128])", "result[1]: 128 does not fit int8 exactly"), refuses[[]uint8]("np.array([0, -1])", "result[1]: -1 does not fit uint8 exactly"), refuses[[]int64]("np.array([2**63], 'u8')", "result[0]: 9223372036854775808 does not fit int64 exactly"),
		gives("np.array([0.5, math.nan])", []float32{0.5, float32(nan)}), refuses[[]float32]("np.array([0.5, 0.1])", "result[1]: 0.1 does not fit float32 exactly"), gives("np.array([0.1], 'f2')", []float64{0.0999755859375}), gives("np.array([6e-8, -0.0, math.inf, 65504], 'f2')", []float32{5.9604645e-08, float32(math.Copysign(0, -1)), float32(math.Inf(1)), 65504}),
		gives("np.array([1j])", []complex64{1i}), refuses[[]complex64]("np.array([0, 0.1j])", "result[1]: (0+0.1i) does not fit complex64 exactly"), gives("np.array([1j], 'c8')", []complex128{1i}),
		refuses[[]float64]("np.array([1])", "result: want []float64, got array of int64"), refuses[[]int]("np.array([1.0])", "result: want []int, got array of float64"), refuses[[]int]("np.array([True])", "result: want []int, got array of bool"), refuses[[]bool]("np.array([1])", "result: want []bool, got array of int64"), refuses[[]float64]("np.array([1j])", "result: want []float64, got array of complex128"),
		refuses[[]float64]("np.array(['1'])", "…want float64, got str"), refuses[[]string]("np.array([1])", "result: want []string, got array of int64"), refuses[[]float64]("np.array([1], 'g')", "result: want []float64, got array of dtype float128 and shape (1,)"), refuses[any]("np.array([1], 'G')", "…complex256"),
		refuses[[][]int8]("np.array([[1, 2], [3, 300]])", "result[1][1]: 300 does not fit int8 exactly"), refuses[*Array[int8]]("np.array([[1, 2], [3, 300]])", "…300 does not fit int8 exactly"), refuses[[2][2]int8]("np.array([[1, 2], [3, 300]])", "result[1][1]: 300 does not fit int8 exactly"),

		// The rank has to be that of the target.
		refuses[[]float64]("np.zeros((2, 2))", "…want []float64, got array of float64"), refuses[[][]float64]("np.zeros(2)", "result: want [][]float64, got array of float64"), refuses[[][]float64]("np.zeros((1, 1, 1))", "…array of float64"), refuses[[]float64]("np.array(1.0)", "…want []float64, got"), refuses[float64]("np.zeros(1)", "…want float64, got array of float64"),
		refuses[[3]float64]("np.zeros(2)", "result: want [3]float64, got 2 items"), refuses[[2][3]float64]("np.zeros((2, 2))", "…want [3]float64, got 2 items"), refuses[[3][2]float64]("np.zeros((2, 2))", "…want [3][2]float64, got 2 items"), gives("np.zeros((0, 3))", [][]float64{}), gives("np.zeros((2, 0))", [][]float64{{}, {}}), gives("np.zeros((0, 3))", &Array[float64]{[]float64{}, []int{0, 3}}),
		gives("np.array([[1, 2]], 'i2')", [][]myInt{{1, 2}}), gives("np.array([1.5])", []number{1.5}), gives("np.array([3])", []time.Month{3}), refuses[[]time.Duration]("np.array([3])", "result: want []time.Duration, got array of int64"), gives("np.array([1, 0], bool)", []flag{true, false}), gives("np.array([1])", []any{int64(1)}),
		gives("np.array([[1, 2], [3, 4]])", [][]*int{{pointer(1), pointer(2)}, {pointer(3), pointer(4)}}), gives("np.array([[1], [2]])", [][]any{{int64(1)}, {int64(2)}}), gives("np.zeros((1,) * 30)", &Array[float64]{[]float64{0}, slices.Repeat([]int{1}, 30)}),
		gives("np.array([2, 0, 255], 'u1').view(bool)", []bool{true, false, true}), gives("np.arange(3).view(np.memmap)[1:]", []int{1, 2}),

		// Times, in every unit.
		gives("np.array(['2020-02-29T01:02:03.000000004'], 'M8[ns]')", []time.Time{utc(2020, 2, 29, 1, 2, 3, 4)}), gives("np.array([-1], 'M8[ns]')", []time.Time{utc(1969, 12, 31, 23, 59, 59, 999999999)}), gives("np.array([-1], 'M8[us]')", []time.Time{utc(1969, 12, 31, 23, 59, 59, 999999000)}), gives("np.array([-1], '>M8[ms]')", []time.Time{utc(1969, 12, 31, 23, 59, 59, 999000000)}),
		gives("np.array([-1], 'M8[s]')", []time.Time{utc(1969, 12, 31, 23, 59, 59, 0)}), gives("np.array([1], 'M8[m]')", []time.Time{utc(1970, 1, 1, 0, 1, 0, 0)}), gives("np.array([1], 'M8[h]')", []time.Time{utc(1970, 1, 1, 1, 0, 0, 0)}), gives("np.array(['1969-12-31'], 'M8[D]')", []time.Time{utc(1969, 12, 31, 0, 0, 0, 0)}), gives("np.array([1], 'M8[W]')", []time.Time{utc(1970, 1, 8, 0, 0, 0, 0)}),
		gives("np.array(['2020-02', '1969-11', '0001-01'], 'M8[M]')", []time.Time{utc(2020, 2, 1, 0, 0, 0, 0), utc(1969, 11, 1, 0, 0, 0, 0), utc(1, 1, 1, 0, 0, 0, 0)}), gives("np.array(['2020', '1969', '-5'], 'M8[Y]')", []time.Time{utc(2020, 1, 1, 0, 0, 0, 0), utc(1969, 1, 1, 0, 0, 0, 0), utc(-5, 1, 1, 0, 0, 0, 0)}), gives("np.array([3], 'M8[25s]')", []time.Time{utc(1970, 1, 1, 0, 1, 15, 0)}),
		gives("np.array([5000], 'M8[ps]')", []time.Time{utc(1970, 1, 1, 0, 0, 0, 5)}), refuses[[]time.Time]("np.array([5001], 'M8[ps]')", "result[0]: a datetime64 of 5001 [1ps] does not fit time.Time exactly"), refuses[[]time.Time]("np.array([0, 2**62], 'M8[W]')", "result[1]: a datetime64 of 4611686018427387904 [1W] does not fit time.Time exactly"), refuses[[]time.Time]("np.array([2**62], 'M8[Y]')", "…does not fit time.Time exactly"),
		gives("np.array(['9999-12-31T23:59:59', '0001-01-01'], 'M8[s]')", []time.Time{utc(9999, 12, 31, 23, 59, 59, 0), utc(1, 1, 1, 0, 0, 0, 0)}), gives("np.array([['2020'], ['2021']], 'M8[s]')", [][]time.Time{{utc(2020, 1, 1, 0, 0, 0, 0)}, {utc(2021, 1, 1, 0, 0, 0, 0)}}), gives("np.array(['2020'], 'M8[s]')", [1]time.Time{utc(2020, 1, 1, 0, 0, 0, 0)}),
		gives("np.array(['2020', 'NaT'], 'M8[s]')", []*time.Time{pointer(utc(2020, 1, 1, 0, 0, 0, 0)), nil}), refuses[[]time.Time]("np.array(['2020', 'NaT'], 'M8[s]')", "result[1]: want time.Time, got NaT: ask for []*time.Time"), refuses[time.Time]("np.datetime64('NaT', 's')", "result: want time.Time, got NaT"), gives[*time.Time]("np.datetime64('NaT', 's')", nil), gives[any]("np.datetime64('NaT', 's')", nil),
		gives("np.datetime64('2020-01-01', 'D')", utc(2020, 1, 1, 0, 0, 0, 0)), gives("np.array('2020-01-01', 'M8[D]')", utc(2020, 1, 1, 0, 0, 0, 0)), refuses[[]int64]("np.array(['2020'], 'M8[s]')", "result: want []int64, got array of datetime64"), refuses[[]string]("np.array(['2020'], 'M8[s]')", "result: want []string, got array of datetime64"), refuses[*Array[int64]]("np.array(['2020'], 'M8[s]')", "…got array of datetime64"),
		gives("np.array([1, -1, 'NaT'], 'm8[ns]')", []*time.Duration{pointer(time.Nanosecond), pointer(-time.Nanosecond), nil}), gives("np.array([90], 'm8[s]')", []time.Duration{90 * time.Second}), gives("np.array([2], 'm8[W]')", []time.Duration{14 * 24 * time.Hour}), gives("np.array([-2000], 'm8[ps]')", []time.Duration{-2}), gives("np.timedelta64(2**63-1, 'ns')", time.Duration(math.MaxInt64)),
		refuses[[]time.Duration]("np.array([1], 'm8[Y]')", "result[0]: a timedelta64 of 1 [1Y] does not fit time.Duration exactly"), refuses[[]time.Duration]("np.array([2**62], 'm8[us]')", "…does not fit time.Duration exactly"), refuses[[]time.Duration]("np.array([1], 'm8[30501W]')", "…does not fit time.Duration exactly"), refuses[[]time.Duration]("np.array([1500], 'm8[ps]')", "…does not fit time.Duration exactly"), refuses[[]time.Time]("np.array([1], 'm8[s]')", "result: want []time.Time, got array of timedelta64"),
		refuses[[]time.Duration]("np.array([1], 'm8')", "…"),

		// Fixed strings.
		gives("np.array(['a', 'é€🐍', ''])", []string{"a", "é€🐍", ""}), gives("np.array(['ab'], '>U3')", []string{"ab"}), gives("np.array([['a'], ['b']])", [][]string{{"a"}, {"b"}}), gives("np.array([b'a', b'b\\xff'])", [][]byte{[]byte("a"), []byte("b\xff")}), gives("np.array(['a', 'b'])[::-1]", [2]string{"b", "a"}), gives("np.array(['a'])", []myString{"a"}), refuses[[]string]("np.array([b'a'])", "result[0]: want string, got bytes"),

		// Structured dtypes.
		gives("np.array([(1, 2.5), (3, 4.5)], [('x', 'i8'), ('y', 'f8')])", []pointRecord{{1, 2.5}, {3, 4.5}}), gives("np.array([(1, 2.5)], np.dtype([('y', '>f4'), ('x', 'u1')]))[::-1]", []pointRecord{{2, 1}}), gives("np.array([(1, 2.5)], [('x', 'i8'), ('y', 'f8')])[0]", pointRecord{1, 2.5}), gives("np.array((1, 2.5), [('x', 'i8'), ('y', 'f8')])", pointRecord{1, 2.5}),
		gives("np.array([(1, 'a', b'b')], [('n', 'i2'), ('s', 'U3'), ('b', 'S2')])", []struct {
			N int16  `py:"n"`
			S string `py:"s"`
			B []byte `py:"b"`
		}{{1, "a", []byte("b")}}), gives("np.array([([1, 2, 3], (4, 5))], [('v', 'f8', (3,)), ('p', [('x', 'i8'), ('y', 'f8')])])", []struct {
			V [3]float64  `py:"v"`
			P pointRecord `py:"p"`
		}{{[3]float64{1, 2, 3}, pointRecord{4, 5}}}), gives("np.array([('2020', 5)], [('t', 'M8[D]'), ('d', 'm8[s]')])", []struct {
			T time.Time     `py:"t"`
			D time.Duration `py:"d"`
		}{{utc(2020, 1, 1, 0, 0, 0, 0), 5 * time.Second}}),
		gives("np.array([(1, 2.5)], [('x', 'i8'), ('y', 'f8')])", struct {
			X []int     `py:"x"`
			Y []float64 `py:"y"`
		}{[]int{1}, []float64{2.5}}), gives("np.array([(1, 2.5)], [('x', 'i8'), ('y', 'f8')])", map[string]any{"x": []int64{1}, "y": []float64{2.5}}), gives("np.array([(1, 2.5)], [('x', 'i8'), ('y', 'f8')])", []map[string]any{{"x": int64(1), "y": 2.5}}), gives("np.zeros(0, [('x', 'i8'), ('y', 'f8')])", []pointRecord{}),
		refuses[[]pointRecord]("np.zeros(1, [('x', 'i8'), ('z', 'f8')])", `result: python.pointRecord has no field for the column "z": add one or pass python.AllowUnknown`), refuses[[]pointRecord]("np.zeros(1, [('x', 'i8'), ('z', 'f8')])", `…"y"`, AllowUnknown), gives("np.ones(1, [('x', 'i8'), ('z', 'f8')])", []pointRecord{{1, 0}}, AllowUnknown, AllowMissing), refuses[[]pointRecord]("np.zeros(1, [('x', 'i8')])", "…pass python.AllowMissing"),
		gives("np.array([(1, )], [('id', 'i8')])", []derived{{base{1}, "", ""}}), gives("np.zeros(2, [('z', 'i8')])", []pointRecord{{}, {}}, AllowUnknown, AllowMissing), refuses[[]pointRecord]("np.array([(1, 2), (300, 1)], [('x', 'f8'), ('y', 'f8')])", `result["x"]: want []int, got array of float64`), refuses[[]struct {
			X int8 `py:"x"`
		}]("np.array([(1,), (300,)], [('x', 'i8')])", `…300 does not fit int8 exactly`), refuses[any]("np.zeros((1, 1), [('x', 'i8')])", "…"), refuses[[]int]("np.zeros(1, [('x', 'i8')])", "…"),

		// Masked arrays, object arrays, matrices: what the caller explicitly asks for, or an error.
		refuses[[]int]("np.ma.array([1, 2], mask=[0, 1])", "…numpy.ma"), refuses[any]("np.ma.array([1, 2], mask=[0, 1])", "…numpy.ma"), gives("np.ma.array([1, 2], mask=[0, 1])", []*int{pointer(1), nil}), gives("np.ma.array([1, 2], mask=[0, 1])", []any{int64(1), nil}), gives("np.ma.array([1, 2], mask=[0, 1])", Masked[int]{[]int{1, 2}, []bool{false, true}}), gives("np.ma.array([1, 2])", Masked[int]{[]int{1, 2}, []bool{false, false}}),
		gives("np.array([1, 2])", Masked[int]{[]int{1, 2}, []bool{false, false}}), refuses[[]int]("np.ma.array([1, 2])", "…numpy.ma"), gives("np.ma.masked_invalid([1.0, math.nan])", []*float64{pointer(1.0), nil}), refuses[*int]("np.ma.masked", "…"), refuses[Masked[int]]("np.ma.array([1.5])", "…want []int, got array of float64"),
		refuses[[]int]("np.array([1, 2], object)", "…object"), gives("np.array([1, 'x', None], object)", []any{1, "x", nil}), gives("np.array(['a'], object)", []string{"a"}), gives("np.array([[1, 'x']], object)", [][]any{{1, "x"}}), refuses[any]("np.array([1], object)", "…object"), gives("np.array([1, None], object)", []*int{pointer(1), nil}), refuses[[]string]("np.array([1], object)", "result[0]: want string, got int"),
		refuses[[]float64]("np.matrix([[1.0]])", "…numpy.matrix"), refuses[[][]float64]("np.matrix([[1.0]])", "…numpy.matrix"), refuses[any]("np.matrix([[1.0]])", "…numpy.matrix"), refuses[[]int]("np.arange(2).view(np.recarray)", "…numpy.rec"),
	})
}

func TestCopyTo(t *testing.T) {
	in := interpreter(t)
	o := expression(t, in, "np.arange(1000.0)[::-1]")
	into := make([]float64, 1001)
	into[1000] = -1
	if n, err := CopyTo(o, into); n != 1000 || err != nil || into[0] != 999 || into[999] != 0 || into[1000] != -1 {
		t.Errorf("got %d, %v, %v", n, err, into[998:])
	}
	short := make([]float64, 999)
	if _, err := CopyTo(o, short); err == nil || !strings.Contains(err.Error(), "want room for 1000 elements, got 999") || short[0] != 0 {
		t.Errorf("too short: %v, %v", err, short[0])
	}
	if _, err := CopyTo(o, make([]int, 1000)); err == nil || !strings.Contains(err.Error(), "want []int, got array of float64") {
		t.Errorf("another kind: %v", err)
	}
	if n, err := CopyTo(o, make([]float32, 1000)); n != 1000 || err != nil {
		t.Errorf("another size: %d, %v", n, err)
	}
	if n, err := CopyTo(expression(t, in, "np.zeros(0)"), []float64(nil)); n != 0 || err != nil {
		t.Errorf("empty: %d, %v", n, err)
	}
	for source, want := range map[string]string{"5": "got int", "None": "got None", "[1.0]": "got list"} {
		if _, err := CopyTo(expression(t, in, source), into); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", source, err)
		}
	}
	// "It takes no Go memory", however long the array is.
	few := testing.AllocsPerRun(100, func() { _, _ = CopyTo(o, into) })
	before := memoryTaken(func() { _, _ = CopyTo(o, into) })
	if few > 4 || before > 512 {
		t.Errorf("CopyTo takes memory %v times, %d bytes", few, before)
	}
}

// memoryTaken returns how many bytes a body takes from the heap, the least of some runs.
func memoryTaken(body func()) uint64 {
	least := uint64(math.MaxUint64)
	for range 10 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 100 {
			body()
		}
		runtime.ReadMemStats(&after)
		least = min(least, (after.TotalAlloc-before.TotalAlloc)/100)
	}
	return least
}

func TestBorrow(t *testing.T) {
	in := interpreter(t)
	o := expression(t, in, "np.arange(6.0).reshape(2, 3)[:, ::2]")
	view, err := Borrow[float64](o)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(view.Data, []float64{0, 1, 2, 3, 4, 5}) || !slices.Equal(view.Shape, []int{2, 2}) || !slices.Equal(view.Strides, []int{3, 2}) || view.At(1, 1) != 5 || !view.Writable {
		t.Errorf("got %+v", view)
	}
	// It is Python's memory.
	address, err := evaluate[uint64](in, "oracle:value", "a[0].ctypes.data", o)
	if err != nil || address != addressOf(view.Data) {
		t.Errorf("address %x, want %x, %v", addressOf(view.Data), address, err)
	}
	view.Data[3] = 100
	if got, err := evaluate[float64](in, "oracle:value", "a[0][1, 0].item()", o); err != nil || got != 100 {
		t.Errorf("got %v, %v", got, err)
	}
	// It outlives the object.
	_ = o.Close()
	if err := run(in, "oracle:value", "gc.collect()"); err != nil || view.At(1, 0) != 100 {
		t.Error(err, view.At(1, 0))
	}
	for _, index := range [][]int{{2, 0}, {-1, 0}, {0}, {0, 0, 0}} {
		if _, err := panicked(func() (string, error) { view.At(index...); return "", nil }); err == nil {
			t.Errorf("index %v: want a panic", index)
		}
	}
	view.Release()
	view.Release()
	if view.Data != nil {
		t.Error("a released view has data")
	}
	for source, want := range map[string]string{
		"np.arange(3.0)[::-1]": "cannot be borrowed", "np.arange(3.0).astype('>f8')": "can be copied, but not borrowed", "np.zeros(25, 'u1')[1:].view('f8')": "can be copied, but not borrowed", "np.arange(3)": "want an array of float64, got one of int64", "5": "want an array of numbers, got int", "None": "got None",
		"[1.0]": "want an array of numbers, got list", "np.ma.array([1.0])": "want an array of numbers, got numpy.ma", "np.matrix([[1.0]])": "numpy.matrix", "np.zeros(2, [('x', 'f8'), ('y', 'i4')])['x']": "can be copied, but not borrowed", "np.array(['2020'], 'M8[s]')": "want an array of numbers",
	} {
		if _, err := Borrow[float64](expression(t, in, source)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", source, err, want)
		}
	}
	for source, want := range map[string]string{"np.zeros(0)": "[] [0]", "np.zeros((0, 3))": "[] [0 3]", "np.array(5.0)": "[5] []", "np.broadcast_to(2.0, (2, 2))": "[2] [2 2]", "np.arange(1.0)[::-1]": "[0] [1]", "np.zeros((2, 0))[::-1]": "[] [2 0]"} {
		view, err := Borrow[float64](expression(t, in, source))
		if err != nil || fmt.Sprint(view.Data, view.Shape) != want {
			t.Errorf("%s: got %v, %v, want %s", source, view, err, want)
		}
	}
	// Bytes that are neither 0 nor 1 are no Go bools.
	if view, err := Borrow[bool](expression(t, in, "np.array([2], 'u1').view(bool)")); err == nil && *(*byte)(unsafe.Pointer(&view.Data[0])) > 1 {
		t.Error("a borrowed bool is neither true nor false")
	}
	if _, err := Borrow[complex128](expression(t, in, "np.zeros(2, [('x', 'c16'), ('y', 'f8')])['x']")); err == nil || !strings.Contains(err.Error(), "strides of 24 bytes cannot be borrowed") {
		t.Errorf("strides that are no multiple: %v", err)
	}
	closed := expression(t, in, "np.zeros(1)")
	_ = closed.Close()
	if _, err := Borrow[float64](closed); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("closed: %v", err)
	}
	flatObjects(t, in, func() {
		o := expression(t, in, "np.zeros(3)")
		view, _ := Borrow[float64](o)
		_, _ = Borrow[int](o)
		_ = o.Close()
		view.Release()
		_, _ = Borrow[float64](expression(t, in, "np.zeros(3)")) // left to the garbage collector
	})
}

// Arrays with a shape and strides over Go memory: addresses, shapes and writability as Python sees them.
func TestLendShapes(t *testing.T) {
	in := interpreter(t)
	s := []float64{0, 1, 2, 3, 4, 5}
	fixed := &[2][3]float64{{0, 1, 2}, {3, 4, 5}}
	arrays := [][2][2]int16{{{1, 2}, {3, 4}}, {{5, 6}, {7, 8}}}
	for _, row := range []struct {
		value any
		first unsafe.Pointer
		want  string // shape, strides, writable, values
	}{
		{Lend(s), unsafe.Pointer(&s[0]), "((6,), (8,), False, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0])"}, {Lend(s).Reshape(2, 3), unsafe.Pointer(&s[0]), "((2, 3), (24, 8), False, [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])"}, {Matrix(s, 3, 2), unsafe.Pointer(&s[0]), "((3, 2), (16, 8), False, [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])"}, {Lend(s).Reshape(1, 2, 1, 3), unsafe.Pointer(&s[0]), "((1, 2, 1, 3), (48, 24, 24, 8), False, [[[[0.0, 1.0, 2.0]], [[3.0, 4.0, 5.0]]]])"},
		{LendMut(s).Reshape(3, 2), unsafe.Pointer(&s[0]), "((3, 2), (16, 8), True, [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])"}, {Lend(s).Strided([]int{2, 2}, []int{3, 2}), unsafe.Pointer(&s[0]), "((2, 2), (24, 16), False, [[0.0, 2.0], [3.0, 5.0]])"}, {Lend(s).Strided([]int{3, 2}, []int{1, 3}), unsafe.Pointer(&s[0]), "((3, 2), (8, 24), False, [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]])"},
		{Lend(s[1:]).Strided([]int{2}, []int{4}), unsafe.Pointer(&s[1]), "((2,), (32,), False, [1.0, 5.0])"}, {Lend(s).Strided([]int{2, 3}, []int{0, 1}), unsafe.Pointer(&s[0]), "((2, 3), (0, 8), False, [[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]])"}, {Lend(s).Strided([]int{}, []int{}), unsafe.Pointer(&s[0]), "((), (), False, 0.0)"}, {Lend(s[5:]).Reshape(), unsafe.Pointer(&s[5]), "((), (), False, 5.0)"}, {Lend(s[:1]).Reshape(1, 1), unsafe.Pointer(&s[0]), "((1, 1), (8, 8), False, [[0.0]])"},
		{fixed, unsafe.Pointer(fixed), "((2, 3), (24, 8), False, [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])"}, {arrays, unsafe.Pointer(&arrays[0]), "((2, 2, 2), (8, 4, 2), False, [[[1, 2], [3, 4]], [[5, 6], [7, 8]]])"}, {&Array[float64]{s, []int{3, 2}}, unsafe.Pointer(&s[0]), "((3, 2), (16, 8), False, [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])"},
		{Lend([]float64{}).Reshape(0, 5), nil, "((0, 5), (40, 8), True, [])"}, {Lend(s[:0]).Reshape(3, 0), nil, "((3, 0), (8, 8), True, [[], [], []])"}, {Lend(s).Strided([]int{0, 2}, []int{3, 2}), nil, "((0, 2), (16, 8), True, [])"}, {LendMut(s).Strided([]int{2, 2}, []int{3, 1}), unsafe.Pointer(&s[0]), "((2, 2), (24, 8), True, [[0.0, 1.0], [3.0, 4.0]])"},
	} {
		got, err := pythonText(in, "repr((x.shape, x.strides, x.flags.writeable, x.tolist()))", row.value)
		if row.first == nil { // nothing to compare strides and writability of
			shape, _, _ := strings.Cut(row.want, "), ")
			if err != nil || !strings.HasPrefix(got, shape) {
				t.Errorf("%v: got %s, %v, want %s", row.value, got, err, row.want)
			}
			continue
		}
		if err != nil || got != row.want {
			t.Errorf("%v: got %s, %v, want %s", row.value, got, err, row.want)
		}
		address, err := evaluate[uint64](in, "oracle:value", "a[0].ctypes.data", row.value)
		if err != nil || address != uint64(uintptr(row.first)) {
			t.Errorf("%v: it lies at %x, %v, want %x", row.value, address, err, row.first)
		}
		if strings.Contains(row.want, "False") {
			if err := run(in, "oracle:execute", "a[0].flags.writeable = True", row.value); err == nil {
				t.Errorf("%v: Python may make it writable", row.value)
			}
			if err := run(in, "oracle:execute", "a[0][...] = 7", row.value); err == nil {
				t.Errorf("%v: Python may write", row.value)
			}
		}
	}
	if err := run(in, "oracle:execute", "a[0][1, :] = [10, 20, 30]", LendMut(s).Reshape(2, 3)); err != nil || !slices.Equal(s, []float64{0, 1, 2, 10, 20, 30}) {
		t.Errorf("LendMut of two dimensions: %v, %v", s, err)
	}
	if err := run(in, "oracle:execute", "a[0][:, 0] = [-1, -2]", LendMut(s).Strided([]int{2, 2}, []int{3, 2})); err != nil || !slices.Equal(s, []float64{-1, 1, 2, -2, 20, 30}) {
		t.Errorf("LendMut with strides: %v, %v", s, err)
	}
	for lent, want := range map[string]Lent{
		"argument 1: shape [2 2] has 4 elements, but the slice has 6": Matrix(s, 2, 2), "argument 1: shape [-1 6]: want lengths of 0 or more": Lend(s).Reshape(-1, 6), "argument 1: shape [2 3] and strides [3] differ in length": Lend(s).Strided([]int{2, 3}, []int{3}), "the last element is at 6, but the slice has 6": Lend(s).Strided([]int{2}, []int{6}), "the last element is at 7, but the slice has 6": Lend(s).Strided([]int{2, 2}, []int{3, 4}),
		"argument 1: shape [2], strides [-1]: want 0 or more": Lend(s).Strided([]int{2}, []int{-1}), "too large": Lend(s).Strided([]int{math.MaxInt, 2}, []int{math.MaxInt, 1}), "want at most 32 dimensions, got 33": Lend(s[:1]).Reshape(slices.Repeat([]int{1}, 33)...), "shape [4611686018427387904 4]": Lend(s).Reshape(1<<62, 4), "the last element is at 0, but the slice has 0": Lend(s[:0]).Strided([]int{1}, []int{1}),
		"shape [7] has 7 elements, but the slice has 6": LendMut(s).Reshape(7).Reshape(6), "exceeds the address space": Lend(s).Strided([]int{1 << 40, 1 << 40}, []int{0, 0}),
	} {
		for form, value := range map[string]any{"alone": want, "in a list": []any{want}, "as a keyword": KW{"argument": want}} {
			text := lent
			if form != "alone" {
				text = strings.TrimPrefix(text, "argument 1: ")
			}
			if err := run(in, "oracle:same", value); err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: got %v, want %s", form, err, text)
			}
		}
	}
}

func TestCollect(t *testing.T) {
	in := interpreter(t)
	for want, value := range map[string]any{"array([1, 2, 3])": Collect(slices.Values([]int{1, 2, 3})), "array([], dtype=float64)": Collect(slices.Values([]float64{})), "array([ True])": Collect(slices.Values([]bool{true}))} {
		if got, err := pythonText(in, "repr(x)", value); err != nil || got != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
}

func TestArray(t *testing.T) {
	a := Array[int]{[]int{0, 1, 2, 3, 4, 5}, []int{2, 3}}
	a.Set(7, 1, 2)
	if a.At(1, 2) != 7 || a.Data[5] != 7 || !slices.Equal(a.Strides(), []int{3, 1}) {
		t.Errorf("got %v, %v", a, a.Strides())
	}
	for _, index := range [][]int{{}, {0}, {2, 0}, {0, 3}, {-1, 0}, {0, 0, 0}} {
		if _, err := panicked(func() (string, error) { a.At(index...); return "", nil }); err == nil || !strings.Contains(err.Error(), "python: ") {
			t.Errorf("index %v: %v", index, err)
		}
	}
	zero := Array[int]{[]int{5}, nil}
	if zero.At() != 5 || len(zero.Strides()) != 0 {
		t.Error("rank 0")
	}
}
