"""Runs what the tests of callbacks write."""

import functools
import operator
import os
import sys
from typing import Any

import numpy as np


def execute(source: str, /, **variables: Any) -> Any:
    """Run statements and return what they have assigned to `result`."""
    scope = {"np": np, "sys": sys, **variables}
    exec(source, scope)
    return scope.get("result")


def count(n: int) -> int:
    """Run some bytecode."""
    total = 0
    for _ in range(n):
        total += 1
    return total


def sleep(seconds: float, kept: Any) -> None:
    """Block in C."""
    import time

    time.sleep(seconds)


def parts(begun: int, over: int) -> Any:
    """Return an iterator whose first item is there when it has written to a descriptor, and the next when it has read from one: in C."""
    return map(operator.call, (functools.partial(os.write, begun, b"x"), functools.partial(os.read, over, 1)))


def stuck(begun: int, over: int, kept: Any = None) -> None:
    """Say that it is in C, and stay there until it is over: no exception arrives in between."""
    list(parts(begun, over))


def passed(argument: Any) -> Any:
    """Return the argument."""
    return argument


class Doomed:
    """Calls a function when it is destroyed."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def __del__(self) -> None:
        self.function()


def call(function: Any) -> Any:
    """Call the function."""
    return function()


def keep_exception(function: Any) -> None:
    """Keep the exception that passed through Go in a variable of a frame that its traceback reaches."""
    try:
        function(lambda: 1 // 0)
    except ZeroDivisionError as exception:
        kept = exception
        assert kept
