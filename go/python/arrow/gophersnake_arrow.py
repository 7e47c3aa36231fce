"""Python's part of the Go package go/python/arrow: Arrow data passes between Go and Python objects.

Both ways go through the Arrow PyCapsule protocol. The Go package carries this file, hands over the addresses of its C
functions with `install`, and then calls `give` and `take`.
"""

import ctypes
import importlib
import operator
from collections.abc import Callable
from typing import Any

_functions: dict[str, Callable[..., Any]] = {}


def install(addresses: dict[str, int]) -> None:
    """Take over the C functions of capsule.h."""
    makes = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_uint64)
    takes = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_void_p)
    for name, address in addresses.items():
        _functions[name] = (takes if name.startswith("take_") else makes)(address)


class Array:
    """An array of Go's. Whoever speaks the protocol can take it, as often as they like."""

    def __init__(self, export: int) -> None:
        """Keep an export of Go's alive for as long as this object lives."""
        self._export = export
        self._owner = _functions["owner"](export)

    def __arrow_c_schema__(self) -> object:
        """Return the type."""
        return _functions["schema"](self._export)

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        """Return the type and the values. Another schema is not offered."""
        return _functions["schema"](self._export), _functions["array"](self._export)


class Stream:
    """A table or a reader of Go's. Whoever speaks the protocol can take it, a table as often as they like."""

    def __init__(self, export: int) -> None:
        """Keep an export of Go's alive for as long as this object lives."""
        self._export = export
        self._owner = _functions["owner"](export)

    def __arrow_c_schema__(self) -> object:
        """Return the type."""
        return _functions["schema"](self._export)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the stream. Another schema is not offered."""
        return _functions["stream"](self._export)


class RecordBatch(Array):
    """A record batch of Go's. Whoever speaks the protocol can take it, as often as they like."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the batch as a stream. Another schema is not offered."""
        return _functions["stream"](self._export)


def give(kind: str, export: int) -> object:
    """Return data of Go's as an object of pyarrow, or as one of this module if pyarrow is not installed."""
    ours, convert = {
        "array": (Array, "array"),
        "batch": (RecordBatch, "record_batch"),
        "table": (Stream, "table"),
        "reader": (Stream, "RecordBatchReader.from_stream"),
    }[kind]
    try:
        pyarrow = importlib.import_module("pyarrow")
    except ImportError:
        return ours(export)
    return operator.attrgetter(convert)(pyarrow)(ours(export))


def take(source: Any, schema: int, array: int, stream: int) -> None:
    """Move what an object has to offer to the structures at the addresses: an array with its schema, or a stream."""
    if hasattr(source, "__arrow_c_array__"):
        schema_capsule, array_capsule = source.__arrow_c_array__()
        _functions["take_schema"](schema_capsule, schema)
        _functions["take_array"](array_capsule, array)
    elif hasattr(source, "__arrow_c_stream__"):
        _functions["take_stream"](source.__arrow_c_stream__(), stream)
    else:
        cls = type(source)
        raise TypeError(
            "want Arrow data, an object with __arrow_c_array__ or __arrow_c_stream__, "
            f"got {cls.__module__}.{cls.__qualname__}".replace("builtins.", "")
        )
