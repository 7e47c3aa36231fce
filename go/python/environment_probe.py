# Asked of an executable before anything of it is loaded. It must parse under every Python: an old one is to say so.
import os
import sys

version = ".".join(str(number) for number in sys.version_info[:2])
base = getattr(sys, "base_prefix", "")
flags = getattr(sys, "abiflags", "")
# Most often it lies there, and sysconfig takes a third of this program's time.
names = ["libpython" + version + flags + ".so.1.0"]
folders = [base + "/lib"]
free_threaded = "t" in flags
if not os.path.isfile(os.path.join(folders[0], names[0])):
    from sysconfig import get_config_var as get

    names = [get("INSTSONAME") or get("LDLIBRARY") or "", names[0]]
    folders = [get("LIBDIR"), folders[0], get("LIBPL"), base + "/lib64"]
    if get("LIBDIR") and get("MULTIARCH"):
        folders.append(os.path.join(get("LIBDIR"), get("MULTIARCH")))
    free_threaded = bool(get("Py_GIL_DISABLED"))
# The cheap look finds what pip installed; the other one also what a path hook or an editable install provides.
numpy = any(os.path.isfile(os.path.join(folder, "numpy", "__init__.py")) for folder in sys.path)
if not numpy:
    import importlib.util

    numpy = importlib.util.find_spec("numpy") is not None


def has(module):
    return any(os.path.isdir(os.path.join(folder, module)) for folder in sys.path)


def installer():
    """The command that installs packages into the environment; of one that belongs to the system, into one beside it."""
    python = sys.executable or "python3"
    if not python.replace("/", "").replace(".", "").replace("-", "").replace("_", "").isalnum():
        python = "'" + python + "'"
    standard = os.path.dirname(os.__file__)
    isolated = sys.prefix != getattr(sys, "base_prefix", sys.prefix)
    if not isolated and os.path.exists(os.path.join(standard, "EXTERNALLY-MANAGED")):
        return python + " -m venv .venv && .venv/bin/python -m pip install"
    if has("pip"):
        return python + " -m pip install"
    try:
        with open(os.path.join(sys.prefix, "pyvenv.cfg")) as config:
            if any(line.startswith("uv ") for line in config):
                return "uv pip install --python " + python
    except OSError:
        pass
    if has("ensurepip"):
        return python + " -m ensurepip && " + python + " -m pip install"
    return "pip --python " + python + " install"


answers = [
    sys.implementation.name,
    sys.version.split()[0],
    "1" if free_threaded else "0",
    "1" if numpy else "0",
    sys.executable or "",
    names[0],
    names[-1],
    "\n".join(folder for folder in folders if folder),
    "\n".join(getattr(sys, "stdlib_module_names", ())),
    installer(),
    base,
]
sys.stdout.flush()
sys.stdout.buffer.write(b"gophersnake:" + b"".join(os.fsencode(answer) + b"\0" for answer in answers))
sys.stdout.buffer.flush()
os._exit(0)  # to end as usual takes longer
