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


def attempts() -> dict[str, str]:
    """Try all that changes how signals are handled; what each is answered."""
    import faulthandler
    import warnings

    def answer(function, *arguments):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            try:
                result = function(*arguments)
            except Exception as refusal:
                return f"{type(refusal).__name__}: {refusal}"
        return f"{result}{''.join(str(warning.message) for warning in told)}"

    async def add_handler():
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, print)

    answers = {
        "handler": answer(signal.signal, signal.SIGUSR1, print),
        "interrupt": answer(signal.signal, signal.SIGINT, signal.default_int_handler),
        "pipe": answer(signal.signal, signal.SIGPIPE, signal.SIG_DFL),
        "child": answer(signal.signal, signal.SIGCHLD, signal.SIG_IGN),
        "real time": answer(signal.signal, signal.SIGRTMIN, print),
        "siginterrupt": answer(signal.siginterrupt, signal.SIGINT, True),
        "wakeup": answer(signal.set_wakeup_fd, 1),
        "loop": answer(asyncio.run, add_handler()),
        "faulthandler": answer(faulthandler.enable),
        "register": answer(faulthandler.register, signal.SIGUSR1),
        "out of range": answer(signal.signal, 99, print),
        "not callable": answer(signal.signal, signal.SIGUSR1, "print"),
        "same": answer(signal.signal, signal.SIGHUP, signal.getsignal(signal.SIGHUP)),
        "no wakeup": answer(signal.set_wakeup_fd, -1),
        "restart": answer(signal.siginterrupt, signal.SIGINT, False),
        "enabled": answer(faulthandler.is_enabled),
    }
    with open("/dev/null", "w") as nowhere:
        faulthandler.dump_traceback(nowhere)
    return answers


def attempts_at_exit(file: str) -> None:
    """Try it on Python's main thread."""
    import atexit
    import json

    def write():
        with open(file, "w") as answers:
            json.dump(attempts(), answers)

    atexit.register(write)


def readline() -> None:
    """Import a module of C that installs a handler."""
    import readline


def masks() -> bool:
    """Leave the mask of the thread changed; whether what Go needs has been spared."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    return signal.SIGTERM in blocked and not blocked & {signal.SIGSEGV, signal.SIGURG, signal.SIGPROF}


def take(number: int) -> None:
    """Install a handler behind Python's back."""
    import ctypes

    global taken
    taken = ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda number: None)
    libc = ctypes.CDLL(None)
    libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
    libc.signal.restype = ctypes.c_void_p
    libc.signal(number, ctypes.cast(taken, ctypes.c_void_p))


def compute(ready) -> None:
    """Be busy in C with the GIL held."""
    import re

    ready()
    re.match(r"(a+)+$", "a" * 64 + "b")


def busy(ready, how: str) -> None:
    """Say so, and be busy for a long time."""
    if how == "compute":
        compute(ready)
    ready()
    {"sleep": sleep, "spin": spin}[how](60)
