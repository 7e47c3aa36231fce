"""The end of the interpreter's life, without finalising it."""

from __future__ import annotations

import atexit
import sys
import threading


def extend_path(folders: list[str]) -> None:
    """Put the folders of the host program in front of ``sys.path``, in their order."""
    sys.path[0:0] = [folder for folder in folders if folder not in sys.path]


def finish() -> None:
    """Do what CPython does when a program ends: join threads, run ``atexit``, flush. Runs on Python's main thread."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
