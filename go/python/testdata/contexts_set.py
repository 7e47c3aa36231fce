"""Sets what it wants in all of the program, when it is imported."""

import decimal
import threading

import contexts
import numpy as np

decimal.getcontext().prec = 50
np.seterr(divide="raise")
contexts.VARIABLE.set("set")

IN_THREAD: list[str] = []
_thread = threading.Thread(target=lambda: IN_THREAD.append(contexts.state()))
_thread.start()
_thread.join()


def in_thread() -> str:
    """Tell what held in a thread that the import has started."""
    return IN_THREAD[0]
