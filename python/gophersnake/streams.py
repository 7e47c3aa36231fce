"""Go's channels, iterators, readers and writers, as Python iterators and files."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Buffer  # type: ignore[attr-defined]

# Each crossing reads as much as this, if the Go reader has it.
_BUFFER_SIZE = 64 * 1024


class Stream:
    """An object that stands for a value of the Go program, which gets that value itself when the object comes back."""

    go_value: Any


class GoChannel(Stream):
    """A Go channel: an iterator over what is received, until it is closed."""

    def __init__(
        self,
        value: Any,
        receive: Callable[[], tuple[Any, bool]] | None,
        send: Callable[[Any], None] | None,
        close: Callable[[], None] | None,
    ) -> None:
        """Take the Go functions; None where the direction does not allow it."""
        self.go_value = value
        self._receive, self._send, self._close = receive, send, close

    def __iter__(self) -> Self:
        """Return the channel."""
        return self

    def __next__(self) -> Any:
        """Receive a value; wait for one."""
        if self._receive is None:
            raise TypeError("nothing can be received: the Go program passed this channel for sending only")
        value, ok = self._receive()
        if not ok:
            raise StopIteration
        return value

    def send(self, value: Any) -> None:
        """Send a value; wait until there is room for it, or somebody who receives it."""
        if self._send is None:
            raise TypeError("nothing can be sent: the Go program passed this channel for receiving only")
        self._send(value)

    def close(self) -> None:
        """Close the channel: who receives from it comes to its end."""
        if self._close is None:
            raise TypeError("only the sender closes: the Go program passed this channel for receiving only")
        self._close()


class GoIterator(Stream):
    """An iterator of the Go program's. It ends when it is closed, or when nobody refers to it any more."""

    def __init__(self, value: Any, advance: Callable[[], tuple[Any, bool]], close: Callable[[], None]) -> None:
        """Take the Go functions."""
        self.go_value = value
        self._advance, self._close = advance, close

    def __iter__(self) -> Self:
        """Return the iterator."""
        return self

    def __next__(self) -> Any:
        """Let the Go function run until it yields."""
        value, ok = self._advance()
        if not ok:
            raise StopIteration
        return value

    def close(self) -> None:
        """End the Go function: its deferred functions have run when this returns."""
        self._close()

    def __enter__(self) -> Self:
        """Return the iterator."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the iterator."""
        self._close()


class GoRawFile(Stream, io.RawIOBase):
    """A Go reader, writer or both, without a buffer."""

    def __init__(
        self,
        value: Any,
        name: str,
        read: Callable[[Any], int] | None,
        write: Callable[[Any], None] | None,
        seek: Callable[[int, int], int] | None,
        close: Callable[[], None] | None,
    ) -> None:
        """Take the Go functions; None for what the Go value cannot do."""
        self.go_value = value
        self.name = name
        self.mode = "rb+" if read and write else "rb" if read else "wb"
        self._read, self._write, self._seek, self._close = read, write, seek, close
        self._is_seekable: bool | None = None if seek else False

    def readable(self) -> bool:
        """Return whether the Go value has a Read method."""
        return self._read is not None

    def writable(self) -> bool:
        """Return whether the Go value has a Write method."""
        return self._write is not None

    def seekable(self) -> bool:
        """Return whether the Go value has a Seek method that works."""
        if self._is_seekable is None:
            assert self._seek is not None
            try:
                self._seek(0, io.SEEK_CUR)
                self._is_seekable = True
            except OSError:  # as of a pipe, which is an *os.File as well
                self._is_seekable = False
        return self._is_seekable

    def readinto(self, buffer: Buffer) -> int:
        """Read into a buffer; 0 is the end."""
        self._check_open()
        if self._read is None:
            raise io.UnsupportedOperation("read")
        if memoryview(buffer).nbytes == 0:
            return 0
        return self._read(np.frombuffer(buffer, np.uint8))

    def write(self, data: Buffer) -> int:
        """Write all of the data."""
        self._check_open()
        if self._write is None:
            raise io.UnsupportedOperation("write")
        size = memoryview(data).nbytes
        if size > 0:
            self._write(np.frombuffer(data, np.uint8))
        return size

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position, and return it."""
        self._check_open()
        if self._seek is None or not self.seekable():
            raise io.UnsupportedOperation("seek")
        return self._seek(offset, whence)

    def close(self) -> None:
        """Close the Go value, if it has a Close method.

        It stays open where Python only lets go of the file: the Go program may still use it.
        """
        if self.closed:
            return
        super().close()
        if self._close is not None and not self.__dict__.get("_finalizing", False):
            self._close()

    def _dealloc_warn(self, _source: object) -> None:
        # The file around this one, which nobody refers to any more, is about to close it. For this one alone, ``io``
        # sets the attribute itself.
        self._finalizing = True

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")


class GoReader(Stream, io.BufferedReader):
    """A Go reader."""


class GoRandomFile(Stream, io.BufferedRandom):
    """A Go value that reads, writes and seeks. What is written goes to Go at once."""

    def write(self, data: Buffer) -> int:
        """Write all of the data."""
        size = super().write(data)
        self.flush()
        return size


class GoDuplex(Stream, io.BufferedReader):
    """A Go value that reads and writes, such as a connection. What is written goes to Go at once."""

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Buffer) -> int:
        """Write all of the data."""
        raw: Any = self.raw
        written: int = raw.write(data)
        return written


class GoTextFile(Stream, io.TextIOWrapper):
    """A Go reader, writer or both, of text in UTF-8. Line ends stay as they are."""


def open_file(
    value: Any,
    name: str,
    text: bool,
    read: Callable[[Any], int] | None,
    write: Callable[[Any], None] | None,
    seek: Callable[[int, int], int] | None,
    close: Callable[[], None] | None,
) -> Any:
    """Return the file for a Go value that reads, writes or both."""
    raw = GoRawFile(value, name, read, write, seek, close)
    file: Any = raw
    if read is not None:
        cls = GoReader if write is None else GoRandomFile if raw.seekable() else GoDuplex
        file = cls(raw, _BUFFER_SIZE)
        file.go_value = value
    if text:
        file = GoTextFile(file, encoding="utf-8", newline="", write_through=True)
        file.go_value = value
    return file


def read(file: Any, size: int) -> bytes:
    """Read at most that many bytes, or as many characters, from a file of Python's."""
    method = getattr(file, "read", None)
    if method is None:
        raise TypeError(f"want a file with a method read, got {type(file).__qualname__}")
    data = method(size)
    if data is None:
        raise BlockingIOError("the file is not blocking and has no data now")
    return data.encode() if isinstance(data, str) else bytes(data)


def write(file: Any, data: bytes) -> int:
    """Write data, as text if it is a file of text, and return how much of it was written."""
    method = getattr(file, "write", None)
    if method is None:
        raise TypeError(f"want a file with a method write, got {type(file).__qualname__}")
    if isinstance(file, io.TextIOBase):
        method(data.decode())
        return len(data)
    written = method(data)
    return written if isinstance(written, int) else len(data)


for _class in (GoChannel, GoIterator, GoRawFile, GoReader, GoRandomFile, GoDuplex, GoTextFile):
    _class.__module__ = "gophersnake"
