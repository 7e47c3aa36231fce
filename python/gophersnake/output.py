"""Python's own output, written so that none is lost when the host program ends without a word to Python."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable


class LineStream(io.TextIOWrapper):
    """A text stream that writes each line at once, and tells the core when it holds back a part of one."""

    incomplete: Callable[[], None]

    def write(self, text: str, /) -> int:
        written = super().write(text)
        if text and not text.endswith("\n"):
            self.incomplete()
        return written


def install(incomplete: Callable[[], None]) -> None:
    """Replace ``sys.stdout`` and ``sys.stderr``; ``incomplete`` asks the core for a flush when the call ends."""
    LineStream.incomplete = staticmethod(incomplete)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper):
            continue  # the descriptor is closed: Python has no stream for it
        encoding, errors = stream.encoding, stream.errors
        lines = LineStream(stream.detach(), encoding=encoding, errors=errors, line_buffering=True)
        lines.mode = "w"
        setattr(sys, name, lines)
        setattr(sys, f"__{name}__", lines)


def flush() -> None:
    """Write out what the streams hold back."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
