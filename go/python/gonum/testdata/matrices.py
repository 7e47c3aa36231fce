"""What the tests of go/python/gonum call."""

import numpy as np

kept = []


def describe(a):
    """Address, shape, strides, whether it may be written to, and the elements in rows."""
    return a.ctypes.data, list(a.shape), list(a.strides), a.flags.writeable, a.dtype.name, a.ravel().tolist()


def double(a):
    a *= 2


def keep(a):
    kept.append(a)


def let_go():
    kept.clear()


def nothing():
    pass


def sum_kept():
    return float(kept[0].sum())


def numbered(*shape):
    return np.arange(np.prod(shape), dtype=float).reshape(shape)


def make(expression):
    return eval(expression, {"np": np})


def echo(a):
    return a
