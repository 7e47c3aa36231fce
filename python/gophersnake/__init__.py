"""The part of gophersnake that runs inside the hosted interpreter; the core carries its source."""

from __future__ import annotations

import marshal
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType


class _Carried:
    """Imports the other modules of this package, each when it is first needed."""

    def __init__(self, sources: dict[str, str], bytecode: dict[str, bytes]) -> None:
        """Take the source of each module, and its marshalled code if it was compiled for this version of Python."""
        self._sources, self._bytecode = sources, bytecode

    def __call__(self, path: str) -> _Carried:
        """Answer as one of ``sys.path_hooks``."""
        if path not in __path__:
            raise ImportError(path)
        return self

    def find_spec(self, name: str, _target: ModuleType | None = None) -> ModuleSpec | None:
        """Find a module."""
        return ModuleSpec(name, self) if name.removeprefix("gophersnake.") in self._sources else None  # type: ignore[arg-type]

    def create_module(self, _spec: ModuleSpec) -> None:
        """Leave that to the import system."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the code of a module."""
        name = module.__name__.removeprefix("gophersnake.")
        if name in self._bytecode:
            code = marshal.loads(self._bytecode[name])
        else:
            code = compile(self._sources[name], f"<gophersnake>/{name}.py", "exec", dont_inherit=True)
        exec(code, vars(module))


def install(sources: dict[str, str], bytecode: dict[str, bytes]) -> None:
    """Let the modules of these names be imported."""
    __path__[:] = ["<gophersnake>"]
    sys.path_hooks.insert(0, _Carried(sources, bytecode))


__path__ = []
