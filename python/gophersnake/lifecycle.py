"""Beginning and end of the interpreter's life."""

from __future__ import annotations

import _thread
import atexit
import functools
import sys
import threading
from collections.abc import Callable
from typing import Any


def install(set_sigpipe_blocked: Callable[[bool], bool]) -> None:
    """Let threads that hosted code starts behave as in any other program.

    They are no daemons unless it says so: a new thread inherits this from the one that starts it, and ``threading``
    takes the host's threads for daemons. And a pipe that nobody reads raises ``BrokenPipeError`` in them: where the
    host keeps the handler of SIGPIPE, the signal would end the process on a thread that is not the host's, so they do
    not receive it. ``set_sigpipe_blocked`` changes that for the calling thread, and tells how it was. What imports set
    for their context holds in them, too.
    """
    global _set_sigpipe_blocked
    _set_sigpipe_blocked = set_sigpipe_blocked
    make = threading._DummyThread.__init__

    def make_host_thread(self: threading._DummyThread) -> None:
        make(self)
        self._daemonic = False  # type: ignore[attr-defined]

    threading._DummyThread.__init__ = make_host_thread  # type: ignore[method-assign]
    for module, name in (
        (_thread, "start_new_thread"),
        (_thread, "start_new"),
        (_thread, "start_joinable_thread"),
        (threading, "_start_new_thread"),
        (threading, "_start_joinable_thread"),
    ):
        if hasattr(module, name):
            setattr(module, name, _with_mask(_in_context(getattr(module, name)), True))


_set_sigpipe_blocked: Callable[[bool], bool]


def for_thread(function: Any) -> Any:
    """Return what a new thread calls to run ``function`` in the program's context; the core puts its own here."""
    return function


def with_sigpipe(start: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function that starts a process: also where a thread of Python starts it, SIGPIPE ends it as any other."""
    return _with_mask(start, False)


def _in_context(start: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function that starts a thread: the thread begins with a copy of the program's context."""

    @functools.wraps(start)
    def start_in_context(function: Any, *args: Any, **kwargs: Any) -> Any:
        return start(for_thread(function), *args, **kwargs)

    return start_in_context


def _with_mask(start: Callable[..., Any], blocked: bool) -> Callable[..., Any]:
    """Wrap a function that starts a thread or a process: they inherit the signal mask of the thread that does so."""

    @functools.wraps(start)
    def start_with_mask(*args: Any, **kwargs: Any) -> Any:
        before = _set_sigpipe_blocked(blocked)
        try:
            return start(*args, **kwargs)
        finally:
            _set_sigpipe_blocked(before)

    return start_with_mask


def extend_path(folders: list[str]) -> None:
    """Put the folders of the host program in front of ``sys.path``, in their order."""
    sys.path[:] = folders + [folder for folder in sys.path if folder not in folders]


def finish() -> None:
    """Do what CPython does when a program ends: join threads and run ``atexit``. Runs on Python's main thread."""
    tasks = sys.modules.get("gophersnake.tasks")
    if tasks is not None:
        tasks.stop()
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
