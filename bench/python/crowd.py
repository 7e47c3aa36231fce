"""What many goroutines call at once."""

import hashlib

import numpy as np
from numpy.typing import NDArray


def holds(data: NDArray[np.float64]) -> None:
    """Run bytecode for some microseconds, with the GIL."""
    total = 0
    for i in range(200):
        total += i


def releases(data: NDArray[np.float64]) -> None:
    """Work for some hundred microseconds without the GIL."""
    hashlib.sha256(data).digest()  # type: ignore[arg-type] # an array is a buffer
