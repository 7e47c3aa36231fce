"""Python functions that the tests call; most do on purpose what nobody should do."""

import atexit
import collections
import ctypes
import datetime
import decimal
import functools
import gc
import math
import threading
import time
import uuid
from types import SimpleNamespace
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

KEPT: list[Any] = []
NAMES: dict[str, Any] = {
    "__name__": __name__,
    "np": np,
    "math": math,
    "collections": collections,
    "datetime": datetime,
    "decimal": decimal,
    "functools": functools,
    "uuid": uuid,
    "SimpleNamespace": SimpleNamespace,
}
LOCAL = threading.local()


# Values


def identity(value: Any) -> Any:
    return value


def written(*arguments: Any, **keywords: Any) -> str:
    """Return what arrived, as Python writes it."""
    return repr((arguments, keywords) if keywords else arguments)


def evaluate(expression: str) -> Any:
    """Return what a Python expression is worth."""
    return eval(expression, dict(NAMES))


def evaluate_with(expression: str, f: Any) -> Any:
    """Return what a Python expression is worth in which `f` is a function of the host's."""
    return eval(expression, {**NAMES, "f": f})


def spin() -> NoReturn:
    while True:
        pass


# Arrays


def total(*arrays: NDArray[Any]) -> float:
    return float(sum(array.sum() for array in arrays))


def address(array: NDArray[Any]) -> int:
    return array.ctypes.data


def flags(array: NDArray[Any]) -> str:
    """Return dtype, shape, whether it is writable and whether NumPy takes it for aligned."""
    return f"{array.dtype} {array.shape} {array.flags.writeable} {array.flags.aligned}"


def is_wrongly_aligned(array: NDArray[Any]) -> bool:
    """Tell whether NumPy takes the array for aligned although its address is not."""
    return bool(array.flags.aligned) and array.ctypes.data % array.dtype.alignment != 0


def double(array: NDArray[Any]) -> None:
    array *= 2


def force_double(array: NDArray[Any]) -> None:
    array.setflags(write=True)
    array *= 2


# Retention


def keep(*arrays: NDArray[Any]) -> None:
    KEPT.extend(arrays)


def keep_view(array: NDArray[Any]) -> None:
    KEPT.append(array[::-2])


def keep_memoryview(array: NDArray[Any]) -> None:
    KEPT.append(memoryview(array)[1:])  # type: ignore[arg-type]


def keep_second(_first: NDArray[Any], second: NDArray[Any], _third: NDArray[Any]) -> None:
    KEPT.append(second)


def keep_and_fail(array: NDArray[Any]) -> NoReturn:
    KEPT.append(array)
    raise ValueError("kept all the same")


def keep_in_cycle(array: NDArray[Any]) -> None:
    cycle = SimpleNamespace(array=array)
    cycle.itself = cycle


def keep_in_exception(array: NDArray[Any]) -> None:
    try:
        raise ValueError(array.size)
    except ValueError as error:
        KEPT.append(error)


def fail_with(array: NDArray[Any]) -> NoReturn:
    """Raise; the frame holds the array, but nobody holds the exception."""
    raise ValueError(array.size)


def kept_total() -> float:
    return float(sum(np.asarray(array).sum() for array in KEPT))


def drop() -> None:
    KEPT.clear()
    gc.collect()


# Errors


class Refusal(ValueError, KeyError):
    """An exception with two bases."""

    def __str__(self) -> str:
        return f"refused: {self.args[0]}"


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no message for you")


class Exiting(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)


class Liar(str):
    """A text that says it is empty."""

    def __len__(self) -> int:
        return 0


class Lying(Exception):
    def __str__(self) -> str:
        return Liar("x" * 10_000_000)


class Unnotable(Exception):
    @property
    def __notes__(self) -> NoReturn:  # type: ignore[override]
        raise RuntimeError("no notes for you")


class HostileNote(str):
    def encode(self, *_arguments: Any) -> NoReturn:
        raise RuntimeError("no bytes for you")


def refuse(what: str) -> NoReturn:
    raise Refusal(what)


def fail_noted() -> NoReturn:
    error = ValueError("with notes")
    error.add_note("first note")
    error.add_note("second \udc80 note")
    raise error


def _inner() -> NoReturn:
    raise KeyError("inner")


def fail_chained() -> NoReturn:
    try:
        _inner()
    except KeyError as error:
        raise RuntimeError("outer") from error


def fail_in_circle() -> NoReturn:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    raise first


def fail_long() -> NoReturn:
    raise ValueError("é" * 10_000_000)


def fail_surrogate() -> NoReturn:
    raise ValueError("a\udc80b\0c")


def fail_mute() -> NoReturn:
    raise Mute


def fail_exiting() -> NoReturn:
    raise Exiting


def fail_lying() -> NoReturn:
    raise Lying


def fail_unnotable() -> NoReturn:
    raise Unnotable("x" * 10_000_000)


def fail_hostile_note() -> NoReturn:
    error = ValueError("x" * 10_000_000)
    error.__notes__ = [HostileNote("note")]
    raise error


def fail_nameless() -> NoReturn:
    names = {"__module__": "nowhere\ud800", "__qualname__": "Odd\udc80" * 10_000}
    raise type("Odd", (Exception,), names)("nameless")


def fail_recursing() -> NoReturn:
    fail_recursing()


def fail_system_exit() -> NoReturn:
    raise SystemExit(7)


def fail_keyboard_interrupt() -> NoReturn:
    raise KeyboardInterrupt


def fail_group() -> NoReturn:
    raise ExceptionGroup("group", [ValueError("one"), TypeError("two")])


# Threads and the end


def count_in_thread() -> int:
    """Return how often this thread has called: a thread state that is not kept forgets it."""
    count: int = getattr(LOCAL, "count", 0) + 1
    LOCAL.count = count
    return count


def call_back(address: int) -> int:
    """Call the C function at an address, which calls Python again on this thread."""
    result: int = ctypes.CFUNCTYPE(ctypes.c_int)(address)()
    return result


def call_back_attached(address: int) -> int:
    """Like call_back, but the thread stays attached meanwhile."""
    result: int = ctypes.PYFUNCTYPE(ctypes.c_int)(address)()
    return result


def call_back_in_thread(address: int) -> int:
    """Like call_back, on a thread that Python makes."""
    results: list[int] = []
    thread = threading.Thread(target=lambda: results.append(call_back(address)))
    thread.start()
    thread.join()
    return results[0]


def linger(seconds: float) -> None:
    """Leave a thread that the end of the interpreter has to wait for; one of a host's thread is a daemon otherwise."""
    threading.Thread(target=time.sleep, args=(seconds,), daemon=False).start()


def print_at_exit(text: str) -> None:
    atexit.register(print, text)
