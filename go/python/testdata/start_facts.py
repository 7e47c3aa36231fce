"""What the tests ask a Python about itself: the hosted one through Go, others as a program."""

from __future__ import annotations

import json
import os
import sys
import threading


def environment() -> str:
    """What belongs to the environment, as JSON."""
    return json.dumps(
        {
            "executable": sys.executable,
            "prefix": sys.prefix,
            "base_prefix": sys.base_prefix,
            "path": sys.path,
        }
    )


def isolation() -> str:
    """What variables, folders and files of the user could change, as JSON."""
    import faulthandler
    import locale
    import site
    import tracemalloc

    import numpy as np

    return json.dumps(
        {
            "path": sys.path,
            "prefix": sys.prefix,
            "flags": repr(sys.flags),
            "warnings": sys.warnoptions,
            "options": sys._xoptions,
            "pycache": sys.pycache_prefix,
            "digits": sys.get_int_max_str_digits(),
            "platlib": sys.platlibdir,
            "encodings": [sys.stdout.encoding, sys.stdout.errors, sys.getfilesystemencoding(), locale.getencoding()],
            "faulthandler": faulthandler.is_enabled(),
            "tracemalloc": tracemalloc.is_tracing(),
            "user": [site.ENABLE_USER_SITE, "usercustomize" in sys.modules, "hostile" in sys.modules],
            "numpy": np.__file__,
        },
        sort_keys=True,
    )


def package() -> str:
    """How the modules of the Python part are carried that are not as they should be, as JSON."""
    import marshal
    from types import ModuleType

    carried = next(hook for hook in sys.path_hooks if type(hook).__module__ == "gophersnake")
    problems = {}
    for name, source in carried._sources.items():
        file = f"<gophersnake>/{name}.py"
        compiled = compile(source, file, "exec", dont_inherit=True)
        if name not in carried._bytecode:
            problems[name] = "it has no bytecode for this version of Python"
            continue
        code = marshal.loads(carried._bytecode[name])
        if (code, code.co_filename) != (compiled, file):
            problems[name] = "its bytecode is not that of its source"
    anew = ModuleType("gophersnake.lifecycle")
    type(carried)(carried._sources, {}).exec_module(anew)
    if set(vars(anew)) != set(vars(sys.modules[anew.__name__])) - {"__file__", "__cached__"}:
        problems[anew.__name__] = "its source makes another module than its bytecode"
    return json.dumps(problems)


def version() -> str:
    """The version in the form of Go's tests: 3.11."""
    return "{}.{}".format(*sys.version_info[:2])


def path() -> str:
    """The module search path, one folder a line."""
    return "\n".join(sys.path)


def maps() -> str:
    """The files of gophersnake that are mapped into the process."""
    with open("/proc/self/maps") as maps:
        return "".join({line.split(maxsplit=5)[-1] for line in maps if "gophersnake" in line.rsplit("/")[-1]})


def process() -> str:
    """Process, main thread and thread of this call, to see that they are what they were."""
    return f"{os.getpid()} {threading.main_thread().ident} {threading.get_ident()}"


def spawn() -> str:
    """The executables of processes that multiprocessing spawns, as the kernel knows them."""
    import multiprocessing

    with multiprocessing.get_context("spawn").Pool(2) as pool:
        return "\n".join(pool.map(executables, range(2)))


def executables(_: int) -> str:
    """The executable of this process, as Python and as the kernel know it."""
    return f"{sys.executable}|{os.path.realpath('/proc/self/exe')}"


if __name__ == "__main__":
    print(environment())
