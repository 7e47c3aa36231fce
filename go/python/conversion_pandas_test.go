package python

import (
	"math"
	"testing"
	"time"
)

// pandasTable checks rows whose expressions are evaluated in testdata/oracle_pandas.py. The environment of the tests has to have pandas, attrs and pydantic.
func pandasTable(t *testing.T, rows []conversion) {
	t.Helper()
	libraryTable(t, "oracle_pandas:value", rows)
}

// libraryTable checks rows whose expressions are evaluated by a function of testdata.
func libraryTable(t *testing.T, evaluator string, rows []conversion) {
	t.Helper()
	in := interpreter(t)
	f, err := in.Func(evaluator)
	if err != nil {
		t.Fatalf("this test needs the packages of requirements-test.txt in the environment that GOPHERSNAKE_PYTHON names: %v", err)
	}
	defer f.Close()
	for _, row := range rows {
		o, err := f.Call(background, row.source)
		if err != nil {
			t.Errorf("%s: %v", row.source, err)
			continue
		}
		got, err := panicked(func() (string, error) { return row.as(in, o) })
		row.check(t, "As", got, err)
		_ = o.Close()
	}
	leakFree(t, in, evaluator, rows)
}

// Objects of other packages as structs, by attribute.
func TestAttrsAndPydantic(t *testing.T) {
	type nested struct {
		X     int     `py:"x"`
		Y     float64 `py:"y"`
		Inner *nested `py:"inner"`
	}
	pandasTable(t, []conversion{
		gives("Attrs(1)", pointRecord{1, 0.5}), gives("[Attrs(1), Attrs(2, 3)]", []pointRecord{{1, 0.5}, {2, 3}}), gives("Attrs(1)", map[string]any{"x": 1, "y": 0.5}), gives[any]("Attrs(1)", map[string]any{"x": 1, "y": 0.5}),
		gives("Model(x=1, inner=Model(x=2))", nested{1, 0.5, &nested{2, 0.5, nil}}), gives("Model(x=1)", pointRecord{1, 0.5}), gives[any]("Model(x=1)", map[string]any{"x": 1, "y": 0.5, "inner": nil}),
		refuses[named]("Attrs(1)", `result: want python.named, got no value for its field "name": pass python.AllowMissing to leave it as it is`), refuses[[]pointRecord]("[Model(x=1), Attrs('x')]", "result[1].x: want int, got str"),
	})
}

func TestPandas(t *testing.T) {
	day := func(year int) time.Time { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC) }
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	type columns struct {
		I []int       `py:"i"`
		F []float64   `py:"f"`
		S []string    `py:"s"`
		B []bool      `py:"b"`
		T []time.Time `py:"t"`
		N []*int      `py:"n"`
		C []string    `py:"c"`
	}
	type row struct {
		I int       `py:"i"`
		F float64   `py:"f"`
		S string    `py:"s"`
		B bool      `py:"b"`
		T time.Time `py:"t"`
		N *int      `py:"n"`
		C string    `py:"c"`
	}
	nan := math.NaN()
	pandasTable(t, []conversion{
		// Scalars.
		gives("pd.Timestamp('2020-01-01')", day(2020)), gives("pd.Timestamp('2020-01-01 00:00:00.000000001')", time.Date(2020, 1, 1, 0, 0, 0, 1, time.UTC)), gives("pd.Timestamp('2020-07-01 12:00', tz='Europe/Berlin')", time.Date(2020, 7, 1, 12, 0, 0, 0, berlin)), gives[any]("pd.Timestamp('2020-01-01')", day(2020)),
		gives("pd.Timestamp('2020-01-01 00:00:00.000000001', tz='UTC')", time.Date(2020, 1, 1, 0, 0, 0, 1, time.UTC)), gives("pd.Timedelta(1, 'ns')", time.Nanosecond), gives("pd.Timedelta(days=-1, nanoseconds=1)", -24*time.Hour+1), gives[any]("pd.Timedelta(1, 's')", time.Second),
		gives[*time.Time]("pd.NaT", nil), gives[*int]("pd.NA", nil), gives[any]("pd.NaT", nil), gives[any]("pd.NA", nil), refuses[time.Time]("pd.NaT", "result: want time.Time, got None"), refuses[int]("pd.NA", "result: want int, got None"),

		// Series and Index, through their NumPy values.
		gives("pd.Series([1, 2])", []int{1, 2}), gives("pd.Series([1, 2], index=['a', 'b'])[::-1]", []int{2, 1}), gives("pd.Series([0.5, None])", []float64{0.5, nan}), gives("pd.Series([True, False])", []bool{true, false}), gives("pd.Series(['a', 'b'])", []string{"a", "b"}), gives("pd.Series(['a', 'b'], dtype=object)", []string{"a", "b"}),
		gives("pd.Series(['a', None])", []*string{pointer("a"), nil}), refuses[[]string]("pd.Series(['a', None], dtype=object)", "result[1]: want string, got None"), gives("pd.Series(['a', None], dtype='string')", []*string{pointer("a"), nil}), gives("pd.Series(['a'], dtype='string')", []string{"a"}), gives[any]("pd.Series(['a'])", []any{"a"}),
		gives("pd.Series([1, 2], dtype='int8')", []int8{1, 2}), refuses[[]int]("pd.Series([0.5])", "result: want []int, got array of float64"), gives("pd.Index([1, 2])", []int{1, 2}), gives("pd.RangeIndex(3)", []int{0, 1, 2}), gives("pd.Index(['a'])", []string{"a"}), gives("pd.date_range('2020-01-01', periods=2, freq='YS')", []time.Time{day(2020), day(2021)}),
		gives("pd.Series(pd.to_datetime(['2020-01-01', None]))", []*time.Time{pointer(day(2020)), nil}), refuses[[]time.Time]("pd.Series(pd.to_datetime(['2020-01-01', None]))", "result[1]: want time.Time, got NaT: ask for []*time.Time"), gives("pd.Series(pd.to_timedelta(['1s', None]))", []*time.Duration{pointer(time.Second), nil}), gives("pd.Series(pd.to_timedelta(['1ns']))", []time.Duration{1}),
		gives("pd.Series(pd.to_datetime(['2020-07-01 10:00'], utc=True).tz_convert('Europe/Berlin'))", []time.Time{time.Date(2020, 7, 1, 12, 0, 0, 0, berlin)}), gives("pd.Series(pd.to_datetime(['2020-01-01', None], utc=True))", []*time.Time{pointer(day(2020)), nil}), gives("pd.Series([], dtype='float64')", []float64{}), gives("pd.Series([1, 2]).to_numpy()", []int{1, 2}),
		gives("pd.Series([1, 'x', None], dtype=object)", []any{1, "x", nil}), gives("pd.MultiIndex.from_tuples([(1, 'a')])", []pairRecord{{1, "a"}}),

		// A nullable column tells its nulls.
		gives("pd.array([1, None], dtype='Int64')", []*int{pointer(1), nil}), gives("pd.Series([1, None], dtype='Int64')", []*int{pointer(1), nil}), gives("pd.Series([1, None], dtype='Int64')", []any{int64(1), nil}), gives("pd.Series([1, None], dtype='Int64')", Masked[int64]{[]int64{1, 0}, []bool{false, true}}), gives("pd.Series([1, 2], dtype='Int64')", []int{1, 2}), gives("pd.Series([1, 2], dtype='UInt8')", []uint8{1, 2}),
		refuses[[]int]("pd.Series([1, None], dtype='Int64')", "result: want []int, got Int64 array with 1 missing values"), refuses[any]("pd.Series([1, None], dtype='Int64')", "…Int64 array with 1 missing values"), gives("pd.Series([True, None], dtype='boolean')", []*bool{pointer(true), nil}), gives("pd.Series([True], dtype='boolean')", []bool{true}), gives("pd.Series([0.5, None], dtype='Float64')", []*float64{pointer(0.5), nil}),
		refuses[[]float64]("pd.Series([0.5, None], dtype='Float64')", "…Float64 array with 1 missing values"), gives("pd.Series([0.5], dtype='Float32')", []float32{0.5}), refuses[[]*int8]("pd.Series([1000, None], dtype='Int64')", "result[0]: 1000 does not fit int8 exactly"),

		// Categories.
		gives("pd.Categorical(['x', 'y', 'x'])", []string{"x", "y", "x"}), gives("pd.Series(['x', None], dtype='category')", []*string{pointer("x"), nil}), gives("pd.Series([1, 2, 1], dtype='category')", []int{1, 2, 1}), gives("pd.CategoricalIndex(['x'])", []string{"x"}), refuses[[]string]("pd.Series(['x', None], dtype='category')", "…result[1]: want string, got "),
		gives("pd.arrays.SparseArray([0, 0, 1])", []int{0, 0, 1}),

		// Data frames, by name of the column.
		gives("frame()", columns{[]int{1, 2, 3}, []float64{0.5, nan, 1.5}, []string{"a", "b", "c"}, []bool{true, false, true}, []time.Time{day(2020), day(2021), day(2022)}, []*int{pointer(1), nil, pointer(3)}, []string{"x", "y", "x"}}),
		gives("frame()", []row{{1, 0.5, "a", true, day(2020), pointer(1), "x"}, {2, nan, "b", false, day(2021), nil, "y"}, {3, 1.5, "c", true, day(2022), pointer(3), "x"}}),
		gives("frame()[['i']]", map[string][]int{"i": {1, 2, 3}}), gives("frame()[['i', 'n']][:2]", []map[string]any{{"i": int64(1), "n": int64(1)}, {"i": int64(2), "n": nil}}), gives[any]("frame()[['i', 'f']][:1]", map[string]any{"i": []int64{1}, "f": []float64{0.5}}), gives("frame()[:0]", []row{}),
		refuses[[]row]("frame().drop(columns='n')", `…"n"`), refuses[columns]("frame().drop(columns='n')", `result: want python.columns, got no value for its field "n": pass python.AllowMissing to leave it as it is`), refuses[struct {
			I []int `py:"i"`
		}]("frame()", "…AllowUnknown"), refuses[[]struct {
			I int `py:"i"`
		}]("frame()", `…no field for the column "f": add one or pass python.AllowUnknown`), gives("frame()[:1]", []struct {
			I int `py:"i"`
		}{{1}}, AllowUnknown), refuses[struct {
			I []string `py:"i"`
		}]("frame()[['i']]", "result.i: want []string, got array of int64"), refuses[[]struct {
			N int `py:"n"`
		}]("frame()[['n']]", "…want []int, got "), refuses[[]int]("frame()", "…want []int, got columns"),
		refuses[map[string]any]("pd.DataFrame([[1, 2]], columns=['a', 'a'])", "…a"), refuses[map[string]any]("pd.DataFrame([[1, 2]], columns=['1', 1])", "…1"), refuses[map[string][]int]("pd.DataFrame({0: [1]})", "…data frame with the label 0, which is no text: rename it, so that it is a name"),
		refuses[any]("pd.DataFrame({('a', 'b'): [1]})", "…the label ('a', 'b')"),
	})
	type keyed struct {
		Key string `py:"key"`
		V   int    `py:"v"`
	}
	pandasTable(t, []conversion{
		// An index with a name, or with more than the numbers of the rows, is a column.
		gives("pd.DataFrame({'key': ['p', 'f', 'p'], 'v': [1, 2, 3]}).groupby('key', sort=False).sum()", []keyed{{"p", 4}, {"f", 2}}),
		gives("pd.DataFrame({'v': [1, 2]}, index=[7, 9])", map[string][]int{"index": {7, 9}, "v": {1, 2}}),
		gives("pd.DataFrame({'v': [1, 2]}, index=pd.MultiIndex.from_tuples([(1, 2), (3, 4)], names=['a', None]))", map[string][]int{"a": {1, 3}, "level_1": {2, 4}, "v": {1, 2}}),
		refuses[[]keyed]("pd.DataFrame({'key': ['x'], 'v': [1]}, index=[5])", `…"index"`), refuses[map[string]any]("pd.DataFrame({'key': [1]}, index=pd.Index(['x'], name='key'))", "…key"),
		refuses[map[string][]int]("pd.DataFrame({'v': [1]}, index=pd.Index([3], name=0))", "…the label 0"),

		// A series with labels is a map.
		gives("pd.Series(['pear', 'fig', 'pear']).value_counts()", map[string]int{"pear": 2, "fig": 1}), gives("pd.Series([1, None], index=['a', 'b'], dtype='Int64')", map[string]*int{"a": pointer(1), "b": nil}), gives("pd.Series([2**53 + 1], index=[7])", map[int]int{7: 1<<53 + 1}),
		gives[any]("pd.Series([1.5], index=['a'])", map[string]any{"a": 1.5}), gives[any]("pd.Series([1.5, 2])", []float64{1.5, 2}), gives("pd.Series([1.5], index=['a'])", []float64{1.5}),
		refuses[any]("pd.Series([1, 2], index=['a', 'a'])", "…label 'a' more than once"), refuses[map[string]int]("pd.Series([1, 2], index=['a', 'a'])", "…pandas.Series with the label 'a' more than once"), refuses[map[string]int]("pd.Series([1, 2])", "…want map[string]int, got array"),

		// Columns of Arrow are exact, and lack what is missing.
		gives("pd.Series([2**53 + 1, None], dtype='int64[pyarrow]')", []*int{pointer(1<<53 + 1), nil}), gives("pd.Series([2**53 + 1, None], dtype='int64[pyarrow]')", Masked[int64]{[]int64{1<<53 + 1, 0}, []bool{false, true}}), refuses[[]float64]("pd.Series([1, None], dtype='int64[pyarrow]')", "…int64 array with 1 missing values"), refuses[any]("pd.Series([1, None], dtype='int64[pyarrow]')", "…missing"),
		gives("pd.Series([0.5, None], dtype='float64[pyarrow]')", []*float64{pointer(0.5), nil}), gives("pd.Series([True, None], dtype='bool[pyarrow]')", []*bool{pointer(true), nil}), gives("pd.Series([1, 2], dtype='uint8[pyarrow]')", []uint8{1, 2}), gives("pd.Series(['a', None], dtype=pd.ArrowDtype(pa.string()))", []*string{pointer("a"), nil}),
		gives("pd.Series([[2**53 + 1, None]], dtype=pd.ArrowDtype(pa.list_(pa.int64())))", [][]*int{{pointer(1<<53 + 1), nil}}), gives("pd.Series([{'x': 2**53 + 1}], dtype=pd.ArrowDtype(pa.struct([('x', pa.int64())])))", []map[string]int{{"x": 1<<53 + 1}}),
		gives("pd.Series(pa.array([1, None], pa.timestamp('ns')), dtype=pd.ArrowDtype(pa.timestamp('ns')))", []*time.Time{pointer(time.Unix(0, 1).UTC()), nil}), gives("pa.array([1, None], pa.duration('ns'))", []*time.Duration{pointer(time.Duration(1)), nil}),
		refuses[any]("pa.array([1], pa.time64('ns'))", "…with nanoseconds"), refuses[any]("pa.array([[1]], pa.list_(pa.time64('ns')))", "…with nanoseconds"), refuses[any]("pa.array([{'t': 1}], pa.struct([('t', pa.time64('ns'))]))", "…with nanoseconds"), refuses[any]("pa.scalar(1, pa.time64('ns'))", "…with nanoseconds"),
		gives[any]("pa.scalar(None, pa.time64('ns'))", nil), gives("pa.scalar(7)", 7), gives("pa.chunked_array([[1], [2]])", []int{1, 2}), gives("pa.chunked_array([], pa.int64())", []int{}), gives("pa.array(['a', 'b', 'a']).dictionary_encode()", []string{"a", "b", "a"}),
		gives("pa.table({'key': ['x'], 'v': [1]})", []keyed{{"x", 1}}), gives("pa.record_batch({'v': [1, 2]})", map[string][]int{"v": {1, 2}}),

		// Categories by code, and sparse columns as they are.
		gives("pd.Series(pd.Categorical([2**53 + 1, None, 1]))", []*int{pointer(1<<53 + 1), nil, pointer(1)}), refuses[[]float64]("pd.Series(pd.Categorical([1, None]))", "…category of int64 array with 1 missing values"), gives("pd.Categorical([None, None])", []*string{nil, nil}), gives("pd.Series([pd.Timestamp('2020-01-01'), None], dtype='category')", []*time.Time{pointer(day(2020)), nil}),
		gives("pd.arrays.SparseArray([0.0, 1.5, np.nan])", []float64{0, 1.5, nan}), gives("pd.arrays.SparseArray([2**53 + 1, 0, 0])", []int{1<<53 + 1, 0, 0}), gives("pd.Series([1.5, np.nan], dtype=pd.SparseDtype(float))", []float64{1.5, nan}),

		// Columns and frames of polars.
		gives("pl.Series([2**53 + 1, None])", []*int{pointer(1<<53 + 1), nil}), gives("pl.Series([1, None])", Masked[int]{[]int{1, 0}, []bool{false, true}}), refuses[[]int]("pl.Series([1, None])", "…Int64 array with 1 missing values"), gives("pl.Series([1, 2])", []int{1, 2}), gives("pl.Series([True, None])", []*bool{pointer(true), nil}), gives("pl.Series(['a', None])", []*string{pointer("a"), nil}),
		gives("pl.Series([1], dtype=pl.Int64).cast(pl.Datetime('ns'))", []time.Time{time.Unix(0, 1).UTC()}), gives("pl.Series([1500, None], dtype=pl.Int64).cast(pl.Duration('ns'))", []*time.Duration{pointer(1500 * time.Nanosecond), nil}), refuses[any]("pl.Series([123456789], dtype=pl.Int64).cast(pl.Time)", "…polars column of Time with nanoseconds"),
		refuses[any]("pl.Series([1], dtype=pl.Int64).cast(pl.Datetime('ns', 'Europe/Berlin'))", "…with nanoseconds"), refuses[any]("pl.DataFrame({'d': pl.Series([1], dtype=pl.Int64).cast(pl.Duration('ns'))}).to_struct('s')", "…with nanoseconds"), refuses[any]("pl.Series([[1]], dtype=pl.List(pl.Int64)).cast(pl.List(pl.Duration('ns')))", "…with nanoseconds"),
		gives("pl.DataFrame({'key': ['x'], 'v': [1]})", []keyed{{"x", 1}}), gives[any]("pl.DataFrame({'v': [1.5]})", map[string]any{"v": []float64{1.5}}), gives("pl.Series([[1, None]])", [][]*int{{pointer(1), nil}}),
	})
	in := interpreter(t)
	flatObjects(t, in, func() {
		_, _ = evaluate[columns](in, "oracle_pandas:frame")
		_, _ = evaluate[[]row](in, "oracle_pandas:frame")
		_, _ = evaluate[map[string]any](in, "oracle_pandas:frame")
		_, _ = evaluate[int](in, "oracle_pandas:frame")
	})
}
