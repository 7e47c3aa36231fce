"""Iterators and generators as the host takes them: item by item, or many at once where nobody can tell."""

from __future__ import annotations

import importlib
import operator
import sys
from collections.abc import Generator, Iterator
from contextvars import Context, copy_context
from itertools import islice
from typing import Any

from gophersnake import output
from gophersnake.values import END

__all__ = ["END"]

CLOSE = operator.methodcaller("close")

_NUMBERS = (bool, int, float, complex, bytes, type(None))

_MAX_BYTES = 1 << 16
"""How many bytes of text a batch has before it ends."""


_PLAIN = (list, tuple, dict, set, frozenset, str, bytes, bytearray, range)


class AsyncIteration:
    """An asynchronous iterator, and the context in which all of its steps run."""

    def __init__(self, iterator: Any) -> None:
        """Take the iterator, and a copy of the current context."""
        self.iterator, self.context = iterator, copy_context()


def start(target: Any) -> tuple[Any, bool, bool, bool, Context | None]:
    """Start to iterate.

    Returns:
        The iterator, whether ``batch`` may read it ahead, whether it is a generator, which wants to be closed, whether
        it is an asynchronous one, and the context in which all steps run: what one of them has set holds in the next,
        as in a loop of Python's. It is None where no code of anybody runs.

    Reading ahead is for what cannot change and whose items cannot: then neither the items nor their descriptions
    depend on when they are asked for. An iterator that somebody else made may have other readers.
    """
    if hasattr(type(target), "__aiter__") and not hasattr(type(target), "__iter__"):
        return AsyncIteration(aiter(target)), False, False, True, None
    iterator = iter(target)
    ahead = type(target) in (range, bytes)
    if type(target) is str:
        ahead = _has_utf8(target)
    elif type(target) in (tuple, frozenset):
        ahead = all(type(item) in _NUMBERS or (type(item) is str and _has_utf8(item)) for item in target)
    context = None if ahead or type(target) in _PLAIN else copy_context()
    return iterator, ahead, isinstance(iterator, Generator), False, context


def _has_utf8(text: str) -> bool:
    """Tell whether a text has no lone surrogates, each of which is an error of its own place."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def batch(iterator: Iterator[Any], most: int) -> list[Any]:
    """Take some items; none if there are no more."""
    items: list[Any] = []
    size = 0
    for item in islice(iterator, most):
        items.append(item)
        if type(item) in (str, bytes):
            size += len(item)
            if size > _MAX_BYTES:
                break
    return items


def pairs(target: Any) -> Any:
    """Return what yields the keys and values of a mapping, as dict() looks for them, or the pairs of an iterable."""
    return target.items() if hasattr(target, "keys") else iter(target)


def start_generator(value: Any) -> tuple[bool, Context]:
    """Tell whether an object has the methods of a generator, and return the context in which all of its steps run."""
    return isinstance(value, Generator), copy_context()


def step(context: Context, generator: Any, method: str, *args: Any) -> tuple[bool, Any, Any]:
    """Resume a generator by one of its methods.

    Returns:
        Whether it yields, what it yields, and what it has returned.
    """
    resume = getattr(generator, method)
    try:
        try:
            if context.get(output.captured, 0) != output.captured.get():
                context.run(output.captured.set, output.captured.get())
            return True, context.run(resume, *args), None
        except RuntimeError as exception:
            link = exception.__traceback__
            if link is None or link.tb_next is not None or not _is_entered(context):
                raise
        return True, resume(*args), None  # which says that the generator runs already
    except StopIteration as stop:
        return False, None, stop.value


def _is_entered(context: Context) -> bool:
    """Tell whether a context is in use, by another thread or by a caller."""
    try:
        context.run(int)
    except RuntimeError:
        return True
    return False


def throw(context: Context, generator: Any, name: str, message: str | None) -> tuple[bool, Any, Any]:
    """Raise an exception in a generator where it waits; answers as ``step``."""
    return step(context, generator, "throw", _exception(name, message))


def _exception(name: str, message: str | None) -> BaseException:
    """Make an exception of the class with this full name, or a RuntimeError that says its name."""
    module, parts = name, list[str]()
    while module not in sys.modules and "." in module:
        module, _, last = module.rpartition(".")
        parts.insert(0, last)
    try:
        found: Any = importlib.import_module(module)
        for part in parts:
            found = getattr(found, part)
        exception = found() if message is None else found(message)
        if isinstance(exception, BaseException):
            return exception
    except Exception:  # whatever the class or its module makes of it
        pass
    return RuntimeError(f"{name}: {message or ''}")


class _Left:
    """A generator whose loop was left. Nobody can be told of an exception, so it goes where Python's own go."""

    def __init__(self, generator: Any, context: Context) -> None:
        self.generator, self.context = generator, context

    def __del__(self) -> None:
        self.context.run(self.generator.close)


def leave(generator: Any, context: Context) -> None:
    """Close a generator; an exception of its goes to ``sys.unraisablehook``."""
    _Left(generator, context)
