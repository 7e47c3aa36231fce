"""What Python knows of the threads that call it."""

from __future__ import annotations

import gc
import sys
import threading
import weakref

LOCAL = threading.local()


class Mark:
    """Something that a thread owns."""


MARKS: weakref.WeakSet[Mark] = weakref.WeakSet()


def visits() -> int:
    """Count the visits of this thread, this one included."""
    LOCAL.visits = getattr(LOCAL, "visits", 0) + 1
    return LOCAL.visits


def ident() -> int:
    """Name this thread as Python does."""
    return threading.get_ident()


def native() -> int:
    """Name this thread as the kernel does."""
    return threading.get_native_id()


def mark() -> None:
    """Give this thread something that lives as long as its thread state."""
    LOCAL.mark = Mark()
    MARKS.add(LOCAL.mark)


def marks() -> int:
    """Count the threads that have a mark."""
    gc.collect()
    return len(MARKS)


def blocks() -> int:
    """Count the memory blocks in use."""
    gc.collect()
    return sys.getallocatedblocks()
