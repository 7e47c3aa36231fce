"""Outliers of a series: the values far from the mean, measured in standard deviations."""

import math

import numpy as np
from numpy.typing import NDArray


def detect(data: NDArray[np.float64], threshold: float = 2.0) -> NDArray[np.int64]:
    """Return the indices, in ascending order, where ``|x - mean| > threshold * std``.

    ``std`` is the population standard deviation of all values, NumPy's default.
    Raises what :func:`moments` raises.
    """
    mean, std = _mean_and_std(data)
    return np.flatnonzero(np.abs(data - mean) > threshold * std)


def moments(data: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean and the population standard deviation, as an array of two.

    Raises ValueError for an empty array or one that holds NaN or infinity, OverflowError for values too
    large to have a standard deviation in float64, and ArithmeticError for values too close together.
    """
    return np.array(_mean_and_std(data))


def _mean_and_std(data: NDArray[np.float64]) -> tuple[float, float]:
    if data.size == 0:
        raise ValueError("no values: want at least one")
    # What the warnings would say is checked below, and said as an exception.
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = float(data.mean()), float(data.std())

    if not math.isfinite(std):
        if not np.isfinite(data).all():
            raise ValueError("a value is NaN or infinite: want finite numbers")
        raise OverflowError("the values are too large: their standard deviation overflows float64")
    if std <= 1e-9 * abs(mean) and (data == data[0]).all():
        # Six times 0.1 has a mean of 0.09999999999999999, and so a standard deviation that is not 0.
        mean, std = float(data[0]), 0.0
    elif std == 0.0:
        raise ArithmeticError("the values are too close together: their standard deviation underflows to 0")
    return mean + 0.0, std  # -0.0 + 0.0 is 0.0
