"""What Python has left to do when the host shuts it down."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor


def say(text: str) -> None:
    """Print a line of the record that the test compares."""
    print(text)


def end(after: int, text: str, then: int) -> None:
    """Wait for a descriptor and a while longer, say that it ends, and write to another descriptor."""
    os.read(after, 1)
    time.sleep(0.2)
    say(text)
    os.write(then, b"x")


def sleep(after: int, text: str, then: int) -> None:
    """A call that takes a while."""
    print("call begins")
    end(after, text, then)


def at_exit(text: str) -> None:
    """Leave something to do at exit."""
    atexit.register(say, text)


def fail_at_exit() -> None:
    """Leave an exit handler that raises, and one that wants to end the process."""
    atexit.register(sys.exit, 7)
    atexit.register(lambda: 1 / 0)


def hang_at_exit(after: int) -> None:
    """Leave an exit handler that takes long."""
    atexit.register(os.read, after, 1)


def thread(after: int, text: str, then: int, daemon: bool | None) -> None:
    """Start a thread; None leaves it to Python whether it is a daemon."""
    threading.Thread(target=end, args=(after, text, then), daemon=daemon).start()


def pool(after: int, text: str, then: int) -> None:
    """Leave work in a pool, which joins its threads at exit."""
    executor = ThreadPoolExecutor(1)
    executor.submit(time.sleep, 0)
    executor.submit(end, after, text, then)


def partial(out: str, err: str) -> None:
    """Leave parts of lines to an exit handler."""

    def last() -> None:
        sys.stdout.write(out)
        sys.stderr.write(err)

    atexit.register(last)
