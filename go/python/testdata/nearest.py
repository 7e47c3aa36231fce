"""Uses a function of the Go program."""

from typing import Any

from host import distance


def nearest(candidates: Any) -> Any:
    """Return the candidate at the least distance."""
    return min(candidates, key=distance)
