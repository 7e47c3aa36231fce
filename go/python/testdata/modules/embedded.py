import importlib.resources
import inspect
import multiprocessing
import os
import pkgutil
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor

import shapes
from shapes.area import square


def boom():
    below = 1
    raise ValueError(below)  # the line that the traceback shows


def nested():
    shapes.area.negative()


def source():
    return [
        inspect.getsource(square),
        inspect.getsource(shapes.area.Circle),
        inspect.getsource(shapes.area).splitlines()[0],
    ]


def files():
    """Files as modules, functions and those who look for sources know them, from any working directory."""
    os.chdir("/")
    return [
        __file__,
        shapes.__file__,
        shapes.area.__spec__.origin,
        inspect.getsourcefile(shapes.area.Circle),
        inspect.getsourcefile(square.__code__),
    ]


def resources():
    root = importlib.resources.files("shapes")
    with importlib.resources.as_file(root / "note.txt") as path:
        extracted = path.read_text(encoding="utf-8")
    assert not path.exists()
    return {
        "note": root.joinpath("note.txt").read_text(encoding="utf-8"),
        "bytes": root.joinpath("texts", "deep.bin").read_bytes(),
        "names": sorted(entry.name for entry in root.iterdir()),
        "below": [entry.name for entry in root.joinpath("texts").iterdir()],
        "get_data": pkgutil.get_data("shapes", "note.txt").decode(),
        "as_file": extracted,
        "modules": sorted(module.name for module in pkgutil.walk_packages(shapes.__path__, "shapes.")),
    }


def pools(method):
    """What two kinds of pools answer, and the traceback of a worker."""
    context = multiprocessing.get_context(method)
    with context.Pool(2) as pool:
        squares = pool.map(square, range(4))
        try:
            pool.apply(boom)
        except ValueError as error:
            cause = str(error.__cause__)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        note = pool.submit(shapes.note).result()
        return {"squares": squares, "more": list(pool.map(square, range(4))), "cause": cause, "note": note}


def subprocesses():
    """What another Python says, if it is told where the modules are."""
    command = [sys.executable, "-c", "import shapes; print(shapes.area.square(5))"]
    return subprocess.check_output(
        command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, text=True
    ).strip()


def path():
    return sys.path


def from_threads(count):
    """Imports that race."""
    failures = []

    def work():
        try:
            from shapes import late

            assert late.VALUE == 7
        except BaseException as failure:
            failures.append(repr(failure))

    threads = [threading.Thread(target=work) for _ in range(count)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    return failures


def change():
    """Tries to write to the archive."""
    archive = __loader__.archive
    try:
        with open(archive, "r+b") as file:
            file.write(b"changed")
    except OSError as error:
        return type(error).__name__
    return "written"
