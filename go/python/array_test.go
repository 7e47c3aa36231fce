package python

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

type (
	temperature float64
	month       uint8
	toggle      bool
)

// lending is a slice, lent in both ways.
type lending struct {
	plain         any // the slice itself as an argument
	read, write   Lent
	address       uint64
	dtype, values string // as Python writes them
}

func lend[T Number](dtype, values string, s ...T) lending {
	return lending{s, Lend(s), LendMut(s), addressOf(s), dtype, values}
}

func addressOf[T any](s []T) uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(s)))) }

// lendings returns fresh slices of every element type.
func lendings() []lending {
	return []lending{
		lend("bool", "[True, False]", true, false),
		lend("int8", "[-128, 127]", int8(-128), 127),
		lend("int16", "[-32768, 32767]", int16(-1<<15), 1<<15-1),
		lend("int32", "[-2147483648, 2147483647]", int32(-1<<31), 1<<31-1),
		lend("int64", "[-9223372036854775808, 9223372036854775807]", int64(-1<<63), 1<<63-1),
		lend("int64", "[-1, 1]", -1, 1),
		lend("uint8", "[0, 255]", uint8(0), 255),
		lend("uint16", "[0, 65535]", uint16(0), 1<<16-1),
		lend("uint32", "[0, 4294967295]", uint32(0), 1<<32-1),
		lend("uint64", "[0, 18446744073709551615]", uint64(0), 1<<64-1),
		lend("uint64", "[0, 18446744073709551615]", uint(0), 1<<64-1),
		lend("uint64", "[1, 2]", uintptr(1), 2),
		lend("float32", "[0.5, -1.5]", float32(0.5), -1.5),
		lend("float64", "[0.1, -1e+300]", 0.1, -1e300),
		lend("complex64", "[(1+2j), 3j]", complex64(1+2i), 3i),
		lend("complex128", "[(0.1+2j), 3j]", 0.1+2i, 3i),
		lend("float64", "[36.6]", temperature(36.6)),
		lend("uint8", "[12]", month(12)),
		lend("bool", "[True]", toggle(true)),
	}
}

func TestLend(t *testing.T) {
	in := interpreter(t)
	for _, l := range lendings() {
		t.Run(fmt.Sprintf("%T", l.plain), func(t *testing.T) {
			for _, way := range []struct {
				name, writable string
				argument       any
			}{{"Lend", "False", l.read}, {"LendMut", "True", l.write}, {"plain", "False", l.plain}} {
				if way.name == "plain" && (strings.Contains(fmt.Sprintf("%T", l.plain), "python.") || l.dtype == "uint8" || isUintptrs(l.plain)) {
					continue // TestArguments says what these become
				}
				want := fmt.Sprintf("('ndarray', '%s', (%d,), %s, True, %s)", l.dtype, strings.Count(l.values, ",")+1, way.writable, l.values)
				got, err := evaluate[string](in, "fixtures:describe", way.argument)
				if err != nil || got != want {
					t.Errorf("%s: got %s, %v, want %s", way.name, got, err, want)
				}
				places, err := evaluate[[]uint64](in, "fixtures:addresses", way.argument)
				if err != nil || !slices.Equal(places, []uint64{l.address}) {
					t.Errorf("%s: the array lies at %x, %v; the slice at %x", way.name, places, err, l.address)
				}
			}
		})
	}
}

func isUintptrs(s any) bool { _, ok := s.([]uintptr); return ok }

func TestLendEmpty(t *testing.T) {
	in := interpreter(t)
	for name, argument := range map[string]any{
		"nil": []float64(nil), "empty": []float64{}, "end": []float64{1, 2}[2:], "nil, writable": LendMut([]float64(nil)),
	} {
		got, err := evaluate[string](in, "fixtures:value", "repr((a[0].dtype.name, a[0].shape, a[0].tolist(), float(a[0].sum())))", argument)
		if want := "('float64', (0,), [], 0.0)"; err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", name, got, err, want)
		}
	}
}

func TestLendPart(t *testing.T) {
	in := interpreter(t)
	whole := []int16{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	part := whole[3:6]
	if got, err := evaluate[[]int16](in, "fixtures:same", part); err != nil || !slices.Equal(got, part) {
		t.Errorf("got %v, %v, want %v", got, err, part)
	}
	if err := run(in, "fixtures:scale", LendMut(part), 10); err != nil {
		t.Fatal(err)
	}
	if want := []int16{0, 1, 2, 30, 40, 50, 6, 7, 8, 9}; !slices.Equal(whole, want) {
		t.Errorf("got %v, want %v", whole, want)
	}
}

// A read-only array stays read-only, and so do its views.
func TestLendIsReadOnly(t *testing.T) {
	in := interpreter(t)
	data := []float64{3, 1, 2, 4}
	for _, statement := range []string{
		"a[0][0] = 9",
		"a[0][:] = 9",
		"x = a[0]; x += 1",
		"a[0].sort()",
		"a[0].fill(0)",
		"np.add(a[0], 1, out=a[0])",
		"np.copyto(a[0], 0)",
		"a[0].byteswap(inplace=True)",
		"a[0].resize(9, refcheck=False)",
		"a[0].setflags(write=True)",
		"a[0].flags.writeable = True",
		"a[0][1:].setflags(write=True)",
		"a[0][1:][1:].flags.writeable = True",
		"a[0].reshape(2, 2).flags.writeable = True",
		"a[0].view('u1').flags.writeable = True",
		"a[0].view(np.recarray).flags.writeable = True",
		"np.asarray(memoryview(a[0])).flags.writeable = True",
		"np.frombuffer(a[0])[0] = 9",
		"np.frombuffer(a[0]).flags.writeable = True",
		"np.ndarray(4, buffer=a[0])[0] = 9",
		"np.ndarray(4, buffer=a[0]).flags.writeable = True",
		"np.from_dlpack(a[0])[0] = 9",
		"np.asarray(Holder(a[0]))[0] = 9",
		"np.lib.stride_tricks.as_strided(a[0], writeable=True)[0] = 9",
		"np.ma.masked_array(a[0], copy=False)[0] = 9",
		"memoryview(a[0])[0] = 9.0",
		"memoryview(a[0]).cast('B')[0] = 9",
		"(ctypes.c_double * 4).from_buffer(a[0])[0] = 9",
		"np.ctypeslib.as_ctypes(a[0])[0] = 9",
		"np.random.default_rng().shuffle(a[0])",
		"os.readv(os.open('/dev/zero', os.O_RDONLY), [a[0]])",
	} {
		if err := run(in, "fixtures:execute", statement, data); err == nil {
			t.Errorf("%s: no exception", statement)
		}
		if want := []float64{3, 1, 2, 4}; !slices.Equal(data, want) {
			t.Fatalf("%s: the slice is now %v", statement, data)
		}
	}
}

// What Python keeps after the call is read-only as well.
func TestKeptIsReadOnly(t *testing.T) {
	in := interpreter(t)
	data := []float64{1, 2, 3, 4}
	for _, route := range []string{"array", "view", "subclass"} {
		if err := run(in, "fixtures:keep", route, data); err != nil {
			t.Fatal(err)
		}
		for _, statement := range []string{"KEPT[-1].flags.writeable = True", "KEPT[-1][:1].setflags(write=True)", "KEPT[-1][0] = 9"} {
			if err := run(in, "fixtures:execute", statement); !errorsIs(err, ValueError) {
				t.Errorf("%s: %s: got %v, want a ValueError", route, statement, err)
			}
		}
	}
	letGo(t, in)
}

func TestLendMut(t *testing.T) {
	in := interpreter(t)
	data := []float64{1, 2, 3}
	scaleThem := func() {
		t.Helper()
		if err := run(in, "fixtures:scale", LendMut(data), 2.0); err != nil {
			t.Fatal(err)
		}
	}
	scaleThem()
	if want := []float64{2, 4, 6}; !slices.Equal(data, want) {
		t.Errorf("Go sees %v, want %v", data, want)
	}
	data[0] = 50
	scaleThem()
	if want := []float64{100, 8, 12}; !slices.Equal(data, want) {
		t.Errorf("after a write by Go: got %v, want %v", data, want)
	}
	if err := run(in, "fixtures:execute", "a[0][1:][0] = 7", LendMut(data)); err != nil {
		t.Error(err)
	}
	if data[1] != 7 {
		t.Errorf("through a view: got %v, want 7", data[1])
	}
	all := lendings()
	for _, l := range all {
		if err := run(in, "fixtures:execute", "a[0][:] = 1", l.write); err != nil {
			t.Errorf("%T: %v", l.plain, err)
		}
	}
	got, err := evaluate[[]float64](in, "fixtures:sums", all[0].read, all[1].read, all[12].read)
	if want := []float64{2, 2, 2}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

// More arrays than the C function has arguments for, among other arguments and as keywords.
func TestLendMany(t *testing.T) {
	in := interpreter(t)
	for _, count := range []int{1, 4, 5, 20, 300} {
		data := make([][]int32, count)
		arguments := make([]any, count)
		places, wantSums := make([]uint64, count), make([]float64, count)
		for i := range count {
			data[i] = []int32{int32(i), 1}
			arguments[i], places[i], wantSums[i] = data[i], addressOf(data[i]), float64(i+1)
		}
		if got, err := evaluate[[]uint64](in, "fixtures:addresses", arguments...); err != nil || !slices.Equal(got, places) {
			t.Errorf("%d arrays: addresses %x, %v, want %x", count, got, err, places)
		}
		if got, err := evaluate[[]float64](in, "fixtures:sums", arguments...); err != nil || !slices.Equal(got, wantSums) {
			t.Errorf("%d arrays: sums %v, %v, want %v", count, got, err, wantSums)
		}
	}
	data := []int32{1}
	got, err := evaluate[[]uint64](in, "fixtures:addresses", data, data, LendMut(data), data, data, KW{"z": data[:0:0], "y": data})
	if place := addressOf(data); err != nil || !slices.Equal(got[:6], []uint64{place, place, place, place, place, place}) {
		t.Errorf("the same slice again: %x, %v, want %x", got, err, place)
	}
}

// Arrays inside lists are lent too.
func TestLendInLists(t *testing.T) {
	in := interpreter(t)
	data := []float64{1, 2}
	got, err := evaluate[string](in, "fixtures:value", "str(a[0][1][0].ctypes.data)", []any{1, []any{data}})
	if want := fmt.Sprint(addressOf(data)); err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestFloat16(t *testing.T) {
	in := interpreter(t)
	// Every half precision number, with NumPy as the oracle.
	const all = "np.arange(65536, dtype=np.uint16).view(np.float16)"
	for _, target := range []string{"float32", "float64"} {
		expression := fmt.Sprintf("%s.astype(np.%s)", all, target)
		var got, want any
		var err, wantErr error
		if target == "float32" {
			got, err = evaluate[[]float32](in, "fixtures:value", all)
			want, wantErr = evaluate[[]float32](in, "fixtures:value", expression)
		} else {
			got, err = evaluate[[]float64](in, "fixtures:value", all)
			want, wantErr = evaluate[[]float64](in, "fixtures:value", expression)
		}
		if err != nil || wantErr != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s differs: %v, %v", target, err, wantErr)
		}
	}
}

// Every element type in every layout to every Go type, by both ways to a result, with NumPy as the oracle.
func TestConvertArrays(t *testing.T) {
	in := interpreter(t)
	targets := []struct {
		dtype string
		raw   func(dtype, layout string, which int) (as, bound []byte, asErr, boundErr error)
	}{
		{"bool", converted[bool](t, in)}, {"int8", converted[int8](t, in)}, {"int16", converted[int16](t, in)},
		{"int32", converted[int32](t, in)}, {"int64", converted[int64](t, in)}, {"int64", converted[int](t, in)},
		{"uint8", converted[uint8](t, in)}, {"uint16", converted[uint16](t, in)}, {"uint32", converted[uint32](t, in)},
		{"uint64", converted[uint64](t, in)}, {"uint64", converted[uint](t, in)}, {"float32", converted[float32](t, in)},
		{"float64", converted[float64](t, in)}, {"complex64", converted[complex64](t, in)}, {"complex128", converted[complex128](t, in)},
	}
	type question struct {
		dtype, layout, target string
		which                 int
	}
	oracle, err := Bind[func(dtype, layout string, which int, target string) (*Object, error)](in, "fixtures:oracle")
	if err != nil {
		t.Fatal(err)
	}
	ask := func(q question) (answer []byte, exact bool) {
		object, err := oracle(q.dtype, q.layout, q.which, q.target)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = object.Close() }()
		if object.IsNone() {
			return nil, false
		}
		answer, err = As[[]byte](object)
		if err != nil {
			t.Fatal(err)
		}
		return answer, true
	}
	exacts, errors := 0, 0
	for _, from := range []string{
		"bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64", "complex64", "complex128",
	} {
		for _, layout := range []string{"plain", "strided", "reversed", "swapped", "unaligned", "read-only"} {
			for which := range 7 {
				for _, target := range targets {
					q := question{from, layout, target.dtype, which}
					want, exact := ask(q)
					as, bound, asErr, boundErr := target.raw(from, layout, which)
					if !exact {
						errors++
						named := asErr != nil && boundErr != nil && strings.Contains(asErr.Error(), target.dtype[:3]) &&
							(strings.Contains(asErr.Error(), "does not fit") || strings.Contains(asErr.Error(), from)) &&
							strings.HasSuffix(boundErr.Error(), strings.TrimPrefix(asErr.Error(), "python: "))
						if !named {
							t.Errorf("%+v: got %v and %v, want an error that names both types", q, asErr, boundErr)
						}
						continue
					}
					exacts++
					if asErr != nil || string(as) != string(want) {
						t.Errorf("%+v: As: got %x, %v, want %x", q, as, asErr, want)
					}
					if boundErr != nil || string(bound) != string(want) {
						t.Errorf("%+v: Bind: got %x, %v, want %x", q, bound, boundErr, want)
					}
				}
			}
		}
	}
	if exacts < 1000 || errors < 1000 {
		t.Errorf("the table is not what it was meant to be: %d exact, %d errors", exacts, errors)
	}
}

// converted asks for a sample in a Go type, in both ways.
func converted[T Number](t *testing.T, in *Interpreter) func(dtype, layout string, which int) (as, bound []byte, asErr, boundErr error) {
	objects, err := Bind[func(dtype, layout string, which int) (*Object, error)](in, "fixtures:sample")
	if err != nil {
		t.Fatal(err)
	}
	values, err := Bind[func(dtype, layout string, which int) ([]T, error)](in, "fixtures:sample")
	if err != nil {
		t.Fatal(err)
	}
	raw := func(s []T) []byte {
		return slices.Clone(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), uintptr(len(s))*unsafe.Sizeof(*new(T))))
	}
	return func(dtype, layout string, which int) (as, bound []byte, asErr, boundErr error) {
		object, err := objects(dtype, layout, which)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = object.Close() }()
		byAs, asErr := As[[]T](object)
		byBind, boundErr := values(dtype, layout, which)
		return raw(byAs), raw(byBind), asErr, boundErr
	}
}

// Arrays on both sides of what fits the memory for small results.
func TestResultSizes(t *testing.T) {
	in := interpreter(t)
	for _, size := range []int{0, 1, scratchSize/8 - 1, scratchSize / 8, scratchSize/8 + 1, 100_000} {
		want := make([]float64, size)
		for i := range want {
			want[i] = float64(i)
		}
		for _, expression := range []string{
			"np.arange(a[0], dtype='f8')",
			"np.arange(2.0 * a[0])[::2] / 2",
			"np.arange(2 * a[0], dtype='f8')[: a[0]]",
			"np.arange(a[0], dtype='f8')[::-1].copy()[::-1]",
			"np.arange(a[0], dtype='>f8')",
			"np.arange(a[0], dtype='f4')",
			"unaligned(np.arange(a[0], dtype='f8'))",
		} {
			for way, convert := range map[string]func() ([]float64, error){
				"As":   func() ([]float64, error) { return evaluate[[]float64](in, "fixtures:value", expression, size) },
				"Bind": func() ([]float64, error) { return direct[[]float64](in, expression, size) },
			} {
				if got, err := convert(); err != nil || !slices.Equal(got, want) {
					t.Errorf("%s of %d, %s: got %d elements, %v", expression, size, way, len(got), err)
				}
			}
		}
	}
}

// direct evaluates an expression in one crossing, without an object.
func direct[T any](in *Interpreter, expression string, arguments ...any) (T, error) {
	f, err := Bind[func(string, ...any) (T, error)](in, "fixtures:value")
	if err != nil {
		var none T
		return none, err
	}
	return f(expression, arguments...)
}

// A result is a copy: of what was lent, of what Python keeps, and of what it gave away.
func TestResultsAreCopies(t *testing.T) {
	in := interpreter(t)
	for _, size := range []int{10, 10_000} {
		for _, expression := range []string{"a[0]", "a[0][:]", "a[0][::-1][::-1]", "a[0].view('i8').view('f8')", "memoryview(a[0]).obj", "np.asarray(memoryview(a[0]))"} {
			for way, call := range map[string]func(*Interpreter, string, ...any) ([]float64, error){
				"Bind": direct[[]float64],
				"As": func(in *Interpreter, expression string, arguments ...any) ([]float64, error) {
					return evaluate[[]float64](in, "fixtures:value", append([]any{expression}, arguments...)...)
				},
			} {
				data := make([]float64, size)
				got, err := call(in, expression, LendMut(data))
				if err != nil || len(got) != size {
					t.Fatalf("%s by %s: %d elements, %v", expression, way, len(got), err)
				}
				data[0], got[1] = 1, 2
				if got[0] != 0 || data[1] != 0 {
					t.Errorf("%s of %d by %s: the result shares memory with the argument", expression, size, way)
				}
			}
		}
		// Python goes on writing to an array that it keeps.
		for _, expression := range []string{"KEPT[-1]", "KEPT[-1][:]", "KEPT[-1][1:]"} {
			if err := run(in, "fixtures:execute", "KEPT.append(np.zeros(a[0]))", size); err != nil {
				t.Fatal(err)
			}
			got, err := direct[[]float64](in, expression)
			if err != nil {
				t.Fatal(err)
			}
			if err := run(in, "fixtures:execute", "KEPT[-1][:] = 1"); err != nil {
				t.Fatal(err)
			}
			if slices.Contains(got, 1) {
				t.Errorf("%s of %d: Python writes to a result", expression, size)
			}
			for i := range got {
				got[i] = 5
			}
			if sum, err := direct[float64](in, "KEPT.pop().sum()"); err != nil || sum != float64(size) {
				t.Errorf("%s of %d: Go writes to what Python keeps: sum %v, %v", expression, size, sum, err)
			}
		}
	}
}

func TestArrayErrors(t *testing.T) {
	in := interpreter(t)
	for _, row := range []struct{ expression, want string }{
		{"np.ma.masked_array([1.0, 2.0], mask=[0, 1])", "result: want []float64, got numpy.ma.MaskedArray of dtype float64 and shape (2,)"},
		{"np.matrix([[1.0, 2.0]])", "result: want []float64, got numpy.matrix of dtype float64 and shape (1, 2)"},
		{"np.zeros((2, 3))", "result: want []float64, got array of float64 and shape (2, 3)"},
		{"np.zeros((0, 3))", "result: want []float64, got array of float64 and shape (0, 3)"},
		{"np.array([1.0, None])", "result: want []float64, got array of dtype object and shape (2,)"},
		{"np.array(['2020-01-01'], dtype='M8[s]')", "result: want []float64, got array of datetime64"},
		{"np.array([1], dtype='m8[s]')", "result: want []float64, got array of timedelta64"},
		{"np.zeros(2, dtype=[('x', 'f8')])", "result: want []float64, got columns"},
		{"np.zeros(2, dtype='f8').view(np.recarray)", "result: want []float64, got numpy.rec.recarray of dtype float64 and shape (2,)"},
		{"np.array(['a'])", "result[0]: want float64, got str"},
		{"np.array([b'a'])", "result[0]: want float64, got bytes"},
		{"np.array([1], dtype=np.longdouble)", "result: want []float64, got array of dtype float128 and shape (1,)"},
		{"np.array(5.0)", "result: want []float64, got float"},
		{"np.arange(3)", "result: want []float64, got array of int64"},
		{"np.zeros(3, bool)", "result: want []float64, got array of bool"},
		{"[1.0, 'a']", "result[1]: want float64, got str"},
		{"None", "result: want []float64, got None"},
	} {
		_, err := evaluate[[]float64](in, "fixtures:value", row.expression)
		if err == nil || err.Error() != "python: "+row.want {
			t.Errorf("%s:\n got %v\nwant %s", row.expression, err, row.want)
		}
		if _, err := direct[[]float64](in, row.expression); err == nil || !strings.HasSuffix(err.Error(), "fixtures:value: "+row.want) {
			t.Errorf("%s, bound:\n got %v\nwant … %s", row.expression, err, row.want)
		}
	}
	for _, row := range []struct {
		convert    func(*Interpreter, string, ...any) error
		expression string
		want       string
	}{
		{failure[[]int8], "np.array([0, 1, 128])", "[2]: 128 does not fit int8 exactly"},
		{failure[[]uint64], "np.array([0, -1])", "[1]: -1 does not fit uint64 exactly"},
		{failure[[]float32], "np.array([0, 0.1])", "[1]: 0.1 does not fit float32 exactly"},
		{failure[[]complex64], "np.array([0, 0.1j])", "[1]: (0+0.1i) does not fit complex64 exactly"},
		{failure[[]string], "np.array(['a', b''], dtype=object)", "[1]: want string, got bytes"},
	} {
		if err := row.convert(in, row.expression); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want … %s", row.expression, err, row.want)
		}
	}
	// A broadcast array claims more memory than there is.
	if _, err := evaluate[[]float64](in, "fixtures:value", "np.broadcast_to(np.float64(1), 2**58)"); !errorsIs(err, MemoryError) {
		t.Errorf("got %v, want a MemoryError", err)
	}
}

func failure[T any](in *Interpreter, expression string, arguments ...any) error {
	_, err := direct[T](in, expression, arguments...)
	return err
}
