"""Work that a library might change signal handlers for."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import time


def scientific() -> None:
    """Import NumPy with the parts that start threads and load more libraries."""
    import numpy as np

    np.linalg.svd(np.ones((50, 50)))


def child() -> None:
    """Run a child process."""
    done = subprocess.run([sys.executable, "-I", "-c", "print('child')"], capture_output=True, check=True, text=True)
    assert done.stdout == "child\n"


async def talk() -> bytes:
    """Run a child process in a loop."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-c", "print('child')", stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    await asyncio.sleep(0.01)
    return out


def loop() -> None:
    """Run a loop of asyncio."""
    assert asyncio.run(talk()) == b"child\n"


def handler() -> None:
    """Only Python's main thread may change handlers, and no call runs there."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def sleep(seconds: float) -> None:
    """Sleep, however many signals come."""
    time.sleep(seconds)


def spin(seconds: float) -> None:
    """Be busy with the GIL held."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def threads(count: int) -> None:
    """Start threads that sleep for a long time."""
    for _ in range(count):
        threading.Thread(target=time.sleep, args=(300,), daemon=True).start()
