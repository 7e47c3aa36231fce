"""A thread that never waits for anything."""

import sys
import threading

_DEFAULT = sys.getswitchinterval()
_stopped = threading.Event()
_thread: threading.Thread | None = None


def start(interval: float) -> None:
    """Start the thread, and let others wait this many seconds until it makes way."""
    global _thread
    sys.setswitchinterval(interval)
    _stopped.clear()
    _thread = threading.Thread(target=_run, daemon=True)
    _thread.start()


def stop() -> None:
    """End the thread."""
    _stopped.set()
    if _thread is not None:
        _thread.join()
    sys.setswitchinterval(_DEFAULT)


def _run() -> None:
    while not _stopped.is_set():
        for _ in range(1000):
            pass
