"""What the tests of contexts call. It sets nothing for its context; `contexts_set` and `contexts_late` do."""

import contextvars
import decimal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="default")


def state() -> str:
    """Tell what holds here: digits of decimals, what a division by zero does in NumPy, and the variable."""
    return f"{decimal.getcontext().prec} {np.geterr()['divide']} {VARIABLE.get()}"


def change(_: Any = None) -> str:
    """Tell what holds here, and set all of it, each in the way that is usual."""
    before = state()
    decimal.getcontext().prec = 7
    np.seterr(divide="ignore")
    VARIABLE.set("changed")
    return before


def change_and_call(function: Any) -> str:
    """Set all of it and call a function, which must leave it."""
    change()
    return f"{function()}, {state()}"


def import_late() -> str:
    """Import a module that sets more, in a call that has set something of its own."""
    decimal.getcontext().prec = 7
    import contexts_late

    return state()


async def coroutine() -> str:
    """As change."""
    import asyncio

    await asyncio.sleep(0)
    return change()


def steps() -> Iterator[str]:
    """Keep settings from one step to the next."""
    with decimal.localcontext() as context, np.errstate(divide="call"):
        context.prec = 11
        token = VARIABLE.set("stepping")
        yield state()
        yield state()
        VARIABLE.reset(token)
        yield state()


async def async_steps() -> AsyncIterator[str]:
    """As steps."""
    for item in steps():
        yield item


def in_thread() -> str:
    """Tell what holds in a new thread, which sets all of it for itself."""
    import threading

    results: list[str] = []
    decimal.getcontext().prec = 7
    thread = threading.Thread(target=lambda: results.append(change()))
    thread.start()
    thread.join()
    return results[0]


class Late:
    """Sets all of it when it is destroyed."""

    def __del__(self) -> None:
        """As change."""
        change()
