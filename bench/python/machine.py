"""What the benchmark runs on."""

import importlib.metadata
import platform

import numpy as np


def python_version() -> str:
    """Return the version of Python and what compiled it."""
    return f"{platform.python_version()} ({platform.python_compiler()})"


def numpy_version() -> str:
    """Return the version of NumPy."""
    return np.__version__


def rivals() -> str:
    """Return the versions of the packages that answer in other processes."""
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("grpcio", "protobuf", "uvicorn"))
