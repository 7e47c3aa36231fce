"""What the conversion tests call: classes of every kind that converts, and Python's own word on values."""

import array
import collections
import collections.abc
import dataclasses
import datetime
import decimal
import enum
import fractions
import gc
import itertools
import math
import numbers
import os
import pathlib
import random
import sqlite3
import sys
import time
import types
import typing
import uuid
import zoneinfo

import numpy as np


class Colour(enum.Enum):
    RED = "red"
    PAIR = (1, 2)
    OBJECT = object()


class Level(enum.IntEnum):
    HIGH = 3


class Word(enum.StrEnum):
    HELLO = "hello"


class Bits(enum.Flag):
    ONE = 1
    TWO = 2


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.5


@dataclasses.dataclass
class Line:
    start: Point
    end: Point | None = None


class Pair(typing.NamedTuple):
    left: int
    right: str


Numbers = collections.namedtuple("Numbers", "a b")


class Plain:
    """A class without any description of its fields."""

    def __init__(self, **fields):
        self.__dict__.update(fields)


class Slotted:
    __slots__ = ("x", "y")

    def __init__(self, x, y):
        self.x, self.y = x, y


class Hostile:
    """Its attributes raise."""

    @property
    def x(self):
        raise ZeroDivisionError("x")


class Map(collections.abc.Mapping):
    def __init__(self, **items):
        self.items_ = items

    def __getitem__(self, key):
        return self.items_[key]

    def __iter__(self):
        return iter(self.items_)

    def __len__(self):
        return len(self.items_)


class PathLike:
    def __fspath__(self):
        return "a/b"


class Whole:
    """An integer of another library."""

    def __init__(self, value):
        self.value = value

    def __index__(self):
        return self.value


class Ratio(numbers.Rational):
    """A fraction of another library."""

    numerator, denominator = Whole(-6), Whole(4)

    def _refuse(self, *others):
        raise NotImplementedError

    __abs__ = __add__ = __ceil__ = __eq__ = __floor__ = __floordiv__ = __le__ = __lt__ = __mod__ = __mul__ = __neg__ = (
        _refuse
    )
    __pos__ = __pow__ = __radd__ = __rfloordiv__ = __rmod__ = __rmul__ = __round__ = __rpow__ = __rtruediv__ = _refuse
    __truediv__ = __trunc__ = _refuse


class Foreign:
    """An array of another library: iterable by its class, whatever its rank."""

    def __init__(self, array, **attributes):
        self.array = np.asanyarray(array)
        self.shape, self.dtype = self.array.shape, self.array.dtype
        self.__dict__.update(attributes)

    def __array__(self, dtype=None, copy=None):
        return self.array

    def __iter__(self):
        if self.shape == ():
            raise TypeError("iteration over an array of rank 0")
        return map(Foreign, self.array)


class OnDevice(Foreign):
    """An array that NumPy cannot see."""

    def __array__(self, dtype=None, copy=None):
        raise TypeError("on a device")

    def item(self):
        return self.array.item()


class Alike(collections.abc.Sequence):
    """Makes items of its own class again and again."""

    def __getitem__(self, index):
        if index:
            raise IndexError(index)
        return Alike()

    def __len__(self):
        return 1


class NamedRow(collections.abc.Sequence):
    """A row of a query that is no tuple."""

    def __init__(self, fields, items):
        self._fields, self._items = fields, items

    def __getitem__(self, index):
        return self._items[index]

    def __len__(self):
        return len(self._items)


class Struct:
    """What a msgspec.Struct looks like."""

    __slots__ = __struct_fields__ = ("a", "b")

    def __init__(self, a, b):
        self.a, self.b = a, b


def row(query="select 1 as a, 'x' as b"):
    """Return the row of a query of sqlite3."""
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    try:
        return connection.execute(query).fetchone()
    finally:
        connection.close()


def picture(mode, pixels, width=2, **info):
    """Return an image of Pillow with these bytes."""
    from PIL import Image

    pixels = bytes(pixels)
    image = Image.frombytes(mode, (width, 1), pixels)
    image.info.update(info)
    return image


def with_palette(pixels, colours, mode="RGB", **info):
    """Return an image of Pillow with a palette."""
    image = picture("P", pixels, len(pixels), **info)
    image.putpalette(colours, mode)
    return image


def generator(*items):
    yield from items


def failing_generator():
    yield 1
    raise ValueError("in the middle")


def cycle():
    ring = []
    ring.append(ring)
    return ring


def nested(depth, leaf=0):
    """Return lists in lists, so deep."""
    for _ in range(depth):
        leaf = [leaf]
    return leaf


def value(expression, *a):
    """Return what a Python expression is worth, in which ``a`` are the arguments."""
    return eval(expression, globals() | {"a": a})


def execute(statements, *a):
    """Run Python statements, in which ``a`` are the arguments; return what they call ``result``."""
    names = globals() | {"a": a}
    exec(statements, names)
    return names.get("result")


def same(argument):
    return argument


# Comparing


def differs(want, got, place="value"):
    """Return what tells two values apart, types included, or None."""
    if type(want) is not type(got):
        return f"{place}: want {type(want).__name__} {want!r:.200}, got {type(got).__name__} {got!r:.200}"
    if isinstance(want, float):
        if want.hex() != got.hex():
            return f"{place}: want {want!r}, got {got!r}"
    elif isinstance(want, complex):
        return differs((want.real, want.imag), (got.real, got.imag), place)
    elif isinstance(want, list | tuple):
        if len(want) != len(got):
            return f"{place}: want {len(want)} items {want!r:.200}, got {len(got)} {got!r:.200}"
        for index, (left, right) in enumerate(zip(want, got)):
            if found := differs(left, right, f"{place}[{index}]"):
                return found
    elif isinstance(want, dict):
        order = lambda key: (type(key).__name__, repr(key))
        left, right = sorted(want, key=order), sorted(got, key=order)
        if found := differs(left, right, f"keys of {place}"):
            return found
        for key, other in zip(left, right):
            if found := differs(want[key], got[other], f"{place}[{key!r}]"):
                return found
    elif isinstance(want, set | frozenset):
        order = lambda key: (type(key).__name__, repr(key))
        return differs(sorted(want, key=order), sorted(got, key=order), f"items of {place}")
    elif isinstance(want, np.ndarray):
        if (want.dtype, want.shape, want.tobytes()) != (got.dtype, got.shape, got.tobytes()):
            return f"{place}: want {want!r:.200}, got {got!r:.200}"
    elif isinstance(want, datetime.datetime):
        # By the clock: in an hour that comes twice, times of two zones are never equal.
        clock = lambda time: (time.replace(tzinfo=None, fold=0), time.utcoffset())
        if clock(want) != clock(got):
            return f"{place}: want {want!r}, got {got!r}"
    elif dataclasses.is_dataclass(want):
        return differs(vars(want), vars(got), place)
    elif want != got or repr(want) != repr(got):
        return f"{place}: want {want!r:.200}, got {got!r:.200}"
    return None


def compare(source, values):
    """Compare what arrived with a list of expressions; return what is different, at most ten of it."""
    found = []
    want = eval(source, globals() | {"a": values})
    for index, (left, right) in enumerate(zip(want, values, strict=True)):
        if difference := differs(left, right):
            found.append(f"[{index}] {difference}")
    return found[:10]


def from_hex(dtype, data, *shape):
    """Return an array of these bytes."""
    return np.frombuffer(bytes.fromhex(data), dtype).reshape(shape or -1)


# Random values


def _int(r, low, high):
    pick = r.random()
    if pick < 0.3:
        return r.choice([low, high, max(low, -1), min(1, high), 0, high - 1, low + 1])
    if pick < 0.7:
        n = r.getrandbits(r.randrange(1, 65)) * r.choice([1, -1])
        return n if low <= n <= high else r.randint(low, high)
    return r.randint(low, high)


def _range(name):
    info = np.iinfo(name)
    return int(info.min), int(info.max)


def _float(r):
    pick = r.random()
    if pick < 0.25:
        return r.choice([0.0, -0.0, 1.0, math.inf, -math.inf, math.nan, sys.float_info.max, 5e-324, 2.0**53, 0.1])
    if pick < 0.5:
        return r.gauss(0, 1e3)
    if pick < 0.6:
        return float(r.randrange(-1000, 1000))
    x = np.frombuffer(r.randbytes(8), np.float64)[0].item()
    return math.nan if x != x else x


def _float32(r):
    with np.errstate(all="ignore"):
        return float(np.float32(_float(r)))


def _text(r):
    return "".join(r.choice("abc \0\n'\"\\\xe9\u20ac\uffff\U0001f40d\U0010ffff") for _ in range(r.randrange(8)))


ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Europe/London", "UTC"]


def _datetime(r):
    pick = r.random()
    if pick < 0.1:
        return r.choice([datetime.datetime.min, datetime.datetime.max, datetime.datetime(1, 1, 1, tzinfo=datetime.UTC)])
    zone = r.choice(
        [
            None,
            datetime.UTC,
            zoneinfo.ZoneInfo(r.choice(ZONES)),
            datetime.timezone(datetime.timedelta(seconds=r.randrange(-86399, 86400))),
        ]
    )
    # Years near the edges only with zones that do not push them over it.
    year = r.randrange(2, 9999) if r.random() < 0.5 else r.randrange(1900, 2100)
    return datetime.datetime(
        year,
        r.randrange(1, 13),
        r.randrange(1, 29),
        r.randrange(24),
        r.randrange(60),
        r.randrange(60),
        r.choice([0, 1, 999999, r.randrange(10**6)]),
        zone,
        fold=r.randrange(2),
    )


def _leaf(r):
    """A value that comes back from ``any`` as what it was."""
    return r.choice(
        [
            lambda: None,
            lambda: r.random() < 0.5,
            lambda: _int(r, -(2**63), 2**64 - 1),
            lambda: r.getrandbits(200) * r.choice([1, -1]),
            lambda: _float(r),
            lambda: complex(_float(r), _float(r)),
            lambda: _text(r),
            lambda: r.randbytes(r.randrange(6)),
            lambda: _datetime(r),
            lambda: datetime.timedelta(microseconds=r.randrange(-(2**60) // 1000, 2**60 // 1000)),
            lambda: _array(r, r.choice(DTYPES)),
        ]
    )()


def _any(r, depth=3):
    pick = r.random() if depth else 0
    if pick < 0.5:
        return _leaf(r)
    many = range(r.randrange(4))
    if pick < 0.65:
        return [_any(r, depth - 1) for _ in many]
    if pick < 0.75:
        return tuple(_any(r, depth - 1) for _ in many)
    if pick < 0.8:
        return {_int(r, 0, 100) for _ in many}
    if pick < 0.9:
        return {_text(r): _any(r, depth - 1) for _ in many}
    return {r.choice([None, True, 2, 3.5, "x", 2**70 if False else 4]): _any(r, depth - 1) for _ in many}


DTYPES = [
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "float32",
    "float64",
    "complex64",
    "complex128",
]


def _array(r, dtype, rank=None):
    """An array of any rank up to 4, order, stride, byte order and alignment."""
    rank = r.randrange(1, 4) if rank is None else rank
    shape = tuple(r.choice([0, 1, 2, 3, 3]) for _ in range(rank))
    dtype = np.dtype(dtype)
    steps = tuple(r.choice([1, 1, 2, 3]) for _ in shape)
    big = tuple(length * step for length, step in zip(shape, steps))
    count = math.prod(big)
    if dtype.kind == "b":
        data = np.frombuffer(bytes(r.randrange(2) for _ in range(count)), bool)
    elif dtype.kind in "Mm":
        data = np.array([_int(r, -(2**32), 2**32) for _ in range(count)], np.int64).view(dtype)
    else:
        data = np.frombuffer(r.randbytes(count * dtype.itemsize), dtype)
    array = np.array(data.reshape(big), order=r.choice("CF"))
    array = array[tuple(slice(None, None, step * r.choice([1, -1])) for step in steps)]
    pick = r.random()
    if pick < 0.2:
        array = array.astype(dtype.newbyteorder())
    elif pick < 0.4:
        memory = np.empty(array.nbytes + 1, np.uint8)
        moved = memory[1:].view(dtype).reshape(array.shape)
        moved[...] = array
        array = moved
    elif pick < 0.5 and shape and shape[0]:
        array = np.broadcast_to(array[:1], array.shape)
    return array


def _plain(dtype):
    """Return the dtype that an array comes back with: float16 as float32."""
    return np.dtype(np.float32) if (dtype.kind, dtype.itemsize) == ("f", 2) else dtype.newbyteorder("=")


MAKERS = {
    "bool": lambda r: r.choice([True, False, np.True_, np.array(False)]),
    **{
        name: (
            lambda low, high, name: lambda r: r.choice([int, int, np.dtype(name).type, np.array])(_int(r, low, high))
        )(*_range(name), name)
        for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
    },
    "float32": lambda r: r.choice([float, np.float32, np.float64])(_float32(r)),
    "float64": lambda r: r.choice(
        [_float(r), np.float64(_float(r)), np.array(_float(r)), r.randrange(-(2**53), 2**53), np.float16(1.5)]
    ),
    "complex64": lambda r: r.choice([complex, np.complex64])(complex(_float32(r), _float32(r))),
    "complex128": lambda r: r.choice(
        [complex(_float(r), _float(r)), np.complex128(_float(r)), _float(r), r.randrange(1000)]
    ),
    "bigint": lambda r: r.getrandbits(r.randrange(1, 400)) * r.choice([1, -1]) + r.choice([0, 1, -1]),
    "str": lambda r: (
        r.choice([_text(r), Text(_text(r)), np.str_("scalar"), _text(r) * 2000]) if r.random() < 0.1 else _text(r)
    ),
    "bytes": lambda r: r.choice([bytes, bytearray, memoryview])(r.randbytes(r.randrange(20))),
    "datetime": _datetime,
    "date": lambda r: datetime.date.fromordinal(r.randrange(1, datetime.date.max.toordinal() + 1)),
    "timedelta": lambda r: datetime.timedelta(
        microseconds=r.choice(
            [r.randrange(-(2**63) // 1000 + 1, 2**63 // 1000), r.randrange(-5, 5), 2**63 // 1000, -(2**63 // 1000)]
        )
    ),
    "time": lambda r: datetime.time(r.randrange(24), r.randrange(60), r.randrange(60), r.randrange(10**6)),
    "datetime64": lambda r: np.datetime64(_int(r, -(2**33), 2**33), r.choice(["s", "ms", "us"])),
    "timedelta64": lambda r: np.timedelta64(_int(r, -(2**33), 2**33), r.choice(["s", "ms", "us"])),
    "decimal": lambda r: r.choice(
        [
            decimal.Decimal(r.randrange(10**9)).scaleb(r.randrange(-20, 20)),
            decimal.Decimal("NaN"),
            decimal.Decimal("-Infinity"),
            decimal.Decimal("1.50"),
        ]
    ),
    "uuid": lambda r: uuid.UUID(bytes=r.randbytes(16)),
    "path": lambda r: pathlib.PurePosixPath("/".join(["a"] * r.randrange(1, 4))),
    "enum": lambda r: r.choice([Colour.RED, Word.HELLO]),
    "intenum": lambda r: r.choice([Level.HIGH, Bits.ONE | Bits.TWO]),
    "ints": lambda r: r.choice(
        [
            list,
            tuple,
            set,
            frozenset,
            collections.deque,
            lambda x: np.array(x, np.int64),
            lambda x: array.array("q", x),
            lambda x: dict.fromkeys(x).keys(),
        ]
    )([_int(r, -(2**63), 2**63 - 1) for _ in range(r.randrange(5))]),
    "floats": lambda r: r.choice([list, tuple, lambda x: np.array(x, np.float64)])(
        [_float(r) for _ in range(r.randrange(5))]
    ),
    "strs": lambda r: r.choice([list, tuple, lambda x: np.array(x, object)])([_text(r) for _ in range(r.randrange(5))]),
    "items": lambda r: [_any(r, 2) for _ in range(r.randrange(4))],
    "triple": lambda r: r.choice([list, tuple, np.array])([_int(r, -(2**63), 2**63 - 1) for _ in range(3)]),
    "tuple": lambda r: tuple(_any(r, 1) for _ in range(r.randrange(4))),
    "set": lambda r: r.choice([set, frozenset])(
        r.choice([_text(r), _int(r, -9, 9), None, _float(r)]) for _ in range(r.randrange(4))
    ),
    "rows": lambda r: r.choice([lambda x: x, tuple, np.array])(
        [[_float(r) for _ in range(3)] for _ in range(r.randrange(1, 4))]
    ),
    "optionals": lambda r: [r.choice([None, r.randrange(100)]) for _ in range(r.randrange(4))],
    "dict_str_int": lambda r: r.choice(
        [
            dict,
            collections.OrderedDict,
            lambda x: Map(**x),
            types.MappingProxyType,
            lambda x: collections.defaultdict(int, x),
        ]
    )({"k" + str(r.randrange(99)): r.randrange(100) for _ in range(r.randrange(4))}),
    "dict_int_str": lambda r: {_int(r, -(2**63), 2**63 - 1): _text(r) for _ in range(r.randrange(4))},
    "dict_str_any": lambda r: {_text(r): _any(r, 2) for _ in range(r.randrange(4))},
    "dict_any_any": lambda r: {
        r.choice([None, True, 2, 3.5, "x", _text(r), _datetime(r)]): _any(r, 1) for _ in range(r.randrange(4))
    },
    "point": lambda r: r.choice(
        [
            Point,
            lambda x, y: {"x": x, "y": y},
            lambda x, y: types.SimpleNamespace(x=x, y=y),
            Slotted,
            lambda x, y: Plain(x=x, y=y),
            lambda x, y: Map(x=x, y=y),
        ]
    )(_int(r, -(2**63), 2**63 - 1), _float(r)),
    "pair": lambda r: r.choice([Pair, lambda *x: x, lambda left, right: {"left": left, "right": right}])(
        r.randrange(9), _text(r)
    ),
    "tree": lambda r: _tree(r, 3),
    "optional_record": lambda r: {
        "a": r.choice([None, 3]),
        **r.choice([{}, {"b": "x"}]),
        "c": [_float(r)],
        "d": _any(r, 1),
    },
    "optional": lambda r: r.choice([None, r.randrange(1000)]),
    "any": _any,
    "object": lambda r: r.choice([object(), Point(1), sum, [1], None, 5]),
    **{"array_" + name: (lambda name: lambda r: _array(r, name, 1))(name) for name in DTYPES},
    **{"ndarray_" + name: (lambda name: lambda r: _array(r, name, r.randrange(1, 5)))(name) for name in DTYPES},
    "array_datetime64": lambda r: _array(r, r.choice(["M8[s]", "M8[us]", "M8[2s]"]), 1),
    "array_timedelta64": lambda r: _array(r, r.choice(["m8[s]", "m8[ms]", "m8[5us]"]), 1),
    "array_str": lambda r: np.array(
        [_text(r).replace("\0", "") for _ in range(r.randrange(4))], r.choice(["U9", ">U9"])
    ),
    "array_struct": lambda r: np.array(
        [(_int(r, -(2**31), 2**31 - 1), _float(r)) for _ in range(r.randrange(4))],
        r.choice([[("x", "i8"), ("y", "f8")], [("y", ">f8"), ("x", "i8")][::-1]]),
    ),
}


class Text(str):
    pass


def _tree(r, depth):
    return {
        "name": _text(r),
        "children": [_tree(r, depth - 1) for _ in range(r.randrange(3) if depth else 0)],
        "by_name": {"k" + str(i): _tree(r, depth - 1) for i in range(r.randrange(2) if depth else 0)},
    }


MADE = {}


def make(name, seed, number, count):
    """Return a list of random values of a row."""
    import random

    r = random.Random(f"{seed} {name} {number}")
    maker = MAKERS[name]
    MADE[name] = [maker(r) for _ in range(count)]
    return list(MADE[name])


def natural(value):
    """Return what a value is after it was a Go value of its own choice and came back."""
    if isinstance(value, np.ndarray):
        dtype = _plain(value.dtype)
        array = np.array(value, dtype, order="C")
        # A slice of bytes is bytes.
        return array.tobytes() if dtype == np.uint8 and array.ndim == 1 else array
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            return value.replace(tzinfo=datetime.UTC, fold=0)
        offset = value.utcoffset()
        return value.replace(tzinfo=datetime.timezone(offset), fold=0)
    if isinstance(value, list):
        return [natural(item) for item in value]
    if isinstance(value, tuple):
        return tuple(natural(item) for item in value)
    if isinstance(value, dict):
        return {natural(key): natural(item) for key, item in value.items()}
    return value


def _attributes(*names):
    def wanted(value):
        if isinstance(value, tuple):
            return dict(zip(names, value))
        if isinstance(value, collections.abc.Mapping):
            return {name: value[name] for name in names if name in value}
        return {name: getattr(value, name) for name in names}

    return wanted


def _epoch(value):
    return (datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) + value.astype(f"{value.dtype.kind}8[us]").view(
        np.int64
    ).item() * datetime.timedelta(microseconds=1)


def _numbers(dtype, scalar):
    return lambda value: (
        scalar(np.asarray(value, dtype).item()) if not isinstance(value, int | float | complex) else scalar(value)
    )


# What a value of a row is when it comes back.
WANTED = {
    "bool": bool,
    **dict.fromkeys(("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "intenum_"), int),
    "float32": float,
    "float64": float,
    "complex64": complex,
    "complex128": complex,
    "str": str,
    "bytes": bytes,
    "datetime": natural,
    "date": lambda value: datetime.datetime(value.year, value.month, value.day, tzinfo=datetime.UTC),
    "time": lambda value: datetime.timedelta(
        hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond
    ),
    "datetime64": _epoch,
    "timedelta64": lambda value: datetime.timedelta(microseconds=value.astype("m8[us]").view(np.int64).item()),
    "decimal": str,
    "uuid": lambda value: np.frombuffer(value.bytes, np.uint8),
    "path": str,
    "enum": lambda value: str(value.value),
    "intenum": lambda value: int(value.value),
    "ints": lambda value: np.array(list(value), np.int64),
    "floats": lambda value: np.array(list(value), np.float64),
    "strs": list,
    "items": natural,
    "triple": lambda value: np.array(value, np.int64),
    "tuple": natural,
    "set": set,
    "rows": lambda value: [np.array(row, np.float64) for row in value],
    "dict_str_int": dict,
    "dict_str_any": natural,
    "dict_any_any": natural,
    "point": lambda value: (lambda x: {"x": int(x["x"]), "y": float(x["y"])})(_attributes("x", "y")(value)),
    "pair": _attributes("left", "right"),
    "optional_record": lambda value: {
        "a": value["a"],
        **({"b": value["b"]} if "b" in value else {}),
        "c": np.array(value["c"]),
        "d": natural(value["d"]),
    },
    "any": natural,
    **{
        kind + name: lambda value: np.array(value, _plain(value.dtype), order="C")
        for kind in ("array_", "ndarray_")
        for name in DTYPES
    },
    "array_datetime64": lambda value: [_epoch(item) for item in value],
    "array_timedelta64": lambda value: [
        datetime.timedelta(microseconds=item.astype("m8[us]").view(np.int64).item()) for item in value
    ],
    "array_str": lambda value: value.tolist(),
    "array_struct": lambda value: [{"x": int(item["x"]), "y": float(item["y"])} for item in value],
}


def verify(name, values):
    """Compare the values that came back with those that ``make`` made; return what is different, at most ten of it."""
    made, found = MADE.pop(name), []
    wanted = WANTED.get(name, lambda value: value)
    for index, (original, got) in enumerate(zip(made, values, strict=True)):
        want = wanted(original)
        if name == "object":
            difference = None if got is original else "another object"
        elif name == "ints":  # a set has no order that is kept
            difference = (
                differs(np.sort(want), np.sort(got)) if isinstance(original, set | frozenset) else differs(want, got)
            )
        else:
            difference = differs(want, got)
        if difference:
            found.append(f"[{index}] {original!r:.200}: {difference}")
    return found[:10]


def _number(r, name):
    low, high = _range(name) if name[:3] in ("int", "uin") else (-(2**64), 2**65)
    near = lambda: r.choice([low, high]) + r.randrange(-2, 3)
    with np.errstate(all="ignore"):
        return r.choice(
            [
                lambda: r.random() < 0.5,
                lambda: np.bool_(r.random() < 0.5),
                near,
                near,
                lambda: _int(r, -(2**63), 2**64 - 1),
                lambda: r.getrandbits(r.randrange(1, 1100)) * r.choice([1, -1]),
                lambda: 2 ** r.randrange(1024) + r.choice([0, 1]),
                lambda: _float(r),
                lambda: _float32(r),
                lambda: float(near()),
                lambda: np.float32(_float32(r)),
                lambda: np.float16(r.gauss(0, 100)),
                lambda: np.dtype(r.choice(DTYPES[1:9])).type(r.randrange(128)),
                lambda: np.array(r.randrange(128), r.choice(DTYPES)),
                lambda: complex(_float(r), _float(r)),
                lambda: np.complex64(complex(_float32(r), _float32(r))),
                lambda: str(r.randrange(10)),
                lambda: None,
                lambda: decimal.Decimal(r.randrange(10)),
                lambda: fractions.Fraction(r.randrange(10)),
                lambda: np.longdouble(1),
                lambda: [1],
                lambda: b"1",
                lambda: Level.HIGH,
                lambda: datetime.timedelta(1),
            ]
        )()


def numbers(name, seed, number, count):
    """Return a list of random objects, many of which are numbers near the limits of a Go type."""
    import random

    r = random.Random(f"{seed} {name} {number}")
    MADE["numbers"] = [_number(r, name) for _ in range(count)]
    return list(MADE["numbers"])


def _exact(name, value):
    """Return the value as a type of number of Go's has it, or None if it has not."""
    if (isinstance(value, np.ndarray) and value.ndim == 0) or isinstance(value, np.generic):
        value = value.item()
        if isinstance(value, np.generic):
            return None
    if isinstance(value, bool):
        return value if name == "bool" else None
    if isinstance(value, int):
        value = int(value)
    if name == "bool" or not isinstance(value, int | float | complex):
        return None
    if name[:3] in ("int", "uin"):
        low, high = _range(name)
        return value if isinstance(value, int) and low <= value <= high else None
    if name[:5] == "float":
        if isinstance(value, complex):
            return None
        try:
            wide = float(value)
        except OverflowError:
            return None
        if isinstance(value, int) and int(wide) != value:
            return None
        if name == "float32":
            with np.errstate(all="ignore"):
                narrow = float(np.float32(wide))
            return narrow if narrow == wide or wide != wide else None
        return wide
    if not isinstance(value, complex):
        real = _exact("float64", value)
        if real is None:
            return None
        value = complex(real, 0.0)
    part = "float32" if name == "complex64" else "float64"
    real, imaginary = _exact(part, value.real), _exact(part, value.imag)
    return None if real is None or imaginary is None else complex(real, imaginary)


def judge(name, accepted, values):
    """Compare what a Go type accepted of ``numbers`` with what it has to accept; return what is different."""
    found = []
    for original, was, got in zip(MADE.pop("numbers"), accepted, values, strict=True):
        want = _exact(name, original)
        if (want is not None) != bool(was):
            found.append(
                f"{type(original).__name__} {original!r:.100}: accepted {bool(was)}, has to be {want is not None}"
            )
        elif want is not None and (difference := differs(want, got)):
            found.append(f"{type(original).__name__} {original!r:.100}: {difference}")
    return found[:10]


# Arrays

SHAPES = [(), (3,), (2, 3), (2, 1, 3), (1, 2, 3, 2)]


def arranged(dtype, rank, layout, swapped, unaligned):
    """Return an array that tells all its elements apart, laid out in a way."""
    shape = SHAPES[rank]
    dtype = np.dtype(dtype)
    count = math.prod(shape)
    numbers = np.arange(1, count + 1)
    if dtype.kind == "b":
        values = numbers % 2 == 1
    elif dtype.kind == "i":
        values = np.iinfo(dtype).min + numbers.astype(object) * (1 if count == 0 else int(np.iinfo(dtype).max) // count)
    elif dtype.kind == "u":
        values = np.iinfo(dtype).max - numbers.astype(object)
    elif dtype.kind == "c":
        values = numbers * 1.25 - 1j / numbers
    else:
        values = 1 / numbers
    array = np.array(values.reshape(shape)).astype(dtype)
    if swapped:
        array = array.astype(dtype.newbyteorder())
    if unaligned:
        memory = np.empty(array.nbytes + 1, np.uint8)
        moved = memory[1:].view(array.dtype)[:count].reshape(shape)
        moved[...] = array
        array = moved
    if layout == "F":
        target = (
            np.empty((array.nbytes + unaligned), np.uint8)[int(unaligned) :]
            .view(array.dtype)[:count]
            .reshape(shape[::-1])
            .T
        )
        target[...] = array
        array = target
    elif layout == "strided":
        wide = tuple(3 * length for length in shape)
        target = (
            np.zeros(math.prod(wide) * dtype.itemsize + unaligned, np.uint8)[int(unaligned) :]
            .view(array.dtype)
            .reshape(wide)
        )
        target = target[(..., *(slice(None, None, 3) for _ in shape))]
        target[...] = array
        array = target
    elif layout == "reversed":
        array = np.flip(array) if shape else array
    elif layout == "broadcast":
        array = np.broadcast_to(array[..., :1], shape) if shape else np.broadcast_to(array, ())
    elif layout == "empty":
        array = array[..., :0] if shape else array
    elif layout == "read-only":
        array.flags.writeable = False
    return array


def facts(array):
    """Return whether an array is native and aligned, whether it has no negative stride that matters, and whether it is writable."""
    forward = array.size == 0 or all(stride >= 0 for stride, length in zip(array.strides, array.shape) if length > 1)
    return [bool(array.dtype.isnative and array.flags.aligned), forward, bool(array.flags.writeable)]


def resembles(array, copy):
    """Return what tells an array from a copy of it, or an empty text."""
    if isinstance(copy, list):
        copy = np.array(copy, _plain(array.dtype)).reshape(array.shape)
    copy = np.asarray(copy)
    want, got = (
        repr((_plain(array.dtype).name, array.shape, array.tolist())),
        repr((copy.dtype.name, copy.shape, copy.tolist())),
    )
    return "" if want == got else f"want {want:.300}, got {got:.300}"


def blocks():
    """Return how many blocks of memory Python has taken."""
    gc.collect()
    return sys.getallocatedblocks()


# Fuzzing


class _Bytes:
    """Makes choices from the bytes of a fuzzer; after the last one everything is 0."""

    def __init__(self, data):
        self.data = iter(data)

    def below(self, limit):
        return next(self.data, 0) % limit

    def take(self, count):
        return bytes(next(self.data, 0) for _ in range(count))


def _grow(b, depth):
    leaves = [
        lambda: None,
        lambda: bool(b.below(2)),
        lambda: int.from_bytes(b.take(1 + b.below(10)), "little", signed=True),
        lambda: b.below(5),
        lambda: np.frombuffer(b.take(8), np.float64)[0].item(),
        lambda: float(b.below(3)),
        lambda: complex(b.below(3), b.below(3)),
        lambda: b.take(b.below(6)).decode("latin-1"),
        lambda: b.take(b.below(6)),
        lambda: ["a", "x", "y", "name", "value", "children", "\ud800"][b.below(7)],
        lambda: datetime.datetime(
            1 + b.below(256) * 39,
            1 + b.below(12),
            1,
            fold=b.below(2),
            tzinfo=[
                None,
                datetime.UTC,
                zoneinfo.ZoneInfo("Europe/Berlin"),
                datetime.timezone(datetime.timedelta(minutes=b.below(200))),
            ][b.below(4)],
        ),
        lambda: datetime.timedelta(int.from_bytes(b.take(2), "little", signed=True) * 10, b.below(9)),
        lambda: datetime.date.fromordinal(1 + int.from_bytes(b.take(2), "little")),
        lambda: datetime.time(b.below(24)),
        lambda: decimal.Decimal(b.below(200)) / 8,
        lambda: [
            decimal.Decimal("NaN"),
            Colour.RED,
            Level.HIGH,
            Bits.ONE,
            uuid.UUID(bytes=b.take(16)),
            pathlib.PurePosixPath("a"),
            sum,
            object(),
            Point,
            Hostile(),
            collections.abc.Sized,
            ...,
        ][b.below(12)],
        lambda: np.dtype(DTYPES[b.below(14)]).type(b.below(2)),
        lambda: _scrambled(b),
        lambda: np.array([[None, 1, "x"][b.below(3)] for _ in range(b.below(4))], object),
        lambda: np.ma.array([1, 2, 3], mask=[b.below(2) for _ in range(3)]),
        lambda: np.array([(b.below(9), b.below(9))] * b.below(3), [("x", "i8"), ("y", "f8")]),
        lambda: np.array([b.take(2).decode("latin-1")] * b.below(3), "U3"),
        lambda: np.array([b.below(9), "NaT"][: b.below(3)], ["M8[D]", "m8[ms]"][b.below(2)]),
        lambda: bytearray(b.take(3)),
        lambda: memoryview(b.take(4))[:: 1 + b.below(2)],
        lambda: range(b.below(5)),
    ]
    choice = b.below(len(leaves) + (10 if depth else 0))
    if choice < len(leaves):
        return leaves[choice]()
    items = lambda: [_grow(b, depth - 1) for _ in range(b.below(4))]
    hashable = lambda: [leaves[b.below(9)]() for _ in range(b.below(4))]
    return [
        items,
        lambda: tuple(items()),
        lambda: set(hashable()),
        lambda: frozenset(hashable()),
        lambda: dict(zip(hashable(), items())),
        lambda: {
            ["x", "y", "a", "b", "c", "d", "name", "value", "left", "children"][b.below(10)]: item for item in items()
        },
        lambda: Point(_grow(b, depth - 1), _grow(b, depth - 1)),
        lambda: Pair(_grow(b, depth - 1), _grow(b, depth - 1)),
        lambda: types.SimpleNamespace(x=_grow(b, depth - 1), y=1.5),
        lambda: Map(x=_grow(b, depth - 1)),
    ][choice - len(leaves)]()


def _scrambled(b):
    """An array with any shape and strides over a small buffer."""
    dtype = np.dtype(DTYPES[b.below(14)])
    if b.below(3) == 0:
        dtype = dtype.newbyteorder()
    size = dtype.itemsize
    memory = np.frombuffer(bytes(i * 37 % 251 for i in range(256)), np.uint8)
    if dtype.kind == "b":
        memory = memory & 1
    shape = tuple(b.below(4) for _ in range(b.below(5)))
    strides = tuple((b.below(9) - 4) * [size, size, 1][b.below(3)] for _ in shape)
    low = sum((length - 1) * stride for length, stride in zip(shape, strides) if stride < 0 and length)
    high = sum((length - 1) * stride for length, stride in zip(shape, strides) if stride > 0 and length)
    offset = -low + b.below(9)
    if offset + high + size > 256:
        shape, strides, offset = (), (), 0
    array = np.ndarray(shape, dtype, memory.data, offset, strides)
    return array


def grow(data):
    """Return a value that the bytes of a fuzzer say."""
    MADE["fuzz"] = value = _grow(_Bytes(data), 3)
    return value


def outcome(data, function):
    """Return what a function answers to arguments that the bytes of a fuzzer say."""
    b = _Bytes(data)
    usual = [lambda: _array(random.Random(b.below(256)), "float64", 1), lambda: b.below(9) / 4, lambda: [1.5, 2.5]]
    count = [1, 1, 1, 1, 0, 2, 3][b.below(7)]
    arguments = [usual[b.below(3)]() if b.below(2) else _grow(b, 2) for _ in range(count)]
    try:
        return repr(function(*arguments))
    except Exception as failure:
        return f"{type(failure).__name__}: {failure}"


def scrambled(data):
    """Return an array that the bytes of a fuzzer say."""
    return _scrambled(_Bytes(data))


class _Rows(list):
    """What a structured array says."""


def _simple(value):
    """Put a value into the terms that all its forms in Go have in common."""
    if isinstance(value, enum.Enum):
        return _simple(value.value)
    if isinstance(value, np.ma.MaskedArray):
        return [
            None if missing else _simple(item)
            for item, missing in zip(value.data.tolist(), np.ma.getmaskarray(value).tolist())
        ]
    if (isinstance(value, np.ndarray) and value.dtype.kind in "Mm") or isinstance(
        value, np.datetime64 | np.timedelta64
    ):
        if value.ndim:
            return [_simple(item) for item in value]
        if np.isnat(value):
            return None
        value = value.astype(f"{value.dtype.kind}8[us]").item()
    if isinstance(value, np.ndarray) and value.dtype.names:
        return _Rows(dict(zip(value.dtype.names, row)) for row in value.tolist())
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, datetime.datetime):
        return (
            value.replace(tzinfo=value.tzinfo or datetime.UTC, fold=0).timestamp()
            if value.tzinfo is None
            else value.timestamp()
        )
    if isinstance(value, datetime.date):
        return datetime.datetime(value.year, value.month, value.day, tzinfo=datetime.UTC).timestamp()
    if isinstance(value, datetime.time):
        return value.hour * 3600.0
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, decimal.Decimal | fractions.Fraction):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return [*bytes(value)]
    if isinstance(value, uuid.UUID):
        return [*value.bytes]
    if isinstance(value, os.PathLike):
        return str(value)
    if isinstance(value, bool | str | None):
        return value
    if isinstance(value, int | float | complex):
        value = complex(value) if isinstance(value, complex) else value
        return value.real if isinstance(value, complex) and value.imag == 0 else value
    if isinstance(value, Pair):
        return [_simple(item) for item in value]
    if isinstance(value, collections.abc.Mapping):
        return {_key(key): _simple(item) for key, item in value.items()}
    if (dataclasses.is_dataclass(value) and not isinstance(value, type)) or isinstance(
        value, types.SimpleNamespace | Plain
    ):
        return _simple(vars(value))
    if isinstance(value, set | frozenset):
        return sorted((_simple(item) for item in value), key=repr)
    if isinstance(value, collections.abc.Iterable) and not isinstance(value, type):
        return [_simple(item) for item in value]
    return value


def _key(value):
    simple = _simple(value)
    return repr(simple) if isinstance(simple, list | dict | float) else simple


def alike(got, names):
    """Tell whether what came back from Go says the same as what ``grow`` made; ``names`` are those of the fields of a struct that lacks some."""
    want, got = _simple(MADE["fuzz"]), _simple(got)
    return _alike(want, got, isinstance(MADE["fuzz"], set | frozenset))


def _alike(want, got, unordered=False):
    if want is got:
        return True
    if isinstance(want, bool) or isinstance(got, bool):
        return type(want) is type(got) and want == got
    if isinstance(want, decimal.Decimal):
        if isinstance(got, str) or not want.is_finite():
            return str(want) == str(got)
        want = fractions.Fraction(want)
    if isinstance(got, decimal.Decimal) and got.is_finite():
        got = fractions.Fraction(got)
    if isinstance(want, int | float | complex | fractions.Fraction) and isinstance(
        got, int | float | complex | fractions.Fraction
    ):
        return want == got or (want != want and got != got)
    if isinstance(want, _Rows) and want and isinstance(got, dict):  # rows as columns
        want = {key: [row[key] for row in want] for key in want[0]}
    if isinstance(want, _Rows) and not want and isinstance(got, dict) and not any(got.values()):
        return True
    if isinstance(want, list) and isinstance(got, dict):  # a tuple as a struct
        got = list(got.values())
    if isinstance(want, dict) and isinstance(got, list) and got and isinstance(got[0], dict):  # rows
        return True
    if isinstance(want, list) and isinstance(got, list):
        if len(want) != len(got):
            return False
        straight = all(_alike(left, right) for left, right in zip(want, got))
        return straight or all(any(_alike(left, right) for right in got) for left in want)
    if isinstance(want, dict) and isinstance(got, dict):
        # An object may have more attributes than a struct asks for.
        return all(
            key in want and _alike(want[key], item)
            for key, item in got.items()
            if key in want or key not in ("left", "parent", "any", "object")
        )
    return want == got
