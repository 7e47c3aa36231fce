"""Mappings and iterables of other libraries: whether what they give is all that they are.

A mapping may have several values of one key and show one of them; what can be iterated over may be more than its
items, as a graph is more than its nodes. Where a part would be lost, there is no description.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, MappingView, Sequence, Set
from typing import Any

from gophersnake.values import type_name

_PLAIN = (dict.items, OrderedDict.items)

_ALL_VALUES = ("getall", "getlist", "get_list", "get_all")
"""What gives all values of a key: in multidict and WebOb; in Werkzeug, Django and Starlette; in HTTPX and Tornado; in
what is like an email."""

_ARRAYS = ("__array__", "__dlpack__", "__arrow_c_array__", "__arrow_c_stream__")
"""Who has one of these is an array or a table."""


def pairs(mapping: Mapping[Any, Any] | list[Any]) -> list[Any] | str:
    """Return all pairs of a mapping; or what it is, where some of it would be lost. A list has the pairs already."""
    if isinstance(mapping, list):
        return mapping
    cls = type(mapping)
    found = list(mapping.items())
    if cls.items in _PLAIN:
        return found
    for name in _ALL_VALUES:
        method = getattr(cls, name, None)
        if not callable(method):
            continue
        for key, _ in found:
            try:
                count = len(method(mapping, key))
            except TypeError:  # it has another meaning
                break
            if count != 1:
                return f"{type_name(mapping)} with {count} values of the key {key!r}"
    return found


def obstacle(value: Any, takes_all: bool) -> str | None:
    """Return why an object is not described by what it gives when it is iterated over: as what it is. None if it is.

    Args:
        value: what can be iterated over.
        takes_all: the host takes all of the object, whatever it is. Else it has asked for items.
    """
    cls = type(value)
    if isinstance(value, Iterator | Sequence | Set | MappingView) or any(hasattr(cls, name) for name in _ARRAYS):
        return None
    if takes_all:
        return f"{type_name(value)}, which may be more than its items (a []any takes them)"
    if hasattr(cls, "keys") or (hasattr(cls, "__getitem__") and not _is_by_position(value)):
        return f"{type_name(value)}, which is no sequence of items"
    return None


def _is_by_position(value: Any) -> bool:
    """Whether the first item is the one at 0."""
    missing = object()
    try:
        first = next(iter(value), missing)
    except TypeError:  # iterable by its class only
        return False
    try:
        at = value[0]
    except (LookupError, TypeError, ValueError):
        at = missing
    try:
        return first is at or (type(first) is type(at) and bool(first == at))
    except (TypeError, ValueError):  # they do not compare
        return False
