"""Python code that prints, in the ways that programs do."""

from __future__ import annotations

import atexit
import ctypes
import logging
import os
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor


def lines() -> None:
    """Print lines on both streams."""
    print("out 1")
    print("err 1", file=sys.stderr)
    sys.stdout.write("out 2\nout 3\n")
    sys.stderr.write("err 2\n")


def partial() -> None:
    """End without a newline."""
    print("out 1\nout", end="")
    print("err", end="", file=sys.stderr)


def several() -> None:
    """Write a line in parts, and a part after a line."""
    for part in ("a", "b", "\n", "c\nd", "", "e"):
        sys.stdout.write(part)


def writelines() -> None:
    """Write a list."""
    sys.stdout.writelines(["a\n", "b"])


def binary() -> None:
    """Write bytes, which bypass the text layer."""
    sys.stdout.buffer.write(b"bytes \xff\n")
    sys.stderr.buffer.write(b"bytes\n")


def binary_then_text() -> None:
    """Write bytes, then text."""
    sys.stdout.buffer.write(b"bytes\n")
    print("text")


def unicode() -> None:
    """Print what ASCII has no form for."""
    print("é 漢 🐍")
    print("é 漢 🐍 \udcff", file=sys.stderr)


def original() -> None:
    """Print to the stream that Python keeps for itself."""
    print("original", end="", file=sys.__stdout__)


class Tee:
    """What users put in the place of a stream: it can write, and that is all."""

    def __init__(self, stream: object) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        return self.stream.write(text)  # type: ignore[attr-defined]


def replaced() -> None:
    """Print through a stream of one's own."""
    sys.stdout = Tee(sys.stdout)  # type: ignore[assignment]
    print("replaced", end="")


def none() -> None:
    """Have no stream at all."""
    sys.stdout = None  # type: ignore[assignment]
    print("nothing")
    print("err", end="", file=sys.stderr)


def failing() -> None:
    """Print a part of a line and fail."""
    print("before", end="")
    raise ValueError("failed")


def library() -> None:
    """Print what the standard library prints by itself."""
    logging.getLogger("test").warning("logged")
    warnings.warn("warned", stacklevel=1)
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()


def thread() -> None:
    """Print a part of a line from a thread of Python, joined before the call ends."""
    thread = threading.Thread(target=lambda: print("thread", end=""))
    thread.start()
    thread.join()


def left() -> None:
    """Print from a thread that nobody joins, long after the call has ended."""
    ready = threading.Event()

    def body() -> None:
        ready.wait(0.3)
        print("late line\nlate", end="")

    threading.Thread(target=body, daemon=True).start()


def compiled() -> None:
    """Print from C, as an extension module does."""
    ctypes.CDLL(None).puts(b"from C")


def large() -> None:
    """Print a megabyte in one line, and one in many."""
    print("x" * (1 << 20))
    for i in range(1 << 14):
        print(f"{i:063d}")


def numbered(thread: int, count: int) -> None:
    """Print lines that tell where they belong."""
    for i in range(count):
        print(f"{thread:04d}", "-" * 20, f"{i:04d}")


def hurry() -> None:
    """Let threads take turns as often as they can."""
    sys.setswitchinterval(1e-6)


def threads(count: int, lines: int) -> None:
    """Print such lines from many threads of Python."""
    threads = [threading.Thread(target=numbered, args=(i, lines)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def attempt() -> str:
    """Print where nobody reads, and say what came of it."""
    try:
        print("nobody reads this")
        sys.stdout.flush() if sys.stdout else None
    except OSError as error:
        return type(error).__name__
    return "nothing"


def both() -> None:
    """Leave parts of lines on both streams."""
    print("nobody reads this", end="")
    print("<err>", end="", file=sys.stderr)


def pipe() -> None:
    """Write to a pipe that nobody reads."""
    read, write = os.pipe()
    os.close(read)
    try:
        os.write(write, b"nobody reads this")
    except OSError as error:
        print(type(error).__name__)


def pipe_in_thread() -> None:
    """Do so in a thread of Python."""
    thread = threading.Thread(target=pipe)
    thread.start()
    thread.join()


def pipe_in_pool() -> None:
    """Do so in a thread of a pool."""
    with ThreadPoolExecutor() as pool:
        pool.submit(pipe).result()


def pipe_at_exit() -> None:
    """Do so on Python's main thread."""
    atexit.register(pipe)
