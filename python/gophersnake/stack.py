"""Recursion, bounded by what the stacks of threads carry."""

from __future__ import annotations

import _thread
import functools
import sys
import threading
import warnings


def install(most: int, size: int, reserve: int, level: int) -> int:
    """Lower the recursion limit to ``most``, and keep it there; return it.

    ``size`` is that of the stack of a thread. A level of recursion takes at most ``level`` of it, beside ``reserve``.
    """
    set_limit = sys.setrecursionlimit

    @functools.wraps(set_limit)
    def setrecursionlimit(limit: int, /) -> None:
        if isinstance(limit, int) and limit > most:
            warnings.warn(
                f"gophersnake: the recursion limit is {most} and not {limit}: stacks of {size >> 10} KiB carry no "
                "more, and CPython would crash where they end. Give the program larger ones with ulimit -s",
                RuntimeWarning,
                stacklevel=2,
            )
            limit = max(most, 1)
        set_limit(limit)

    set_size = _thread.stack_size

    @functools.wraps(set_size)
    def stack_size(new: int = 0, /) -> int:
        # The recursion limit holds for all threads, so that none may have less than it takes.
        if isinstance(new, int) and new > 0:
            new = max(new, min(size, reserve + level * sys.getrecursionlimit()))
        return set_size(new)

    sys.setrecursionlimit = setrecursionlimit
    _thread.stack_size = stack_size
    threading.stack_size = stack_size
    limit = min(sys.getrecursionlimit(), most)
    set_limit(limit)
    return limit
