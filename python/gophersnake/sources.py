"""Imports the modules that the host program carries, from the archive in memory that it keeps for this process."""

from __future__ import annotations

import _imp
import os
import sys
import zipimport
from types import CodeType

# What stands for the archive in the names of files. The archive's own name has the number of the process in it, so that
# the same error would read differently each time.
_STABLE = "<embedded>"

_archive: str


def install(archive: str) -> None:
    """Let the modules of an archive in ``sys.path`` have file names that are the same in each process.

    Worker processes, such as those of ``multiprocessing``, have that element too, and import from it by ``zipimport``.
    """
    global _archive
    _archive = archive
    sys.path_hooks.insert(0, _hook)
    sys.path_importer_cache.pop(archive, None)


def _hook(path: str) -> _Importer:
    """Answer as one of ``sys.path_hooks``. Packages look for their modules by the stable name."""
    if path.split(os.sep, 1)[0] == _STABLE or path == _archive or path.startswith(_archive + os.sep):
        return _Importer(_original(path))
    raise ImportError(path)


def _stable(path: str) -> str:
    return _STABLE + path.removeprefix(_archive)


def _original(path: str) -> str:
    return _archive + path.removeprefix(_STABLE) if path.startswith(_STABLE) else path


class _Importer(zipimport.zipimporter):
    """Finds sources, lines and data by the stable name."""

    def get_filename(self, fullname: str) -> str:
        return _stable(super().get_filename(fullname))

    def get_code(self, fullname: str) -> CodeType:
        code = super().get_code(fullname)
        _imp._fix_co_filename(code, self.get_filename(fullname))  # type: ignore[attr-defined]
        return code

    def get_data(self, pathname: str) -> bytes:
        return super().get_data(_original(pathname))
