"""Processes that hosted code starts: none of them is the host program, or runs a part of it."""

from __future__ import annotations

import os
import posix
import sys
import threading
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from operator import index
from types import ModuleType
from typing import Any, NoReturn

from gophersnake import builtin, lifecycle, output, signals

_CONTEXT = "multiprocessing.context"


def install() -> None:
    """Guard what starts processes and what waits for them."""
    # `multiprocessing` passes it on, so that workers read files as this process does.
    sys._xoptions["utf8"] = True
    if _CONTEXT in sys.modules:  # imported by a .pth file
        _choose_start_method(sys.modules[_CONTEXT])
    else:
        sys.meta_path.insert(0, _Finder())
    _guard_waiting()
    os.register_at_fork(before=_flush, after_in_child=_leave_host)


class _Finder:
    """Finds the part of ``multiprocessing`` that has the default start method, and changes it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _CONTEXT:
            return None
        found = (finder.find_spec(fullname, path, target) for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, found), None)
        loader: Any = spec and spec.loader
        if loader is not None:
            run = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                del loader.exec_module
                run(module)
                _choose_start_method(module)
                if self in sys.meta_path:
                    sys.meta_path.remove(self)

            loader.exec_module = exec_module
        return spec


def _choose_start_method(context: Any) -> None:
    """Replace the default start method if it is "fork", of which CPython 3.14 has taken leave too.

    A fork has the memory of the host's threads, their locks included, but not the threads.
    """
    default = context._default_context
    if default._default_context.get_start_method() == "fork":
        default._default_context = context._concrete_contexts["spawn"]


def _guard_waiting() -> None:
    """Let functions wait for the processes only that they name: others may be the host's children."""
    wait_for_4, wait_for_id, wait_for_pid = posix.wait4, posix.waitid, posix.waitpid

    def wait() -> NoReturn:
        raise _for_any("wait")

    def wait3(options: int) -> NoReturn:
        index(options)
        raise _for_any("wait3")

    def wait4(pid: int, options: int) -> Any:
        if index(pid) in (-1, 0):
            raise _for_any("wait4")
        return wait_for_4(pid, options)

    def waitid(idtype: int, id: int, options: int, /) -> Any:
        if index(idtype) == os.P_ALL or (index(idtype), index(id)) == (os.P_PGID, 0):
            raise _for_any("waitid")
        return wait_for_id(idtype, id, options)

    def waitpid(pid: int, options: int, /) -> Any:
        if index(pid) in (-1, 0):
            raise _for_any("waitpid")
        return wait_for_pid(pid, options)

    for function in (wait, wait3, wait4, waitid, waitpid):
        builtin.replace(posix, function.__name__, function)


def _for_any(name: str) -> PermissionError:
    return PermissionError(
        1,
        f"os.{name} for any child would take those of the host program: wait for the process ids that you started",
    )


def _flush() -> None:
    """Write out what a fork would write out once more."""
    output.flush()


def _leave_host() -> None:
    """Make a forked process an ordinary one of Python's."""
    signals.leave_host()
    output.forget()
    if isinstance(threading._main_thread, threading._DummyThread):  # type: ignore[attr-defined]
        # What `threading` makes of a thread of the host is no main thread, for which it waits at the end.
        threading._active.clear()  # type: ignore[attr-defined]
        threading._main_thread = threading._MainThread()  # type: ignore[attr-defined]


def end(exception: BaseException | None) -> int:
    """Do what CPython does when a program ends, and return the exit status.

    A forked process ends so where the host's call ends: what comes after it is the host's.
    """
    status = 0
    if isinstance(exception, SystemExit):
        code = exception.code
        if isinstance(code, int):
            status = code & 0xFF
        elif code is not None:
            print(code, file=sys.stderr)
            status = 1
    elif exception is not None:
        sys.excepthook(type(exception), exception, exception.__traceback__)
        status = 1
    lifecycle.finish()
    output.flush_all()
    return status
