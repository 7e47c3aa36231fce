"""What the benchmark calls."""

import platform

import numpy as np
from numpy.typing import NDArray

_THREE = np.array([1, 2, 3])


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


def python_version() -> str:
    """Return the version of Python and what compiled it."""
    return f"{platform.python_version()} ({platform.python_compiler()})"


def numpy_version() -> str:
    """Return the version of NumPy."""
    return np.__version__
