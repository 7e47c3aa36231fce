"""Puts objects into the terms that the core knows, and makes the objects that it has no function for.

An answer of ``describe`` is a tuple that starts with one of these words:

* ``value``, object: describe this instead
* ``items``, iterable, likewise: a list
* ``iterable``, object: a list of its items, if they are all of it or all that is wanted, see ``gophersnake.containers``
* ``mapping``, object or list of pairs: a dict of all pairs, which it is not asked for where none are wanted, likewise
* ``record``, pairs of name and value: named fields
* ``row``, names, values: a tuple with names
* ``columns``, pairs of name and array: named arrays of one length
* ``masked``, array, mask: an array that lacks the values where the mask is true
* ``times``, int64 array, "M" or "m", unit, count: datetime64 or timedelta64
* ``datetime``, microseconds, offset in microseconds or None, name of the zone, nanoseconds
* ``time``, microseconds, offset in microseconds or None, name of the zone
* ``date``, days
* ``duration``, days, microseconds
* ``decimal``, text
* ``rational``, numerator, denominator
* ``image``, form, pixels: see ``_FORMS``
* ``uuid``, bytes
* ``other``, text: no description
"""

from __future__ import annotations

import dataclasses
import decimal
import enum
import importlib
import inspect
import numbers
import operator
import os
import sys
import uuid
from collections.abc import Iterable, Mapping, Sequence
from types import BuiltinFunctionType, CodeType, MemberDescriptorType
from typing import Any

import numpy as np

from gophersnake import tables, times
from gophersnake.signatures import is_async
from gophersnake.streams import Stream

Answer = tuple[Any, ...]

END = object()
"""What ``next`` gives the host when there are no more items."""

_END = "end of the iteration\0"
"""How the host knows it: nothing else is described so, since no name has a NUL."""


def describe(value: Any, wants_items: bool, names: list[str] | None, wants_mapping: bool) -> Answer:
    """Describe an object.

    Args:
        value: what the core does not know itself.
        wants_items: the host expects items, also of an object array or a masked one.
        names: the fields that the host expects, if it expects named ones.
        wants_mapping: the host expects a mapping, or all of the object, whatever that is.
    """
    if value is END:
        return "other", _END
    if isinstance(value, np.ndarray):
        return _array(value, wants_items)
    if isinstance(value, Stream):
        return "value", value.go_value
    if isinstance(value, np.generic):
        return _scalar(value)
    # First, because NaT of pandas seems to be a datetime.
    answer = tables.describe(value, wants_items, wants_mapping)
    if answer is not None:
        return answer
    if isinstance(value, enum.Enum):
        return "value", value.value
    answer = times.describe(value)
    if answer is not None:
        return answer
    if isinstance(value, decimal.Decimal):
        # A class derived from it may have a text of its own; what only says that it is one has no other.
        return "decimal", decimal.Decimal.__str__(value) if issubclass(type(value), decimal.Decimal) else str(value)
    if isinstance(value, uuid.UUID):
        return "uuid", value.bytes
    if isinstance(value, os.PathLike):
        return "value", os.fspath(value)
    if isinstance(value, memoryview):
        return "value", np.asarray(value)
    if isinstance(value, Mapping):
        return "mapping", value
    fields = _fields(value)
    if fields is not None:
        pairs = [(name, getattr(value, name)) for name in fields if hasattr(value, name)]
        return "record", pairs + _extra_fields(value, fields)
    answer = _row(value) or _image(value)
    if answer is not None:
        return answer
    if names is not None and not isinstance(value, type):
        pairs = [(name, getattr(value, name)) for name in names if hasattr(value, name)]
        if pairs or not isinstance(value, Iterable):
            return "record", pairs
    answer = _number(value)
    if answer is not None:
        return answer
    if isinstance(value, Iterable) and not isinstance(value, type):
        return "iterable", value
    return "other", _class_name(type(value))


def _array(array: np.ndarray[Any, Any], wants_items: bool) -> Answer:
    """Describe an array that is more than numbers, or less than all of them."""
    if isinstance(array, np.ma.MaskedArray):
        return _masked(array, wants_items)
    if type(array) is np.recarray and array.dtype.names is not None:
        return "value", array.view(np.ndarray)
    if type(array) not in (np.ndarray, np.memmap):
        return "other", _array_name(array)
    kind = array.dtype.kind
    if kind in "Mm":
        unit, count = np.datetime_data(array.dtype)
        if unit == "generic" and np.isnat(array).all():
            array, unit = array.astype(f"{kind}8[s]"), "s"
        if unit != "generic":
            return (
                "times",
                np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="))).view(np.int64).reshape(array.shape),
                kind,
                unit,
                count,
            )
    elif kind in "UST" or (kind == "O" and (wants_items or array.ndim == 0)):
        return "value", _texts(array).tolist()
    elif array.dtype.names is not None:
        return _structured(array, wants_items)
    elif array.dtype.type.__module__ == "ml_dtypes":
        wide = _WIDER.get(array.dtype.name.rstrip("0123456789"), "float32")
        return "value", array.astype(wide)
    return "other", _array_name(array)


_WIDER = {"int": "int8", "uint": "uint8"}
"""What holds all numbers of the types of ml_dtypes whose names begin so; float32 holds those of the others."""


def _texts(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return texts of variable length as objects, with None for those that are missing; anything else as it is."""
    if array.dtype.kind != "T":
        return array
    items = array.astype(object)
    items[np.array([not isinstance(item, str) for item in items.flat], bool).reshape(items.shape)] = None
    return items


def _structured(array: np.ndarray[Any, Any], wants_items: bool) -> Answer:
    """Describe an array that has fields: its rows by columns."""
    names = array.dtype.names or ()
    if array.ndim == 0:
        items = [(name, array[name]) for name in names]
        return "record", [(name, None if item is np.ma.masked else item[()]) for name, item in items]
    if array.ndim == 1:
        return "columns", [(name, array[name]) for name in names]
    return ("items", list(array)) if wants_items else ("other", _array_name(array))


def _masked(array: np.ma.MaskedArray[Any, Any], wants_items: bool) -> Answer:
    """Describe an array that lacks some values."""
    is_plain = type(array) in (np.ma.MaskedArray, np.ma.core.mvoid)
    if not is_plain or type(array.data) not in (np.ndarray, np.memmap, np.recarray, np.void, np.record):
        return "other", _array_name(array)
    if array.dtype.names is not None:
        return _structured(array, wants_items)
    data, mask = np.asarray(array.data), np.ma.getmaskarray(array)
    if array.ndim == 0:
        return "value", None if mask else data
    if data.dtype.kind in "UST" or (data.dtype.kind == "O" and wants_items):
        items = _texts(data).astype(object)
        items[mask] = None
        return "value", items.tolist()
    if wants_items:
        return "masked", data, mask
    return "other", _array_name(array)


def _scalar(scalar: np.generic) -> Answer:
    """Describe a NumPy scalar as the number that it is."""
    if isinstance(scalar, np.datetime64 | np.timedelta64):
        unit, count = np.datetime_data(scalar.dtype)
        if unit == "generic":
            return ("value", None) if np.isnat(scalar) else ("other", _class_name(type(scalar)))
        return "times", np.asarray(scalar).view(np.int64), scalar.dtype.kind, unit, count
    if isinstance(scalar, np.void):
        if scalar.dtype.names is None:
            return "value", scalar.tobytes()
        return "record", [(name, scalar[name]) for name in scalar.dtype.names]
    if type(scalar).__module__ == "ml_dtypes":
        return _array(np.asarray(scalar), False)
    number = scalar.item()
    if isinstance(number, np.generic):  # longdouble: Python has no number for it
        return "other", _class_name(type(scalar))
    return "value", number


def _fields(value: Any) -> list[str] | None:
    """Names of the fields of a data class, an attrs class, a msgspec or pydantic-like model, or a plain namespace."""
    cls = type(value)
    if isinstance(value, type):
        return None
    if dataclasses.is_dataclass(value):
        return [field.name for field in dataclasses.fields(value)]
    attributes = getattr(cls, "__attrs_attrs__", None)
    if attributes is not None:
        return [attribute.name for attribute in attributes]
    struct_fields = getattr(cls, "__struct_fields__", None)
    if isinstance(struct_fields, tuple):
        return list(struct_fields)
    model_fields = getattr(cls, "model_fields", None)
    if isinstance(model_fields, dict):
        return list(model_fields)
    if hasattr(cls, "__fields_set__") and isinstance(getattr(cls, "__fields__", None), dict):
        return list(vars(value))  # of pydantic's first version
    if getattr(cls, "__module__", "") == "types" and cls.__qualname__ == "SimpleNamespace":
        return list(vars(value))
    return None


def _extra_fields(value: Any, fields: list[str]) -> list[tuple[str, Any]]:
    """Return what a pydantic model, or a data class of pydantic, has beside its fields, where it allows that."""
    extra = getattr(value, "__pydantic_extra__", None)
    config = getattr(type(value), "__pydantic_config__", None)
    if extra is None and isinstance(config, Mapping) and config.get("extra") == "allow":
        extra = vars(value)
    if not isinstance(extra, Mapping):
        return []
    return [(name, item) for name, item in extra.items() if name not in fields]


def _row(value: Any) -> Answer | None:
    """Describe a row of a table that is no tuple but a sequence whose items have names, or a record of awkward."""
    awkward = sys.modules.get("awkward")
    if awkward is not None and isinstance(value, awkward.Record):
        pairs = [(name, value[name]) for name in value.fields]
        return ("value", tuple(item for _, item in pairs)) if value.is_tuple else ("record", pairs)
    if not isinstance(value, Sequence):
        return None
    names = getattr(value, "_fields", None)  # SQLAlchemy
    keys = getattr(type(value), "keys", None)
    if names is None and keys is not None:  # sqlite3
        names = keys(value)
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        return None
    items = tuple(value)
    return ("row", tuple(names), items) if len(names) == len(items) else None


def struct_fields(value: tuple[Any, ...]) -> list[tuple[str, Any]]:
    """Return all fields of a struct sequence by name; some are no items, as in ``os.stat_result``."""
    members = vars(type(value)).items()
    return [(name, getattr(value, name)) for name, member in members if isinstance(member, MemberDescriptorType)]


_FORMS = {
    "L": "gray",  # shape (height, width); uint8, but for gray16
    "I;16": "gray16",
    "I;16L": "gray16",
    "I;16B": "gray16",
    "I;16N": "gray16",
    "RGB": "rgb",  # shape (height, width, 3)
    "RGBA": "nrgba",  # shape (height, width, 4), as the next two
    "RGBa": "rgba",  # the colours multiplied by the alpha
    "CMYK": "cmyk",
    "YCbCr": "ycbcr",  # shape (height, width, 3)
}
"""What the host knows of images, by the mode of Pillow."""

_CONVERTED = {"1": "L", "P": "RGB", "PA": "RGBA", "LA": "RGBA", "RGBX": "RGB"}
"""Modes that become another one without any change of a colour."""


def _image(value: Any) -> Answer | None:
    """Describe an image of Pillow."""
    pillow = sys.modules.get("PIL.Image")
    if pillow is None or not isinstance(value, pillow.Image):
        return None
    mode = value.mode
    is_transparent = "transparency" in value.info  # one colour of it, or each colour of a palette to a degree
    if mode in ("1", "L", "RGB", "P") and (is_transparent or (mode == "P" and value.palette.mode != "RGB")):
        value = value.convert("RGBA")
    elif mode in _CONVERTED:
        value = value.convert(_CONVERTED[mode])
    form = _FORMS.get(value.mode)
    if form is None or (form == "gray16" and is_transparent):
        return "other", f"image of Pillow in mode {mode}{' with a transparent colour' if is_transparent else ''}"
    return "image", form, np.asarray(value)


def _number(value: Any) -> Answer | None:
    """Describe a number of another library, or an array of another library that has no dimension."""
    cls = type(value)
    if hasattr(cls, "__array__"):
        return _lone_element(value)
    if hasattr(cls, "__index__"):
        try:
            return "value", int(operator.index(value))
        except TypeError:
            return None
    if isinstance(value, numbers.Rational):
        return "rational", int(operator.index(value.numerator)), int(operator.index(value.denominator))
    return None


def _lone_element(value: Any) -> Answer | None:
    """Describe an array of another library that has no dimension as its only element, if that is exact."""
    try:
        if tuple(getattr(value, "shape", ())) != ():
            return None
    except TypeError:  # an unknown shape
        return None
    if getattr(value, "units", None) is not None or getattr(value, "unit", None) is not None:
        return "other", f"{_class_name(type(value))} with a unit"
    try:
        array = value.__array__()
    except (TypeError, ValueError, RuntimeError, NotImplementedError):
        # On another device, or of a type that NumPy does not have.
        number = value.item() if hasattr(type(value), "item") else None
        return ("value", number) if type(number) in (bool, int, float, complex) else None
    if not isinstance(array, np.ndarray) or array.ndim != 0:
        return None
    dtype = getattr(value, "dtype", array.dtype)
    name = getattr(dtype, "name", None) or str(dtype).rpartition(".")[2]
    return ("value", array) if name == array.dtype.name else None


def _array_name(array: np.ndarray[Any, Any]) -> str:
    cls = type(array)
    name = "array" if cls is np.ndarray else _class_name(cls)
    return f"{name} of dtype {array.dtype} and shape {array.shape}"


def _class_name(cls: type) -> str:
    return f"{getattr(cls, '__module__', 'builtins')}.{cls.__qualname__}".removeprefix("builtins.")


def make_decimal(text: str) -> decimal.Decimal:
    """Return a decimal number."""
    return decimal.Decimal(text)


def make_uuid(data: bytes) -> uuid.UUID:
    """Return a UUID."""
    return uuid.UUID(bytes=data)


def resolve(name: str) -> Any:
    """Return what ``module:qualified.name`` names, importing the module."""
    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split(".") if path else []:
        found = getattr(found, part)
    return found


AWAITS = object()
"""What ``call`` gives the host for a coroutine function, which it does not call: ``gophersnake.tasks`` does."""


def call(target: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Call an object."""
    return AWAITS if _is_async(target) else target(*args, **kwargs)


def call_method(target: Any, name: str, /, *args: Any, **kwargs: Any) -> Any:
    """Call a method of an object."""
    return call(getattr(target, name), *args, **kwargs)


def _is_async(function: Any) -> bool:
    code = getattr(function, "__code__", None)  # of a function or a method of Python: most often, and quick to know
    if isinstance(code, CodeType):
        return bool(code.co_flags & inspect.CO_COROUTINE)
    if isinstance(function, type | BuiltinFunctionType):
        return False
    return bool(is_async(function))


def pause() -> None:
    """Do nothing, in bytecode: there, other threads get their turn, and interruptions come through."""


def type_name(value: Any) -> str:
    """Return the name of an object's class as tracebacks print it."""
    return _class_name(type(value))
