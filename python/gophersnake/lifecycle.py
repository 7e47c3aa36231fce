"""Beginning and end of the interpreter's life."""

from __future__ import annotations

import atexit
import functools
import sys
import threading
from typing import Any


def install() -> None:
    """Let threads that hosted code starts behave as in any other program.

    They are no daemons unless it says so: a new thread inherits this from the one that makes it, and ``threading``
    takes the host's threads for daemons, as in any program that embeds Python.
    """
    make = threading.Thread.__init__

    @functools.wraps(make)
    def make_thread(self: threading.Thread, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        if kwargs.get("daemon") is None and isinstance(threading.current_thread(), threading._DummyThread):
            self._daemonic = False  # type: ignore[attr-defined]

    threading.Thread.__init__ = make_thread  # type: ignore[method-assign]


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
