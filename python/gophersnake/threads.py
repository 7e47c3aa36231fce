"""Where threads and tasks are, for the host to show when its program hangs."""

import sys
import threading
from types import FrameType
from typing import Any

MAX_FRAMES = 100
MAX_NAME = 1000
MAX_TASKS = 1000
TASK = 1 << 63


def describe(ident: int) -> list[dict[str, Any]]:
    """Describe a thread by its ident, a task by its number and `TASK`, or, of 0, all but this thread.

    Nothing here waits for a lock: whoever holds it may be what hangs.
    """
    own = threading.get_ident()
    # Each stack at once, since the others go on whenever this thread lets them.
    stacks = [
        (thread, _frames(frame, None))
        for thread, frame in sys._current_frames().items()
        if thread != own and ident in (0, thread)
    ]
    threads = [_thread(thread, frames) for thread, frames in stacks]
    return threads if 0 < ident < TASK else threads + _tasks(ident)


def _tasks(ident: int) -> list[dict[str, Any]]:
    tasks = sys.modules.get("gophersnake.tasks")
    running = tasks._running.copy() if tasks is not None else {}
    wanted = [ident - TASK] if ident else list(running)[:MAX_TASKS]
    stacks = [(number, _awaiting(running[number].coroutine())) for number in wanted if number in running]
    return [{"ident": 0, "task": number, "name": "", "daemon": False, "frames": frames} for number, frames in stacks]


def _awaiting(coroutine: object) -> list[dict[str, Any]]:
    """Describe where a coroutine waits, through those that it awaits, or is."""
    runs = getattr(coroutine, "cr_running", False)
    frames: list[FrameType] = []
    while len(frames) < MAX_FRAMES:
        # A coroutine, a generator that is used as one, or an asynchronous generator.
        kind = next((kind for kind in ("cr", "gi", "ag") if hasattr(coroutine, kind + "_frame")), None)
        frame = getattr(coroutine, f"{kind}_frame", None)
        if frame is None:
            break
        frames.append(frame)
        coroutine = getattr(coroutine, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")
    described = [_frame(frame) for frame in frames[1:]]  # without that of Task._run
    if runs:  # and so do functions that it has called
        for frame in sys._current_frames().values():
            described += _frames(frame, frames[-1])
    return described


def _thread(ident: int, frames: list[dict[str, Any]]) -> dict[str, Any]:
    thread = threading._active.get(ident)  # type: ignore[attr-defined]
    # Threads of the host are unknown to `threading`, unless they have asked it who they are.
    known = thread is not None and not isinstance(thread, threading._DummyThread)
    return {
        "ident": ident,
        "task": 0,
        "name": _clean(str(thread.name)) if known else "",
        "daemon": bool(thread.daemon) if known else False,
        "frames": frames,
    }


def _frames(frame: FrameType | None, caller: FrameType | None) -> list[dict[str, Any]]:
    """Describe a frame and what has called it; with a caller, those which that has called, if any."""
    frames: list[dict[str, Any]] = []  # the innermost comes first
    while frame is not None and frame is not caller and (len(frames) < MAX_FRAMES or caller is not None):
        if len(frames) < MAX_FRAMES:
            frames.append(_frame(frame))
        frame = frame.f_back
    return frames[::-1] if caller is None or frame is caller else []


def _frame(frame: FrameType) -> dict[str, Any]:
    code = frame.f_code
    return {
        "file": _clean(code.co_filename),
        "function": _clean(getattr(code, "co_qualname", code.co_name)),
        "line": frame.f_lineno or 0,
    }


def _clean(text: str) -> str:
    """Text that has a UTF-8 form and a bounded length."""
    return text[:MAX_NAME].encode("utf-8", "backslashreplace").decode("utf-8")
