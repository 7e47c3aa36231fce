"""Built-in functions of CPython that do something else in the host.

What stands for one is a built-in function too, with the same name, signature and documentation: no method where a class
has it, no frame in a traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

_make: Callable[[Any, Callable[..., Any]], Any]
# What stands for which function, by the identity of that one.
_replaced: dict[int, tuple[Any, Any]] = {}


def install(make: Callable[[Any, Callable[..., Any]], Any]) -> None:
    """Take the function of the core that makes a built-in function like a given one, which calls another one."""
    global _make
    _make = make


def replace(module: ModuleType, name: str, hosted: Callable[..., Any]) -> None:
    """Let a Python function answer in place of a built-in one; not so in processes that hosted code has forked.

    ``hosted`` has the parameters of the original, which gets the arguments that do not fit them: its error is raised.
    """
    put(module, name, _make(getattr(module, name), hosted))


def put(module: ModuleType, name: str, function: object) -> None:
    """Put a function where a module has another one, which `spread` finds elsewhere."""
    original = getattr(module, name)
    _replaced[id(original)] = original, function
    setattr(module, name, function)


def spread() -> None:
    """Put the functions also where modules have the originals that were imported before: ``os`` those of ``posix``."""
    for module in list(sys.modules.values()):
        if isinstance(module, ModuleType):
            for name, value in list(vars(module).items()):
                if id(value) in _replaced:
                    setattr(module, name, _replaced[id(value)][1])
    _replaced.clear()
