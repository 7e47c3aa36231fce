"""Python code that prints and logs, for hosts that take output over."""

from __future__ import annotations

import asyncio
import atexit
import datetime
import decimal
import gc
import logging
import pathlib
import sys
import threading
import time
import uuid
import warnings
from typing import Any

import numpy as np

log = logging.getLogger("app.part")


def lines(name: str, count: int) -> None:
    """Print lines in pieces."""
    for i in range(count):
        print(name, i, "-" * 20)


def timed(count: int) -> float:
    """Print so many lines and tell how many seconds that took."""
    start = time.perf_counter()
    for i in range(count):
        print("line", i)
    return time.perf_counter() - start


def partial() -> None:
    """End without a newline, on both streams."""
    print("out 1\nout", end="")
    sys.stderr.buffer.write(b"bytes \xff\n")
    print("err", end="", file=sys.stderr)


def streams() -> list[object]:
    """Tell what libraries ask streams."""
    return [sys.stdout.fileno(), sys.stderr.fileno(), sys.stdout.isatty(), sys.stdout.encoding]


class Reaper:
    """Prints and fails when it is destroyed."""

    def __del__(self) -> None:
        print("destroyed")
        raise ValueError("in __del__")


def destroy() -> None:
    """Let go of an object whose __del__ raises."""
    Reaper()
    gc.collect()


def at_exit() -> None:
    """Print and log when Python ends, and from a thread that ends before."""

    def body() -> None:
        time.sleep(0.2)
        print("from thread")

    threading.Thread(target=body).start()
    atexit.register(print, "at exit", end="")
    atexit.register(log.warning, "logged at exit")


def fail_in_thread() -> None:
    """Let a thread end by an exception."""

    def body() -> None:
        raise KeyError("in thread")

    thread = threading.Thread(target=body, name="worker-7")
    thread.start()
    thread.join()


def warn() -> None:
    """Warn twice at one place."""
    for _ in range(2):
        warnings.warn("deprecated thing", DeprecationWarning, stacklevel=1)
        warnings.warn("careful", stacklevel=1)


class Odd:
    """Has a repr that is an error."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


def log_levels() -> None:
    """Log at every level."""
    for level in (5, 10, 15, 20, 25, 30, 40, 50, 60):
        log.log(level, "at %d", level)


def log_extra() -> None:
    """Log values of all kinds."""
    zone = datetime.timezone(datetime.timedelta(hours=2))
    extra: dict[str, Any] = {
        "i": 2**62,
        "big": 2**70,
        "f": 1.0,
        "nan": float("nan"),
        "s": "é\udcff\n",
        "none": None,
        "yes": True,
        "when": datetime.datetime(2024, 5, 6, 7, 8, 9, 10, zone),
        "day": datetime.date(2024, 5, 6),
        "took": datetime.timedelta(seconds=1.5),
        "price": decimal.Decimal("1.10"),
        "id": uuid.UUID(int=1),
        "path": pathlib.Path("/tmp/x"),
        "np": np.float64(2.5),
        "array": np.arange(3),
        "list": [1, "a", [2.5]],
        "map": {"a": 1, 2: "b"},
        "object": object,
        "odd": Odd(),
        "deep": None,
        "long": "x" * 1_000_000,
        "many": list(range(100_000)),
    }
    nested: list[Any] = []
    for _ in range(100):
        nested = [nested]
    extra["deep"] = nested
    log.info("with extra", extra=extra)


def log_exception() -> None:
    """Log an exception."""
    try:
        raise ValueError("bad value")
    except ValueError:
        log.exception("it %s", "failed", stack_info=True)


def log_wrongly() -> None:
    """Log with arguments that do not fit."""
    log.error("two %s %s", "one")


def is_enabled(level: int) -> bool:
    """Tell whether records of that level are made."""
    return log.isEnabledFor(level)


def log_often(count: int) -> None:
    """Log so many records."""
    for i in range(count):
        log.warning("record %d", i)


def both(name: str) -> None:
    """Print to both streams in turn, while others do."""
    for i in range(50):
        print(name, "out", i)
        time.sleep(0.0005)
        print(name, "err", i, file=sys.stderr)
    print(name, "end", end="")


def spread(name: str) -> None:
    """Print from a task, from a thread with the context of this one, and from a thread without."""

    async def body() -> None:
        async def task() -> None:
            await asyncio.sleep(0)
            print(name, "task")

        await asyncio.create_task(task())
        await asyncio.to_thread(print, name, "to_thread")

    asyncio.run(body())
    thread = threading.Thread(target=print, args=(name, "thread"))
    thread.start()
    thread.join()


def flood(count: int) -> None:
    """Print lines of a kilobyte."""
    for _ in range(count):
        print("x" * 1023)
