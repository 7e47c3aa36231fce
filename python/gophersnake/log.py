"""Hands what Python logs, warns of and cannot raise to the logger of the host.

A record goes through a queue of the core, as a line of JSON. Values in it are those of JSON; what JSON has no form for
is an object with one key, which says what it is: ``map`` (pairs), ``float``, ``time`` (microseconds since 1970, offset
in seconds or None), ``duration`` (microseconds).
"""

from __future__ import annotations

import datetime
import decimal
import enum
import math
import os
import sys
import threading
import uuid
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TextIO

import gophersnake.errors as errors
import gophersnake.output as output
import gophersnake.times as times

# Imported by `install` only: most programs start without it, and it takes long.
if TYPE_CHECKING:
    import logging

MAX_DEPTH = 8
MAX_ITEMS = 256
MAX_REPR = 4096

_EPOCH = (datetime.date(1970, 1, 1).toordinal() - 1) * 86_400_000_000
"""Microseconds from year 1 to 1970."""

_handler: logging.Handler
_standard: frozenset[str]


def install(queue: int, level: int) -> None:
    """Let all records of this level and above go to a queue, and with them warnings and errors that nobody catches."""
    global _handler, _standard
    import json
    import logging

    encode = json.JSONEncoder(separators=(",", ":")).encode

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            try:
                taken = output.log(queue, f"{encode(_describe(record))}\n".encode())
            except RecursionError:
                raise
            except Exception:
                self.handleError(record)
                return
            if not taken and logging.lastResort is not None:
                logging.lastResort.handle(record)

    _standard = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
    _handler = Handler(level)
    root = logging.getLogger()
    root.addHandler(_handler)
    root.setLevel(level)
    # An error in one's own use of logging is told by Handler.handleError on sys.stderr, as ever.
    warnings.showwarning = _show_warning
    sys.unraisablehook = _log_unraisable
    threading.excepthook = _log_thread_exception


def set_level(level: int) -> None:
    """Let records from this level on go to the host, unless hosted code has chosen another level for all."""
    import logging

    root = logging.getLogger()
    if root.level == _handler.level:
        root.setLevel(level)
    _handler.setLevel(level)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    if file is not None:
        file.write(warnings.formatwarning(message, category, filename, lineno, line))
        return
    _log(
        "py.warnings",
        30,
        str(message),
        None,
        {"pathname": filename, "lineno": lineno, "category": category.__name__},
    )


def _log_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    message = unraisable.err_msg or "Exception ignored in"
    if unraisable.object is not None:
        message = f"{message}: {_repr(unraisable.object)}"
    exception = unraisable.exc_value
    if exception is None and unraisable.exc_type is not None:
        message = f"{message}: {unraisable.exc_type.__qualname__}"
    _log("gophersnake", 40, message, exception, {})


def _log_thread_exception(args: threading.ExceptHookArgs) -> None:
    if issubclass(args.exc_type, SystemExit):
        return  # as threading does
    name = args.thread.name if args.thread is not None else "?"
    _log("gophersnake", 40, f"Exception in thread {name}", args.exc_value, {})


def _log(logger: str, level: int, message: str, exception: BaseException | None, fields: dict[str, Any]) -> None:
    """Log what comes from no call of a logger."""
    import logging

    to = logging.getLogger(logger)
    if not to.isEnabledFor(level):
        return
    record = to.makeRecord(logger, level, "", 0, message, (), None)
    if exception is not None:
        record.exc_info = type(exception), exception, exception.__traceback__
        link = exception.__traceback__
        while link is not None:
            record.pathname, record.lineno = link.tb_frame.f_code.co_filename, link.tb_lineno
            record.funcName = link.tb_frame.f_code.co_qualname
            link = link.tb_next
    vars(record).update(fields)
    to.handle(record)


def _describe(record: logging.LogRecord) -> dict[str, Any]:
    fields = vars(record)
    described: dict[str, Any] = {
        "time": round(record.created * 1e6),
        "level": record.levelno,
        "logger": _text(record.name),
        "message": _message(record),
        "file": _text(record.pathname),
        "line": record.lineno,
        "function": _text(record.funcName or ""),
        "thread": _text(record.threadName or ""),
    }
    if record.exc_info and record.exc_info[1] is not None:
        name, message, trace, *_ = errors.describe(record.exc_info[1], False)
        described["exception"] = f"{name}: {message}" if message else name
        described["traceback"] = trace
    if record.stack_info:
        described["stack"] = errors.clean(record.stack_info, errors.MAX_TRACEBACK)
    if fields.get("taskName"):
        described["task"] = _text(fields["taskName"])
    if len(fields) > len(_standard) - 3 or not fields.keys() <= _standard:
        room = [MAX_ITEMS]
        extra = [(_text(str(name)), _plain(value, 0, room)) for name, value in fields.items() if name not in _standard]
        if extra:
            described["extra"] = extra
    return described


def _message(record: logging.LogRecord) -> str:
    try:
        return errors.clean(record.getMessage(), errors.MAX_MESSAGE)
    except Exception as failure:
        # The arguments do not fit the message, or one of them raises: that is no reason to lose the record.
        return f"{_repr(record.msg)} % {_repr(record.args)}: {type(failure).__name__}: {_text(str(failure))}"


def _text(text: str) -> str:
    return errors.clean(text, errors.MAX_NAME)


def _repr(value: object) -> str:
    try:
        return errors.clean(repr(value), MAX_REPR)
    except Exception as failure:
        return f"<{type(value).__name__}, whose __repr__ raised {type(failure).__name__}>"


def _plain(value: Any, depth: int, room: list[int]) -> Any:
    """Put a value into the terms of JSON. ``room`` is how many more there may be."""
    room[0] -= 1
    if room[0] < 0:
        return "..."
    cls = type(value)
    if cls in (bool, int) or value is None:
        return value if cls is not int or value.bit_length() < 4096 else _repr(hex(value))
    if cls is str:
        return errors.clean(value, errors.MAX_MESSAGE)
    if cls is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    try:
        return _plain_object(value, depth, room)
    except RecursionError:
        raise
    except Exception:  # a class may do anything
        return _repr(value)


def _plain_object(value: Any, depth: int, room: list[int]) -> Any:
    for cls, convert in _CONVERSIONS:
        if isinstance(value, cls):
            return convert(value)
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == () and hasattr(value, "item"):
        item = value.item()
        return _repr(value) if type(item) is type(value) else _plain(item, depth, room)
    if depth < MAX_DEPTH:
        if isinstance(value, Mapping):
            pairs = list(value.items())[: MAX_ITEMS + 1]
            return {"map": [(_key(key), _plain(item, depth + 1, room)) for key, item in pairs]}
        if isinstance(value, list | tuple | set | frozenset):
            return [_plain(item, depth + 1, room) for item in list(value)[: MAX_ITEMS + 1]]
    return _repr(value)


def _key(key: object) -> str:
    return _text(key) if isinstance(key, str) else _repr(key)


def _time(value: datetime.datetime | datetime.timedelta) -> Any:
    if value != value:  # NaT
        return _repr(value)
    answer = times.describe(value) or ()
    if answer[0] == "duration":
        return {"duration": answer[1] * 86_400_000_000 + answer[2]}
    _, wall, offset, *_ = answer
    if offset is None:
        return {"time": (wall - _EPOCH, None)}
    return {"time": (wall - _EPOCH - offset, offset // 1_000_000)}


_CONVERSIONS: list[tuple[type | tuple[type, ...], Callable[[Any], Any]]] = [
    (enum.Enum, _repr),
    (datetime.datetime, _time),
    ((datetime.date, datetime.time, decimal.Decimal, uuid.UUID), str),
    (datetime.timedelta, _time),
    (os.PathLike, lambda value: _text(os.fsdecode(value))),
    (str, lambda value: errors.clean(value, errors.MAX_MESSAGE)),
    (int, lambda value: int(value)),
    (float, lambda value: float(value) if math.isfinite(value) else {"float": float.__repr__(value)}),
]
