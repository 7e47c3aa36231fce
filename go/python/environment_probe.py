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
]
sys.stdout.flush()
sys.stdout.buffer.write(b"gophersnake:" + b"".join(os.fsencode(answer) + b"\0" for answer in answers))
