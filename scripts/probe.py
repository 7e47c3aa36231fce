"""Tells whether the Python that runs this file can serve as the host's Python: one line, VERSION, EXECUTABLE, PROBLEM.

The fields are separated by tabs and PROBLEM is empty when all is well. It is meant for Pythons of any age, so that
one that is too old can be named: nothing newer than Python 2.7 is used here.
"""

import os
import sys
import sysconfig

OLDEST = (3, 11)


def problem():
    series = "%d.%d" % sys.version_info[:2]
    if sys.version_info[:2] < OLDEST:
        return (
            "too old, 3.11 or newer is needed: apt-get install python3 python3-venv (Debian 12 or newer), "
            "or PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install 3.13"
        )
    if not shared_library():
        return (
            "no shared libpython: apt-get install libpython%s, "
            "or PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install %s" % (series, series)
        )
    try:
        import ensurepip
        import venv
    except ImportError:
        return "no venv module: apt-get install python%s-venv" % series
    return ""


def shared_library():
    """Debian's configuration names the library whether or not its package is installed, so the file itself counts."""
    name = sysconfig.get_config_var("INSTSONAME") or ""
    folders = [sysconfig.get_config_var("LIBDIR") or "", os.path.join(getattr(sys, "base_prefix", sys.prefix), "lib")]
    return ".so" in name and any(os.path.exists(os.path.join(folder, name)) for folder in folders)


print("\t".join([".".join(map(str, sys.version_info[:3])), sys.executable, problem()]))
