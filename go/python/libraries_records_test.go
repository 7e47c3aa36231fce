//go:build libraries

package python

import (
	"math/big"
	"testing"
	"time"
)

// Single values, times, records, mappings and iterables of libraries.
func TestLibrariesRecords(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	noon := time.Date(2024, 7, 1, 12, 0, 0, 0, berlin)
	big70, third := new(big.Int).Lsh(big.NewInt(1), 70), big.NewRat(1, 3)
	type ab struct {
		A int    `py:"a"`
		B string `py:"b"`
	}
	type point struct {
		X, Y float64
	}
	whole, asMap := ab{1, "x"}, map[string]any{"a": 1, "b": "x"}
	const reference = ": ask for *python.Object to get a reference"
	rows := []libraryRow{
		{"pendulum", gives[any]("pendulum.datetime(2024, 7, 1, 12, tz='Europe/Berlin')", noon)}, {"pendulum", gives("pendulum.duration(days=-1, microseconds=1)", -24*time.Hour+time.Microsecond)}, {"pendulum", gives("pendulum.duration(years=1)", 365*24*time.Hour)}, {"pendulum", gives("pendulum.date(2024, 7, 1)", time.Date(2024, 7, 1, 0, 0, 0, 0, time.UTC))},
		{"arrow", refuses[time.Time]("arrow.Arrow(2024, 7, 1, 12, tzinfo='Europe/Berlin')", "result: want time.Time, got arrow.arrow.Arrow")}, {"arrow", gives("arrow.Arrow(2024, 7, 1, 12, tzinfo='Europe/Berlin').datetime", noon)},
		{"whenever", refuses[time.Time]("whenever.ZonedDateTime(2024, 7, 1, 12, tz='Europe/Berlin')", "result: want time.Time, got whenever.ZonedDateTime")}, {"whenever", refuses[any]("whenever.TimeDelta(hours=1)", "result: want any, got whenever.TimeDelta"+reference)}, {"whenever", gives("whenever.ZonedDateTime(2024, 7, 1, 12, tz='Europe/Berlin').to_stdlib()", noon)},
		{"python-dateutil", gives("datetime.datetime(2024, 7, 1, 12, tzinfo=dateutil.tz.gettz('Europe/Berlin'))", noon)}, {"python-dateutil", refuses[time.Duration]("dateutil.relativedelta.relativedelta(months=1)", "result: want time.Duration, got dateutil.relativedelta.relativedelta")},
		{"pytz", gives("pytz.timezone('Europe/Berlin').localize(datetime.datetime(2024, 7, 1, 12))", noon)},
		{"gmpy2", gives[any]("gmpy2.mpz(2)**70", big70)}, {"gmpy2", gives[any]("gmpy2.mpq(1, 3)", third)}, {"gmpy2", refuses[float64]("gmpy2.mpfr('0.5')", "result: want float64, got gmpy2.mpfr")}, {"gmpy2", gives("float(gmpy2.mpfr('0.5'))", 0.5)}, {"gmpy2", refuses[any]("gmpy2.mpc(1, 2)", "result: want any, got gmpy2.mpc"+reference)},
		{"mpmath", refuses[any]("mpmath.mpf('0.5')", "result: want any, got mpmath.ctx_mp_python.mpf"+reference)}, {"mpmath", refuses[float64]("mpmath.mpf(3)", "result: want float64, got mpmath.ctx_mp_python.mpf")}, {"mpmath", refuses[[]any]("mpmath.matrix([[1, 2], [3, 4]])", "result: want []any, got mpmath.matrices.matrices.matrix, which is no sequence of items")},
		{"sympy", gives[any]("sympy.Integer(2)**70", big70)}, {"sympy", gives[any]("sympy.Rational(1, 3)", third)}, {"sympy", refuses[float64]("sympy.Float('0.5')", "result: want float64, got sympy.core.numbers.Float")}, {"sympy", refuses[any]("sympy.Symbol('x') + 1", "result: want any, got sympy.core.add.Add"+reference)}, {"sympy", refuses[[][]float64]("sympy.Matrix([[1, 2]])", "result: want [][]float64, got sympy.matrices.dense.MutableDenseMatrix")}, {"sympy", gives("sympy.Tuple(1, 2)", []int{1, 2})},
		{"fractions", gives[any]("fractions.Fraction(1, 3)", third)}, {"fractions", refuses[float64]("fractions.Fraction(1, 2)", "result: want float64, got fractions.Fraction")},
		{"pydantic", gives("Model(a=1)", struct {
			A int `py:"a"`
		}{1})},
		{"sqlite3", gives("sqlite_row()", []any{1, "x"})}, {"sqlalchemy", gives("sqlalchemy_row()", []any{1, "x"})}, {"sqlalchemy", gives("sqlalchemy_row()._mapping", asMap)},
		{"shapely", refuses[any]("shapely.Point(1, 2)", "result: want any, got shapely.geometry.point.Point"+reference)}, {"shapely", gives("shapely.LineString([(0, 0), (1, 2)]).coords", [][]float64{{0, 0}, {1, 2}})}, {"shapely", gives("shapely.Point(1, 2).coords[0]", point{1, 2})}, {"shapely", gives("shapely.box(0, 0, 1, 2).bounds", []float64{0, 0, 1, 2})},
		{"networkx", refuses[any]("networkx.path_graph(3)", "result: want any, got networkx.classes.graph.Graph, which is no sequence of items"+reference)}, {"networkx", refuses[[]int]("networkx.path_graph(3)", "result: want []int, got networkx.classes.graph.Graph, which is no sequence of items")}, {"networkx", refuses[[]string]("networkx.DiGraph([('a', 'b')])", "…networkx.classes.digraph.DiGraph, which is no sequence of items")}, {"networkx", gives("networkx.path_graph(2).adj", map[int]map[int]map[string]any{0: {1: {}}, 1: {0: {}}})}, {"networkx", gives("list(networkx.path_graph(3).edges)", [][]int{{0, 1}, {1, 2}})},
		{"multidict", gives("multidict.MultiDict(a=1, b='x')", whole)}, {"multidict", refuses[any]("multidict.MultiDict([('a', 1), ('a', 2)])", "result: want any, got multidict._multidict.MultiDict with 2 values of the key 'a'"+reference)}, {"werkzeug", refuses[map[string]any]("werkzeug.datastructures.MultiDict([('a', 1), ('a', 2)])", "…werkzeug.datastructures.structures.MultiDict with 2 values of the key 'a'")}, {"werkzeug", gives("werkzeug.datastructures.MultiDict([('a', 1), ('b', 'x')])", whole)},
		{"email", refuses[any]("message()", "result: want any, got email.message.EmailMessage, which is no sequence of items"+reference)}, {"email", refuses[[]string]("message()", "result: want []string, got email.message.EmailMessage, which is no sequence of items")},
	}
	for library, source := range map[string]string{"msgspec": "Struct(1, 'x')", "attrs": "Attrs(1, 'x')", "pydantic": "Model(a=1, b='x')", "sqlite3": "sqlite_row()", "sqlalchemy": "sqlalchemy_row()"} {
		rows = append(rows, libraryRow{library, gives(source, asMap)}, libraryRow{library, gives[any](source, asMap)}, libraryRow{library, gives(source, whole)})
	}
	checkLibraries(t, rows)
}
