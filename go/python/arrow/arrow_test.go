package pyarrow_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/arrow/memory/mallocator"
	"github.com/gophersnake/gophersnake/go/python"
	pyarrow "github.com/gophersnake/gophersnake/go/python/arrow"
)

var ctx = context.Background()

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

var start = sync.OnceValues(func() (*python.Interpreter, error) {
	in, err := python.Start(python.Config{Path: []string{"testdata"}})
	if err != nil {
		return nil, err
	}
	for _, library := range []string{"pandas", "polars", "pyarrow"} {
		f, err := in.Func("importlib:import_module")
		if err != nil {
			return nil, err
		}
		if _, err := f.Call(ctx, library); err != nil {
			return nil, fmt.Errorf("these tests need the libraries of requirements-test.txt in %s: "+
				"pip install --require-hashes -r requirements-test.txt: %w", in.Executable(), err)
		}
	}
	return in, nil
})

func interpreter(t testing.TB) *python.Interpreter {
	t.Helper()
	in, err := start()
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// call calls a function of testdata/arrows.py.
func call(t testing.TB, function string, arguments ...any) *python.Object {
	t.Helper()
	f, err := interpreter(t).Func("arrows:" + function)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	result, err := f.Call(ctx, arguments...)
	if err != nil {
		t.Fatalf("%s: %v", function, err)
	}
	t.Cleanup(func() { _ = result.Close() })
	return result
}

// get calls a function and converts its result.
func get[T any](t testing.TB, function string, arguments ...any) T {
	t.Helper()
	result := call(t, function, arguments...)
	defer result.Close()
	value, err := python.As[T](result)
	if err != nil {
		t.Fatalf("%s: %v", function, err)
	}
	return value
}

// must returns a value, or ends the test.
func must[T any](t testing.TB) func(T, error) T {
	t.Helper()
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// nothingLent waits until Python reaches nothing any more.
func nothingLent(t testing.TB) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		_ = call(t, "let_go").Close() // drops what was closed
		if pyarrow.Lent() == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("Python still reaches %d buffers", pyarrow.Lent())
}

// cuts are the slices that the tests of types try.
var cuts = [][2]int{{0, 5}, {1, 5}, {2, 4}, {4, 5}, {0, 3}, {0, 0}, {3, 3}, {5, 5}}

// Every type, whole and in slices, from Python to Go and back, is what it was and where it was.
func TestTypes(t *testing.T) {
	in := interpreter(t)
	for _, name := range get[[]string](t, "names") {
		t.Run(name, func(t *testing.T) {
			for _, cut := range cuts {
				from := call(t, "batch", name, cut[0], cut[1])
				batch, err := pyarrow.ImportRecordBatch(ctx, in, from)
				if err != nil {
					t.Errorf("%v: import: %v", cut, err)
					continue
				}
				if rows := int(batch.NumRows()); rows != cut[1]-cut[0] {
					t.Errorf("%v: %d rows", cut, rows)
				}
				back, err := pyarrow.ExportRecordBatch(ctx, in, batch)
				batch.Release()
				if err != nil {
					t.Errorf("%v: export: %v", cut, err)
					continue
				}
				// The bits of a sliced struct's nulls are the only ones that may lie elsewhere.
				same := !strings.Contains(name, "struct") && !strings.Contains(name, "union")
				if difference := get[*string](t, "compare", back, from, same); difference != nil {
					t.Errorf("%v: %s", cut, *difference)
				}
				_ = back.Close()

				from = call(t, "array", name, cut[0], cut[1])
				a, err := pyarrow.ImportArray(ctx, in, from)
				if err != nil {
					t.Errorf("%v: import of the array: %v", cut, err)
					continue
				}
				back, err = pyarrow.ExportArray(ctx, in, a)
				a.Release()
				if name == "extension" {
					continue // an array alone has no field that keeps the name of the type
				}
				if err != nil {
					t.Errorf("%v: export of the array: %v", cut, err)
					continue
				}
				if difference := get[*string](t, "compare", back, from, same); difference != nil {
					t.Errorf("%v: array: %s", cut, *difference)
				}
				_ = back.Close()
			}
		})
	}
	nothingLent(t)
}

// people makes a batch in memory of an allocator.
func people(mem memory.Allocator, rows int) arrow.RecordBatch {
	tags := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "name", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "scores", Type: arrow.ListOf(arrow.PrimitiveTypes.Float64), Nullable: true},
		{Name: "at", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, Nullable: true},
		{Name: "tag", Type: tags, Nullable: true},
		{Name: "place", Type: arrow.StructOf(arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Int32, Nullable: true}), Nullable: true},
	}, nil)
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	scores := b.Field(2).(*array.ListBuilder)
	place := b.Field(5).(*array.StructBuilder)
	for i := range rows {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
		if i%3 == 1 {
			for _, column := range b.Fields()[1:] {
				column.AppendNull()
			}
			continue
		}
		b.Field(1).(*array.StringBuilder).Append(fmt.Sprintf("n%d", i))
		scores.Append(true)
		scores.ValueBuilder().(*array.Float64Builder).AppendValues([]float64{float64(i), 0.5}, nil)
		b.Field(3).(*array.TimestampBuilder).Append(arrow.Timestamp(i * 1e6))
		_ = b.Field(4).(*array.BinaryDictionaryBuilder).AppendString([]string{"even", "odd"}[i%2])
		place.Append(true)
		place.FieldBuilder(0).(*array.Int32Builder).Append(int32(i))
	}
	return b.NewRecordBatch()
}

const fourPeople = "[" +
	"{'id': 0, 'name': 'n0', 'scores': [0.0, 0.5], 'at': datetime.datetime(1970, 1, 1, 0, 0, tzinfo=UTC), 'tag': 'even', 'place': {'x': 0}}, " +
	"{'id': 1, 'name': None, 'scores': None, 'at': None, 'tag': None, 'place': None}, " +
	"{'id': 2, 'name': 'n2', 'scores': [2.0, 0.5], 'at': datetime.datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC), 'tag': 'even', 'place': {'x': 2}}, " +
	"{'id': 3, 'name': 'n3', 'scores': [3.0, 0.5], 'at': datetime.datetime(1970, 1, 1, 0, 0, 3, tzinfo=UTC), 'tag': 'odd', 'place': {'x': 3}}]"

// zones brings the names that versions of Python have for UTC to one.
var zones = strings.NewReplacer("<UTC>", "UTC", "datetime.timezone.utc", "UTC", "zoneinfo.ZoneInfo(key='UTC')", "UTC")

type description struct {
	Class, Values string
	Addresses     [][]uintptr
}

// Python sees the memory of Go, whoever allocated it, and releases all of it.
func TestExportRecordBatch(t *testing.T) {
	in := interpreter(t)
	for name, base := range map[string]memory.Allocator{
		"Go memory": memory.NewGoAllocator(), "C memory": mallocator.NewMallocator(),
	} {
		t.Run(name, func(t *testing.T) {
			mem := memory.NewCheckedAllocator(base)
			defer mem.AssertSize(t, 0)
			batch := people(mem, 4)
			object := must[*python.Object](t)(pyarrow.ExportRecordBatch(ctx, in, batch))
			got, err := python.As[description](call(t, "describe", object))
			if err != nil {
				t.Fatal(err)
			}
			if got.Class != "RecordBatch" || zones.Replace(got.Values) != fourPeople {
				t.Errorf("got a %s: %s\nwant %s", got.Class, got.Values, fourPeople)
			}
			if want := address(batch.Column(0).Data().Buffers()[1]); got.Addresses[0][1] != want {
				t.Errorf("column 0 lies at %#x, in Go at %#x", got.Addresses[0][1], want)
			}
			if want := address(batch.Column(1).Data().Buffers()[2]); got.Addresses[1][2] != want {
				t.Errorf("the strings lie at %#x, in Go at %#x", got.Addresses[1][2], want)
			}
			batch.Release()
			if again := get[description](t, "describe", object); again.Values != got.Values {
				t.Errorf("after Go has released the batch: %s", again.Values)
			}
			_ = object.Close()
			nothingLent(t)
		})
	}
}

func address(b *memory.Buffer) uintptr { return uintptr(unsafe.Pointer(&b.Bytes()[0])) }

// What Python keeps stays valid while Go's collector runs, and is released when Python lets go, also in parts.
func TestPythonKeeps(t *testing.T) {
	in := interpreter(t)
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	func() {
		batch := people(mem, 100_000)
		object := must[*python.Object](t)(pyarrow.ExportRecordBatch(ctx, in, batch))
		part := call(t, "evaluate", "x.slice(50_000).select(['id'])", object)
		call(t, "keep", part)
		_ = part.Close()
		batch.Release()
		_ = object.Close()
	}()
	for range 5 {
		runtime.GC()
		_ = make([]int64, 1<<20)
	}
	if mem.CurrentAlloc() == 0 {
		t.Error("released although Python keeps a column")
	}
	if got, want := get[int](t, "sum_kept"), (50_000+99_999)*50_000/2; got != want {
		t.Errorf("what Python kept sums to %d, want %d", got, want)
	}
	nothingLent(t)
	mem.AssertSize(t, 0)
}

// What Go keeps stays valid although Python has forgotten it, whoever owns the memory.
func TestGoKeeps(t *testing.T) {
	in := interpreter(t)
	call(t, "let_go")
	before := get[int](t, "allocated")
	for _, expression := range []string{
		"pa.record_batch({'x': pa.array(range(1_000_000))})",                 // memory of Arrow's
		"pa.record_batch({'x': pa.array(np.arange(1_000_000), pa.int64())})", // memory of a NumPy array
		"pd.DataFrame({'x': np.arange(1_000_000)})",
		"pl.DataFrame({'x': np.arange(1_000_000)})",
		"pa.table({'x': pa.chunked_array([pa.array(range(500_000)), pa.array(range(500_000, 1_000_000))])})",
	} {
		object := call(t, "make", expression)
		batch := must[arrow.RecordBatch](t)(pyarrow.ImportRecordBatch(ctx, in, object))
		_ = object.Close()
		_ = call(t, "let_go").Close()
		sum := int64(0)
		for _, x := range batch.Column(0).(*array.Int64).Int64Values() {
			sum += x
		}
		if sum != 999_999*1_000_000/2 {
			t.Errorf("%s: sum %d", expression, sum)
		}
		batch.Release()
		_ = call(t, "let_go").Close()
		if after := get[int](t, "allocated"); after != before {
			t.Errorf("%s: pyarrow holds %d bytes, %d before", expression, after, before)
		}
	}
}

// Go calls each release callback of Python's exactly once: of an array when its last part is released, also where the import fails.
func TestReleaseCallbacks(t *testing.T) {
	in := interpreter(t)
	calls := func(source *python.Object) [2]int {
		return get[[2]int](t, "evaluate", "tuple(x.calls.values())", source)
	}
	source := call(t, "counting", "int64", "l")
	a := must[arrow.Array](t)(pyarrow.ImportArray(ctx, in, source))
	if got := calls(source); got != [2]int{1, 0} {
		t.Errorf("%v calls for schema and array after the import", got)
	}
	part := array.NewSlice(a, 4, 6)
	a.Release()
	if got := calls(source); got != [2]int{1, 0} || part.(*array.Int64).Value(1) != 5 {
		t.Errorf("%v calls, and %v, while a part is left", got, part)
	}
	// Through Go to Python and back, the array is still the one array.
	object := must[*python.Object](t)(pyarrow.ExportArray(ctx, in, part))
	part.Release()
	again := must[arrow.Array](t)(pyarrow.ImportArray(ctx, in, object))
	_ = object.Close()
	if got := calls(source); got != [2]int{1, 0} || again.(*array.Int64).Value(1) != 5 {
		t.Errorf("%v calls, and %v, while a part is left", got, again)
	}
	again.Release()
	if got := calls(source); got != [2]int{1, 1} {
		t.Errorf("%v calls after the last release", got)
	}
	for _, layout := range []string{"no such type", "u", "+l", "+s", "n", ""} { // Go finds the array invalid
		source := call(t, "counting", "wrong", layout)
		if a, err := pyarrow.ImportArray(ctx, in, source); err == nil || a != nil {
			t.Errorf("%q: %v", layout, a)
		}
		if got := calls(source); got != [2]int{1, 1} {
			t.Errorf("%q: %v calls after an error", layout, got)
		}
	}
	nothingLent(t)
}

// Each library gives its data to Go and takes Go's.
func TestLibraries(t *testing.T) {
	in := interpreter(t)
	want := get[string](t, "evaluate", "repr(pa.table({'x': [1, None, 3], 'y': ['a', None, 'c']}).to_pylist())", nil)
	for _, expression := range []string{
		"pa.record_batch({'x': [1, None, 3], 'y': ['a', None, 'c']})",
		"pa.table({'x': [1, None, 3], 'y': ['a', None, 'c']})",
		"pa.concat_tables([pa.table({'x': [1], 'y': ['a']}), pa.table({'x': [None, 3], 'y': [None, 'c']}, schema=pa.schema({'x': pa.int64(), 'y': pa.string()}))])",
		"pa.table({'x': [1, None, 3], 'y': ['a', None, 'c']}).to_reader(2)",
		"pl.DataFrame({'x': [1, None, 3], 'y': ['a', None, 'c']})",
		"pl.concat([pl.DataFrame({'x': [1], 'y': ['a']}), pl.DataFrame({'x': [None, 3], 'y': [None, 'c']})], rechunk=False)",
		"pd.DataFrame({'x': pd.array([1, None, 3], 'Int64'), 'y': ['a', None, 'c']})",
	} {
		batch, err := pyarrow.ImportRecordBatch(ctx, in, call(t, "make", expression))
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		back := must[*python.Object](t)(pyarrow.ExportRecordBatch(ctx, in, batch))
		for _, through := range []string{"x", "pa.table(x)", "pl.DataFrame(x)", "pl.from_arrow(x)", "pa.Table.from_pandas(x.to_pandas(types_mapper=pd.ArrowDtype))"} {
			list := "repr((" + through + ").to_pylist())"
			if strings.HasPrefix(through, "pl.") {
				list = "repr((" + through + ").to_dicts())"
			}
			if got := get[string](t, "evaluate", list, back); got != want {
				t.Errorf("%s, back through %s: %s", expression, through, got)
			}
		}
		_ = back.Close()
		if strings.Contains(expression, "reader") {
			batch.Release()
			continue
		}
		table := must[arrow.Table](t)(pyarrow.ImportTable(ctx, in, call(t, "make", expression)))
		if table.NumRows() != 3 || table.NumCols() != 2 {
			t.Errorf("%s: a table of %d rows", expression, table.NumRows())
		}
		back = must[*python.Object](t)(pyarrow.ExportTable(ctx, in, table))
		if got := get[string](t, "evaluate", "repr(x.to_pylist())", back); got != want {
			t.Errorf("%s: table: %s", expression, got)
		}
		_ = back.Close()
		table.Release()
		batch.Release()
	}
	for _, expression := range []string{
		"pa.array([1, None, 3])", "pa.chunked_array([[1], [None, 3]])", "pl.Series([1, None, 3])", "pd.Series([1, None, 3], dtype='Int64')",
	} {
		a, err := pyarrow.ImportArray(ctx, in, call(t, "make", expression))
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		back := must[*python.Object](t)(pyarrow.ExportArray(ctx, in, a))
		a.Release()
		if got := get[string](t, "evaluate", "repr(x.to_pylist())", back); got != "[1, None, 3]" {
			t.Errorf("%s: %s", expression, got)
		}
		_ = back.Close()
	}
	nothingLent(t)
}

// Without pyarrow, what Go gives speaks the protocol, and can be taken as often as one likes.
func TestWithoutPyarrow(t *testing.T) {
	in := interpreter(t)
	call(t, "evaluate", "pl.DataFrame({'x': [1]})", nil)
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	batch := people(mem, 4)
	call(t, "hide", "pyarrow")
	object, err := pyarrow.ExportRecordBatch(ctx, in, batch)
	reader := must[array.RecordReader](t)(array.NewRecordReader(batch.Schema(), []arrow.RecordBatch{batch, batch}))
	stream, streamErr := pyarrow.ExportReader(ctx, in, reader)
	reader.Release()
	column, columnErr := pyarrow.ExportArray(ctx, in, batch.Column(0))
	batch.Release()
	call(t, "unhide", "pyarrow")
	if err != nil || streamErr != nil || columnErr != nil {
		t.Fatal(err, streamErr, columnErr)
	}
	for range 2 {
		for expression, want := range map[string]string{
			"type(x).__module__":                    "gophersnake_arrow",
			"repr(pl.DataFrame(x)['id'].to_list())": "[0, 1, 2, 3]",
			"repr(pa.table(x)['name'].to_pylist())": "['n0', None, 'n2', 'n3']",
			"repr(pa.record_batch(x).num_rows)":     "4",
			"repr(pa.schema(x).names[-1])":          "'place'",
			"repr([x.__arrow_c_array__(), x.__arrow_c_stream__(), x.__arrow_c_schema__()] and None)": "None",
		} {
			if got := get[string](t, "evaluate", expression, object); got != want {
				t.Errorf("%s: %s, want %s", expression, got, want)
			}
		}
	}
	if got := get[string](t, "evaluate", "repr(pl.Series(x).to_list())", column); got != "[0, 1, 2, 3]" {
		t.Errorf("column: %s", got)
	}
	if got := get[int](t, "evaluate", "pa.table(x).num_rows", stream); got != 8 {
		t.Errorf("stream: %d rows", got)
	}
	f := must[*python.Function](t)(in.Func("arrows:evaluate"))
	defer f.Close()
	if _, err := f.Call(ctx, "pa.table(x)", stream); !errors.Is(err, python.ValueError) {
		t.Errorf("a reader that was used: %v", err)
	}
	_, _, _ = object.Close(), stream.Close(), column.Close()
	nothingLent(t)
}

// reader makes batches as they are asked for, then fails.
type reader struct {
	array.RecordReader
	schema   *arrow.Schema
	batch    arrow.RecordBatch
	left     int
	fail     func()
	err      error
	released int
}

func (r *reader) Schema() *arrow.Schema          { return r.schema }
func (r *reader) RecordBatch() arrow.RecordBatch { return r.batch }
func (r *reader) Err() error                     { return r.err }
func (r *reader) Retain()                        { r.released-- }
func (r *reader) Release()                       { r.released++ }

func (r *reader) Next() bool {
	if r.left == 0 {
		if r.fail != nil {
			r.fail()
		}
		return false
	}
	r.left--
	return true
}

func TestExportReader(t *testing.T) {
	in := interpreter(t)
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	batch := people(mem, 3)
	defer batch.Release()
	for name, c := range map[string]struct {
		fail func(*reader)
		want string
	}{
		"end":    {nil, ""},
		"error":  {func(r *reader) { r.err = errors.New("the disk is gone") }, "the disk is gone"},
		"panic":  {func(*reader) { panic("a bug") }, "panic in a Go reader: a bug"},
		"schema": {func(r *reader) { r.left, r.schema = 1, arrow.NewSchema(nil, nil) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := &reader{schema: batch.Schema(), batch: batch, left: 3}
			if c.fail != nil {
				r.fail = func() { c.fail(r) }
			}
			object := must[*python.Object](t)(pyarrow.ExportReader(ctx, in, r))
			f := must[*python.Function](t)(in.Func("arrows:read"))
			defer f.Close()
			result, err := f.Call(ctx, object)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if n := must[int](t)(result.Len()); n != 3 {
					t.Errorf("%d batches", n)
				}
				_ = result.Close()
			} else if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			_ = object.Close()
			_ = call(t, "let_go").Close()
			nothingLent(t)
			if r.released != 0 {
				t.Errorf("%d references too few", r.released)
			}
		})
	}
	r := &reader{schema: arrow.NewSchema([]arrow.Field{{Name: "other", Type: arrow.BinaryTypes.String}}, nil), batch: batch, left: 1}
	object := must[*python.Object](t)(pyarrow.ExportReader(ctx, in, r))
	defer object.Close()
	f := must[*python.Function](t)(in.Func("arrows:read"))
	defer f.Close()
	if _, err := f.Call(ctx, object); err == nil || !strings.Contains(err.Error(), "has a batch with") {
		t.Errorf("a batch that does not fit the schema: %v", err)
	}
}

func TestImportReader(t *testing.T) {
	in := interpreter(t)
	before := get[int](t, "allocated")
	r := must[array.RecordReader](t)(pyarrow.ImportReader(ctx, in, call(t, "failing", 3)))
	batches := 0
	var last arrow.RecordBatch
	for r.Next() {
		if got := r.RecordBatch().Column(0).(*array.Int64).Value(0); got != int64(batches) {
			t.Errorf("batch %d has %d", batches, got)
		}
		batches++
		if batches == 3 {
			last = r.RecordBatch()
			last.Retain()
		}
	}
	if err := r.Err(); batches != 3 || err == nil || !strings.Contains(err.Error(), "no more of this") {
		t.Errorf("%d batches, then %v", batches, err)
	}
	if r.Next() {
		t.Error("more after the end")
	}
	r.Release()
	if got := last.Column(0).(*array.Int64).Value(0); got != 2 {
		t.Errorf("a batch that was retained has %d", got)
	}
	last.Release()

	// From Python through Go to Python.
	ten := call(t, "make", "pa.table({'x': list(range(10))}).to_reader(3)")
	through := must[array.RecordReader](t)(pyarrow.ImportReader(ctx, in, ten))
	_ = ten.Close()
	object := must[*python.Object](t)(pyarrow.ExportReader(ctx, in, through))
	through.Release()
	if got := get[int](t, "evaluate", "sum(len(b) for b in x)", object); got != 10 {
		t.Errorf("%d rows through Go", got)
	}
	_ = object.Close()

	// A reader that nobody has released.
	forgotten := call(t, "make", "pa.table({'x': list(range(100_000))}).to_reader(3)")
	_ = must[array.RecordReader](t)(pyarrow.ImportReader(ctx, in, forgotten))
	_ = forgotten.Close()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		runtime.GC()
		if get[int](t, "allocated") == before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("pyarrow holds %d bytes, %d before", get[int](t, "allocated"), before)
}

func TestEmpty(t *testing.T) {
	in := interpreter(t)
	for _, expression := range []string{
		"pa.table({})", "pa.table({'x': pa.array([], pa.string())})", "pa.schema({'x': pa.string()}).empty_table()",
		"pa.table({'x': pa.chunked_array([], pa.list_(pa.int8()))})", "pd.DataFrame()", "pl.DataFrame()", "pl.DataFrame({'x': []}, schema={'x': pl.String})",
		"pa.record_batch([], schema=pa.schema([]))",
	} {
		batch, err := pyarrow.ImportRecordBatch(ctx, in, call(t, "make", expression))
		if err != nil || batch.NumRows() != 0 {
			t.Errorf("%s: %v, %v", expression, batch, err)
			continue
		}
		table := array.NewTableFromRecords(batch.Schema(), []arrow.RecordBatch{batch})
		for _, object := range []*python.Object{
			must[*python.Object](t)(pyarrow.ExportRecordBatch(ctx, in, batch)),
			must[*python.Object](t)(pyarrow.ExportTable(ctx, in, table)),
		} {
			if rows := get[int](t, "evaluate", "x.num_rows", object); rows != 0 {
				t.Errorf("%s: %d rows", expression, rows)
			}
			_ = object.Close()
		}
		table.Release()
		batch.Release()
	}
	nothingLent(t)
}

func TestErrors(t *testing.T) {
	in := interpreter(t)
	for expression, want := range map[string]string{
		"42":                         "want Arrow data, an object with __arrow_c_array__ or __arrow_c_stream__, got int",
		"None":                       "got NoneType",
		"np.arange(3)":               "got numpy.ndarray",
		"pa.array([1, 2])":           "want record batches, got an array of int64: use ImportArray",
		"pa.array([{'x': 1}, None])": "some are null: use ImportArray",
		"failing(2)":                 "no more of this",
		"Wrong()":                    "PyCapsule",
		"Raises()":                   "ZeroDivisionError",
		"Swapped()":                  "ValueError",
		"Twice()":                    "used before",
	} {
		if batch, err := pyarrow.ImportRecordBatch(ctx, in, call(t, "make", expression)); err == nil || batch != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, %v, want an error with %q", expression, batch, err, want)
		}
		if table, err := pyarrow.ImportTable(ctx, in, call(t, "make", expression)); err == nil || table != nil {
			t.Errorf("%s: got table %v, %v", expression, table, err)
		}
	}
	if _, err := pyarrow.ImportRecordBatch(ctx, in, call(t, "make", "1/1")); !errors.Is(err, python.TypeError) {
		t.Errorf("got %v, want a TypeError", err)
	}

	ended, cancel := context.WithCancel(ctx)
	cancel()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	batch := people(mem, 4)
	if object, err := pyarrow.ExportRecordBatch(ended, in, batch); !errors.Is(err, context.Canceled) || object != nil {
		t.Errorf("got %v, %v", object, err)
	}
	batch.Release()
	mem.AssertSize(t, 0)

	nested := must[arrow.Array](t)(nestedExtension())
	defer nested.Release()
	if object, err := pyarrow.ExportArray(ctx, in, nested); err == nil || object != nil || !strings.Contains(err.Error(), "cannot export") {
		t.Errorf("got %v, %v", object, err)
	}
	nothingLent(t)
}

// pair is an extension type that is stored as a struct.
type pair struct{ arrow.ExtensionBase }

func (*pair) ArrayType() reflect.Type { return reflect.TypeFor[pairs]() }
func (*pair) ExtensionName() string   { return "gophersnake.pair" }
func (*pair) ExtensionEquals(o arrow.ExtensionType) bool {
	return o.ExtensionName() == "gophersnake.pair"
}
func (*pair) Serialize() string                                                 { return "" }
func (p *pair) Deserialize(arrow.DataType, string) (arrow.ExtensionType, error) { return p, nil }

type pairs struct{ array.ExtensionArrayBase }

func nestedExtension() (arrow.Array, error) {
	storage := arrow.StructOf(arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Int8})
	b := array.NewBuilder(memory.NewGoAllocator(), storage)
	defer b.Release()
	b.AppendEmptyValue()
	values := b.NewArray()
	defer values.Release()
	return array.NewExtensionArrayWithStorage(&pair{arrow.ExtensionBase{Storage: storage}}, values), nil
}

// Nothing is left of 10^4 round trips, in either direction.
func TestLeak(t *testing.T) {
	in := interpreter(t)
	rounds := 10_000
	if testing.Short() {
		rounds = 1000
	}
	mem := memory.NewCheckedAllocator(mallocator.NewMallocator())
	double := must[*python.Function](t)(in.Func("arrows:evaluate"))
	defer double.Close()
	round := func() {
		batch := people(mem, 10)
		object := must[*python.Object](t)(pyarrow.ExportRecordBatch(ctx, in, batch))
		batch.Release()
		result := must[*python.Object](t)(double.Call(ctx, "pa.record_batch([x['id'], pa.array([str(i) for i in range(10)])], ['id', 's']).slice(1)", object))
		_ = object.Close()
		back := must[arrow.RecordBatch](t)(pyarrow.ImportRecordBatch(ctx, in, result))
		_ = result.Close()
		if back.NumRows() != 9 || back.Column(0).(*array.Int64).Value(8) != 9 {
			t.Fatal(back)
		}
		back.Release()
		if _, err := pyarrow.ImportRecordBatch(ctx, in, must[*python.Object](t)(in.Object("sys:argv"))); err == nil {
			t.Fatal("sys.argv is Arrow data")
		}
	}
	for range rounds / 5 {
		round()
	}
	nothingLent(t)
	call(t, "let_go")
	runtime.GC()
	before, objects, resident := get[int](t, "allocated"), in.Stats().Objects, get[int](t, "resident")
	for range rounds {
		round()
	}
	nothingLent(t)
	mem.AssertSize(t, 0)
	call(t, "let_go")
	var after int
	for end := time.Now().Add(time.Minute); time.Now().Before(end); { // handles that nobody closed
		runtime.GC()
		_ = call(t, "let_go").Close()
		if after = get[int](t, "allocated"); after == before && in.Stats().Objects <= objects+100 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if after != before {
		t.Errorf("pyarrow holds %d bytes, %d before", after, before)
	}
	if after := in.Stats().Objects; after > objects+100 {
		t.Errorf("%d objects, %d before", after, objects)
	}
	if grown := get[int](t, "resident") - resident; grown > 16<<20 {
		t.Errorf("the process has grown by %d bytes", grown)
	}
}

// Several goroutines pass data both ways while the collector runs.
func TestConcurrent(t *testing.T) {
	in := interpreter(t)
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	call(t, "make", "1")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := range 100 {
				batch := people(mem, 50)
				object, err := pyarrow.ExportRecordBatch(ctx, in, batch)
				if err != nil {
					t.Error(err)
					return
				}
				back, err := pyarrow.ImportRecordBatch(ctx, in, object)
				if err != nil {
					t.Error(err)
					return
				}
				if i%2 == 0 { // either side lets go first
					_ = object.Close()
				}
				if !array.RecordEqual(batch, back) {
					t.Errorf("got %v", back)
				}
				batch.Release()
				back.Release()
				if i%2 == 1 {
					_ = object.Close()
				}
				if i%20 == 0 {
					runtime.GC()
				}
			}
		})
	}
	group.Wait()
	nothingLent(t)
	mem.AssertSize(t, 0)
}
