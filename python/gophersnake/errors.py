"""Describes exceptions as plain data: bounded, valid UTF-8, without references to frames.

Whatever the exception does (a ``__str__`` that raises, lone surrogates, a message of a gigabyte, notes that are no
strings, a chain of causes that never ends), the description comes out.
"""

from __future__ import annotations

import functools
import sys
import traceback
from collections import deque
from collections.abc import Iterator
from types import CodeType, FunctionType, TracebackType
from typing import Any, TypeAlias

MAX_MESSAGE = 16 * 1024
MAX_TRACEBACK = 128 * 1024
MAX_NAME = 1024
MAX_FRAMES = 128
MAX_NOTES = 64
MAX_CAUSES = 16

Frame: TypeAlias = tuple[str, str, int]
Description: TypeAlias = tuple[str, str, str, list[str], list[Frame], list[str], "Description | None", int, Any]

FAILED, PANICKED, EXITED = 1, 2, 3


class GoError(Exception):
    """An error that a Go function returned. Where the function chose a class, it is one of that class too."""

    value: Any = None

    def __str__(self) -> str:
        """Return the text of the Go error."""
        return str(self.args[0]) if self.args else ""


class GoPanic(BaseException):
    """A Go function panicked. If Python lets this pass, the panic goes on in the Go function that called Python."""

    value: Any = None


class GoExit(BaseException):
    """A Go function ended its goroutine, as ``t.FailNow`` does. The goroutine ends when its call of Python does."""


def arrived() -> None:
    """Tell the core that an interrupt has arrived; the core puts its own function here."""


class GoCancelled(BaseException):
    """The Go program has cancelled the call: its context has ended."""

    def __init__(self, *args: object) -> None:
        """Note that the interrupt has arrived, so that it is not raised again."""
        super().__init__(*args)
        arrived()


for _class in (GoError, GoPanic, GoExit, GoCancelled):
    _class.__module__ = "gophersnake"
    setattr(sys.modules["gophersnake"], _class.__name__, _class)


def describe(exception: BaseException, keep: bool) -> Description:
    """Describe an exception.

    Args:
        exception: what was raised.
        keep: the host keeps the exception, so that its frames, with variables and lent arrays, must go.

    Returns:
        class name, message, traceback, names of the class and its bases, frames (file, function, line; outermost
        first), notes, the description of ``__cause__`` or None, and if a function of the host's failed: how, and with
        which value.
    """
    description = _describe(exception, 0)
    if keep:
        _drop_frames(exception)
    return description


def place_traceback(inner: TracebackType | None, function: str, file: str, line: int) -> TracebackType:
    """Return a traceback of one place, from which ``inner`` goes on.

    Its frame has no variables and no frame that called it. So it holds nothing: the variables of the callers may hold
    what the host knows the exception by, and Python could not collect such a cycle.
    """
    generator = FunctionType(_place_code(function, file, line), {})()
    return TracebackType(inner, generator.gi_frame, -1, max(line, 1))


@functools.lru_cache(maxsize=1024)
def _place_code(function: str, file: str, line: int) -> CodeType:
    def place() -> Iterator[None]:
        yield

    return place.__code__.replace(co_name=function, co_qualname=function, co_filename=file, co_firstlineno=max(line, 1))


def _drop_frames(exception: BaseException) -> None:
    """Leave the places of the tracebacks of an exception, its cause and its context, without their frames."""
    pending: list[BaseException | None] = [exception]
    seen: set[int] = set()
    while pending:
        each = pending.pop()
        if each is None or id(each) in seen or len(seen) > MAX_CAUSES:
            continue
        seen.add(id(each))
        traceback.clear_frames(each.__traceback__)
        places: TracebackType | None = None
        for file, function, line in reversed(_frames(each)):
            places = place_traceback(places, function, file, line)
        each.__traceback__ = places
        pending += [each.__cause__, each.__context__]


def _describe(exception: BaseException, depth: int) -> Description:
    cause = exception.__cause__
    cls = type(exception)
    return (
        _class_name(cls).removeprefix("builtins."),
        _message(exception),
        _traceback(exception) if depth == 0 else "",
        [_class_name(base) for base in _MRO(cls)],
        _frames(exception),
        _notes(exception),
        None if cause is None or depth >= MAX_CAUSES else _describe(cause, depth + 1),
        *_origin(exception),
    )


def _origin(exception: BaseException) -> tuple[int, Any]:
    """How a function of the host's failed, and with which value, if this is what came of it."""
    if isinstance(exception, GoError):
        return FAILED, exception.value
    if isinstance(exception, GoPanic):
        return PANICKED, exception.value
    return (EXITED if isinstance(exception, GoExit) else 0), None


# As ``type`` itself answers, whatever a metaclass makes of these names.
_MRO = type.__dict__["__mro__"].__get__
_MODULE = type.__dict__["__module__"].__get__
_QUALNAME = type.__dict__["__qualname__"].__get__


def _class_name(cls: type) -> str:
    try:
        return clean(f"{_MODULE(cls)}.{_QUALNAME(cls)}", MAX_NAME)
    except AttributeError:  # a class may have no module
        return clean(_QUALNAME(cls), MAX_NAME)


def _message(exception: BaseException) -> str:
    try:
        return clean(str(exception), MAX_MESSAGE)
    except BaseException as failure:  # a hostile __str__ may raise anything, SystemExit too
        return f"<no message: __str__ raised {_class_name(type(failure)).removeprefix('builtins.')}>"


def _traceback(exception: BaseException) -> str:
    try:
        lines = traceback.TracebackException(
            type(exception), exception, _links(exception), limit=-MAX_FRAMES, max_group_width=15
        )
        return clean("".join(lines.format()), MAX_TRACEBACK)
    except BaseException as failure:
        return f"<no traceback: {_class_name(type(failure))} while formatting it>\n"


_PASSED_THROUGH = tuple(f"<gophersnake>/{name}.py" for name in ("reload", "namespace", "values", "tasks"))


def _links(exception: BaseException) -> TracebackType | None:
    """Return the traceback without the frames through which functions, methods and code of the host's are run."""
    link = exception.__traceback__
    while link is not None and link.tb_frame.f_code.co_filename in _PASSED_THROUGH:
        link = link.tb_next
    return link


def _frames(exception: BaseException) -> list[Frame]:
    frames: deque[Frame] = deque(maxlen=MAX_FRAMES)  # the innermost, which say where it was raised
    link = _links(exception)
    while link is not None:
        code = link.tb_frame.f_code
        name = getattr(code, "co_qualname", code.co_name)
        frames.append((clean(code.co_filename, MAX_NAME), clean(name, MAX_NAME), link.tb_lineno or 0))
        link = link.tb_next
    return list(frames)


def _notes(exception: BaseException) -> list[str]:
    try:
        notes = getattr(exception, "__notes__", None)
    except BaseException:  # __notes__ may be anything, a property that raises too
        return []
    if not isinstance(notes, list | tuple):
        return []
    return [clean(note, MAX_MESSAGE) for note in notes[:MAX_NOTES] if isinstance(note, str)]


def clean(text: str, limit: int) -> str:
    """Text that has a UTF-8 form and at most ``limit`` characters."""
    text = str.__str__(text)  # a subclass may say anything about its length
    if len(text) > limit:
        text = f"{text[:limit]}... ({len(text) - limit} more characters)"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
