"""Where threads are, for the host to show when its program hangs."""

import sys
import threading
from types import FrameType
from typing import Any

MAX_FRAMES = 100
MAX_NAME = 1000


def describe(ident: int) -> list[dict[str, Any]]:
    """Describe the thread with that ident, or all but this one if it is 0.

    Nothing here waits for a lock: whoever holds it may be what hangs.
    """
    own = threading.get_ident()
    # Each stack at once, since the others go on whenever this thread lets them.
    stacks = [
        (thread, _frames(frame))
        for thread, frame in sys._current_frames().items()
        if thread != own and ident in (0, thread)
    ]
    return [_thread(thread, frames) for thread, frames in stacks]


def _thread(ident: int, frames: list[dict[str, Any]]) -> dict[str, Any]:
    thread = threading._active.get(ident)  # type: ignore[attr-defined]
    # Threads of the host are unknown to `threading`, unless they have asked it who they are.
    known = thread is not None and not isinstance(thread, threading._DummyThread)
    return {
        "ident": ident,
        "name": _clean(str(thread.name)) if known else "",
        "daemon": bool(thread.daemon) if known else False,
        "frames": frames,
    }


def _frames(frame: FrameType | None) -> list[dict[str, Any]]:
    frames: list[dict[str, Any]] = []  # the innermost comes first
    while frame is not None and len(frames) < MAX_FRAMES:
        code = frame.f_code
        frames.append(
            {
                "file": _clean(code.co_filename),
                "function": _clean(getattr(code, "co_qualname", code.co_name)),
                "line": frame.f_lineno or 0,
            }
        )
        frame = frame.f_back
    return frames[::-1]


def _clean(text: str) -> str:
    """Text that has a UTF-8 form and a bounded length."""
    return text[:MAX_NAME].encode("utf-8", "backslashreplace").decode("utf-8")
