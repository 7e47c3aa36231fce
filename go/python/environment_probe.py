# Asked of an executable before anything of it is loaded. It must parse under every Python: an old one is to say so.
import os
import sys
import sysconfig

get = sysconfig.get_config_var
version = ".".join(str(number) for number in sys.version_info[:2])
folders = [get("LIBDIR"), sys.base_prefix + "/lib", get("LIBPL"), sys.base_prefix + "/lib64"]
if get("LIBDIR") and get("MULTIARCH"):
    folders.append(os.path.join(get("LIBDIR"), get("MULTIARCH")))
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
    "1" if get("Py_GIL_DISABLED") else "0",
    "1" if numpy else "0",
    sys.executable or "",
    get("INSTSONAME") or get("LDLIBRARY") or "",
    "libpython" + version + ".so.1.0",
    "\n".join(folder for folder in folders if folder),
    "\n".join(getattr(sys, "stdlib_module_names", ())),
    installer(),
    getattr(sys, "base_prefix", ""),
]
sys.stdout.flush()
sys.stdout.buffer.write(b"gophersnake:" + b"".join(os.fsencode(answer) + b"\0" for answer in answers))
