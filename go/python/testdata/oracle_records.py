"""Times, records, mappings and iterables of packages, and of classes with ways of their own."""

import collections
import datetime
import decimal
import email.message
import fractions
import http.cookies
import types
import xml.etree.ElementTree
import zoneinfo

import dateutil.tz
import msgspec
import multidict
import numpy as np
import pandas as pd
import pendulum
import pydantic
import pydantic.dataclasses
import pydantic.v1
import pytz
import werkzeug.datastructures

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


class Odd:
    """Fields, arithmetic and texts that are all wrong."""

    year = month = day = hour = minute = second = microsecond = 1
    days = seconds = microseconds = 1
    real = imag = numerator = denominator = 1

    def _wrong(self, *_, **__):
        raise AssertionError("a method of a derived class was called")

    __add__ = __sub__ = __floordiv__ = __truediv__ = __divmod__ = __neg__ = __mul__ = __radd__ = __rsub__ = _wrong
    __str__ = __int__ = __float__ = __index__ = __len__ = __iter__ = __contains__ = __getitem__ = __bool__ = _wrong
    replace = toordinal = utcoffset = total_seconds = bit_length = to_bytes = encode = copy = timestamp = _wrong


def odd(cls, *arguments, **keywords):
    """Return an instance of a class that is derived from ``cls`` and has ways of its own."""
    members = {name: item for name, item in vars(Odd).items() if name not in ("__dict__", "__weakref__", "__module__")}
    return type("Odd" + cls.__name__.title(), (cls,), members)(*arguments, **keywords)


class Proxy:
    """Says that it is of the class of what it stands for."""

    def __init__(self, value):
        self._value = value

    @property
    def __class__(self):
        return type(self._value)

    def __getattr__(self, name):
        return getattr(self._value, name)

    def __str__(self):
        return str(self._value)


class Custom(datetime.tzinfo):
    """Bears the name of a zone and is not that zone."""

    key = "Europe/Berlin"

    def utcoffset(self, time):
        return datetime.timedelta(hours=5)

    def dst(self, time):
        return None


class Open(pydantic.BaseModel, extra="allow"):
    a: int


class Closed(pydantic.BaseModel, extra="ignore"):
    a: int


class Old(pydantic.v1.BaseModel):
    a: int

    class Config:
        extra = "allow"


@pydantic.dataclasses.dataclass(config=pydantic.ConfigDict(extra="allow"))
class OpenData:
    a: int


class Struct(msgspec.Struct):
    a: int
    b: str


class Graph:
    """A graph as networkx has it: iterated over, it gives its nodes; by a node, what is beside that."""

    def __init__(self, **edges):
        self.edges = edges

    def __iter__(self):
        return iter(self.edges)

    def __len__(self):
        return len(self.edges)

    def __getitem__(self, node):
        return self.edges[node]


class Bag:
    """Has items, and a label."""

    def __init__(self, *items):
        self.items, self.label = items, "label"

    def __iter__(self):
        return iter(self.items)


class Row(Bag):
    """Has items by position too."""

    def __getitem__(self, index):
        return self.items[index]


def headers(*pairs):
    """Return an email whose headers these are."""
    message = email.message.Message()
    for name, item in pairs:
        message[name] = item
    return message


def cookies(text):
    """Return the cookies of a header."""
    return http.cookies.SimpleCookie(text)


def value(expression, *a):
    """Return what a Python expression is worth, in which ``a`` are the arguments."""
    return eval(expression, globals() | {"a": a})


__all__ = [
    "collections",
    "dateutil",
    "decimal",
    "fractions",
    "multidict",
    "np",
    "pd",
    "pendulum",
    "pytz",
    "types",
    "werkzeug",
    "xml",
]
