"""Calls functions of a C library that takes signals."""

from __future__ import annotations

import ctypes
import os


def load(file: str, deep: bool = False) -> None:
    """Load the library; `deep` binds it to libc before everything else, past what the executable defines."""
    global library
    library = ctypes.CDLL(file, mode=os.RTLD_DEEPBIND if deep else ctypes.DEFAULT_MODE)


def call(name: str, *numbers: int) -> int:
    """Call a function of the library."""
    return getattr(library, name)(*numbers)


def take_here(number: int) -> None:
    """Take a signal through libc as ctypes finds it."""
    libc = ctypes.CDLL(None)
    libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
    libc.signal.restype = ctypes.c_void_p
    libc.signal(number, ctypes.cast(library.handle, ctypes.c_void_p))
