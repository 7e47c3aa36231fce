package python

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// go test -fuzz=FuzzDecode (FuzzStrided, FuzzArrays, FuzzDirectCall) ./go/python goes on for as long as one likes; an ordinary test runs the seeds.

// seeds adds byte strings of all lengths.
func seeds(f *testing.F, count int) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range count {
		data := make([]byte, i%60)
		for j := range data {
			data[j] = byte(r.Uint32())
		}
		f.Add(data)
	}
}

type fuzzTarget struct {
	name string
	as   func(o *Object) (any, error)
}

func fuzzInto[T any](options ...DecodeOption) fuzzTarget {
	return fuzzTarget{reflect.TypeFor[T]().String(), func(o *Object) (any, error) { return As[T](o, options...) }}
}

// fuzzTargets are targets of every kind.
var fuzzTargets = []fuzzTarget{
	fuzzInto[any](), fuzzInto[bool](), fuzzInto[int](), fuzzInto[int8](), fuzzInto[uint64](), fuzzInto[float32](), fuzzInto[float64](), fuzzInto[complex64](), fuzzInto[*big.Int](), fuzzInto[string](), fuzzInto[[]byte](), fuzzInto[[16]byte](), fuzzInto[*string](), fuzzInto[**int](),
	fuzzInto[time.Time](), fuzzInto[time.Duration](), fuzzInto[*big.Rat](), fuzzInto[[]any](), fuzzInto[[]int](), fuzzInto[[]float64](), fuzzInto[[]string](), fuzzInto[[]*int](), fuzzInto[[]*float64](), fuzzInto[[][]float64](), fuzzInto[[][]int](), fuzzInto[[][]byte](), fuzzInto[[]time.Time](), fuzzInto[[]*time.Duration](), fuzzInto[[2]int](), fuzzInto[[2][2]float64](), fuzzInto[[]bool](), fuzzInto[[]uint8](),
	fuzzInto[Tuple](), fuzzInto[Set](), fuzzInto[map[string]any](), fuzzInto[map[any]any](), fuzzInto[map[string]int](), fuzzInto[map[int]string](), fuzzInto[map[[2]int]any](), fuzzInto[map[string][]float64](), fuzzInto[[]map[string]any](), fuzzInto[pointRecord](), fuzzInto[*pointRecord](), fuzzInto[[]pointRecord](), fuzzInto[pairRecord](), fuzzInto[tree](), fuzzInto[treeRecord](), fuzzInto[[]tree](),
	fuzzInto[*Object](), fuzzInto[[]*Object](), fuzzInto[map[string]*Object](), fuzzInto[struct {
		X *Object `py:"x"`
	}](AllowUnknown), fuzzInto[*Array[float64]](), fuzzInto[*Array[int8]](), fuzzInto[*Array[bool]](), fuzzInto[*Array[complex128]](), fuzzInto[Array[float32]](), fuzzInto[[]anything](), fuzzInto[anySlice](), fuzzInto[[]fmt.Stringer](), fuzzInto[[]chan int](), fuzzInto[map[string]func()](),
}

// anySlice contains itself.
type anySlice []anySlice

// FuzzDecode: a value that Python makes of the bytes, into every kind of target: exact or an error, never a crash.
func FuzzDecode(f *testing.F) {
	seeds(f, 400)
	in, err := shared()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := in.apply("oracle:grow", data)
		if err != nil {
			return // bytes that Python makes no value of
		}
		defer o.Close()
		for _, target := range fuzzTargets {
			var value any
			_, err := panicked(func() (_ string, err error) {
				value, err = target.as(o)
				return "", err
			})
			if err != nil {
				if text := err.Error(); !strings.HasPrefix(text, "python: ") || strings.Contains(text, "internal error") {
					t.Errorf("%v as %s: %v", o, target.name, err)
				}
				continue
			}
			same, err := evaluate[bool](in, "oracle:alike", value, nil)
			if err != nil && !strings.Contains(err.Error(), "outside of the years") && !strings.Contains(err.Error(), "nanoseconds") {
				t.Errorf("%.200v as %s: %.200s cannot be sent back: %v", o, target.name, shown(value), err)
			}
			if err == nil && !same {
				t.Errorf("%.200v as %s: got %.200s", o, target.name, shown(value))
			}
		}
	})
}

// FuzzStrided: any shape and strides over a slice: an error, or the elements that Go computes.
func FuzzStrided(f *testing.F) {
	seeds(f, 500)
	in, err := shared()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		next := func(limit int) int {
			if len(data) == 0 {
				return 0
			}
			b := int(data[0])
			data = data[1:]
			return b % limit
		}
		numbers := make([]int32, next(40))
		for i := range numbers {
			numbers[i] = int32(i * i)
		}
		odd := []int{-1, 1 << 20, 1 << 40, 1 << 62, -1 << 63}
		rank := next(6)
		var shape, strides []int
		for range rank {
			length, stride := next(5), next(9)-1
			if next(40) == 0 {
				length = odd[next(5)]
			}
			if next(40) == 0 {
				stride = odd[next(5)]
			}
			shape, strides = append(shape, length), append(strides, stride)
		}
		lent := Lend(numbers)
		if next(4) == 0 {
			lent = lent.Reshape(shape...)
			strides = nil
		} else {
			strides = append([]int{}, strides...)
			lent = lent.Strided(shape, strides)
		}
		want, fits := elementsOf(numbers, shape, strides)
		o, err := in.apply("oracle:value", "[list(a[0].shape), a[0].ravel().tolist()]", lent)
		if slices.ContainsFunc(slices.Concat(shape, strides), func(n int) bool { return n > 1<<16 }) {
			return // whatever NumPy makes of it
		}
		if (err == nil) != fits {
			t.Fatalf("%d numbers, shape %v, strides %v: %v, want it to fit: %v", len(numbers), shape, strides, err, fits)
		}
		if err != nil {
			return
		}
		defer o.Close()
		got, err := As[[][]int32](o)
		if err != nil {
			t.Fatal(err)
		}
		var gotShape []int
		for _, length := range got[0] {
			gotShape = append(gotShape, int(length))
		}
		if !slices.Equal(gotShape, shape) || !slices.Equal(got[1], want) {
			t.Errorf("%d numbers, shape %v, strides %v: got %v, want %v", len(numbers), shape, strides, got, want)
		}
	})
}

// elementsOf computes the elements of an array in row-major order; ok is false if one lies outside of the slice. Without strides the shape has to take up all of it.
func elementsOf(numbers []int32, shape, strides []int) (elements []int32, ok bool) {
	count := new(big.Int).SetInt64(1)
	for _, length := range shape {
		if length < 0 {
			return nil, false
		}
		count.Mul(count, big.NewInt(int64(length)))
	}
	if strides == nil {
		return numbers, count.Cmp(big.NewInt(int64(len(numbers)))) == 0
	}
	last := new(big.Int)
	for axis, stride := range strides {
		if stride < 0 {
			return nil, false
		}
		if shape[axis] > 0 {
			last.Add(last, new(big.Int).Mul(big.NewInt(int64(shape[axis]-1)), big.NewInt(int64(stride))))
		}
	}
	if count.Sign() == 0 {
		return []int32{}, true
	}
	if last.Cmp(big.NewInt(int64(len(numbers)))) >= 0 || count.Cmp(big.NewInt(1<<16)) > 0 {
		return nil, false
	}
	elements = []int32{}
	for i := range int(count.Int64()) {
		offset := 0
		for axis, index := range indexOf(i, shape) {
			offset += index * strides[axis]
		}
		elements = append(elements, numbers[offset])
	}
	return elements, true
}

// FuzzArrays: any array of Python's, as a copy and borrowed: the elements that Python says, or an error.
func FuzzArrays(f *testing.F) {
	seeds(f, 500)
	in, err := shared()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := in.apply("oracle:scrambled", data)
		if err != nil {
			t.Fatal(err)
		}
		defer o.Close()
		facts, err := evaluate[[]bool](in, "oracle:facts", o)
		if err != nil {
			t.Fatal(err)
		}
		rank, err := evaluate[int](in, "oracle:value", "a[0].ndim", o)
		if err != nil {
			t.Fatal(err)
		}
		dtype, err := evaluate[string](in, "oracle:value", "a[0].dtype.name", o)
		if err != nil {
			t.Fatal(err)
		}
		rows := map[string]dtypeRow{
			"bool": rowOf[bool]("bool"), "int8": rowOf[int8]("int8"), "int16": rowOf[int16]("int16"), "int32": rowOf[int32]("int32"), "int64": rowOf[int64]("int64"), "uint8": rowOf[uint8]("uint8"), "uint16": rowOf[uint16]("uint16"), "uint32": rowOf[uint32]("uint32"), "uint64": rowOf[uint64]("uint64"),
			"float16": rowOf[float32]("float16"), "float32": rowOf[float32]("float32"), "float64": rowOf[float64]("float64"), "complex64": rowOf[complex64]("complex64"), "complex128": rowOf[complex128]("complex128"),
		}
		for _, wrong := range rows[dtype].check(in, o, rank, append(facts, false)) {
			// Bytes that are no multiple of an element apart are borrowed by nobody.
			if !strings.HasPrefix(wrong, "Borrow: python: an array with strides of ") && !strings.HasPrefix(wrong, "[2][3]T") && !strings.HasPrefix(wrong, "[][3]T") {
				t.Errorf("%v: %s", o, wrong)
			}
		}
	})
}

// Functions of the types that directCall knows, and of types of our own that are called by reflection.
type (
	reflectedNone   func()
	reflectedFloat  func(float64) float64
	reflectedFloats func([]float64) float64
)

// FuzzDirectCall: any arguments for a Go function that is called without reflection: what the same function answers with it.
func FuzzDirectCall(f *testing.F) {
	seeds(f, 400)
	in, err := shared()
	if err != nil {
		f.Fatal(err)
	}
	none := func() {}
	half := func(x float64) float64 { return x / 2 }
	count := func(x []float64) float64 {
		if x == nil {
			return -1
		}
		sum := float64(len(x)) * 1000
		for _, each := range x {
			sum += each
		}
		return sum
	}
	pairs := []struct{ direct, reflected any }{
		{none, reflectedNone(none)}, {half, reflectedFloat(half)}, {count, reflectedFloats(count)},
	}
	for _, pair := range pairs {
		if directCall(pair.direct) == nil || directCall(pair.reflected) != nil {
			f.Fatalf("%T is not called directly, or %T is", pair.direct, pair.reflected)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, pair := range pairs {
			want, err := evaluate[string](in, "oracle:outcome", data, pair.reflected)
			if err != nil {
				t.Fatal(err)
			}
			got, err := evaluate[string](in, "oracle:outcome", data, pair.direct)
			if err != nil || got != want {
				t.Errorf("%T: got %s, %v, want %s", pair.direct, got, err, want)
			}
		}
	})
}
