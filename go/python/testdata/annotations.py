"""Functions whose annotations cannot be evaluated, and one whose signature cannot be read."""

import sys

# CPython 3.14 defers the evaluation of annotations by itself.
exec(
    ("" if sys.version_info >= (3, 14) else "from __future__ import annotations\n")
    + "def count(frame: DataFrame, n: int = 3) -> list[DataFrame]:\n    return n\n"
)


class Hostile:
    @property
    def __signature__(self):
        raise RuntimeError("nobody reads this")

    def __call__(self, n):
        return n


hostile = Hostile()
