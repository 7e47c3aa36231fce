package python

import (
	"math/big"
	"testing"
	"time"
)

// recordsTable checks rows whose expressions are evaluated in testdata/oracle_records.py.
func recordsTable(t *testing.T, rows []conversion) {
	t.Helper()
	libraryTable(t, "oracle_records:value", rows)
}

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	location, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return location
}

// What is derived from a class of Python's counts by what that class says of it, whatever its own methods do.
func TestDerivedClasses(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	noon := time.Date(2024, 7, 1, 12, 0, 0, 123457000, berlin)
	big64 := new(big.Int).Lsh(big.NewInt(1), 64)
	recordsTable(t, []conversion{
		gives("odd(datetime.datetime, 2024, 7, 1, 12, 0, 0, 123457, BERLIN)", noon), gives[any]("odd(datetime.datetime, 2024, 7, 1, 12, 0, 0, 123457, BERLIN)", noon), gives("odd(datetime.datetime, 2024, 7, 1)", time.Date(2024, 7, 1, 0, 0, 0, 0, time.UTC)),
		gives("odd(datetime.date, 2024, 7, 1)", time.Date(2024, 7, 1, 0, 0, 0, 0, time.UTC)), gives("odd(datetime.time, 12, 30, 1, 7)", 12*time.Hour+30*time.Minute+time.Second+7*time.Microsecond),
		gives("odd(datetime.timedelta, -1, 86399, 999999)", -time.Microsecond), gives[any]("odd(datetime.timedelta, days=1, seconds=2)", 24*time.Hour+2*time.Second),
		gives("odd(int, 7)", 7), gives("odd(int, 2**64)", big64), gives("odd(int, -2**64)", new(big.Int).Neg(big64)), gives("odd(int, 2**63)", uint64(1<<63)), gives("odd(float, 2.5)", 2.5), gives("odd(complex, 1, 2)", 1+2i), gives("odd(str, 'é')", "é"), gives("odd(bytes, b'x')", []byte("x")), gives("odd(bytearray, b'x')", []byte("x")),
		gives("odd(list, [1, 2])", []int{1, 2}), gives[any]("odd(tuple, (1, 2))", Tuple{1, 2}), gives[any]("odd(frozenset, [1])", Set{1}), gives[any]("odd(set, [1])", Set{1}), gives("odd(dict, a=1)", map[string]int{"a": 1}), gives[any]("odd(decimal.Decimal, '1.50')", big.NewRat(3, 2)), gives("odd(decimal.Decimal, '1.50')", "1.50"),

		// What only says that it is of a class.
		gives("Proxy(datetime.datetime(2024, 7, 1, 12, 0, 0, 123457, BERLIN))", noon), gives("Proxy(datetime.timedelta(seconds=-1))", -time.Second), gives("Proxy(datetime.date(2024, 1, 2))", time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC)), gives("Proxy(datetime.time(1))", time.Hour), gives("Proxy(decimal.Decimal(2))", big.NewRat(2, 1)),

		// pendulum.
		gives("pendulum.datetime(2024, 7, 1, 12, 0, 0, 123457, tz='Europe/Berlin')", noon), gives("pendulum.datetime(2024, 7, 1)", time.Date(2024, 7, 1, 0, 0, 0, 0, time.UTC)), gives("pendulum.naive(2024, 7, 1, 0, 0, 0, 999999)", time.Date(2024, 7, 1, 0, 0, 0, 999999000, time.UTC)), gives("pendulum.date(2024, 7, 1)", time.Date(2024, 7, 1, 0, 0, 0, 0, time.UTC)), gives("pendulum.time(1, 2, 3, 4)", time.Hour+2*time.Minute+3*time.Second+4*time.Microsecond),
		gives("pendulum.duration(seconds=-90000)", -25*time.Hour), gives("pendulum.duration(seconds=8640000000, microseconds=1)", 8640000000*time.Second+time.Microsecond), gives("pendulum.duration(seconds=-8640000000, microseconds=-1)", -8640000000*time.Second-time.Microsecond), gives[any]("pendulum.duration(microseconds=-1)", -time.Microsecond),
		gives("pendulum.datetime(2024, 1, 1, 0, 0, 0, 1) - pendulum.datetime(2024, 7, 1)", -(182*24*time.Hour - time.Microsecond)), gives("[pendulum.datetime(2024, 1, 1, 0, 0, 0, n) for n in (1, 999999)]", []time.Time{time.Date(2024, 1, 1, 0, 0, 0, 1000, time.UTC), time.Date(2024, 1, 1, 0, 0, 0, 999999000, time.UTC)}),
	})
}

// A time keeps its zone where that has a name that Go knows, and is so far from UTC then.
func TestResultZones(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	summer, winter := time.Date(2024, 7, 1, 12, 0, 0, 0, berlin), time.Date(2024, 1, 1, 12, 0, 0, 0, berlin)
	fixed := func(at time.Time, seconds int) time.Time { return at.In(time.FixedZone("", seconds)) }
	recordsTable(t, []conversion{
		gives("datetime.datetime(2024, 7, 1, 12, tzinfo=BERLIN)", summer), gives("pytz.timezone('Europe/Berlin').localize(datetime.datetime(2024, 7, 1, 12))", summer), gives("pytz.timezone('Europe/Berlin').localize(datetime.datetime(2024, 1, 1, 12))", winter), gives("datetime.datetime(2024, 7, 1, 12, tzinfo=dateutil.tz.gettz('Europe/Berlin'))", summer), gives("pendulum.datetime(2024, 7, 1, 12, tz='Europe/Berlin')", summer),
		gives("datetime.datetime(2024, 7, 1, 12, tzinfo=pytz.utc)", time.Date(2024, 7, 1, 12, 0, 0, 0, time.UTC)), gives("datetime.datetime(2024, 7, 1, 12, tzinfo=dateutil.tz.UTC)", time.Date(2024, 7, 1, 12, 0, 0, 0, time.UTC)), gives("datetime.datetime(2024, 7, 1, 12, tzinfo=pytz.FixedOffset(60))", fixed(time.Date(2024, 7, 1, 11, 0, 0, 0, time.UTC), 3600)), gives("datetime.datetime(2024, 7, 1, 12, tzinfo=dateutil.tz.tzoffset('Europe/Berlin', 60))", fixed(time.Date(2024, 7, 1, 11, 59, 0, 0, time.UTC), 60)),
		// The name is another zone's: local mean time, and a class of one's own.
		gives("datetime.datetime(2024, 7, 1, 12, tzinfo=pytz.timezone('Europe/Berlin'))", fixed(time.Date(2024, 7, 1, 11, 7, 0, 0, time.UTC), 3180)), gives("datetime.datetime(2024, 7, 1, 12, tzinfo=Custom())", fixed(time.Date(2024, 7, 1, 7, 0, 0, 0, time.UTC), 18000)),
		// The hour that comes twice.
		gives("datetime.datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN)", time.Unix(1729989000, 0).In(berlin)), gives("datetime.datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN, fold=1)", time.Unix(1729992600, 0).In(berlin)), gives("odd(datetime.datetime, 2024, 10, 27, 2, 30, tzinfo=BERLIN, fold=1)", time.Unix(1729992600, 0).In(berlin)),

		// A Timestamp has nanoseconds beside its zone.
		gives("pd.Timestamp('2024-07-01 12:00:00.000000001', tz='Europe/Berlin')", summer.Add(1)), gives[any]("pd.Timestamp('2024-07-01 12:00:00.123456789', tz='Europe/Berlin')", summer.Add(123456789)), gives("pd.Timestamp('1900-07-01 12:00:00.000000999', tz='UTC')", time.Date(1900, 7, 1, 12, 0, 0, 999, time.UTC)), gives("pd.Timestamp('2024-10-27 02:30:00.000000001', tz='UTC').tz_convert('Europe/Berlin')", time.Unix(1729996200, 1).In(berlin)),
		gives("[pd.Timestamp('2024-10-27 00:30:00.000000001', tz='UTC').tz_convert('Europe/Berlin')]", []time.Time{time.Unix(1729989000, 1).In(berlin)}), gives("pd.Timestamp('2024-10-27 01:30:00.000000001', tz='UTC').tz_convert('Europe/Berlin')", time.Unix(1729992600, 1).In(berlin)), gives("pd.Series(pd.to_datetime(['2024-07-01 10:00:00.000000001', None], utc=True)).dt.tz_convert('Europe/Berlin')", []*time.Time{pointer(summer.Add(1)), nil}),
		gives("pd.Timestamp('2024-07-01 12:00:00.000000001', tz=pytz.timezone('Europe/Berlin'))", summer.Add(1)), gives("pd.Timestamp(253402300800 * 10, unit='s', tz='UTC')", time.Unix(2534023008000, 0).UTC()),
	})
}

// A time of Go's is in its zone in Python too, and comes back as it was.
func TestArgumentZones(t *testing.T) {
	in := interpreter(t)
	berlin, zulu := zone(t, "Europe/Berlin"), time.UTC
	for _, row := range []struct {
		at   time.Time
		want string
	}{
		{time.Date(2024, 7, 1, 12, 0, 0, 5000, berlin), "ZoneInfo('Europe/Berlin') 2024-07-01 12:00:00.000005 0 winter 1:00:00"}, {time.Date(2024, 1, 1, 12, 0, 0, 0, berlin), "ZoneInfo('Europe/Berlin') 2024-01-01 12:00:00 0 winter 2:00:00"},
		{time.Unix(1729989000, 0).In(berlin), "ZoneInfo('Europe/Berlin') 2024-10-27 02:30:00 0 winter 2:00:00"}, {time.Unix(1729992600, 0).In(berlin), "ZoneInfo('Europe/Berlin') 2024-10-27 02:30:00 1 winter 2:00:00"},
		{time.Date(1, 1, 1, 0, 0, 0, 0, zone(t, "Asia/Tokyo")), "ZoneInfo('Asia/Tokyo') 0001-01-01 00:00:00 0 winter 9:18:59"}, {time.Date(9999, 6, 1, 0, 0, 0, 0, berlin), "ZoneInfo('Europe/Berlin') 9999-06-01 00:00:00 0 winter 1:00:00"}, {time.Date(2024, 7, 1, 12, 0, 0, 0, zone(t, "Asia/Kathmandu")), "ZoneInfo('Asia/Kathmandu') 2024-07-01 12:00:00 0 winter 5:45:00"},
		{time.Date(2024, 7, 1, 12, 0, 0, 0, zulu), "utc 2024-07-01 12:00:00 0 winter 0:00:00"}, {time.Date(2024, 7, 1, 12, 0, 0, 0, time.FixedZone("", 0)), "utc 2024-07-01 12:00:00 0 winter 0:00:00"}, {time.Date(2024, 7, 1, 12, 0, 0, 0, time.FixedZone("", 7200)), "timezone(timedelta(seconds=7200)) 2024-07-01 12:00:00 0 winter 2:00:00"},
		// These bear the names of zones and are none.
		{time.Date(2024, 1, 1, 12, 0, 0, 0, time.FixedZone("CET", 3600)), "timezone(timedelta(seconds=3600)) 2024-01-01 12:00:00 0 winter 1:00:00"}, {time.Date(2024, 7, 1, 12, 0, 0, 0, time.FixedZone("Asia/Tokyo", 9*3600)), "timezone(timedelta(seconds=32400)) 2024-07-01 12:00:00 0 winter 9:00:00"}, {time.Date(2024, 7, 1, 12, 0, 0, 0, time.FixedZone("nowhere", 60)), "timezone(timedelta(seconds=60)) 2024-07-01 12:00:00 0 winter 0:01:00"}, {time.Date(2024, 7, 1, 12, 0, 0, 0, time.FixedZone("../../etc/passwd", 60)), "timezone(timedelta(seconds=60)) 2024-07-01 12:00:00 0 winter 0:01:00"},
	} {
		const shown = "repr(x.tzinfo).replace('zoneinfo.', '').replace('datetime.', '').replace('key=', '') + f' {x.replace(tzinfo=None, fold=0)} {x.fold} winter {(x + datetime.timedelta(183) if x.year < 9999 else x.replace(month=1)).utcoffset()}'"
		got, err := pythonText(in, shown, row.at)
		if want := row.want; err != nil || got != want && got != "timezone."+want {
			t.Errorf("%v: got %s, %v, want %s", row.at, got, err, want)
		}
		for place, value := range map[string]any{"alone": row.at, "in a list": []time.Time{row.at}, "in a map": map[string]time.Time{"a": row.at}} {
			back, err := evaluate[any](in, "oracle:same", value)
			switch v := back.(type) {
			case []any:
				back = v[0]
			case map[string]any:
				back = v["a"]
			}
			at, ok := back.(time.Time)
			_, offset := row.at.Zone()
			_, got := at.Zone()
			if err != nil || !ok || !at.Equal(row.at) || offset != got || zoneName(at) != zoneName(row.at) {
				t.Errorf("%s: %v came back as %v, %v", place, row.at, back, err)
			}
		}
	}
}

// Maps have one order in Python, that of their keys.
func TestArgumentMapOrder(t *testing.T) {
	in := interpreter(t)
	day := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, row := range map[string]struct {
		value any
		want  string
	}{
		"texts": {map[string]int{"b": 1, "a": 2, "": 3, "aa": 4, "é": 5}, "['', 'a', 'aa', 'b', 'é']"}, "numbers": {map[int]int{10: 0, 9: 0, -1: 0, 100: 0}, "[-1, 9, 10, 100]"}, "unsigned": {map[uint8]int{10: 0, 9: 0, 200: 0}, "[9, 10, 200]"}, "floats": {map[float64]int{2.5: 0, -1: 0, 10: 0}, "[-1.0, 2.5, 10.0]"},
		"truths": {map[bool]int{true: 0, false: 0}, "[False, True]"}, "complex": {map[complex128]int{2: 0, 1i: 0, 1: 0}, "[1j, (1+0j), (2+0j)]"}, "arrays": {map[[2]string]int{{"b", "a"}: 0, {"a", "b"}: 0, {"a", "a"}: 0}, "[('a', 'a'), ('a', 'b'), ('b', 'a')]"}, "times": {map[time.Time]int{day.AddDate(0, 0, 1): 0, day.AddDate(-9, 0, 0): 0, day: 0}, "[2015, 2024, 2024]"},
		"any": {map[any]int{"b": 0, 2: 0, "a": 0, 1: 0, nil: 0, 1.5: 0}, "[None, 1.5, 1, 2, 'a', 'b']"}, "own": {map[celsius]int{{3}: 0, {1}: 0, {2}: 0}, "[(1.0, '°C'), (2.0, '°C'), (3.0, '°C')]"}, "within": {[]map[string]any{{"y": map[string]int{"q": 0, "p": 0}, "x": 0}}, "[{'x': 0, 'y': {'p': 0, 'q': 0}}]"},
	} {
		show := "str(list(x))"
		if name == "times" {
			show = "str([key.year for key in x])"
		}
		for range 20 {
			if got, err := pythonText(in, show, row.value); err != nil || got != row.want {
				t.Fatalf("%s: got %s, %v, want %s", name, got, err, row.want)
			}
		}
	}
}

// A record has all that it has, and a mapping all values of its keys: or there is an error.
func TestResultRecordsAreWhole(t *testing.T) {
	type ab struct {
		A int    `py:"a"`
		B string `py:"b"`
	}
	type a struct {
		A int `py:"a"`
	}
	whole, asMap := ab{1, "x"}, map[string]any{"a": 1, "b": "x"}
	var rows []conversion
	for _, source := range []string{"Open(a=1, b='x')", "Old(a=1, b='x')", "OpenData(a=1, b='x')", "Struct(1, 'x')", "multidict.MultiDict(a=1, b='x')", "multidict.MultiDict(a=1, b='x').copy()", "werkzeug.datastructures.MultiDict(dict(a=1, b='x'))", "werkzeug.datastructures.CombinedMultiDict([werkzeug.datastructures.MultiDict(dict(a=1)), werkzeug.datastructures.MultiDict(dict(b='x'))])", "collections.OrderedDict(a=1, b='x')", "collections.ChainMap(dict(a=1), dict(b='x'))", "collections.defaultdict(int, a=1, b='x')", "types.MappingProxyType(dict(a=1, b='x'))"} {
		rows = append(rows, gives(source, whole), gives(source, asMap), gives[any](source, asMap), gives("["+source+"]", []any{asMap}))
	}
	recordsTable(t, append(rows,
		gives("Open(a=1, copy='x')", map[string]any{"a": 1, "copy": "x"}), gives[any]("Closed(a=1, b='x')", map[string]any{"a": 1}), gives("Open(a=1, b='x')", a{1}),

		// Two values of one key.
		refuses[map[string]any]("multidict.MultiDict([('a', 1), ('a', 2)])", "result: want map[string]any, got multidict._multidict.MultiDict with 2 values of the key 'a'"), refuses[any]("multidict.CIMultiDict([('a', 1), ('A', 2)])", "…multidict._multidict.CIMultiDict with 2 values of the key 'a': ask for *python.Object to get a reference"), refuses[any]("multidict.MultiDictProxy(multidict.MultiDict([('a', 1), ('a', 2)]))", "…with 2 values of the key 'a'"), refuses[a]("multidict.MultiDict([('a', 1), ('a', 2)])", "…with 2 values of the key 'a'"),
		refuses[map[string]string]("werkzeug.datastructures.MultiDict([('a', 'x'), ('a', 'y')])", "…werkzeug.datastructures.structures.MultiDict with 2 values of the key 'a'"), refuses[any]("werkzeug.datastructures.ImmutableMultiDict([('a', 'x'), ('a', 'y')])", "…with 2 values of the key 'a'"), refuses[any]("werkzeug.datastructures.CombinedMultiDict([werkzeug.datastructures.MultiDict(dict(a=1)), werkzeug.datastructures.MultiDict(dict(a=2))])", "…with 2 values of the key 'a'"), refuses[[]map[string]any]("[{}, multidict.MultiDict([('a', 1), ('a', 2)])]", "…result[1]: want map[string]any, got multidict"),
		refuses[float64]("multidict.MultiDict([('a', 1), ('a', 2)])", "result: want float64, got multidict._multidict.MultiDict"),

		// What can be iterated over, and is more than that gives.
		refuses[any]("headers(('Subject', 'hello'), ('To', 'you'))", "result: want any, got email.message.Message, which is no sequence of items: ask for *python.Object to get a reference"), refuses[[]string]("headers(('Subject', 'hello'))", "result: want []string, got email.message.Message, which is no sequence of items"), refuses[any]("Graph(a=['b'])", "…oracle_records.Graph, which is no sequence of items"), refuses[[]string]("Graph(a=['b'])", "…oracle_records.Graph, which is no sequence of items"), refuses[any]("{'g': [Graph(a=['b'])]}", `…result["g"][0]: want any, got oracle_records.Graph`),
		refuses[any]("xml.etree.ElementTree.fromstring('<a b=\"c\">d<e/></a>')", "…xml.etree.ElementTree.Element"), refuses[any]("np.polynomial.Polynomial([1, 2], domain=[0, 5])", "…numpy.polynomial.polynomial.Polynomial, which may be"), refuses[any]("Bag(1, 2)", "…oracle_records.Bag, which may be"), gives("Bag(1, 2)", []int{1, 2}), gives("Row(1, 2)", []any{1, 2}), gives("Row()", []int{}), gives("Bag()", [0]int{}),
		gives[any]("collections.deque([1, 2])", []any{1, 2}), gives[any]("{'a': 1}.keys()", []any{"a"}), gives[any]("{'a': 1}.items()", []any{Tuple{"a", 1}}), gives[any]("zip('a', 'b')", []any{Tuple{"a", "b"}}), gives[any]("collections.UserList([1])", []any{1}), gives[any]("range(2)", []any{0, 1}),
	))
}

// A Decimal is a *big.Rat or there is an error: nothing of it is lost but the number of its digits.
func TestResultDecimalsAreExact(t *testing.T) {
	recordsTable(t, []conversion{
		gives[any]("decimal.Decimal('1.50')", big.NewRat(3, 2)), gives[any]("decimal.Decimal('0.00')", new(big.Rat)), gives("decimal.Decimal('-0.00')", "-0.00"), gives("decimal.Decimal('1E+999999999')", "1E+999999999"), gives("odd(decimal.Decimal, '1E+999999999')", "1E+999999999"),
		refuses[any]("decimal.Decimal('-0')", "result: want *big.Rat, got Decimal -0: ask for string"), refuses[*big.Rat]("decimal.Decimal('-0E+5')", "result: want *big.Rat, got Decimal -0E+5: ask for string"), refuses[any]("decimal.Decimal('1E+999999999')", "result: want *big.Rat, got Decimal 1E+999999999: ask for string"), refuses[any]("{'a': decimal.Decimal('1E-999999999')}", `result["a"]: want *big.Rat, got Decimal 1E-999999999: ask for string`), refuses[*big.Rat]("-0.0", "result: want *big.Rat, got float -0"), gives("0.0", new(big.Rat)),
		gives[any]("decimal.Decimal('-Infinity')", "-Infinity"), gives[any]("decimal.Decimal('-sNaN12')", "-sNaN12"), gives[any]("fractions.Fraction(-1, 3)", big.NewRat(-1, 3)),
	})
}
