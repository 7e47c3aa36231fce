"""Coroutines for the tests."""

import asyncio
import contextlib
import functools
import sys
import threading
import time
from typing import Any

kept: list[Any] = []


async def sleep(seconds: float, result: Any = None) -> Any:
    """Return the result later."""
    await asyncio.sleep(seconds)
    return result


async def fails(*args: Any) -> None:
    """Fail in an inner coroutine."""
    await asyncio.sleep(0)
    await inner(args)


class Guarded(ValueError):
    """Has no attributes that can be read."""

    def __getattribute__(self, name: str) -> Any:
        """Raise."""
        raise RuntimeError(name)


async def fails_guarded() -> None:
    """Fail with an exception that nobody can look at."""
    raise Guarded


async def inner(args: Any) -> None:
    """Fail."""
    raise ValueError(f"deep {len(args)}")


async def exits() -> None:
    """Raise what ends a program."""
    sys.exit(3)


async def exits_inside() -> None:
    """Raise it in a task of its own."""

    async def inner_exit() -> None:
        sys.exit(3)

    await asyncio.gather(inner_exit())


async def total(values: Any, scale: float = 1.0) -> float:
    """Sum up later."""
    await asyncio.sleep(0.001)
    return float(values.sum()) * scale


async def stubborn(cleaned: Any, begun: Any = None) -> None:
    """Clean up after a cancellation."""
    try:
        if begun is not None:
            begun()
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0.001)
        cleaned()


async def ignores(begun: Any) -> str:
    """Go on after a cancellation."""
    try:
        begun()
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        return "nevertheless"
    return "slept"


async def keep(values: Any) -> None:
    """Keep an argument."""
    kept.append(values)


async def call(function: Any, *args: Any) -> Any:
    """Call a function."""
    return function(*args)


async def call_in_task(function: Any) -> Any:
    """Call a function in a task of its own."""
    return await asyncio.create_task(call(function))


async def call_in_thread(function: Any) -> Any:
    """Call a function in a thread that has the task's context."""
    return await asyncio.to_thread(function)


async def call_in_bare_thread(function: Any) -> Any:
    """Call a function in a thread that knows of no task."""
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.append(function()))
    thread.start()
    thread.join()
    return got[0]


async def call_afterwards(function: Any, begins: Any) -> None:
    """Call a function in a task that goes on when this has ended."""

    async def afterwards() -> None:
        await asyncio.to_thread(begins)
        function()

    kept.append(asyncio.create_task(afterwards()))


async def wait_for(function: Any, *args: Any) -> Any:
    """Await what a function returns."""
    return await function(*args)


def later(result: Any) -> Any:
    """Return a coroutine, as no coroutine function."""
    return sleep(0.001, result)


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


partial = functools.partial(sleep, 0.001)


class Callable:
    """Has an async __call__."""

    async def __call__(self, value: Any) -> Any:
        """Return the value."""
        await asyncio.sleep(0)
        return value

    async def method(self, value: Any) -> Any:
        """Return the value."""
        return value


instance = Callable()


async def generate(count: int, left: Any = None) -> Any:
    """Yield numbers."""
    try:
        for i in range(count):
            await asyncio.sleep(0)
            yield i
    finally:
        if left is not None:
            left()


async def generate_badly() -> Any:
    """Yield, then fail."""
    yield 1
    raise KeyError("k")


def threads() -> int:
    """Return how many threads there are."""
    return threading.active_count()


async def gather(function: Any, count: int) -> Any:
    """Await many at once."""
    return list(await asyncio.gather(*(function(i) for i in range(count))))


def run(function: Any, *args: Any) -> Any:
    """Await in a loop of one's own."""
    return asyncio.run(wait_for(function, *args))


async def beats(function: Any) -> int:
    """Count how often the loop goes round while a function runs."""
    count = 0

    def is_enough() -> bool:
        return count > 2

    future = function(is_enough)
    while not future.done():
        await asyncio.sleep(0)
        count += 1
    await future
    return count


async def finish_first(is_first: bool, begin: Any) -> bool:
    """Finish if it is the first; the other one says that this is known, and goes on."""
    if not is_first:
        await first_finished.wait()
        await asyncio.sleep(0.1)
        begin()
        await asyncio.sleep(3600)
    asyncio.get_running_loop().call_soon(first_finished.set)
    return is_first


first_finished = asyncio.Event()


async def cancels(function: Any) -> str:
    """Cancel the await of a function."""
    task = asyncio.ensure_future(function())
    await asyncio.sleep(0.001)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return "cancelled"
    return "not cancelled"


async def outlasts(seconds: float, is_busy: bool, begin: Any) -> None:
    """Go on after a cancellation."""
    if is_busy:
        busy(seconds, begin)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.get_running_loop().call_soon(begin)
            await sleep(seconds)


def busy(seconds: float, begin: Any) -> None:
    """Keep the loop from going on."""
    begin()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)
