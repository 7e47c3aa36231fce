"""What the benchmark calls. It imports little: it is part of the cold starts."""

from __future__ import annotations

import time
from itertools import repeat as times
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

_THREE = np.array([1, 2, 3])
_NONE = np.array([], dtype=np.int64)
_kept: object = None

_FLOATS = [float(i) for i in range(1000)]

T = TypeVar("T")


def noop(data: NDArray[np.float64]) -> None:
    """Do nothing."""


def three(data: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the same small array each time."""
    return _THREE


def detect(data: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the indices of the outliers."""
    return np.flatnonzero(np.abs(data - data.mean()) > 2 * data.std())


def loop(name: str, data: NDArray[np.float64], calls: int) -> tuple[int, NDArray[np.int64]]:
    """Call a function of this module with the same array, over and over.

    Returns:
        The nanoseconds that all calls took together, and the last answer; no indices if that is None.
    """
    function, answer = globals()[name], None
    start = time.perf_counter_ns()
    for _ in times(None, calls):
        answer = function(data)
    took = time.perf_counter_ns() - start
    return took, _NONE if answer is None else answer


def keep(data: NDArray[np.float64]) -> None:
    """Keep the array until the next call."""
    global _kept
    _kept = data


def fail(data: NDArray[np.float64]) -> None:
    """Raise."""
    raise ValueError("the answer is no")


def same(value: object) -> object:
    """Return the argument."""
    return value


def repeat(function: Callable[[], None], calls: int) -> None:
    """Call back, over and over."""
    for _ in range(calls):
        function()


def repeat_with(function: Callable[[T], float], argument: T, calls: int) -> float:
    """Call back with an argument, over and over.

    Returns:
        The last answer.
    """
    answer = 0.0
    for _ in range(calls):
        answer = function(argument)
    return answer


def floats() -> list[float]:
    """Return the same list each time."""
    return _FLOATS


def generate() -> Iterator[float]:
    """Yield what is in the list."""
    for x in _FLOATS:  # noqa: UP028 - `yield from` would iterate over the list
        yield x
