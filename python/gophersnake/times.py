"""Times: what the host is told of them, and those that it sends.

A class that is derived from one of the standard library's may have arithmetic, and fields, of its own, as those of
pendulum have. What counts here are the fields of the standard class, read by its own descriptors.
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


_FIELDS: dict[type, tuple[str, ...]] = {
    _Datetime: ("year", "month", "day", "hour", "minute", "second", "microsecond", "tzinfo"),
    _Date: ("year", "month", "day"),
    _Time: ("hour", "minute", "second", "microsecond", "tzinfo"),
    _Duration: ("days", "seconds", "microseconds"),
}
"""What the classes are made of, in the order of their parameters. A datetime is a date too, and comes first."""


def _getter(cls: type, name: str) -> Callable[[Any], Any]:
    getter: Callable[[Any], Any] = getattr(cls, name).__get__
    return getter


_GETTERS = {cls: tuple(_getter(cls, name) for name in names) for cls, names in _FIELDS.items()}
_FOLDS = {cls: _getter(cls, "fold") for cls in (_Datetime, _Time)}

year = _GETTERS[_Datetime][0]
"""The year that a datetime is made with: another one than that of a Timestamp outside of the years 1 to 9999."""


def describe(value: Any) -> Answer | None:
    """Describe a datetime, date, time or timedelta; anything else is None."""
    for cls in _FIELDS:
        if isinstance(value, cls):
            break
    else:
        return None
    plain = _plain(value, cls)
    if cls is _Datetime:
        return describe_datetime(plain)
    if cls is _Date:
        return "date", plain.toordinal() - 1
    if cls is _Time:
        wall = _Datetime.combine(_EPOCH, plain.replace(tzinfo=None))
        return "time", (wall - _EPOCH) // _MICROSECOND, *_offset(plain.utcoffset(), plain.tzinfo)
    return "duration", plain.days, plain.seconds * 1_000_000 + plain.microseconds


def describe_datetime(value: datetime.datetime, nanoseconds: int = 0) -> Answer:
    """Describe a datetime that is so many nanoseconds later than it says."""
    plain = _plain(value, _Datetime)
    wall = plain.replace(tzinfo=None, fold=0)
    return "datetime", (wall - _EPOCH) // _MICROSECOND, *_offset(plain.utcoffset(), plain.tzinfo), nanoseconds


def _plain(value: Any, cls: Any) -> Any:
    """Return a value of a standard class that has the fields of one derived from it; zones ask for them, too."""
    if type(value) is cls:
        return value
    if issubclass(type(value), cls):
        fields = [get(value) for get in _GETTERS[cls]]
        fold = _FOLDS[cls](value) if cls in _FOLDS else None
    else:  # a proxy, which only says that it is one
        fields = [getattr(value, name) for name in _FIELDS[cls]]
        fold = value.fold if cls in _FOLDS else None
    return cls(*fields) if fold is None else cls(*fields, fold=fold)


def _offset(offset: datetime.timedelta | None, zone: datetime.tzinfo | None) -> tuple[int | None, str]:
    if offset is None:
        return None, ""
    return _plain(offset, _Duration) // _MICROSECOND, _zone_name(zone)


def _zone_name(zone: datetime.tzinfo | None) -> str:
    """Return the name that a zone has in the database of zones, as far as it tells. The host looks if it is right."""
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
