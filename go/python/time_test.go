package python

import (
	"fmt"
	"math"
	"testing"
	"time"
)

func TestTimes(t *testing.T) {
	utc := func(year int, month time.Month, day, hour, minute, second, nano int) time.Time {
		return time.Date(year, month, day, hour, minute, second, nano, time.UTC)
	}
	in := func(name string) *time.Location {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		return zone
	}
	berlin, fixed := in("Europe/Berlin"), func(seconds int) *time.Location { return time.FixedZone("", seconds) }
	checkConversions(t, []conversion{
		// What has no zone is UTC.
		gives("datetime.datetime(2020, 2, 29, 1, 2, 3, 4)", utc(2020, 2, 29, 1, 2, 3, 4000)), gives("datetime.datetime.min", utc(1, 1, 1, 0, 0, 0, 0)), gives("datetime.datetime.max", utc(9999, 12, 31, 23, 59, 59, 999999000)), gives("datetime.datetime(1969, 12, 31, 23, 59, 59, 999999)", utc(1969, 12, 31, 23, 59, 59, 999999000)), gives("datetime.datetime(2020, 1, 1, fold=1)", utc(2020, 1, 1, 0, 0, 0, 0)),
		gives("datetime.date(2020, 2, 29)", utc(2020, 2, 29, 0, 0, 0, 0)), gives("datetime.date.min", utc(1, 1, 1, 0, 0, 0, 0)), gives("datetime.date.max", utc(9999, 12, 31, 0, 0, 0, 0)),

		// Zones: fixed ones, those with a name, both sides of a change.
		gives("datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)", utc(2020, 1, 1, 0, 0, 0, 0)), gives("datetime.datetime(2020, 1, 1, tzinfo=zoneinfo.ZoneInfo('UTC'))", utc(2020, 1, 1, 0, 0, 0, 0)), gives("datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=-5)))", time.Date(2020, 1, 1, 0, 0, 0, 0, fixed(-5*3600))),
		gives("datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(seconds=-86399)))", time.Date(2020, 1, 1, 0, 0, 0, 0, fixed(-86399))), gives("datetime.datetime(2020, 1, 1, 12, tzinfo=zoneinfo.ZoneInfo('Europe/Berlin'))", time.Date(2020, 1, 1, 12, 0, 0, 0, berlin)), gives("datetime.datetime(2020, 7, 1, 12, tzinfo=zoneinfo.ZoneInfo('Europe/Berlin'))", time.Date(2020, 7, 1, 12, 0, 0, 0, berlin)),
		gives("datetime.datetime(2020, 10, 25, 2, 30, tzinfo=zoneinfo.ZoneInfo('Europe/Berlin'))", utc(2020, 10, 25, 0, 30, 0, 0).In(berlin)), gives("datetime.datetime(2020, 10, 25, 2, 30, tzinfo=zoneinfo.ZoneInfo('Europe/Berlin'), fold=1)", utc(2020, 10, 25, 1, 30, 0, 0).In(berlin)),
		gives("datetime.datetime(1, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))", time.Date(1, 1, 1, 0, 0, 0, 0, fixed(7200))), gives("datetime.datetime(9999, 12, 31, 23, tzinfo=datetime.timezone(datetime.timedelta(hours=-2)))", time.Date(9999, 12, 31, 23, 0, 0, 0, fixed(-7200))),
		gives[any]("datetime.datetime(2020, 1, 1)", utc(2020, 1, 1, 0, 0, 0, 0)), gives("None", (*time.Time)(nil)), gives("[datetime.date(2020, 1, 1), None]", []*time.Time{pointer(utc(2020, 1, 1, 0, 0, 0, 0)), nil}), gives("{'t': datetime.datetime(2020, 1, 1)}", struct {
			T time.Time `py:"t"`
		}{utc(2020, 1, 1, 0, 0, 0, 0)}),

		refuses[time.Time]("'2020-01-01'", "result: want time.Time, got str"), refuses[time.Time]("datetime.time(1)", "result: want time.Time, got time"), refuses[time.Time]("datetime.timedelta(1)", "result: want time.Time, got timedelta"), refuses[time.Time]("0", "result: want time.Time, got int"), refuses[time.Time]("None", "result: want time.Time, got None"), refuses[string]("datetime.date(2020, 1, 1)", "result: want string, got date"),
		refuses[int]("datetime.datetime(2020, 1, 1)", "result: want int, got datetime"), refuses[[]time.Time]("[datetime.date(2020, 1, 1), 5]", "result[1]: want time.Time, got int"),

		gives("datetime.timedelta()", time.Duration(0)), gives("datetime.timedelta(days=-1, microseconds=1)", -24*time.Hour+time.Microsecond), gives("datetime.timedelta(microseconds=9223372036854775)", time.Duration(math.MaxInt64).Truncate(time.Microsecond)), gives("datetime.timedelta(microseconds=-9223372036854775)", time.Duration(math.MinInt64).Truncate(time.Microsecond)),
		gives("datetime.timedelta(days=106751)", 106751*24*time.Hour), gives("datetime.timedelta(days=-106751)", -106751*24*time.Hour), refuses[time.Duration]("datetime.timedelta(microseconds=9223372036854776)", "…does not fit time.Duration"), refuses[time.Duration]("datetime.timedelta(microseconds=-9223372036854776)", "…does not fit time.Duration"), refuses[time.Duration]("datetime.timedelta.max", "…does not fit time.Duration"),
		refuses[time.Duration]("datetime.timedelta.min", "…does not fit time.Duration"), refuses[time.Duration]("5", "result: want time.Duration, got int"), refuses[time.Duration]("datetime.date(2020, 1, 1)", "result: want time.Duration, got date"), refuses[[]time.Duration]("[datetime.timedelta(1), 1.0]", "result[1]: want time.Duration, got float"),
		gives("datetime.time(23, 59, 59, 999999)", 24*time.Hour-time.Microsecond), gives("datetime.time()", time.Duration(0)), gives("datetime.time(1, fold=1)", time.Hour), refuses[time.Duration]("datetime.time(1, tzinfo=datetime.timezone.utc)", "…time"), refuses[time.Duration]("datetime.timedelta", "…want time.Duration, got type"),
	})
}

// A time keeps its instant and its offset in both directions, through changes of the clock.
func TestTimesRoundTrip(t *testing.T) {
	in := interpreter(t)
	for _, zone := range zones {
		for at := time.Date(2020, 3, 29, 0, 0, 0, 0, time.UTC); at.Year() < 2021; at = at.Add(37 * time.Hour / 2) {
			local := at.In(zone)
			back, err := evaluate[time.Time](in, "oracle:same", local)
			_, wantOffset := local.Zone()
			_, offset := back.Zone()
			if err != nil || !back.Equal(local) || offset != wantOffset || fmt.Sprint(back.Clock()) != fmt.Sprint(local.Clock()) {
				t.Errorf("%v came back as %v, %v", local, back, err)
			}
		}
	}
}
