"""What Python prints: written so that none is lost when the host just ends, or handed to it.

The host takes output through queues of the core, which have numbers. ``_queues`` says which one a stream has; 0 is the
process's own descriptor. A call may have a queue of its own, its capture, which goes before.
"""

from __future__ import annotations

import contextlib
import io
import sys
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar, Token
from threading import get_ident
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

# Whose piece of a line it is: the thread's, and the capture's that it prints to.
Writer: TypeAlias = tuple[int, int]

DELAY = 0.5
"""Seconds for which a piece of a line is kept that no call will write."""

captured: ContextVar[int] = ContextVar("gophersnake.output", default=0)
_queues = [0, 0, 0]
# Writes to a queue: number, stream, data. Tells whether the queue takes it; if not, it goes on as without the queue.
_write: Callable[[int, int, bytes], bool]


class Unbuffered(io.BufferedWriter):
    """What ``sys.stdout.buffer`` is: it passes on all that is written to it, at once."""

    def __init__(self, raw: io.RawIOBase, stream: int) -> None:
        """Write to ``raw``, or to the queues of the stream with that number."""
        super().__init__(raw)
        self._stream = stream

    def write(self, data: Buffer, /) -> int:
        """Write bytes."""
        capture, queue = captured.get(), _queues[self._stream]
        if capture or queue:
            copy = bytes(data)
            if _hand_over(capture, self._stream, copy):
                return len(copy)
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
    _stream: int
    _pieces: dict[Writer, list[str]]
    _others: dict[Writer, tuple[float, list[str]]]  # of threads that run for no call, since when

    def write(self, text: str, /) -> int:
        """Write text; what follows its last newline is kept."""
        lines, newline, rest = text.rpartition("\n")
        writer = get_ident(), captured.get()
        if newline:
            self._put(writer, f"{self._take(writer)}{lines}\n")
        if not rest:
            return len(text)
        if self.incomplete():
            self._pieces.setdefault(writer, []).append(rest)
        else:
            self._others.setdefault(writer, (time.monotonic(), []))[1].append(rest)
            if len(self._others) == 1:
                self._write_later()
        return len(text)

    def isatty(self) -> bool:
        """Tell whether a terminal shows what is written."""
        return not _queues[self._stream] and super().isatty()

    def flush(self) -> None:
        """Write out what this thread has written, and what those have left that run for no call."""
        thread = get_ident()
        running = {thread.ident for thread in threading.enumerate()}
        for writer in list(self._pieces):
            if writer[0] == thread:
                self._put(writer, self._take(writer))
        for writer, (since, _) in list(self._others.items()):
            if writer[0] == thread or writer[0] not in running or time.monotonic() - since >= DELAY:
                self._put(writer, self._take(writer))
        super().flush()

    def flush_all(self) -> None:
        """Write out what all threads have written."""
        for writer in [*self._pieces, *self._others]:
            self._put(writer, self._take(writer))
        super().flush()

    def forget(self) -> None:
        """Drop what all threads have written but not written out: in a forked process, those of another one."""
        self._pieces.clear()
        self._others.clear()

    def _put(self, writer: Writer, text: str) -> None:
        """Write text to where the writer prints."""
        _, capture = writer
        if (capture or _queues[self._stream]) and _hand_over(
            capture, self._stream, text.encode(self.encoding, self.errors or "strict")
        ):
            return
        if not captured.get():
            super().write(text)
            return
        # It is another's, so it must not go to the capture of this thread on its way through the buffer.
        before = captured.set(0)
        try:
            super().write(text)
        finally:
            captured.reset(before)

    def _take(self, writer: Writer) -> str:
        if writer in self._pieces:
            return "".join(self._pieces.pop(writer))
        return "".join(self._others.pop(writer, (0.0, []))[1])

    def _write_later(self) -> None:
        timer = threading.Timer(DELAY, self._write_now)
        timer.daemon = True
        timer.start()

    def _write_now(self) -> None:
        with contextlib.suppress(Exception):
            self.flush()
        if self._others:
            self._write_later()


class Nowhere(io.RawIOBase):
    """What is below a stream whose descriptor is closed."""

    def writable(self) -> bool:
        """Tell that all is well."""
        return True

    def write(self, data: Buffer, /) -> int:
        """Write nothing."""
        return len(memoryview(data))


def _hand_over(capture: int, stream: int, data: bytes) -> bool:
    if capture and _write(capture, stream, data):
        return True
    queue = _queues[stream]
    return bool(queue) and _write(queue, stream, data)


def install(incomplete: Callable[[], bool], write: Callable[[int, int, bytes], bool]) -> None:
    """Replace ``sys.stdout`` and ``sys.stderr``.

    Args:
        incomplete: asks the core for a flush when the call ends.
        write: writes to a queue of the core.
    """
    global _write
    _write = write
    LineStream.incomplete = staticmethod(incomplete)
    for number, name in enumerate(("stdout", "stderr"), 1):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):  # else the descriptor is closed: Python has no stream for it
            encoding, errors = stream.encoding, stream.errors
            _install(number, name, stream.detach().detach(), encoding, errors)


def _install(number: int, name: str, raw: io.RawIOBase, encoding: str, errors: str | None) -> None:
    lines = LineStream(Unbuffered(raw, number), encoding=encoding, errors=errors, line_buffering=True)
    lines._stream, lines._pieces, lines._others = number, {}, {}
    setattr(sys, name, lines)
    setattr(sys, f"__{name}__", lines)


def redirect(stdout: int, stderr: int) -> None:
    """Let the streams go to these queues, where they are not 0."""
    flush_all()
    _queues[1:] = stdout, stderr
    for number, name, errors in ((1, "stdout", "strict"), (2, "stderr", "backslashreplace")):
        if _queues[number] and getattr(sys, name) is None:
            _install(number, name, Nowhere(), "utf-8", errors)


def log(queue: int, line: bytes) -> bool:
    """Hand a record of ``logging`` over. Tells whether the queue takes it."""
    return _write(queue, 0, line)


def capture(queue: int) -> Token[int]:
    """Let what this thread prints go to a queue of its own. Returns what ``release`` needs."""
    return captured.set(queue)


def release(before: Token[int]) -> None:
    """End what ``capture`` began."""
    captured.reset(before)


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
