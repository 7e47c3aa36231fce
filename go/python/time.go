package python

// #include "core.h"
import "C"

import (
	"fmt"
	"math"
	"math/bits"
	"time"
)

// readTime takes a datetime, a date or a datetime64. What has no zone is taken as UTC.
func readTime(s *results) (time.Time, error) {
	v := s.peek()
	switch v.kind {
	case C.SNAKE_KIND_DATETIME:
		s.take()
		micros := int64(v.bits) //nolint:gosec // the bits are those of an int64
		wall := time.Unix(firstSecond+micros/1e6, micros%1e6*1000).UTC()
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
		if zone, err := time.LoadLocation(key); err == nil {
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
