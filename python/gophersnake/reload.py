"""Imports the host program's own modules anew when their files have changed. For development."""

from __future__ import annotations

import importlib
import operator
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any, TypeAlias, cast

# What a file was like: time of its last change, size, inode. None: it was not there.
Stamp: TypeAlias = tuple[int, int, int] | None

_folders: set[str] = set()
# Names of modules that were found in the folders.
_names: set[str] = set()
_generation = 0
_lock = threading.Lock()


def watch(folders: list[str]) -> None:
    """Watch the modules that will be imported from these elements of ``sys.path``."""
    _folders.update(folders)
    finder = sys.meta_path.index(PathFinder)
    sys.meta_path[finder] = _Finder


class _Finder(PathFinder):
    """Finds what ``PathFinder`` does, but lets modules of the folders be loaded by a loader that remembers."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = super().find_spec(fullname, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader and _is_watched(spec.loader.path):
            spec.loader = _Loader(fullname, spec.loader.path)
            _names.add(fullname)
        return spec


def _is_watched(file: str) -> bool:
    """Tell whether a file comes from a watched folder, and not from an environment, say, that lies within."""
    elements = [element for element in sys.path if file.startswith(os.path.join(element, ""))]
    return max(elements, key=len, default="") in _folders


class _Loader(SourceFileLoader):
    """Knows what the file was like before it was read.

    No method of it is on the stack while the module's code runs, so that tracebacks are as they always are.
    """

    def __init__(self, fullname: str, path: str) -> None:
        super().__init__(fullname, path)
        self.stamp = _stamp(path)

    def path_stats(self, path: str) -> Mapping[str, Any]:
        # Without these, the cached file is not used. It counts as fresh if the source has the same time, in seconds.
        raise OSError


def _stamp(file: str) -> Stamp:
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def refresh() -> int:
    """Forget all modules of the folders if the file of one has changed: whoever asks for them imports them anew.

    All of them, because nobody knows which ones hold something of the changed one. Modules from elsewhere stay.

    Returns:
        A number that is another one from then on.
    """
    global _generation
    with _lock:
        modules = {name: module for name in list(_names) if (module := sys.modules.get(name)) is not None}
        if not any(map(_is_changed, modules.values())) or any(map(_is_importing, modules.values())):
            return _generation
        for name, module in modules.items():
            sys.modules.pop(name, None)
            # A namespace package stays; `from package import name` would still find the module there.
            parent, _, attribute = name.rpartition(".")
            package = getattr(sys.modules.get(parent), "__dict__", {})
            if package.get(attribute) is module:
                package.pop(attribute, None)
        _generation += 1
        return _generation


def _is_changed(module: ModuleType) -> bool:
    loader = getattr(module, "__loader__", None)
    return isinstance(loader, _Loader) and _stamp(loader.path) != loader.stamp


def _is_importing(module: ModuleType) -> bool:
    """Tell whether the import of a module is under way: it would not survive that the module is forgotten."""
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


def follow(name: str) -> _Following | None:
    """Return a callable that is always what ``name`` names; None if the file of its module is not watched."""
    return _Following(name) if name.partition(":")[0] in _names else None


class _Following:
    """Is called as the function of the file as it is now."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.__name__ = name.rpartition(":")[2].rpartition(".")[2]
        self._resolved: tuple[int, Callable[..., Any] | None] = (-1, None)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self.__wrapped__(*args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker process has the function, but not this module.
        return operator.itemgetter(0), ((self.__wrapped__,),)

    @property
    def __wrapped__(self) -> Callable[..., Any]:  # also what `inspect` looks at
        while True:
            now = refresh()
            generation, function = self._resolved
            if generation == now and function is not None:
                return function
            try:
                function = _resolve(self._name)
            except BaseException:
                # What fails here, a syntax error say, is the error of this call, and the next one tries again; unless
                # another thread has found new files meanwhile, and forgotten what was just being imported.
                if _generation == now:
                    raise
            else:
                self._resolved = (now, function)
                return function


def _resolve(name: str) -> Callable[..., Any]:
    importlib.invalidate_caches()  # a folder may have files that it had not when a failing import looked
    module, _, path = name.partition(":")
    # Like importlib.import_module, but it leaves itself out of tracebacks. Without a list, it returns the top package.
    found: Any = __import__(module, fromlist=("__name__",))
    for part in path.split("."):
        found = getattr(found, part)
    if not callable(found):
        raise TypeError(f"{name}: want a callable, got {type(found).__qualname__}")
    return cast(Callable[..., Any], found)
