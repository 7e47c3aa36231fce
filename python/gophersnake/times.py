"""Times: what the host is told of them, and those that it sends.

A class that is derived from one of the standard library's may have arithmetic, and fields, of its own, as those of pendulum have. What counts here
are the fields of the standard class, read by its own descriptors.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable
from typing import Any

Answer = tuple[Any, ...]

# As they are when the program starts: what stops the clock in tests puts classes of its own in their place.
_Datetime, _Date, _Time, _Duration = datetime.datetime, datetime.date, datetime.time, datetime.timedelta

_EPOCH = _Datetime(1, 1, 1)
_MICROSECOND = _Duration(microseconds=1)


def _field(cls: type, name: str) -> Callable[[Any], Any]:
    getter: Callable[[Any], Any] = getattr(cls, name).__get__
    return getter


def _clock(cls: type) -> Callable[[Any], int]:
    """Return what reads the microseconds since midnight."""
    hour, minute, second, microsecond = (_field(cls, name) for name in ("hour", "minute", "second", "microsecond"))

    def read(value: Any) -> int:
        seconds: int = (hour(value) * 60 + minute(value)) * 60 + second(value)
        return seconds * 1_000_000 + int(microsecond(value))

    return read


_datetime_clock, _datetime_zone = _clock(_Datetime), _field(_Datetime, "tzinfo")
_time_clock, _time_zone = _clock(_Time), _field(_Time, "tzinfo")
_year = _field(_Date, "year")
_days, _seconds, _microseconds = (_field(_Duration, name) for name in ("days", "seconds", "microseconds"))

_NAMES = {
    _Datetime: ("year", "month", "day", "hour", "minute", "second", "microsecond", "tzinfo"),
    _Date: ("year", "month", "day"),
    _Time: ("hour", "minute", "second", "microsecond", "tzinfo"),
    _Duration: ("days", "seconds", "microseconds"),
}
"""What the classes are made of, in the order of their parameters. A datetime is a date too."""


def describe(value: Any) -> Answer | None:
    """Describe a datetime, date, time or timedelta; anything else, and a datetime that has no year, is None."""
    for cls in _NAMES:
        if isinstance(value, cls):
            break
    else:
        return None
    if not issubclass(type(value), cls):  # a proxy, which only says that it is one
        fold = {"fold": value.fold} if "tzinfo" in _NAMES[cls] else {}
        value = cls(*(getattr(value, name) for name in _NAMES[cls]), **fold)
    if cls is _Datetime:
        return describe_datetime(value) if has_year(value) else None
    if cls is _Date:
        return "date", _Date.toordinal(value) - 1
    if cls is _Time:
        return "time", _time_clock(value), *_offset(_Time.utcoffset(value), _time_zone(value))
    return "duration", _days(value), _seconds(value) * 1_000_000 + _microseconds(value)


def describe_datetime(value: datetime.datetime, nanoseconds: int = 0) -> Answer:
    """Describe a datetime that is so many nanoseconds later than it says."""
    wall = (_Date.toordinal(value) - 1) * 86_400_000_000 + _datetime_clock(value)
    return "datetime", wall, *_offset(_Datetime.utcoffset(value), _datetime_zone(value)), nanoseconds


def has_year(value: datetime.datetime) -> bool:
    """Whether a datetime is of the year that it says: NaT is not, nor is a Timestamp outside of the years 1 to 9999."""
    return bool(_year(value) == value.year)


def _offset(offset: datetime.timedelta | None, zone: datetime.tzinfo | None) -> tuple[int | None, str]:
    if offset is None:
        return None, ""
    return (_days(offset) * 86_400 + _seconds(offset)) * 1_000_000 + _microseconds(offset), _zone_name(zone)


def _zone_name(zone: datetime.tzinfo | None) -> str:
    """Return the name that a zone has in the database of zones, as far as it tells. The host looks whether it is the right one."""
    for attribute in ("key", "zone"):  # of zoneinfo and pendulum; of pytz
        name = getattr(zone, attribute, None)
        if isinstance(name, str):
            return name
    # dateutil has the file that the zone was read from, in the system's folder or in an archive.
    file = getattr(zone, "_filename", None)
    return file.rpartition("/zoneinfo/")[2] if isinstance(file, str) else ""


@functools.lru_cache(maxsize=1024)
def _zone(name: str) -> datetime.tzinfo | None:
    """Return a zone by its name, None if it is not known here."""
    import zoneinfo  # not when a program starts, since most have no use for it

    try:
        return zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def make_datetime(microseconds: int, offset: int, name: str | None) -> datetime.datetime:
    """Return the time that many microseconds after year 1 on a clock that is ``offset`` seconds ahead of UTC.

    It is in the zone of that name, if there is one, and its clock is so far ahead then.
    """
    wall, ahead = _EPOCH + microseconds * _MICROSECOND, _Duration(seconds=offset)
    zone = _zone(name) if name is not None else None
    if zone is not None:
        for fold in (0, 1):
            time = wall.replace(tzinfo=zone, fold=fold)
            if time.utcoffset() == ahead:
                return time
    return wall.replace(tzinfo=datetime.UTC if offset == 0 else datetime.timezone(ahead))


def make_date(days: int) -> datetime.date:
    """Return the date that many days after the first."""
    return _Date.fromordinal(days + 1)


def make_duration(days: int, microseconds: int) -> datetime.timedelta:
    """Return a difference of times."""
    return _Duration(days=days, microseconds=microseconds)
