"""Classes and values of packages besides NumPy."""

import datetime

import attrs
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pydantic


@attrs.define
class Attrs:
    x: int
    y: float = 0.5


class Model(pydantic.BaseModel):
    x: int
    y: float = 0.5
    inner: "Model | None" = None


def frame():
    """Return a data frame with a column of many kinds."""
    return pd.DataFrame(
        {
            "i": [1, 2, 3],
            "f": [0.5, float("nan"), 1.5],
            "s": ["a", "b", "c"],
            "b": [True, False, True],
            "t": pd.to_datetime(["2020-01-01", "2021-01-01", "2022-01-01"]),
            "n": pd.array([1, None, 3], dtype="Int64"),
            "c": pd.Categorical(["x", "y", "x"]),
        }
    )


def value(expression, *a):
    """Return what a Python expression is worth, in which ``a`` are the arguments."""
    return eval(expression, globals() | {"a": a})


__all__ = ["datetime", "np", "pa", "pl"]
