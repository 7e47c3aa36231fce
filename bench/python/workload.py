"""What the benchmark calls."""

import platform
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_THREE = np.array([1, 2, 3])

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


def python_version() -> str:
    """Return the version of Python and what compiled it."""
    return f"{platform.python_version()} ({platform.python_compiler()})"


def numpy_version() -> str:
    """Return the version of NumPy."""
    return np.__version__
