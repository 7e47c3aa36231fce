"""What asks for Python's main thread, or leaves something for it to do."""

from __future__ import annotations

import _thread
import atexit
import ctypes
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

_pending = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
_add = ctypes.pythonapi.Py_AddPendingCall
_add.argtypes = [_pending, ctypes.c_void_p]
_keep: list[Any] = []


def is_main() -> bool:
    """Whether the calling thread is Python's main one."""
    return threading.current_thread() is threading.main_thread()


def add_pending(function: Callable[[], object]) -> bool:
    """Add a pending call, as a library of C does; False if the queue is full."""

    def call(_: object) -> int:
        function()
        return 0

    callback = _pending(call)
    _keep.append(callback)
    return _add(callback, None) == 0


class Made:
    """Counts the pending calls that were made, and on which thread."""

    def __init__(self) -> None:
        """Count from 0."""
        self.on_main = 0
        self.elsewhere = 0

    def count(self) -> None:
        """Count one."""
        if is_main():
            self.on_main += 1
        else:
            self.elsewhere += 1


def add_many(number: int, limit: float) -> list[int]:
    """Add pending calls, more than the queue holds, while this call runs, and wait for them."""
    made = Made()
    end = time.monotonic() + limit
    added = 0
    while added < number and time.monotonic() < end:
        if add_pending(made.count):
            added += 1
        else:
            time.sleep(0.001)
    while made.on_main + made.elsewhere < added and time.monotonic() < end:
        pass  # bytecode all the time
    return [added, made.on_main, made.elsewhere]


def add_later(seconds: float, tell: Callable[[bool], None]) -> None:
    """Add a pending call when this call has long ended."""

    def add() -> None:
        time.sleep(seconds)
        add_pending(lambda: tell(is_main()))

    threading.Thread(target=add).start()


def fail() -> None:
    """Fail as a pending call."""
    raise ArithmeticError("pending")


def interrupt() -> str:
    """Interrupt what the main thread is thought to run; returns what that raised."""
    try:
        _thread.interrupt_main()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def limited(seconds: float, limit: float, start: str = "Timer") -> str:
    """Run under a limit of time as many programs set it."""
    told: list[str] = []

    def stop() -> None:
        time.sleep(seconds)
        told.append(interrupt())

    if start == "Timer":
        threading.Timer(0, stop).start()
    elif start == "raw":
        _thread.start_new_thread(stop, ())
    else:  # a thread of a thread
        threading.Thread(target=lambda: threading.Timer(0, stop).start()).start()
    return spin(limit, told)


def spin(limit: float, told: list[str] | None = None) -> str:
    """Run bytecode; returns how that ended."""
    end = time.monotonic() + limit
    try:
        while time.monotonic() < end and not (told and told[0]):
            time.sleep(0.001)
    except KeyboardInterrupt as interrupted:
        return type(interrupted).__name__
    return told[0] if told else ""


def leave_or_spin(seconds: float) -> str:
    """Run bytecode; for 0 seconds, only leave a thread that interrupts a little later."""
    if seconds == 0:
        threading.Timer(0.05, interrupt).start()
    return spin(seconds)


def limited_in_go(function: Callable[[], object], seconds: float) -> str:
    """Call a Go function under a limit of time."""
    threading.Timer(seconds, _thread.interrupt_main).start()
    try:
        function()
        time.sleep(60)
    except KeyboardInterrupt:
        return "KeyboardInterrupt"
    return ""


def interrupt_later(wait: Callable[[], object], tell: Callable[[str], None]) -> None:
    """Start a thread that interrupts when the host lets it."""

    def late() -> None:
        wait()
        tell(interrupt())

    threading.Thread(target=late).start()


def set_interrupt() -> None:
    """Do what C code does to interrupt the main thread."""
    ctypes.pythonapi.PyErr_SetInterrupt()


def join_all_at_exit() -> None:
    """Leave an exit handler that waits for all threads which are no daemons."""

    def join() -> None:
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
        sys.stdout.write("joined\n")

    atexit.register(join)


def kinds() -> list[bool]:
    """Tell what kind of thread this is, and those that it makes."""
    made: list[bool] = [threading.current_thread().daemon]
    made.append(threading.Thread().daemon)
    made.append(threading.Timer(1, int).daemon)
    made.append(threading.Thread(daemon=True).daemon)
    made.append(threading.Thread(daemon=False).daemon)
    inner: list[bool] = []
    for daemon in (None, True):
        thread = threading.Thread(target=lambda: inner.append(threading.Thread().daemon), daemon=daemon)
        thread.start()
        thread.join()
    return made + inner


def block(seconds: float) -> None:
    """Block in C code."""
    libc = ctypes.CDLL(None)
    libc.usleep(int(seconds * 1e6))


def locale_facts(folder: str) -> dict[str, Any]:
    """Tell what the locale of C is."""
    import locale

    libc = ctypes.CDLL(None)
    wide = ctypes.create_unicode_buffer(8)
    length = libc.mbstowcs(wide, "é".encode(), 8)
    libc.strtod.restype = ctypes.c_double
    path = folder + "/text"
    with open(path, "w", encoding="utf-8") as file:
        file.write("é")
    try:
        with open(path, encoding="locale") as file:
            text = file.read()
    except UnicodeDecodeError:
        text = "no text"
    printed = ctypes.create_string_buffer(16)
    libc.snprintf(printed, 16, b"%.1f", ctypes.c_double(1.5))
    return {
        "ctype": locale.setlocale(locale.LC_CTYPE),
        "numeric": locale.setlocale(locale.LC_NUMERIC),
        "time": locale.setlocale(locale.LC_TIME),
        "wide": wide.value if length == 1 else "",
        "text": text,
        "strtod": libc.strtod(b"1.5", None),
        "printed": printed.value.decode(),
    }
