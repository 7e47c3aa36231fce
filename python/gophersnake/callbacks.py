"""What Python code meets of the host: its exceptions, modules and objects."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from gophersnake.classes import make_number as make_number
from gophersnake.errors import EXITED, FAILED, GoError, GoExit, GoPanic, place_traceback

_classes: dict[type[BaseException], type[GoError]] = {}


def make_exception(
    outcome: int,
    value: Any,
    message: str,
    class_name: str,
    place: tuple[str, str, int],
    exception: BaseException | None,
) -> BaseException:
    """Return the exception for a Go function that did not return.

    Args:
        outcome: how it ended.
        value: the Go error, or what it panicked with.
        message: its text; the stack follows after a panic.
        class_name: the class that the exception is of; empty if the function chose none: then it is that of the
            exception which the function passes on, if there is one.
        place: name, file and line of the Go function, for the traceback.
        exception: an exception of Python's that the function passes on.
    """
    if outcome == FAILED:
        if exception is None and value is None:
            exception = _find_class(class_name)(message)  # a wrong call, as of any function
        elif exception is None or message:
            base = type(exception) if exception is not None and not class_name else _find_class(class_name)
            cause, exception = exception, _new(_go_class(base), value, message)
            exception.__cause__ = cause
    elif outcome == EXITED:
        exception = GoExit("the Go function ended its goroutine")
    else:
        text, _, stack = message.partition("\n")
        exception = _new(GoPanic, value, text)
        exception.add_note(stack)
    assert exception is not None
    return exception.with_traceback(place_traceback(exception.__traceback__, *place))


def _new(cls: type[Any], value: Any, message: str) -> Any:
    exception: Any = cls.__new__(cls, message)
    exception.args = (message,)
    exception.value = value
    return exception


def _go_class(base: type[BaseException]) -> type[GoError]:
    """Return the class of a Go error that is of class ``base`` too."""
    if issubclass(GoError, base):
        return GoError
    found = _classes.get(base)
    if found is None:
        found = type(f"Go{base.__name__}", (GoError, base), {"__module__": "gophersnake", "__doc__": GoError.__doc__})
        _classes[base] = found
    return found


def _find_class(name: str) -> type[BaseException]:
    """Return the exception class of that full name, or the nearest that there is."""
    module, _, qualname = name.rpartition(".")
    while module:
        found: Any = sys.modules.get(module)
        if found is not None:
            for part in qualname.split("."):
                found = getattr(found, part, None)
            return found if isinstance(found, type) and issubclass(found, BaseException) else Exception
        module, _, outer = module.rpartition(".")
        qualname = f"{outer}.{qualname}"
    return Exception


class Module(ModuleType):
    """A module of the Go program."""

    __all__: list[str]
    GoError: type[GoError]
    GoPanic: type[GoPanic]

    def __dir__(self) -> list[str]:
        """Return the names that the Go program gave."""
        return sorted({*super().__dir__(), *self.__all__})


def make_module(name: str, doc: str | None) -> ModuleType:
    """Return a new module of the Go program, importable by its name."""
    parent, _, last = name.rpartition(".")
    if name in sys.modules or _is_importable(name):
        raise ImportError(f"there is a module {name!r} already", name=name)
    if parent and not hasattr(_package(parent), "__path__"):
        raise ImportError(f"{parent!r} is no package", name=name)
    cls = type("module", (Module,), {"__module__": "builtins"})
    module: Module = cls(name, doc)
    module.__all__ = []
    module.__path__ = []  # so that it may have modules of its own
    module.GoError, module.GoPanic = GoError, GoPanic
    sys.modules[name] = module
    if parent:
        setattr(sys.modules[parent], last, module)
    return module


def _is_importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _package(name: str) -> ModuleType:
    found = sys.modules.get(name)
    if found is None:
        found = importlib.import_module(name) if _is_importable(name) else make_module(name, None)
    return found


def add_value(module: Module, name: str, value: Any) -> None:
    """Give a module an attribute."""
    _check(module, name)
    setattr(module, name, value)
    module.__all__.append(name)


def add_variable(
    module: Module, name: str, get: Callable[[], Any], set: Callable[[Any], None] | None, doc: str | None
) -> None:
    """Give a module an attribute that the Go program reads, and writes if it is no constant."""
    _check(module, name)

    def read(_: Module) -> Any:
        return get()

    def write(_: Module, value: Any) -> None:
        if set is None:
            raise AttributeError(f"{module.__name__}.{name} is a constant of the Go program", name=name, obj=module)
        set(value)

    setattr(type(module), name, property(read, write, doc=doc))
    module.__all__.append(name)


def _check(module: Module, name: str) -> None:
    if not name.isidentifier():
        raise ValueError(f"want a name, got {name!r}")
    if name in module.__all__:
        raise ValueError(f"module {module.__name__!r} has a {name!r} already")
