"""Coroutines that Go waits for, and Go functions that Python awaits."""

from __future__ import annotations

import contextlib
import os
import threading
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from gophersnake import output

if TYPE_CHECKING:
    # Where it is needed, it is imported only then: that takes 50 ms.
    import asyncio

    from gophersnake.iterator import AsyncIteration

# The attribute itself, since a class may have one of its own by this name, which may raise.
_PLACES: Any = vars(BaseException)["__traceback__"]


# The number of the task in whose context code runs. What the task starts inherits it: other tasks, asyncio.to_thread.
current: ContextVar[int] = ContextVar("gophersnake.tasks.current", default=0)


class Task:
    """A call of a coroutine function on the host's loop."""

    def __init__(self, number: int) -> None:
        """Take the number by which Go knows the call."""
        self._number = number
        self._task: asyncio.Task[None] | None = None
        self._result: Any = None
        self._exception: BaseException | None = None

    def begin(self, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Begin the call. Runs on the loop."""
        import asyncio

        context = None
        if function in (next_item, close_iterator):
            context = args[0].context
            context.run(output.captured.set, output.captured.get())
        self._task = asyncio.get_running_loop().create_task(self._run(function, args, kwargs), context=context)
        self._task.add_done_callback(self._end)

    async def _run(
        self, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        current.set(self._number)
        try:
            awaitable = function(*args, **kwargs)
            del function, args, kwargs  # memory that Go lent
            self._result = await awaitable
        except BaseException as exception:  # SystemExit would end the loop
            self._exception = exception

    def _end(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():  # before its first step
            import asyncio

            self._exception = asyncio.CancelledError()
        elif self._exception is not None:
            link = _PLACES.__get__(self._exception)
            if link is not None:
                _PLACES.__set__(self._exception, link.tb_next)  # without the frame of _run
            traceback.clear_frames(_PLACES.__get__(self._exception))  # they may hold memory that Go lent
        self._task = None
        _running.pop(self._number, None)
        _finished(self._number)

    def cancel(self) -> None:
        """Cancel the call. Runs on the loop."""
        if self._task is not None:
            self._task.cancel()

    def coroutine(self) -> Any:
        """Return the coroutine that runs; None before it does, and after its end."""
        return None if self._task is None else self._task.get_coro()

    def outcome(self) -> Any:
        """Return what the call returned, or raise what it raised."""
        exception = self._exception
        if exception is None:
            return self._result
        try:
            raise exception
        finally:
            del self, exception


_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_thread: threading.Thread | None = None
_stopped = False
_running: dict[int, Task] = {}
_finished: Callable[[int], None]


def install(finished: Callable[[int], None]) -> None:
    """Take the function of the Go program that hears of a task's end."""
    global _finished
    _finished = finished


def start(number: int, function: Callable[..., Awaitable[Any]], /, *args: Any, **kwargs: Any) -> Task:
    """Call a coroutine function on the host's loop."""
    loop = _get_loop()
    if _thread is threading.current_thread():
        raise RuntimeError(
            f"{function!r}: a Go function that runs on the loop's own thread cannot wait for the loop: "
            "make the Go function one with python.Async"
        )
    task = _running[number] = Task(number)
    loop.call_soon_threadsafe(task.begin, function, args, kwargs)
    return task


def outcome(task: Task) -> Any:
    """Return what a task returned, or raise what it raised."""
    try:
        return task.outcome()
    finally:
        del task


def notify(cancelled: list[int], completed: list[int]) -> None:
    """Hear from the Go program: of tasks that it cancels, and of Go calls that have ended."""
    for number in cancelled:
        task = _running.get(number)
        if task is not None:
            assert _loop is not None
            with contextlib.suppress(RuntimeError):  # the loop is closed
                _loop.call_soon_threadsafe(task.cancel)
    for number in completed:
        call = _calls.setdefault(number, _EARLY)
        if call is not _EARLY:
            call.complete()


def _get_loop() -> asyncio.AbstractEventLoop:
    global _loop, _thread
    with _lock:
        if _stopped:
            raise RuntimeError("the loop of the Go program has stopped")
        if _loop is None:
            import asyncio

            _loop = asyncio.new_event_loop()
            _thread = threading.Thread(target=_serve, args=(_loop,), name="gophersnake loop", daemon=True)
            _thread.start()
        return _loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    import asyncio

    asyncio.set_event_loop(loop)
    while not _stopped:
        try:
            loop.run_forever()
        except BaseException:  # what a task of a task raised, such as SystemExit; that task has it too
            continue
    loop.close()


def _leave_host() -> None:
    """Forget the loop in a forked process, where its thread is not."""
    global _lock, _loop, _thread, _stopped
    _lock = threading.Lock()
    _loop, _thread, _stopped = None, None, True
    _running.clear()


os.register_at_fork(after_in_child=_leave_host)


def stop() -> None:
    """Cancel all tasks, wait for their end, and stop the loop."""
    global _stopped
    with _lock:
        loop, thread = _loop, _thread
        if loop is None or thread is None or _stopped:
            _stopped = True
            return
    import asyncio

    asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result()
    _stopped = True
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


async def _cancel_all() -> None:
    import asyncio

    loop = asyncio.get_running_loop()
    tasks = asyncio.all_tasks(loop) - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()


async def wait_for(awaitable: Awaitable[Any]) -> Any:
    """Return the result of an awaitable."""
    return await awaitable


async def call(target: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Call an object that is a coroutine function."""
    return await target(*args, **kwargs)


async def call_method(target: Any, name: str, /, *args: Any, **kwargs: Any) -> Any:
    """Call a method that is a coroutine function."""
    return await getattr(target, name)(*args, **kwargs)


async def next_item(iteration: AsyncIteration) -> tuple[bool, Any]:
    """Return whether there is a next item of an asynchronous iterator, and the item. In the iteration's context."""
    try:
        return True, await anext(iteration.iterator)
    except StopAsyncIteration:
        return False, None


async def close_iterator(iteration: AsyncIteration) -> None:
    """Close an asynchronous generator; other iterators stay where they are. Runs in the iteration's context."""
    if isinstance(iteration.iterator, AsyncGenerator):
        await iteration.iterator.aclose()


class GoAsyncFunction:
    """A Go function that Python awaits. It runs beside the loop."""

    def __init__(self, start: Any, take: Callable[[int], Any], forget: Callable[[int], None]) -> None:
        """Take the Go functions that start a call, take what came of it, and end it."""
        self._start, self._take, self._forget = start, take, forget
        for name in ("__name__", "__qualname__", "__module__", "__doc__", "__text_signature__"):
            setattr(self, name, getattr(start, name))

    def __call__(self, /, *args: Any, **kwargs: Any) -> asyncio.Future[Any]:
        """Start the Go function and return a future of the running loop."""
        import asyncio

        loop = asyncio.get_running_loop()
        number = self._start(*args, **kwargs)
        call = _Call(number, loop, self._take, self._forget)
        if _calls.setdefault(number, call) is _EARLY:  # it has ended already
            call.complete()
        return call.future

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Become a method where it is found in a class."""
        if instance is None:
            return self
        from types import MethodType

        return MethodType(self, instance)

    def __repr__(self) -> str:
        """Name the function."""
        return repr(self._start).replace("<Go function", "<Go async function", 1)


GoAsyncFunction.__module__ = "gophersnake"


class _Call:
    """A call of a Go function that Python awaits."""

    def __init__(
        self,
        number: int,
        loop: asyncio.AbstractEventLoop,
        take: Callable[[int], Any],
        forget: Callable[[int], None],
    ) -> None:
        self.future = loop.create_future()
        self.future.add_done_callback(self._end)
        self._number, self._loop, self._take, self._forget = number, loop, take, forget

    def complete(self) -> None:
        """Hear, on any thread, that the Go function has ended."""
        _calls.pop(self._number, None)
        try:
            self._loop.call_soon_threadsafe(self._settle)
        except RuntimeError:  # the loop is closed
            self._forget(self._number)

    def _settle(self) -> None:
        if self.future.done():
            return
        try:
            self.future.set_result(self._take(self._number))
        except StopIteration as exception:  # which no future takes
            failure = RuntimeError("the Go function raised StopIteration")
            failure.__cause__ = exception
            self.future.set_exception(failure)
        except BaseException as exception:
            self.future.set_exception(exception)

    def _end(self, future: asyncio.Future[Any]) -> None:
        if future.cancelled():
            self._forget(self._number)


_EARLY: Any = object()
_calls: dict[int, _Call] = {}
