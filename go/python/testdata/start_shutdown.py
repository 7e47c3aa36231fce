"""What Python has left to do when the host shuts it down."""

from __future__ import annotations

import atexit
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor


def say(text: str) -> None:
    """Print a line of the record that the test compares."""
    print(text)


def sleep(seconds: float, text: str) -> None:
    """A call that takes a while."""
    print("call begins")
    time.sleep(seconds)
    say(text)


def at_exit(text: str) -> None:
    """Leave something to do at exit."""
    atexit.register(say, text)


def fail_at_exit() -> None:
    """Leave an exit handler that raises, and one that wants to end the process."""
    atexit.register(sys.exit, 7)
    atexit.register(lambda: 1 / 0)


def hang_at_exit(seconds: float) -> None:
    """Leave an exit handler that takes long."""
    atexit.register(time.sleep, seconds)


def thread(seconds: float, text: str, daemon: bool | None) -> None:
    """Start a thread; None leaves it to Python whether it is a daemon."""

    def body() -> None:
        time.sleep(seconds)
        say(text)

    threading.Thread(target=body, daemon=daemon).start()


def pool(text: str) -> None:
    """Leave work in a pool, which joins its threads at exit."""
    executor = ThreadPoolExecutor(1)
    executor.submit(time.sleep, 0.3)
    executor.submit(say, text)


def partial(out: str, err: str) -> None:
    """Leave parts of lines to an exit handler."""

    def last() -> None:
        sys.stdout.write(out)
        sys.stderr.write(err)

    atexit.register(last)
