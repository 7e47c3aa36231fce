"""Leaves signals to the host program: hosted code may read how they are handled, and change nothing.

The functions that would change it are replaced where all of Python finds them, in the modules that C provides. In a
process that hosted code has forked, they do what they always do.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _thread
import faulthandler
import signal
import warnings
from collections.abc import Callable, Iterable
from operator import index
from typing import Any

from gophersnake import builtin, main_thread

# What the host's runtime needs on each of its threads: errors of the program, preemption, profiling.
_NEEDED = {
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGTRAP,
    signal.SIGABRT,
    signal.SIGSYS,
    signal.SIGURG,
    signal.SIGPROF,
}

_find_taken: Callable[[], list[tuple[int, str, bool]]]
_notes: Callable[[bool], list[tuple[str, int, str]]]


def install(
    remember_mask: Callable[[], None],
    find_taken: Callable[[], list[tuple[int, str, bool]]],
    notes: Callable[[bool], list[tuple[str, int, str]]],
) -> None:
    """Replace the functions.

    Args:
        remember_mask: has the mask of the calling thread, if it is the host's, restored when the call ends.
        find_taken: returns the signals that a library handles, its file, and whether its handler lacked SA_ONSTACK.
        notes: returns what libraries have done to which signal, and their files: all, or what is new.
    """
    global _find_taken, _notes
    _find_taken, _notes = find_taken, notes
    faulthandler.disable()  # a .pth file may have enabled it
    change_mask: Callable[[int, Iterable[int]], set[int]] = _signal.pthread_sigmask

    def set_handler(signalnum: int, handler: Any, /) -> Any:
        before = _signal.getsignal(signalnum)
        if not callable(handler) and handler not in (_signal.SIG_DFL, _signal.SIG_IGN):
            raise TypeError("signal handler must be signal.SIG_IGN, signal.SIG_DFL, or a callable object")
        if callable(handler) or handler != before:  # CPython's own note of a callable may be out of date
            raise _refusal("signal.signal", signalnum)
        return before

    def siginterrupt(signalnum: int, flag: bool, /) -> None:
        _signal.getsignal(signalnum)
        if flag:
            raise _refusal("signal.siginterrupt", signalnum)

    def set_wakeup_fd(fd: int, /, *, warn_on_full_buffer: bool = True) -> int:
        if index(fd) != -1:
            raise ValueError(f"signal.set_wakeup_fd: {_WHOSE}")
        return -1

    def pthread_sigmask(how: int, mask: Iterable[int], /) -> set[int]:
        how, signals = index(how), set(mask)
        if how == _signal.SIG_UNBLOCK:
            signals.discard(_signal.SIGPIPE)
        else:
            signals -= _NEEDED
        if how == _signal.SIG_SETMASK:
            # A thread of Python keeps it away: see src/signal.rs.
            signals |= {_signal.SIGPIPE} & change_mask(_signal.SIG_BLOCK, ())
        remember_mask()
        return change_mask(how, signals)

    def enable(file: Any = None, all_threads: bool = True, c_stack: bool = True) -> None:
        warnings.warn(
            "faulthandler.enable() has no effect: errors like SIGSEGV are the host program's to handle, and a Go "
            "program prints its stacks; faulthandler.dump_traceback() works",
            RuntimeWarning,
            stacklevel=2,
        )

    def register(signum: int, file: Any = None, all_threads: bool = True, chain: bool = False) -> None:
        _signal.getsignal(signum)
        raise _refusal("faulthandler.register", signum)

    for function in (siginterrupt, set_wakeup_fd, pthread_sigmask):
        builtin.replace(_signal, function.__name__, function)
    builtin.replace(_signal, "signal", set_handler)
    builtin.replace(_signal, "getsignal", main_thread.handler_of)
    builtin.replace(_thread, "interrupt_main", main_thread.interrupt)
    for function in (enable, register):
        builtin.replace(faulthandler, function.__name__, function)


_WHOSE = (
    "signals are the host program's, and hosted code cannot change how they are handled: do it there (in Go: "
    "signal.Notify or signal.NotifyContext)"
)


def _refusal(function: str, signalnum: int) -> ValueError:
    # The class of what CPython raises on all threads but its main one.
    return ValueError(f"{function}({_name(signalnum)}): {_WHOSE}")


def _name(signalnum: int) -> str:
    try:
        return signal.Signals(signalnum).name
    except ValueError:
        return str(signalnum)


def leave_host() -> None:
    """Let a forked process have its signals as a Python program has them."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def taken() -> dict[str, str]:
    """Return the signals that a library handles in place of the host, from C, by name, and the library's file."""
    return {
        _name(number): (f"{file} ({_ADDED})" if unfit else file) or "ignored, but on the host's threads"
        for number, file, unfit in _find_taken()
    }


def mended() -> list[str]:
    """Return what libraries have done to signals since the start and was mended, in sentences."""
    return _sentences([note for note in _notes(True) if note[0] != "taken"])


def tell() -> None:
    """Log what libraries have done to signals since this was called last."""
    import logging

    for sentence in _sentences(_notes(False)):
        if _telling:
            logging.getLogger("gophersnake").warning(sentence)


def stop_telling() -> None:
    """Log none of it: the caller asks for `mended`."""
    global _telling
    _telling = False


_telling = True


_ADDED = "without SA_ONSTACK, which was added"
_EVENTS = {
    "taken": "handled by {file}, and not by the host until that lets go",
    "unfit": "handled by {file} " + _ADDED + "; the host does not handle it until that lets go",
    "dropped": "was to be ignored, or to have its default, by {file}; the host's handler is back",
}


def _sentences(notes: list[tuple[str, int, str]]) -> list[str]:
    # A library often does the same to several signals.
    names: dict[tuple[str, str], list[str]] = {}
    for event, number, file in notes:
        names.setdefault((event, file), []).append(_name(number))
    return [f"{', '.join(of)}: {_EVENTS[event].format(file=_code(file))}" for (event, file), of in names.items()]


def _code(file: str) -> str:
    return file if file.startswith("/") else f"code {file}"
