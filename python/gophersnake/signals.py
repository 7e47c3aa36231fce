"""Leaves signals to the host program: hosted code may read how they are handled, and change nothing.

The functions that would change it are replaced where all of Python finds them, in the modules that C provides. In a
process that hosted code has forked, they do what they always do.
"""

from __future__ import annotations

import _imp
import _signal  # type: ignore[import-not-found]
import _thread
import faulthandler
import functools
import signal
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from gophersnake import main_thread

if TYPE_CHECKING:
    from types import ModuleType

P = ParamSpec("P")
R = TypeVar("R")

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

_hosted = True
_find_taken: Callable[[], list[tuple[int, str]]]


def install(
    guard: Callable[[Any], Any],
    remember_mask: Callable[[], None],
    find_taken: Callable[[], list[tuple[int, str]]],
) -> None:
    """Replace the functions.

    Args:
        guard: makes a function that undoes what the given one does to handlers.
        remember_mask: has the mask of the calling thread, if it is the host's, restored when the call ends.
        find_taken: returns the signals that a library handles, and its file.
    """
    global _find_taken
    _find_taken = find_taken
    faulthandler.disable()  # a .pth file may have enabled it
    # Extension modules may install handlers when they are imported; `readline` does.
    for name in ("create_dynamic", "exec_dynamic"):
        setattr(_imp, name, guard(getattr(_imp, name)))
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
        if fd != -1:
            raise ValueError(f"signal.set_wakeup_fd: {_WHOSE}")
        return -1

    def pthread_sigmask(how: int, mask: Iterable[int], /) -> set[int]:
        signals = set(mask)
        if how == _signal.SIG_UNBLOCK:
            signals.discard(_signal.SIGPIPE)
        else:
            signals -= _NEEDED
        if how == _signal.SIG_SETMASK:
            # A thread of Python keeps it away: see `gophersnake.lifecycle`.
            signals |= {_signal.SIGPIPE} & change_mask(_signal.SIG_BLOCK, ())
        remember_mask()
        return change_mask(how, signals)

    def enable(*_: Any, **__: Any) -> None:
        warnings.warn(
            "faulthandler.enable() has no effect: errors like SIGSEGV are the host program's to handle, and a Go "
            "program prints its stacks; faulthandler.dump_traceback() works",
            RuntimeWarning,
            stacklevel=3,
        )

    def register(signum: int, *_: Any, **__: Any) -> None:
        raise _refusal("faulthandler.register", signum)

    for function in (siginterrupt, set_wakeup_fd, pthread_sigmask):
        replace(_signal, function.__name__, function)
    replace(_signal, "signal", set_handler)
    replace(_signal, "getsignal", main_thread.handler_of)
    replace(_thread, "interrupt_main", main_thread.interrupt)
    for function in (enable, register):
        replace(faulthandler, function.__name__, function)


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


def replace(module: ModuleType, name: str, hosted: Callable[P, R]) -> None:
    """Replace a function of a module that C provides, also where the module around it has its name already."""
    original: Callable[P, R] = getattr(module, name)

    @functools.wraps(original)
    def function(*args: P.args, **kwargs: P.kwargs) -> R:
        return hosted(*args, **kwargs) if _hosted else original(*args, **kwargs)

    for place in [module, sys.modules.get(_AROUND.get(module.__name__, ""))]:
        if getattr(place, name, None) is original:
            setattr(place, name, function)


_AROUND = {"_signal": "signal", "posix": "os"}


def leave_host() -> None:
    """Let a forked process have its signals as a Python program has them."""
    global _hosted
    _hosted = False
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def taken() -> dict[str, str]:
    """Return the signals that a library handles in spite of all, from C, by name, and the library's file."""
    return {_name(number): file for number, file in _find_taken()}
