"""Exceptions of every nasty kind, and places to raise them in."""

from __future__ import annotations

import asyncio
import sys
import threading
import warnings

sys.unraisablehook = lambda told: None
threading.excepthook = lambda told: None


class Liar(Exception):
    @property
    def __class__(self):
        return KeyError


class Guarded(Exception):
    def __getattribute__(self, name):
        raise RuntimeError(name)


class Text(str):
    def __str__(self):
        raise ValueError

    __repr__ = __str__


class Meta(type):
    @property
    def __module__(cls):
        raise ValueError("no module")

    def __instancecheck__(cls, instance):
        raise ValueError("no instance")

    def __subclasscheck__(cls, other):
        raise ValueError("no subclass")

    def __repr__(cls):
        raise ValueError("no text")


class OfMeta(Exception, metaclass=Meta):
    pass


class Destroyed(Exception):
    def __del__(self):
        raise SystemExit("in __del__")


def with_text(function):
    return type("WithText", (Exception,), {"__str__": function, "__repr__": function})("x")


def raises(error):
    def function(*_):
        raise error

    return function


def chained(n, attribute):
    first = last = ValueError("first")
    for i in range(n):
        next_one = ValueError(i)
        setattr(last, attribute, next_one)
        last = next_one
    return first


def ring(attribute):
    first = chained(3, attribute)
    last = first
    while getattr(last, attribute):
        last = getattr(last, attribute)
    setattr(last, attribute, first)
    return first


def with_attributes(error, **attributes):
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


def caught(function, *arguments):
    try:
        function(*arguments)
    except BaseException as error:
        return error


def recurse():
    recurse()


def endless_text(self):
    return str(self)


def group(depth):
    error = ValueError("innermost")
    for i in range(depth):
        error = ExceptionGroup(str(i), [error])
    return error


def warned():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.warn("on purpose", DeprecationWarning, stacklevel=1)


def long_traceback(n):
    return 1 // 0 if n == 0 else long_traceback(n - 1)


MAKERS = {
    "text raises": lambda: with_text(raises(ValueError("no text"))),
    "text exits": lambda: with_text(raises(SystemExit(3))),
    "text interrupts": lambda: with_text(raises(KeyboardInterrupt())),
    "text is none": lambda: with_text(lambda self: None),
    "text is special": lambda: with_text(lambda self: Text("x")),
    "text is endless": lambda: with_text(endless_text),
    "huge": lambda: ValueError("é" * 20_000_000),
    "bytes": lambda: ValueError(bytes(1_000_000)),
    "surrogates": lambda: ValueError("\ud800 \udcff\0 end"),
    "name of surrogates": lambda: type("\udcff", (Exception,), {})("x"),
    "huge name": lambda: type("N" * 1_000_000, (Exception,), {"__module__": "m" * 1_000_000})("x"),
    "no module": lambda: type("N", (Exception,), {"__module__": 5})("x"),
    "cause ring": lambda: ring("__cause__"),
    "context ring": lambda: ring("__context__"),
    "cause of itself": lambda: with_attributes(error := ValueError("x"), __cause__=error),
    "many causes": lambda: chained(3_000, "__cause__"),
    "many contexts": lambda: chained(3_000, "__context__"),
    "recursion": lambda: caught(recurse),
    "long traceback": lambda: caught(long_traceback, 900),
    "notes": lambda: with_attributes(ValueError("x"), __notes__=[5, None, Text("x"), "\udcff", "n" * 1_000_000]),
    "no notes": lambda: with_attributes(ValueError("x"), __notes__=object()),
    "notes raise": lambda: with_attributes(ValueError("x"), __notes__=Guarded()),
    "liar": lambda: Liar("x"),
    "guarded": lambda: Guarded("x"),
    "metaclass": lambda: OfMeta("x"),
    "destroyed": lambda: Destroyed("x"),
    "deep group": lambda: group(200),
    "wide group": lambda: ExceptionGroup("x", [ValueError(i) for i in range(20_000)]),
    "base group": lambda: BaseExceptionGroup("x", [KeyboardInterrupt(), SystemExit(1)]),
    "syntax": lambda: caught(compile, "def f(:", "<nasty>", "exec"),
    "wrong syntax": lambda: with_attributes(
        SyntaxError("x", ("f", 1, 1, "t")), lineno="x", offset=-5, text=7, filename=b"\xff"
    ),
    "decode": lambda: caught(b"\xff".decode),
    "wrong decode": lambda: with_attributes(caught(b"\xff".decode), start=-7, end=10**9),
    "encode": lambda: caught("\ud800".encode),
    "os": lambda: OSError(10**6, "é\udcff", b"\xff\0", None, "other"),
    "key": lambda: KeyError("k" * 1_000_000),
    "exit": lambda: SystemExit(Guarded()),
    "own args": lambda: with_attributes(error := ValueError("x"), args=(error, [error])),
    "stop": lambda: StopIteration(5),
    "stop async": lambda: StopAsyncIteration(),
    "generator": lambda: GeneratorExit(),
    "interrupt": lambda: KeyboardInterrupt(),
    "memory": lambda: MemoryError(),
    "import": lambda: caught(__import__, "no_such_module.\ud800"),
    "attribute": lambda: caught(getattr, Guarded(), "x"),
    "warning": lambda: caught(warned),
    "file name": lambda: caught(exec, compile("1 // 0", "\udcff\n" * 1000, "exec")),
    "no class": lambda: caught(exec, "raise 5"),
    "cancelled": lambda: asyncio.CancelledError("x"),
}


def names():
    return list(MAKERS)


def raising(name):
    raise MAKERS[name]()


def raising_from_handler(name):
    try:
        raise MAKERS[name]()
    finally:
        raise MAKERS[name]()


class Thing:
    """Raises whatever is done to it."""

    def __init__(self, name):
        object.__setattr__(self, "raising_name", name)


def _raise(self, *arguments, **keywords):
    raise MAKERS[object.__getattribute__(self, "raising_name")]()


METHODS = """len iter getitem setitem delitem float int index complex bool contains eq lt add call enter exit getattr
    setattr array repr str hash fspath next bytes dir"""
for _method in METHODS.split():
    setattr(Thing, f"__{_method}__", _raise)
setattr(Thing, "keys", _raise)


def thing(name):
    return Thing(name)


def generate(name):
    yield 1
    yield 2
    raise MAKERS[name]()


def destroy(name):
    """Raises where nobody can catch it."""

    class Doomed:
        def __del__(self):
            raise MAKERS[name]()

    Doomed()
    threading.Thread(target=raising, args=(name,)).start()


async def coroutine(name):
    await asyncio.sleep(0)
    raise MAKERS[name]()


def in_thread(name):
    told = []

    def work():
        told.append(caught(raising, name))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    raise told[0]
