"""What the Go tests call; most of it does on purpose what nobody should do."""

import ctypes
import datetime
import enum
import functools
import gc
import math
import os
import pickle
import sys
import tempfile
import threading
import weakref

import numpy as np

# Values and arrays


class Colour(enum.IntEnum):
    RED = 7


class Text(str):
    pass


def value(expression, *a):
    """Return what a Python expression is worth, in which ``a`` are the arguments."""
    return eval(expression, globals() | {"a": a})


def execute(statements, *a):
    """Run Python statements, in which ``a`` are the arguments; return what they call ``result``."""
    names = globals() | {"a": a}
    exec(statements, names)
    return names.get("result")


def written(*arguments, **keywords):
    """Return what arrived, as Python writes it."""
    return repr((arguments, keywords) if keywords else arguments)


def nothing(*arguments, **keywords):
    pass


def same(argument):
    return argument


def describe(array):
    """Return what the tests want to know of an array."""
    flags = array.flags
    return repr((type(array).__name__, str(array.dtype), array.shape, flags.writeable, flags.aligned, array.tolist()))


def addresses(*arrays, **keywords):
    return np.array([array.ctypes.data for array in (*arrays, *keywords.values())], dtype=np.uint64)


def sums(*arrays):
    return np.array([array.sum() for array in arrays], dtype=np.float64)


def scale(array, factor):
    array *= factor


def mapped(numbers):
    """Return an array in a mapped file."""
    with tempfile.NamedTemporaryFile() as file:
        array = np.memmap(file.name, dtype=np.int64, mode="w+", shape=(numbers,))
    array[:] = np.arange(numbers)
    return array


def unaligned(array):
    """Return the same array at an odd address."""
    memory = np.empty(array.nbytes + 1, dtype=np.uint8)
    moved = memory[1:].view(array.dtype)
    moved[:] = array
    return moved


# Every number type that the tests know, with values that need all of it.
SAMPLES = {
    "bool": [True, False],
    **{name: [np.iinfo(name).min, np.iinfo(name).max, 0, 1] for name in ("int8", "int16", "int32", "int64")},
    **{name: [np.iinfo(name).max, 0, 1] for name in ("uint8", "uint16", "uint32", "uint64")},
    "float16": [65504.0, 2.0**-24, 0.1, -0.0, math.inf, math.nan],
    "float32": [3.4028234e38, 1e-45, 0.1, -0.0, -math.inf, math.nan],
    "float64": [1.7976931348623157e308, 5e-324, 0.1, -0.0, math.inf, math.nan],
    "complex64": [complex(0.1, 1e-45), complex(-0.0, math.inf), complex(math.nan, 1)],
    "complex128": [complex(1e308, 0.1), complex(-0.0, -math.inf), complex(math.nan, 1)],
}


def sample(dtype, layout, which):
    """Return an array of one dimension: sample number ``which`` of the dtype, or 0 and 1 if there is none."""
    samples = SAMPLES[dtype]
    values = np.array([0, 1, samples[which]] if which < len(samples) else [0, 1], dtype=dtype)
    if layout == "strided":
        return np.repeat(values, 3)[::3]
    if layout == "reversed":
        return values[::-1].copy()[::-1]
    if layout == "swapped":
        return values.astype(values.dtype.newbyteorder(">"))
    if layout == "unaligned":
        return unaligned(values)
    if layout == "read-only":
        values.flags.writeable = False
    return values


def oracle(dtype, layout, which, target):
    """Return the bytes of a sample in the target type, or None if one of its values is no value of that type."""
    values = sample(dtype, layout, which)
    groups = [{"b"}, {"i", "u"}, {"f"}, {"c"}]
    if not any({values.dtype.kind, np.dtype(target).kind} <= group for group in groups):
        return None
    with np.errstate(all="ignore"):
        converted = values.astype(target)
    for before, after in zip(values.tolist(), converted.tolist(), strict=True):
        if repr(before) != repr(after):
            return None
    return converted.tobytes()


# What Python keeps

KEPT = []
COPIES = {}


def keep(route, array):
    """Keep an array in one of many ways, and remember what its memory holds."""
    COPIES[array.ctypes.data] = array.tobytes()
    KEPT.append(ROUTES[route](array))


def let_go():
    while KEPT:
        thing = KEPT.pop()
        if isinstance(thing, threading.Event):
            thing.set()
    thing = None
    COPIES.clear()
    DIED.clear()
    gc.enable()
    gc.collect()


def let_go_later(seconds):
    threading.Timer(seconds, let_go).start()


def intact():
    """Tell whether the memory of all that is kept still holds what it held, looking at the addresses themselves."""
    return all(ctypes.string_at(address, len(copy)) == copy for address, copy in COPIES.items())


class Holder:
    """Offers the memory of an array by the array interface."""

    def __init__(self, array):
        self.array = array
        self.__array_interface__ = array.__array_interface__


def cycle(array):
    gc.disable()
    ring = [array]
    ring.append(ring)


def generator(array):
    def numbers():
        yield from array

    started = numbers()
    next(started)
    return started


def coroutine(array):
    async def work():
        return array.sum()

    return CloseLater(work())


class CloseLater:
    """Closes a coroutine that nobody awaits, so that Python does not warn."""

    def __init__(self, waiting):
        self.waiting = waiting

    def __del__(self):
        self.waiting.close()


def default(array):
    def function(kept=array):
        return kept

    return function


def thread(array):
    leave = threading.Event()

    def wait(kept):
        leave.wait()

    threading.Thread(target=wait, args=(array,), daemon=True).start()
    return leave


def exception(array):
    try:
        array[array.size]
    except IndexError as error:
        return error


def raised(array):
    """Keep an array by the traceback of the exception that the caller gets."""
    COPIES[array.ctypes.data] = array.tobytes()
    error = ValueError("kept")
    KEPT.append(error)
    raise error


def raised_cycle(array):
    """Leave a cycle of exception, traceback and frame, as code that names its exception does."""
    gc.disable()
    error = ValueError("cycle")
    raise error


def element(array):
    box = np.empty(1, dtype=object)
    box[0] = array
    return box


def choose(change):
    """Say what `changed` does from now on."""
    CHANGE[:] = [CHANGES[change]]


def changed(array):
    """Check that an array of n times n looks new, whatever was done to the one before it; then change it as chosen."""
    n = int(array[0])
    found = (type(array), array.dtype, array.shape, array.strides, array.flags.num, type(array.base), array.tolist())
    wanted = (np.ndarray, np.dtype(float), (n,), (8,), 0x103, tuple, [n] * n)
    if found != wanted or bytes(memoryview(array)) != array.tobytes() or memoryview(array).shape != (n,):
        raise AssertionError(f"want {wanted}, got {found}")
    CHANGE[0](array)


def dead():
    """Tell whether all arrays have died that are referenced weakly, and whether this was told."""
    references = [thing for thing in KEPT if isinstance(thing, weakref.ref)]
    return all(thing() is None for thing in references) and len(references) == len(DIED)


def remember(array, thing):
    COPIES[array.ctypes.data] = array.tobytes()
    KEPT.append(thing)


def raising(array):
    raise ValueError(array)


CHANGE = []
DIED = []
CHANGES = {
    "nothing": lambda array: None,
    "weak reference": lambda array: KEPT.append(weakref.ref(array, DIED.append)),
    "memoryview": lambda array: memoryview(array).release(),
    "shape": lambda array: setattr(array, "shape", (-1, 1)),
    "shape and back": lambda array: (setattr(array, "shape", (1, -1)), setattr(array, "shape", (-1,))),
    "dtype": lambda array: setattr(array, "dtype", np.int64),
    "dtype with metadata": lambda array: setattr(array, "dtype", np.dtype(float, metadata={"unit": "m"})),
    "byte order": lambda array: setattr(array, "dtype", ">f8"),
    "strides": lambda array: setattr(array, "strides", (0,)),
    "flags": lambda array: array.setflags(align=False),
    "flags of the array": lambda array: remember(array, array.flags),
    "state": lambda array: array.__setstate__((1, (2,), np.dtype(float), False, bytes(16))),
    "data": lambda array: setattr(array, "data", bytearray(array.nbytes)),
    "view": lambda array: array[1:],
    "kept array": lambda array: remember(array, array),
    "kept view": lambda array: remember(array, array[1:]),
    "kept memoryview": lambda array: remember(array, memoryview(array)),
    "generator": lambda array: remember(array, generator(array)),
    "exception": raising,
    "kept exception": lambda array: remember(array, exception(array)),
    "cycle": lambda array: cycle(array),
}

ROUTES = {
    "array": lambda array: array,
    "view": lambda array: array[1:3],
    "view of a view": lambda array: array[1:][1:],
    "reversed view": lambda array: array[::-1],
    "two dimensions": lambda array: array.reshape(2, -1),
    "other dtype": lambda array: array.view(np.uint8),
    "subclass": lambda array: array.view(np.recarray),
    "masked array": lambda array: np.ma.masked_array(array, copy=False),
    "strided": lambda array: np.lib.stride_tricks.as_strided(array, shape=(2,)),
    "window": lambda array: np.lib.stride_tricks.sliding_window_view(array, 2),
    "broadcast": lambda array: np.broadcast_to(array, (3, array.size)),
    "element of an array": element,
    "iterator": lambda array: array.flat,
    "nditer": lambda array: np.nditer([array]),
    "bound method": lambda array: array.sum,
    "memoryview": memoryview,
    "part of a memoryview": lambda array: memoryview(array)[1:3],
    "cast memoryview": lambda array: memoryview(array).cast("B"),
    "array over a memoryview": lambda array: np.asarray(memoryview(array)),
    "frombuffer": lambda array: np.frombuffer(array),
    "pickle buffer": pickle.PickleBuffer,
    "dlpack": np.from_dlpack,
    "dlpack capsule": lambda array: array.__dlpack__(max_version=(1, 0)),
    "array interface": lambda array: np.asarray(Holder(array)),
    "ctypes pointer": lambda array: array.ctypes.data_as(ctypes.c_void_p),
    "closure": lambda array: lambda: array,
    "default": default,
    "partial": lambda array: functools.partial(np.sum, array),
    "cycle": cycle,
    "generator": generator,
    "coroutine": coroutine,
    "thread": thread,
    "exception": exception,
    # What needs a writable array.
    "ctypes array": np.ctypeslib.as_ctypes,
    "array over a ctypes array": lambda array: np.ctypeslib.as_array(np.ctypeslib.as_ctypes(array)),
    # What keeps nothing.
    "weak reference": weakref.ref,
    "address": lambda array: array.ctypes.data,
    "copy": np.copy,
    "sum": np.sum,
    "list": lambda array: array.tolist(),
    "released memoryview": lambda array: memoryview(array).release(),
}


# Exceptions


class Broken(ValueError):
    class Inner(KeyError):
        pass


class Unprintable(ValueError):
    def __str__(self):
        raise self.args[0]


class NoText(ValueError):
    def __str__(self):
        return 5


class Endless(ValueError):
    def __str__(self):
        return str(self)


class SubclassedText(ValueError):
    """Its text is a str that lies about itself."""

    def __str__(self):
        class Liar(str):
            def __len__(self):
                return 1 << 60

            def encode(self, *arguments):
                return 5

        return Liar("lies")


def failing(attribute):
    """Make a subclass of ValueError with an attribute that cannot be read."""

    def fail(self):
        raise ZeroDivisionError

    return type("Hostile", (ValueError,), {attribute: property(fail)})


def failing_class(attribute):
    """Make a subclass of ValueError whose class has an attribute that cannot be read."""

    def fail(cls):
        raise ZeroDivisionError

    return type("Meta", (type,), {attribute: property(fail)})("Hostile", (ValueError,), {})


def named(**attributes):
    """Make a subclass of ValueError whose class has these attributes."""
    return type("Named", (ValueError,), attributes)


def outer():
    inner()


def inner():
    raise Broken("from inside")


INNER_LINE = inner.__code__.co_firstlineno + 1


def deep(depth):
    if depth == 0:
        raise Broken("at the bottom")
    deep(depth - 1)


def endless():
    endless()


def chained():
    try:
        try:
            {}["missing"]
        except KeyError as error:
            raise Broken("second") from error
    except Broken as error:
        raise RuntimeError("third") from error


def ring():
    """Raise an exception that is its own cause, by way of another."""
    first, second = ValueError("first"), KeyError("second")
    first.__cause__, second.__cause__ = second, first
    raise first


def annotated():
    error = Broken("annotated")
    error.add_note("one")
    error.add_note("two \ud800")
    raise error


def group():
    raise ExceptionGroup("several", [ValueError("a"), KeyError("b")])


# Leaks


def resources(lent):
    """Return how many blocks there are, references to what all calls share, and in a debug build references at all."""
    gc.collect()
    shared = [None, True, False, 0, 1, "", (), np.ndarray, np.dtype, lent.base, nothing, doubled, fail_with, ValueError]
    shared += [np.dtype(name) for name in SAMPLES]
    references = sys.gettotalrefcount() if hasattr(sys, "gettotalrefcount") else 0
    return f"{sys.getallocatedblocks()} {sum(map(sys.getrefcount, shared))} {references}"


def doubled(array):
    return array * 2


def outside(array):
    """Return where elements are far from the mean, by several temporary arrays."""
    return np.flatnonzero(np.abs((array - array.mean()) / array.std()) > 9)


def fail_with(array):
    raise ValueError("on purpose")


__all__ = ["datetime", "os"]
