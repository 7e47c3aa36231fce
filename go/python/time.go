package python

// #include "core.h"
import "C"

import (
	"fmt"
	"math"
	"math/bits"
	"sync"
	"time"
)

// readTime takes a datetime, a date or a datetime64. What has no zone is taken as UTC.
func readTime(s *results) (time.Time, error) {
	v := s.peek()
	switch v.kind {
	case C.SNAKE_KIND_DATETIME:
		s.take()
		micros := int64(v.bits) //nolint:gosec // the bits are those of an int64
		wall := time.Unix(firstSecond+micros/1e6, micros%1e6*1000+int64(v.dtype)).UTC()
		if v.len == 0 {
			return wall, nil
		}
		offset := int64(s.take().bits) //nolint:gosec // the bits are those of an int64
		key := s.text(s.take())
		at := wall.Add(-time.Duration(offset) * time.Microsecond)
		return at.In(zoneAt(at, offset, key)), nil
	case C.SNAKE_KIND_DATE:
		s.take()
		return time.Unix(firstSecond+int64(v.bits)*86400, 0).UTC(), nil //nolint:gosec // the bits are those of an int64
	case C.SNAKE_KIND_ND_ARRAY:
		if dtype(v.dtype) == C.SNAKE_DTYPE_DATETIME64 && v.len == 0 {
			s.take()
			unit, count := s.text(s.take()), int64(s.take().bits) //nolint:gosec // the bits are those of an int64
			t, ok, err := timeOf(*(*int64)(address(v)), unit, count)
			if err == nil && !ok {
				err = fmt.Errorf("want time.Time, got NaT")
			}
			return t, err
		}
	}
	return time.Time{}, s.mismatch(time.Time{}, v)
}

// zoneAt returns the named zone if it agrees with the offset at that time, else a zone that is just the offset.
func zoneAt(at time.Time, offset int64, key string) *time.Location {
	seconds := int(offset / 1e6)
	if key != "" {
		if zone := loadZone(key); zone != nil {
			if _, found := at.In(zone).Zone(); found == seconds {
				return zone
			}
		}
	}
	if offset == 0 {
		return time.UTC
	}
	return time.FixedZone("", seconds)
}

// loadedZones are those that were loaded, by their names: to load one reads a file.
var loadedZones sync.Map // of string to *time.Location

// loadZone returns a named zone of the database, nil if there is none.
func loadZone(name string) *time.Location {
	if zone, known := loadedZones.Load(name); known {
		return zone.(*time.Location)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	loadedZones.Store(name, zone)
	return zone
}

// zoneName returns the name that the database has for the zone of a time, or nothing. A zone that only bears such a name, such as
// time.FixedZone("CET", 3600), has no changes of its clock where that of the database has them.
func zoneName(t time.Time) string {
	name := t.Location().String()
	if name == "" || name == "UTC" || name == "Local" {
		return ""
	}
	zone := loadZone(name)
	if zone == nil {
		return ""
	}
	start, end := t.ZoneBounds()
	there := t.In(zone)
	otherStart, otherEnd := there.ZoneBounds()
	_, offset := t.Zone()
	if _, other := there.Zone(); other != offset || !start.Equal(otherStart) || !end.Equal(otherEnd) {
		return ""
	}
	return name
}

// readDuration takes a timedelta or a timedelta64.
func readDuration(s *results) (time.Duration, error) {
	v := s.peek()
	switch v.kind {
	case C.SNAKE_KIND_DURATION:
		s.take()
		days, rest := int64(v.bits), int64(v.len) //nolint:gosec // the bits are those of int64
		const micros, most = int64(24 * time.Hour / time.Microsecond), math.MaxInt64 / int64(time.Microsecond)
		// Python keeps the rest from 0 to a day, so that an early look at the days rules an overflow out.
		if days > most/micros+1 || days < -most/micros-2 || days*micros+rest > most || days*micros+rest < -most {
			return 0, fmt.Errorf("a timedelta of %d days and %d microseconds does not fit time.Duration", days, rest)
		}
		return time.Duration(days*micros+rest) * time.Microsecond, nil
	case C.SNAKE_KIND_ND_ARRAY:
		if dtype(v.dtype) == C.SNAKE_DTYPE_TIMEDELTA64 && v.len == 0 {
			s.take()
			unit, count := s.text(s.take()), int64(s.take().bits) //nolint:gosec // the bits are those of an int64
			d, ok, err := durationOf(*(*int64)(address(v)), unit, count)
			if err == nil && !ok {
				err = fmt.Errorf("want time.Duration, got NaT")
			}
			return d, err
		}
	case C.SNAKE_KIND_TIME:
		if v.len == 0 {
			s.take()
			return time.Duration(v.bits) * time.Microsecond, nil //nolint:gosec // less than a day
		}
	}
	return 0, s.mismatch(time.Duration(0), v)
}

// notATime is how NumPy marks NaT.
const notATime = math.MinInt64

// unitNanoseconds are NumPy's units of fixed length that are whole nanoseconds.
var unitNanoseconds = map[string]uint64{
	"W": uint64(7 * 24 * time.Hour), "D": uint64(24 * time.Hour), "h": uint64(time.Hour), "m": uint64(time.Minute),
	"s": uint64(time.Second), "ms": uint64(time.Millisecond), "us": uint64(time.Microsecond), "ns": 1,
}

// unitFractions are NumPy's units that are parts of a nanosecond.
var unitFractions = map[string]uint64{"ps": 1e3, "fs": 1e6, "as": 1e9}

// isNotATime tells whether the next value is a single NaT.
func (s *results) isNotATime() bool {
	v := s.peek()
	return v.kind == C.SNAKE_KIND_ND_ARRAY && v.len == 0 && dtype(v.dtype).isTime() && *(*int64)(address(v)) == notATime
}

// durationOf converts a timedelta64; ok is false for NaT.
func durationOf(value int64, unit string, count int64) (d time.Duration, ok bool, err error) {
	if value == notATime {
		return 0, false, nil
	}
	over, total := bits.Mul64(magnitude(value), uint64(count)) //nolint:gosec // counts are positive
	if fraction, small := unitFractions[unit]; small && total%fraction == 0 {
		total /= fraction
	} else if length, fixed := unitNanoseconds[unit]; fixed {
		var more uint64
		more, total = bits.Mul64(total, length)
		over |= more
	} else {
		over = 1
	}
	if over != 0 || total > math.MaxInt64 {
		return 0, false, fmt.Errorf("a timedelta64 of %d [%d%s] does not fit time.Duration exactly", value, count, unit)
	}
	d = time.Duration(total) //nolint:gosec // as checked
	if value < 0 {
		d = -d
	}
	return d, true, nil
}

func magnitude(v int64) uint64 {
	if v < 0 {
		return uint64(-v) //nolint:gosec // notATime was sorted out
	}
	return uint64(v)
}

// timeOf converts a datetime64, which has no zone, to UTC; ok is false for NaT.
func timeOf(value int64, unit string, count int64) (t time.Time, ok bool, err error) {
	if value == notATime {
		return time.Time{}, false, nil
	}
	failed := fmt.Errorf("a datetime64 of %d [%d%s] does not fit time.Time exactly", value, count, unit)
	hi, total := bits.Mul64(magnitude(value), uint64(count)) //nolint:gosec // counts are positive
	if hi != 0 || total > math.MaxInt64 {
		return time.Time{}, false, failed
	}
	n := int64(total) //nolint:gosec // as checked
	if value < 0 {
		n = -n
	}
	// Years beyond this could not be told apart from an overflow by time.Date and time.Unix.
	const farthest = 290e9
	switch unit {
	case "Y", "M":
		years, months := n, int64(0)
		if unit == "M" {
			years, months = n/12, n%12
		}
		if years > farthest || years < -farthest {
			return time.Time{}, false, failed
		}
		return time.Date(1970+int(years), time.January+time.Month(months), 1, 0, 0, 0, 0, time.UTC), true, nil
	}
	if fraction, small := unitFractions[unit]; small {
		if n%int64(fraction) != 0 { //nolint:gosec // at most 1e9
			return time.Time{}, false, failed
		}
		n, unit = n/int64(fraction), "ns" //nolint:gosec // at most 1e9
	}
	nanoseconds, fixed := unitNanoseconds[unit]
	if !fixed {
		return time.Time{}, false, failed
	}
	length := int64(nanoseconds) //nolint:gosec // at most a week
	if length >= int64(time.Second) {
		seconds := length / int64(time.Second)
		if n > math.MaxInt64/2/seconds || n < -math.MaxInt64/2/seconds {
			return time.Time{}, false, failed
		}
		return time.Unix(n*seconds, 0).UTC(), true, nil
	}
	perSecond := int64(time.Second) / length
	return time.Unix(n/perSecond, n%perSecond*length).UTC(), true, nil
}

// Truncated wraps a value, the argument of a call for example: its times and durations, at any depth, go to Python without their
// nanoseconds, which a datetime and a timedelta have not. It would be an error otherwise.
//
//	err := f.Call(ctx, python.Truncated(record))
//
// The option truncate of a field's tag, `py:"created,truncate"`, and [Config].TruncateTimes do the same. Times are cut towards
// earlier ones, durations towards zero.
func Truncated(value any) any { return truncated{value} }

type truncated struct{ value any }

const howToTruncate = `wrap the argument in python.Truncated, tag the field with py:",truncate", or set Config.TruncateTimes`

func (f *frame) truncates() bool {
	return f.truncating > 0 || started.interpreter != nil && started.interpreter.config.TruncateTimes
}

// addTruncated describes a value whose times are cut.
func (f *frame) addTruncated(value any, depth int) error {
	f.truncating++
	defer func() { f.truncating-- }()
	return f.addValue(value, depth)
}

// addTime describes a time as an aware datetime, in its zone if that has a name, else with its offset.
func (f *frame) addTime(t time.Time) error {
	if t.Nanosecond()%1000 != 0 {
		if !f.truncates() {
			return fmt.Errorf("%v has nanoseconds, which a datetime has not: %s", t, howToTruncate)
		}
		// Towards earlier times; t.Truncate counts from another epoch, and would cut times before it towards later ones.
		t = t.Add(-time.Duration(t.Nanosecond() % 1000))
	}
	_, offset := t.Zone()
	name := zoneName(t)
	wall := t.Unix() + int64(offset) - firstSecond
	if year := t.Year(); year < 1 || year > 9999 {
		return fmt.Errorf("%v is outside of the years 1 to 9999 of a datetime", t)
	}
	micros := wall*1e6 + int64(t.Nanosecond()/1000)
	if name == "" {
		f.add(C.SNAKE_KIND_DATETIME, 0, uint64(micros), uint64(int64(offset))) //nolint:gosec // the bits are what is wanted
		return nil
	}
	f.add(C.SNAKE_KIND_DATETIME, 1, uint64(micros), uint64(int64(offset))) //nolint:gosec // the bits are what is wanted
	return f.addText(name)
}

// firstSecond is the first second of a datetime, in Unix time.
var firstSecond = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).Unix()

func (f *frame) addDuration(d time.Duration) error {
	if d%time.Microsecond != 0 {
		if !f.truncates() {
			return fmt.Errorf("%v has nanoseconds, which a timedelta has not: %s", d, howToTruncate)
		}
		d = d.Truncate(time.Microsecond)
	}
	const day = 24 * time.Hour
	days, rest := d/day, d%day
	f.add(C.SNAKE_KIND_DURATION, 0, uint64(days), uint64(rest/time.Microsecond)) //nolint:gosec // the bits are what is wanted
	return nil
}
