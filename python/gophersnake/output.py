"""Python's own output, written so that none is lost when the host program ends without a word to Python."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable
from threading import get_ident
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer


class Unbuffered(io.BufferedWriter):
    """What ``sys.stdout.buffer`` is: it passes on all that is written to it, at once."""

    def write(self, data: Buffer, /) -> int:
        """Write bytes."""
        written = super().write(data)
        self.flush()
        return written


class LineStream(io.TextIOWrapper):
    """A text stream that writes each line at once and whole, whatever other threads print.

    ``print`` writes a line in pieces. They are kept, for each thread, until the line ends, the stream is flushed, or the call
    of the host does; ``incomplete`` asks for the latter.
    """

    incomplete: Callable[[], None]
    _pieces: dict[int, list[str]]

    def write(self, text: str, /) -> int:
        """Write text; what follows its last newline is kept."""
        lines, newline, rest = text.rpartition("\n")
        thread = get_ident()
        if newline:
            pieces = self._pieces.pop(thread, None)
            super().write(f"{''.join(pieces)}{lines}\n" if pieces else f"{lines}\n")
        if rest:
            self._pieces.setdefault(thread, []).append(rest)
            self.incomplete()
        return len(text)

    def flush(self) -> None:
        """Write out what this thread has written."""
        pieces = self._pieces.pop(get_ident(), None)
        if pieces:
            super().write("".join(pieces))
        super().flush()

    def flush_all(self) -> None:
        """Write out what all threads have written."""
        while self._pieces:
            super().write("".join(self._pieces.popitem()[1]))
        super().flush()


def install(incomplete: Callable[[], None]) -> None:
    """Replace ``sys.stdout`` and ``sys.stderr``; ``incomplete`` asks the core for a flush when the call ends."""
    LineStream.incomplete = staticmethod(incomplete)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper):
            continue  # the descriptor is closed: Python has no stream for it
        encoding, errors = stream.encoding, stream.errors
        raw = stream.detach().detach()  # type: ignore[attr-defined]
        lines = LineStream(Unbuffered(raw), encoding=encoding, errors=errors, line_buffering=True)
        lines._pieces = {}
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


def _quietly(stream: object, method: str) -> None:
    """Flush a stream, which hosted code may have replaced by anything.

    That a line could not be written is an exception where it was printed; it is not said again for the rest of one.
    """
    with contextlib.suppress(Exception):
        getattr(stream, method)()
