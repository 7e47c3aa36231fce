"""Evaluates expressions and runs statements of the host's, in a namespace of its own."""

from __future__ import annotations

import functools
import linecache
from collections import deque
from collections.abc import Mapping
from types import CodeType, ModuleType
from typing import Any

_MOST_CACHED = 16 * 1024
"""Characters of a source whose code is kept for the next time."""

_MOST_SHOWN = 8 * 1024 * 1024
"""Characters of all sources of which tracebacks show the lines: those that came last."""

_shown: deque[tuple[str, int]] = deque()
_numbers = iter(range(1, 2**63))


def make_namespace(names: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a new dict of variables, in which code can run."""
    for name in names or ():
        if not isinstance(name, str):
            raise TypeError(f"want names of variables, got the key {name!r:.100}")
    return {"__name__": "__main__", **(names or {})}


def evaluate(source: str, names: object, keeps: bool) -> object:
    """Return what an expression is worth."""
    return eval(_code(source.lstrip(" \t"), "eval"), _globals(names, keeps))


def execute(source: str, names: object, keeps: bool) -> None:
    """Run statements."""
    exec(_code(source, "exec"), _globals(names, keeps))


def _globals(names: object, keeps: bool) -> dict[str, Any]:
    """Return the dict in which code is to run.

    Args:
        names: a dict or a module; None for no names.
        keeps: the host has it, so that it gets what is assigned.
    """
    if isinstance(names, ModuleType):
        return vars(names)
    if names is not None and not isinstance(names, dict):
        raise TypeError(f"want a dict or a module as the namespace, got {type(names).__qualname__}")
    return names if keeps and names is not None else make_namespace(names)


def _code(source: str, mode: str) -> CodeType:
    return _compiled(source, mode) if len(source) <= _MOST_CACHED else _compile(source, mode)


def _compile(source: str, mode: str) -> CodeType:
    """Compile a source under a name of its own, by which tracebacks and ``inspect`` find its lines."""
    name = f"<{mode} {next(_numbers)}>"
    # No time: so linecache does not look whether a file of that name has changed.
    linecache.cache[name] = (len(source), None, [f"{line}\n" for line in source.splitlines()], name)
    _shown.append((name, len(source)))
    while len(_shown) > 1 and (len(_shown) > 512 or sum(size for _, size in list(_shown)) > _MOST_SHOWN):
        linecache.cache.pop(_shown.popleft()[0], None)
    return compile(source, name, mode, dont_inherit=True)


_compiled = functools.lru_cache(256)(_compile)
