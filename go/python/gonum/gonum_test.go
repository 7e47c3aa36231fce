package gonum_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/gophersnake/gophersnake/go/python"
	"github.com/gophersnake/gophersnake/go/python/gonum"
	"gonum.org/v1/gonum/mat"
)

func TestMain(m *testing.M) {
	if os.Getenv("GOPHERSNAKE_PYTHON") == "" {
		venv, err := filepath.Abs("../../../.venv-test")
		if err != nil {
			panic(err)
		}
		_ = os.Setenv("GOPHERSNAKE_PYTHON", venv)
	}
	os.Exit(m.Run())
}

var start = sync.OnceValues(func() (*python.Interpreter, error) { return python.Start(python.Config{Path: []string{"testdata"}}) })

// call calls a function of testdata/matrices.py.
func call(t testing.TB, function string, arguments ...any) (*python.Object, error) {
	t.Helper()
	in, err := start()
	if err != nil {
		t.Fatal(err)
	}
	f, err := in.Func("matrices:" + function)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return f.Call(context.Background(), arguments...)
}

func mustCall(t testing.TB, function string, arguments ...any) *python.Object {
	t.Helper()
	result, err := call(t, function, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = result.Close() })
	return result
}

// waitRetained waits until Python keeps that many arrays.
func waitRetained(t testing.TB, want int) {
	t.Helper()
	in, err := start()
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if in.Stats().Retained == want {
			return
		}
		// What Python objects reach ends when the next call drops them.
		_ = mustCall(t, "nothing").Close()
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%d arrays retained, want %d", in.Stats().Retained, want)
}

// array is what Python sees.
type array struct {
	Address        uintptr
	Shape, Strides []int
	Writable       bool
	Dtype          string
	Elements       []float64
}

func numbered(n int) []float64 {
	data := make([]float64, n)
	for i := range data {
		data[i] = float64(i) + 0.5
	}
	return data
}

func TestLend(t *testing.T) {
	dense := mat.NewDense(3, 4, numbered(12))
	vector := mat.NewVecDense(5, numbered(5))
	for name, c := range map[string]struct {
		matrix         mat.Matrix
		first          *float64
		shape, strides []int
	}{
		"Dense":               {dense, &dense.RawMatrix().Data[0], []int{3, 4}, []int{32, 8}},
		"slice":               {dense.Slice(1, 3, 2, 4), &dense.RawMatrix().Data[6], []int{2, 2}, []int{32, 8}},
		"slice of one":        {dense.Slice(2, 3, 3, 4), &dense.RawMatrix().Data[11], []int{1, 1}, []int{32, 8}},
		"transpose":           {dense.T(), &dense.RawMatrix().Data[0], []int{4, 3}, []int{8, 32}},
		"transpose of slice":  {dense.Slice(1, 3, 1, 4).T(), &dense.RawMatrix().Data[5], []int{3, 2}, []int{8, 32}},
		"VecDense":            {vector, &vector.RawVector().Data[0], []int{5}, []int{8}},
		"slice of vector":     {vector.SliceVec(1, 4), &vector.RawVector().Data[1], []int{3}, []int{8}},
		"column":              {dense.ColView(1), &dense.RawMatrix().Data[1], []int{3}, []int{32}},
		"row":                 {dense.RowView(2), &dense.RawMatrix().Data[8], []int{4}, []int{8}},
		"transpose of vector": {vector.T(), &vector.RawVector().Data[0], []int{1, 5}, []int{8, 8}},
		"transpose of column": {dense.ColView(3).T(), &dense.RawMatrix().Data[3], []int{1, 3}, []int{8, 32}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, writable := range []bool{false, true} {
				argument := gonum.Lend(c.matrix)
				if writable {
					argument = gonum.LendMut(c.matrix)
				}
				got, err := python.As[array](mustCall(t, "describe", argument))
				if err != nil {
					t.Fatal(err)
				}
				// Another transpose would be the same array to NumPy, whatever its strides along lengths of 1 are.
				want := array{uintptr(unsafe.Pointer(c.first)), c.shape, c.strides, writable, "float64", elements(c.matrix)}
				for i, length := range c.shape {
					if length == 1 {
						got.Strides[i] = want.Strides[i]
					}
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("got %+v\nwant %+v", got, want)
				}
			}
		})
	}
}

// elements returns the elements of a matrix in rows.
func elements(m mat.Matrix) []float64 {
	rows, columns := m.Dims()
	out := []float64{}
	for i := range rows {
		for j := range columns {
			out = append(out, m.At(i, j))
		}
	}
	return out
}

func TestLendMutWritesThrough(t *testing.T) {
	dense := mat.NewDense(3, 3, numbered(9))
	want := mat.DenseCopyOf(dense)
	part := want.Slice(1, 3, 0, 2).(*mat.Dense)
	part.Scale(2, part)
	mustCall(t, "double", gonum.LendMut(dense.Slice(1, 3, 0, 2)))
	if !mat.Equal(dense, want) {
		t.Errorf("got %v, want %v", mat.Formatted(dense), mat.Formatted(want))
	}
	if _, err := call(t, "double", gonum.Lend(dense)); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("writing to what was lent by Lend: %v", err)
	}
}

func TestLendEmpty(t *testing.T) {
	for name, c := range map[string]struct {
		matrix mat.Matrix
		shape  []int
	}{
		"Dense":     {&mat.Dense{}, []int{0, 0}},
		"VecDense":  {&mat.VecDense{}, []int{0}},
		"transpose": {(&mat.Dense{}).T(), []int{0, 0}},
	} {
		got, err := python.As[array](mustCall(t, "describe", gonum.Lend(c.matrix)))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Shape, c.shape) || len(got.Elements) != 0 || got.Dtype != "float64" {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	for _, none := range []mat.Matrix{nil, (*mat.Dense)(nil), (*mat.VecDense)(nil)} {
		if result := mustCall(t, "echo", gonum.Lend(none)); !result.IsNone() {
			t.Errorf("%#v is %v, want None", none, result)
		}
	}
}

func TestLendErrors(t *testing.T) {
	symmetric := mat.NewSymDense(2, numbered(4))
	for _, m := range []mat.Matrix{
		symmetric, symmetric.T(), mat.NewTriDense(2, mat.Upper, numbered(4)), mat.NewTriDense(2, mat.Lower, numbered(4)).T(),
		mat.NewBandDense(3, 3, 1, 1, numbered(9)), mat.NewDiagDense(2, numbered(2)), mat.NewSymBandDense(3, 1, numbered(6)),
		mat.NewTridiag(3, numbered(2), numbered(3), numbered(2)),
	} {
		_, err := call(t, "echo", gonum.Lend(m))
		if err == nil || !strings.Contains(err.Error(), "mat.DenseCopyOf(m)") || !strings.Contains(err.Error(), "argument 1") {
			t.Errorf("%T: got %v", m, err)
		}
		got, err := gonum.Dense(mustCall(t, "echo", gonum.Lend(mat.DenseCopyOf(m))))
		if err != nil || !mat.Equal(got, m) {
			t.Errorf("%T: what the message advises gives %v, %v", m, got, err)
		}
	}
}

func TestResults(t *testing.T) {
	for expression, want := range map[string]mat.Matrix{
		"np.arange(6.).reshape(2, 3)":                       mat.NewDense(2, 3, []float64{0, 1, 2, 3, 4, 5}),
		"np.arange(6.).reshape(2, 3).T":                     mat.NewDense(3, 2, []float64{0, 3, 1, 4, 2, 5}),
		"np.arange(12.).reshape(3, 4)[::-1, ::2]":           mat.NewDense(3, 2, []float64{8, 10, 4, 6, 0, 2}),
		"np.asfortranarray(np.arange(4.).reshape(2, 2))":    mat.NewDense(2, 2, []float64{0, 1, 2, 3}),
		"np.arange(4, dtype='>f8').reshape(2, 2)":           mat.NewDense(2, 2, []float64{0, 1, 2, 3}),
		"np.arange(4, dtype='f4').reshape(2, 2)":            mat.NewDense(2, 2, []float64{0, 1, 2, 3}),
		"np.broadcast_to(np.array([1., 2.]), (2, 2))":       mat.NewDense(2, 2, []float64{1, 2, 1, 2}),
		"np.array([[7.]])":                                  mat.NewDense(1, 1, []float64{7}),
		"np.zeros((0, 0))":                                  &mat.Dense{},
		"np.frombuffer(b'x' + bytes(32), 'f8', 4, 1)[None]": mat.NewDense(1, 4, make([]float64, 4)),
	} {
		got, err := gonum.Dense(mustCall(t, "make", expression))
		if err != nil || !mat.Equal(got, want) {
			t.Errorf("Dense of %s: got %v, %v", expression, got, err)
		}
	}
	for expression, want := range map[string]*mat.VecDense{
		"np.arange(3.)":        mat.NewVecDense(3, []float64{0, 1, 2}),
		"np.arange(6.)[::-2]":  mat.NewVecDense(3, []float64{5, 3, 1}),
		"np.eye(3)[:, 1]":      mat.NewVecDense(3, []float64{0, 1, 0}),
		"np.zeros(0)":          {},
		"np.array([1.5], 'e')": mat.NewVecDense(1, []float64{1.5}),
	} {
		got, err := gonum.Vec(mustCall(t, "make", expression))
		if err != nil || !mat.Equal(got, want) {
			t.Errorf("Vec of %s: got %v, %v", expression, got, err)
		}
	}
}

func TestResultErrors(t *testing.T) {
	for expression, want := range map[string]string{
		"np.arange(3.)":                            "want *mat.Dense from an array with 2 dimensions, got shape [3]",
		"np.array(1.)":                             "",
		"np.zeros((1, 2, 3))":                      "want *mat.Dense from an array with 2 dimensions, got shape [1 2 3]",
		"np.zeros((0, 3))":                         "cannot have the shape [0 3]",
		"np.zeros((3, 0))":                         "cannot have the shape [3 0]",
		"np.zeros((2, 2), int)":                    "int64",
		"np.zeros((2, 2), complex)":                "complex128",
		"np.zeros((2, 2), bool)":                   "bool",
		"np.zeros((2, 2), object)":                 "",
		"np.ma.array(np.zeros((2, 2)), mask=True)": "",
		"[[1., 2.]]":                               "",
		"'text'":                                   "str",
		"None":                                     "None",
	} {
		got, err := gonum.Dense(mustCall(t, "make", expression))
		if err == nil || got != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Dense of %s: got %v, %v; want an error with %q", expression, got, err, want)
		}
	}
	if got, err := gonum.Vec(mustCall(t, "make", "np.zeros((2, 2))")); err == nil || got != nil {
		t.Errorf("Vec of a matrix: got %v, %v", got, err)
	}
}

func TestRoundTrip(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 500 {
		rows, columns := 1+random.IntN(8), 1+random.IntN(8)
		data := make([]float64, rows*columns)
		for i := range data {
			data[i] = random.NormFloat64()
		}
		m := mat.NewDense(rows, columns, data)
		top, left := random.IntN(rows), random.IntN(columns)
		part := m.Slice(top, top+1+random.IntN(rows-top), left, left+1+random.IntN(columns-left))
		if random.IntN(2) == 0 {
			part = part.T()
		}
		result := mustCall(t, "echo", gonum.Lend(part))
		got, err := gonum.Dense(result)
		if err != nil || !mat.Equal(got, part) {
			t.Fatalf("got %v, %v, want %v", got, err, mat.Formatted(part))
		}
		_ = result.Close()
		before := part.At(0, 0)
		got.Set(0, 0, before+1)
		if part.At(0, 0) != before {
			t.Fatal("the result shares memory with what was lent")
		}
	}
}

// What Python keeps stays valid although Go has forgotten the matrix.
func TestRetained(t *testing.T) {
	waitRetained(t, 0)
	func() {
		m := mat.NewDense(300, 300, nil)
		for i := range 300 {
			m.Set(i, i, 1)
		}
		mustCall(t, "keep", gonum.Lend(m.Slice(100, 300, 100, 300)))
	}()
	for range 5 {
		runtime.GC()
		_ = make([]float64, 1<<17)
	}
	waitRetained(t, 1)
	if sum, err := python.As[float64](mustCall(t, "sum_kept")); err != nil || sum != 200 {
		t.Errorf("the kept matrix sums to %v, %v; want 200", sum, err)
	}
	mustCall(t, "let_go")
	waitRetained(t, 0)
}
