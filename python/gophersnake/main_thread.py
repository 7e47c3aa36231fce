"""Python's main thread, which runs no code of the program's, and what is meant for it.

``_thread.interrupt_main`` interrupts the main program in plain Python. Here, what it is meant for is a call of the
host's: the one that has started the thread.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

# The number of the call that has started a thread, by the thread's ident. When it has ended, another may have that.
_calls: dict[int, int] = {}
# Threads that are being started: they may run before their ident is known.
_starting: set[object] = set()
# These threads serve whoever comes, and not the call that happens to start them.
_POOLS = ("concurrent.futures.thread", "multiprocessing.pool", "gophersnake.tasks")

_number_call: Callable[[], int]
_interrupt_call: Callable[[int, type[BaseException]], bool | None]
_interrupt_main_call: Callable[[], bool]
_arrived: Callable[[], None]
_tell: Callable[[BaseException], None]
_of_host: Any  # what CPython said of the host's handler of SIGINT
_begun = False
_received = False


def install(
    wakeup: int,
    number_call: Callable[[], int],
    interrupt_call: Callable[[int, type[BaseException]], bool | None],
    interrupt_main_call: Callable[[], bool],
    arrived: Callable[[], None],
    tell: Callable[[BaseException], None],
) -> None:
    """Take the functions of the core, and have CPython wake its main thread where a signal is meant.

    No handler of the system's stays: the core puts back the one that CPython installs along with Python's.

    Args:
        wakeup: the descriptor that wakes the main thread.
        number_call: returns the number of the call that the calling thread is in, 0 if it is in none.
        interrupt_call: raises an exception in the call with that number; returns whether it did, None if that is over.
        interrupt_main_call: interrupts the call that the main thread is in; tells whether there is one.
        arrived: hears that the exception has been raised.
        tell: tells ``sys.unraisablehook`` of an exception.
    """
    global _number_call, _interrupt_call, _interrupt_main_call, _arrived, _tell
    _number_call, _interrupt_call, _interrupt_main_call = number_call, interrupt_call, interrupt_main_call
    _arrived, _tell = arrived, tell
    set_wakeup_fd = _signal.set_wakeup_fd
    set_wakeup_fd(wakeup, warn_on_full_buffer=False)
    os.register_at_fork(after_in_child=lambda: set_wakeup_fd(-1))
    global _of_host
    _of_host = _signal.signal(signal.SIGINT, _on_interrupt)


def begin() -> None:
    """Pass a signal on to the host that came while its handler was Python's."""
    global _begun
    _begun = True
    if _received:
        os.kill(os.getpid(), signal.SIGINT)


def _on_interrupt(signalnum: int, frame: object) -> None:
    """Raise what ``PyErr_SetInterrupt`` asks for. Runs on the main thread."""
    global _received
    if not _begun:
        _received = True
    elif _number_call():
        raise KeyboardInterrupt
    else:  # nobody to raise it to
        try:
            _refuse("PyErr_SetInterrupt", "Python's main thread is in no call")
        except RuntimeError as error:
            _tell(error)


def handler_of(signalnum: int, /) -> Any:
    """Stand in for ``signal.getsignal``, which would tell of the handler of this module: the signal is the host's."""
    handler = _GETSIGNAL[0](signalnum)
    return _of_host if handler is _on_interrupt else handler


# In a tuple: whatever has the function itself as a variable gets what stands for it.
_GETSIGNAL = (_signal.getsignal,)


def interrupt(signum: int = signal.SIGINT, /) -> None:
    """Stand in for ``_thread.interrupt_main``."""
    try:
        handler = signal.getsignal(signum)
    except ValueError:
        raise ValueError("signal number out of range") from None
    if signum != signal.SIGINT:
        if handler in (signal.SIG_DFL, signal.SIG_IGN):
            return
        raise RuntimeError(
            f"_thread.interrupt_main({signum}): signals are the host program's, which alone handles this one: "
            "send it by os.kill"
        )
    if _number_call():
        raise KeyboardInterrupt
    call = _call_of_thread()
    while call:
        done = _interrupt_call(call, _Interrupt)
        if done:
            return
        if done is None:
            break
        time.sleep(0.001)
    if not _interrupt_main_call():
        _refuse("_thread.interrupt_main()", _why(call))


def _why(call: int) -> str:
    return "the call that has started this thread has ended" if call else "no call has started this thread"


def _refuse(function: str, why: str) -> NoReturn:
    raise RuntimeError(
        f"{function}: there is no call to interrupt, for {why}: it interrupts the call whose thread calls it or has "
        "started the calling thread, or else the one on Python's main thread; the host program limits the time of a "
        "call by its context (in Go: context.WithTimeout)"
    )


class _Interrupt(KeyboardInterrupt):
    """Becomes a ``KeyboardInterrupt`` when it is raised."""

    def __new__(cls) -> KeyboardInterrupt:  # type: ignore[misc]
        _arrived()
        return KeyboardInterrupt()


def _call_of_thread() -> int:
    """Return the number of the call that has started this thread, 0 if there is none."""
    ident = threading.get_ident()
    starting = _starting.copy()  # one of these may be this
    while ident not in _calls and not starting.isdisjoint(_starting):
        time.sleep(0.001)
    return _calls.get(ident, 0)


def starting(function: Any) -> tuple[object, int]:
    """Hear that a thread is about to start; returns what ``started`` needs.

    The call is known that has it started, or has started the thread that does.
    """
    call = 0 if _is_shared(function) else _number_call() or _call_of_thread()
    token = object()
    _starting.add(token)
    return token, call


def started(token: object, call: int, thread: Any) -> None:
    """Hear that the thread has started: its ident, or what has it; None where it could not."""
    if thread is not None:
        _calls[getattr(thread, "ident", thread)] = call
    _starting.discard(token)


def _is_shared(function: Any) -> bool:
    thread = getattr(function, "__self__", None)
    return (
        isinstance(thread, threading.Thread) and getattr(getattr(thread, "_target", None), "__module__", None) in _POOLS
    )
