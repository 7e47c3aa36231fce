"""What built-in functions look like and do: in the host the same as in plain Python, which runs this as a program."""

from __future__ import annotations

import copy
import importlib
import importlib.machinery
import importlib.util
import inspect
import json
import os
import pickle
import sys
import threading
import traceback
import warnings
from types import BuiltinFunctionType, ModuleType
from typing import Any

# Modules of Python that have functions of modules of C.
AROUND = ["os", "signal", "subprocess", "threading", "multiprocessing.util", "asyncio.unix_events"]


def functions() -> str:
    """What is to be seen of each callable of the modules that C provides, and of those around them, as JSON."""
    facts: dict[str, Any] = {}
    first: dict[int, str] = {}
    for module in modules():
        for name, value in sorted(vars(module).items()):
            place = f"{module.__name__}.{name}"
            if isinstance(value, BuiltinFunctionType):
                facts[place] = describe(value, first.setdefault(id(value), place))
            elif callable(value):
                facts[place] = type(value).__name__
    return json.dumps(facts)


def modules() -> list[ModuleType]:
    found = [importlib.import_module(name) for name in [*sys.builtin_module_names, *AROUND]]
    for name in sorted(sys.stdlib_module_names):
        spec = importlib.util.find_spec(name) if name not in ("__main__", "readline", "antigravity", "this") else None
        if spec and isinstance(spec.loader, importlib.machinery.ExtensionFileLoader) and "test" not in name:
            try:
                found.append(importlib.import_module(name))
            except ImportError:  # a library that it needs is not there
                continue
    return found


def describe(function: Any, first: str) -> list[Any]:
    holder = type("Holder", (), {"function": function})()
    try:
        signature = str(inspect.signature(function))
    except ValueError as failure:
        signature = type(failure).__name__
    try:
        pickled = pickle.dumps(function).decode("latin-1")
        assert pickle.loads(pickle.dumps(function)) is function
    except (pickle.PicklingError, TypeError, AttributeError, ImportError) as failure:
        pickled = type(failure).__name__
    return [
        first,
        *(getattr(function, name) for name in ("__module__", "__name__", "__qualname__", "__doc__")),
        function.__text_signature__,
        type(function).__name__,
        repr(function).split(" at 0x")[0],
        getattr(function.__self__, "__name__", None),
        inspect.isbuiltin(function),
        inspect.isroutine(function),
        hasattr(function, "__get__"),
        holder.function is function,
        copy.deepcopy(function) is function,
        pickled,
        signature,
    ]


def wrong() -> str:
    """What arguments that do not fit raise, and what becomes of their references, as JSON."""
    import _imp
    import _posixsubprocess
    import _signal
    import _thread
    import faulthandler

    answers = {}
    item = object()
    many = [item] * 40
    before = sys.getrefcount(item)
    for module, names in {
        _imp: ["create_dynamic", "exec_dynamic"],
        _posixsubprocess: ["fork_exec"],
        _signal: ["signal", "siginterrupt", "set_wakeup_fd", "pthread_sigmask"],
        _thread: ["start_new_thread", "start_new", "start_joinable_thread", "stack_size"],
        faulthandler: ["enable", "register"],
        os: ["posix_spawn", "posix_spawnp", "system", "wait", "wait3", "wait4", "waitid", "waitpid"],
        sys: ["setrecursionlimit"],
    }.items():
        for name in names:
            function = getattr(module, name, None)
            if function is None:
                continue
            place = f"{module.__name__}.{name}"
            answers[place, "many"] = attempt(function, *many)
            answers[place, "unknown"] = attempt(function, unknown=item)
            if name not in ("enable", "wait", "stack_size"):
                answers[place, "none"] = attempt(function)
            if name not in ("enable", "wait"):
                answers[place, "one"] = attempt(function, item)
                answers[place, "text"] = attempt(function, "x\0")
                answers[place, "two"] = attempt(function, item, item)
                answers[place, "three"] = attempt(function, item, item, item)
    answers["out of range", "signal"] = attempt(_signal.signal, 1000, 0)
    answers["out of range", "register"] = attempt(faulthandler.register, 1000)
    answers["out of range", "limit"] = attempt(sys.setrecursionlimit, 1 << 40)
    answers["too little", "limit"] = attempt(sys.setrecursionlimit, 0)
    answers["too little", "stack"] = attempt(threading.stack_size, -1)
    answers["references", ""] = str(sys.getrefcount(item) - before)
    return json.dumps({" ".join(key): answer for key, answer in answers.items()})


def attempt(function: Any, *args: Any, **kwargs: Any) -> str:
    try:
        return f"returned {function(*args, **kwargs)!r}"
    except Exception as failure:
        return f"{type(failure).__name__}: {failure}".split(" at 0x")[0]


def use() -> str:
    """What the functions do, as JSON."""

    class Holder:
        spawn, system, stack_size, set_limit, wait = (
            os.posix_spawn,
            os.system,
            threading.stack_size,
            sys.setrecursionlimit,
            os.waitpid,
        )

    holder = Holder()
    pid = holder.spawn("/bin/sh", ["sh", "-c", "exit 3"], dict(os.environ))
    done: dict[str, Any] = {
        "waited": os.waitstatus_to_exitcode(holder.wait(pid, 0)[1]),
        "system": holder.system("exit 4") >> 8,
        "keyword": os.system(command="exit 5") >> 8,
        "stack": holder.stack_size(),
    }
    before = sys.getrecursionlimit()
    holder.set_limit(before)
    try:
        os.posix_spawn("/does/not/exist", ["x"], {})
    except FileNotFoundError as failure:
        done["traceback"] = [frame.name for frame in traceback.extract_tb(failure.__traceback__)]
    thread = threading.Thread(target=lambda: done.update(limits=limits(), error=attempt(sys.setrecursionlimit, 1)))
    thread.start()
    thread.join()
    sys.setrecursionlimit(before)
    return json.dumps(done)


def limits() -> list[bool]:
    """Which recursion limits are too low in this thread."""
    before = sys.getrecursionlimit()
    answers = []
    for limit in range(1, 30):
        try:
            sys.setrecursionlimit(limit)
        except RecursionError:
            answers.append(False)
        else:
            sys.setrecursionlimit(before)
            answers.append(True)
    return answers


def warned() -> str:
    """Where a limit is told that stacks do not carry."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        before = sys.getrecursionlimit()
        sys.setrecursionlimit(2**31 - 1)
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(before)
    return json.dumps([limit < 2**31 - 1, [os.path.basename(warning.filename) for warning in seen]])


def raised() -> str:
    """What becomes of a size of stacks that the recursion limit does not fit into."""
    threading.stack_size(64 << 10)
    size = threading.stack_size()
    threading.stack_size(64 << 20)
    large = threading.stack_size()
    threading.stack_size(0)
    return json.dumps([size >= 3000 * sys.getrecursionlimit(), large, threading.stack_size()])


if __name__ == "__main__":
    print(globals()[sys.argv[1]]())
