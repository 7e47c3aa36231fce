"""Python's own output, written so that none is lost when the host program ends without a word to Python."""

from __future__ import annotations

import contextlib
import io
import sys
import threading
import time
from collections.abc import Callable
from threading import get_ident
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer


DELAY = 0.5
"""Seconds for which a piece of a line is kept that no call will write."""


class Unbuffered(io.BufferedWriter):
    """What ``sys.stdout.buffer`` is: it passes on all that is written to it, at once."""

    def write(self, data: Buffer, /) -> int:
        """Write bytes."""
        written = super().write(data)
        self.flush()
        return written


class LineStream(io.TextIOWrapper):
    """A text stream that writes each line at once and whole, whatever other threads print.

    ``print`` writes a line in pieces. They are kept, for each thread, until the line ends, the stream is flushed, or
    the call of the host ends that the thread runs for. ``incomplete`` asks the core for a flush then, and tells whether
    there is such a call; if there is none, the pieces are written a moment later.
    """

    incomplete: Callable[[], bool]
    _pieces: dict[int, list[str]]
    _others: dict[int, tuple[float, list[str]]]  # of threads that run for no call, since when

    def write(self, text: str, /) -> int:
        """Write text; what follows its last newline is kept."""
        lines, newline, rest = text.rpartition("\n")
        thread = get_ident()
        if newline:
            super().write(f"{self._take(thread)}{lines}\n")
        if not rest:
            return len(text)
        if self.incomplete():
            self._pieces.setdefault(thread, []).append(rest)
        else:
            self._others.setdefault(thread, (time.monotonic(), []))[1].append(rest)
            if len(self._others) == 1:
                self._write_later()
        return len(text)

    def flush(self) -> None:
        """Write out what this thread has written, and what those have left that run for no call."""
        text = self._take(get_ident())
        if text:
            super().write(text)
        running = {thread.ident for thread in threading.enumerate()}
        for thread, (since, _) in list(self._others.items()):
            if thread not in running or time.monotonic() - since >= DELAY:
                super().write(self._take(thread))
        super().flush()

    def flush_all(self) -> None:
        """Write out what all threads have written."""
        for thread in [*self._pieces, *self._others]:
            super().write(self._take(thread))
        super().flush()

    def forget(self) -> None:
        """Drop what all threads have written but not written out: in a forked process, those of another one."""
        self._pieces.clear()
        self._others.clear()

    def _take(self, thread: int) -> str:
        if thread in self._pieces:
            return "".join(self._pieces.pop(thread))
        return "".join(self._others.pop(thread, (0.0, []))[1])

    def _write_later(self) -> None:
        timer = threading.Timer(DELAY, self._write_now)
        timer.daemon = True
        timer.start()

    def _write_now(self) -> None:
        with contextlib.suppress(Exception):
            self.flush()
        if self._others:
            self._write_later()


def install(incomplete: Callable[[], bool]) -> None:
    """Replace ``sys.stdout`` and ``sys.stderr``; ``incomplete`` asks the core for a flush when the call ends."""
    LineStream.incomplete = staticmethod(incomplete)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper):
            continue  # the descriptor is closed: Python has no stream for it
        encoding, errors = stream.encoding, stream.errors
        raw = stream.detach().detach()
        lines = LineStream(Unbuffered(raw), encoding=encoding, errors=errors, line_buffering=True)
        lines._pieces, lines._others = {}, {}
        setattr(sys, name, lines)
        setattr(sys, f"__{name}__", lines)


def flush() -> None:
    """Write out what the call that ends now has left unwritten."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        _quietly(stream, "flush")


def flush_all() -> None:
    """Write out everything."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        _quietly(stream, "flush_all" if isinstance(stream, LineStream) else "flush")


def forget() -> None:
    """Drop what the process has left unwritten of which this one is a fork."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        _quietly(stream, "forget")


def _quietly(stream: object, method: str) -> None:
    """Flush a stream, which hosted code may have replaced by anything.

    That a line could not be written is an exception where it was printed; it is not said again for the rest of one.
    """
    with contextlib.suppress(Exception):
        getattr(stream, method)()
