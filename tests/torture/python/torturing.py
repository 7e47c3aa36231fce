"""What the torture programs call; most of it does on purpose what nobody should do."""

from __future__ import annotations

import asyncio
import ctypes
import functools
import gc
import itertools
import pickle
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np

try:
    import gophersnake
except ImportError:  # in a worker process
    gophersnake = None

# Values


def nothing(*arguments, **keywords):
    pass


def same(argument):
    return argument


def doubled(array):
    return array * 2


def scale(array, factor):
    array *= factor


def total(array):
    return float(array.sum())


def count(n):
    """Runs bytecode, and tells whether an exception came that is none of its own."""
    total = 0
    for _ in range(n):
        total += 1
    return total


def execute(statements, **names):
    scope = {"np": np, "sys": sys, "gophersnake": gophersnake, "threading": threading, **names}
    exec(statements, scope)
    return scope.get("result")


def evaluate(expression, **names):
    return eval(expression, {"np": np, "sys": sys, **names})


def nested(n):
    return {"rows": [{"name": f"é{i}", "value": i / 2, "blob": bytes([i % 256]) * i, "none": None} for i in range(n)]}


def echo(value):
    print("printed", value)
    print("told", value, file=sys.stderr)


def identity():
    return threading.get_native_id()


# Memory that is kept


def cycle(array):
    ring = [array]
    ring.append(ring)
    return ring


def generator(array):
    def numbers():
        yield from array

    started = numbers()
    next(started)
    return started


def exception(array):
    try:
        array[array.size]
    except IndexError as error:
        return error


class Waiting:
    """A thread that reads the array until nobody knows it any more."""

    def __init__(self, array):
        self.leave = threading.Event()
        threading.Thread(target=self.read, args=(array, array[0], self.leave), daemon=True).start()

    @staticmethod
    def read(array, first, leave):
        while not leave.wait(0.001):
            if array[0] != first:
                WRONG.append(f"a thread reads {array[0]}, not {first}")

    def __del__(self):
        self.leave.set()


def element(array):
    box = np.empty(1, dtype=object)
    box[0] = array
    return box


# Not by __array_interface__, at which NumPy loses a reference to None.
ROUTES = [
    lambda a: a,
    lambda a: a[1:],
    lambda a: a[::-2],
    lambda a: a.reshape(2, -1),
    lambda a: a.view(np.uint8),
    lambda a: a.view(np.matrix),
    lambda a: np.ma.masked_array(a),
    lambda a: np.lib.stride_tricks.sliding_window_view(a, 3),
    lambda a: np.broadcast_to(a, (3, a.size)),
    element,
    iter,
    np.nditer,
    lambda a: a.sum,
    memoryview,
    lambda a: memoryview(a)[1:],
    lambda a: memoryview(a).cast("B"),
    lambda a: np.frombuffer(memoryview(a)),
    pickle.PickleBuffer,
    lambda a: np.from_dlpack(a.view()) if a.flags.writeable else a.view(),
    lambda a: a.ctypes,
    lambda a: lambda: a,
    lambda a: functools.partial(np.sum, a),
    cycle,
    generator,
    exception,
    Waiting,
]
KEPT = {}
WRONG = []
NUMBERS = itertools.count()


def keep(key, route, array):
    """Keeps an array in one of many ways, and what its memory holds."""
    KEPT[key] = (ROUTES[route % len(ROUTES)](array), array.ctypes.data, array.tobytes())


def all_routes(array):
    for route in ROUTES:
        route(array)


def keep_and_return(key, route, array):
    keep(key, route, array)
    return array


def keep_and_raise(key, route, array):
    keep(key, route, array)
    raise ValueError("kept")


def intact(key):
    """Tells whether the memory still holds what it held, looking at the address itself."""
    _, address, copy = KEPT[key]
    return ctypes.string_at(address, len(copy)) == copy


def let_go(key):
    KEPT.pop(key)


def let_go_later(key, seconds):
    """Lets go in a thread, without the host."""
    threading.Timer(seconds, KEPT.pop, (key,)).start()


def keep_address(key, array):
    """Keeps what is not covered: the address as a number."""
    KEPT[key] = (None, array.ctypes.data, array.tobytes())


def sweep():
    gc.collect()


def wrong():
    """Tells what threads have seen that should not be."""
    told, WRONG[:] = WRONG[:], []
    return told


# Go functions


def call(function, *arguments):
    return function(*arguments)


def partial(function):
    return functools.partial(call, function)


def recurse(function, n):
    """Goes to Go and back n times."""
    return 0 if n == 0 else 1 + function(n - 1)


def in_thread(function, *arguments):
    """Calls in a thread; the result or the exception."""
    answer = []

    def work():
        try:
            answer.append((function(*arguments), None))
        except BaseException as error:
            answer.append((None, error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    result, error = answer[0]
    if error is not None:
        raise error
    return result


def swallow(function):
    """Calls a Go function that fails, and goes on."""
    try:
        function()
    except gophersnake.GoError as error:
        return str(error)
    return ""


class Doomed:
    """Calls Go when it is destroyed, in a cycle or not."""

    def __init__(self, function, cyclic):
        self.function = function
        if cyclic:
            self.me = self

    def __del__(self):
        self.function()


# Streams, classes, coroutines


def numbers(n):
    yield from range(n)


def add_all(iterable):
    return sum(iterable)


def send_all(channel, n):
    for i in range(n):
        channel.send(i)
    channel.close()


def copy_file(source, target):
    """Copies by odd sizes."""
    size = 0
    while part := source.read(7 + size % 1000):
        target.write(part)
        size += len(part)
    return size


async def later(seconds, result):
    await asyncio.sleep(seconds)
    return result


async def awaited(function, *arguments):
    return await function(*arguments)


async def forever():
    await asyncio.sleep(3600)


async def loop_calls(function, n):
    return sum([function(i) for i in range(n)])


# What cannot be hurried


STARTED = []


def mark():
    STARTED.append(None)


def spin():
    while True:
        pass


def stubborn(seconds):
    """Swallows whatever interrupts it, for some time."""
    end = time.monotonic() + seconds
    interruptions = 0
    while time.monotonic() < end:
        try:
            while time.monotonic() < end:
                pass
        except BaseException:
            interruptions += 1
    return interruptions


def blocked(seconds, kept=None):
    time.sleep(seconds)


# Errors


class Nasty(Exception):
    def __str__(self):
        raise ValueError("no text")

    __repr__ = __str__


class Chained(ValueError):
    pass


def fail(kind, text="on purpose"):
    if kind == 0:
        raise ValueError(text)
    if kind == 1:
        raise Nasty(text)
    if kind == 2:
        try:
            {}[text]
        except KeyError as error:
            raise Chained(text) from error
    if kind == 3:
        raise SystemExit(text)
    if kind == 4:
        raise KeyboardInterrupt(text)
    if kind == 5:
        raise ExceptionGroup(text, [ValueError(1), ExceptionGroup("inner", [KeyError(2)])])
    if kind == 6:
        error = OSError(2, text)
        error.add_note("noted")
        raise error
    raise StopIteration(text)


# Counts


class _Mallinfo(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    ]


def allocated():
    """Returns how many bytes malloc has given away, in all of its arenas: Rust's, C's, and what Python takes in one piece."""
    mallinfo = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if mallinfo is None:
        return 0  # glibc before 2.33 cannot tell; resident memory is looked at in any case
    mallinfo.restype = _Mallinfo
    info = mallinfo()
    return info.uordblks + info.hblkhd


def resources(lent):
    """Returns how many blocks there are, references to what all calls share, and bytes of malloc."""
    gc.collect()
    shared = [None, True, False, 0, 1, "", (), np.ndarray, np.dtype, lent.base, nothing, same, doubled, ValueError]
    shared += [np.dtype("float64"), SimpleNamespace, int, str, dict, list]
    references = [n for n in map(sys.getrefcount, shared) if n < 1 << 29]  # the others are immortal
    return [sys.getallocatedblocks(), sum(references), allocated()]
