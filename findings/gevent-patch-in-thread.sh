#!/usr/bin/env bash
# gevent 26.9.0 on CPython 3.11 to 3.13: a module that calls gevent.monkey.patch_all() while it is imported cannot be imported
# on another thread than the main one. gevent warns of patching there; that the import itself fails is the surprise: the thread has
# another identity after patching than before, so that the import system does not recognise the owner of the module's lock.
#
# Output seen: RuntimeError('cannot release un-acquired lock')
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -q --disable-pip-version-check gevent==26.9.0
cat >"$folder/patched.py" <<'PY'
from gevent import monkey

monkey.patch_all()
PY
cat >"$folder/main.py" <<'PY'
import threading
import warnings

warnings.simplefilter("ignore")


def work():
    try:
        import patched  # noqa: F401
    except RuntimeError as failure:
        print(repr(failure))
    else:
        print("imported")


thread = threading.Thread(target=work)
thread.start()
thread.join()
PY
seen=$("$folder/venv/bin/python" "$folder/main.py" 2>"$folder/stderr")
echo "$seen"
[[ $seen == "RuntimeError('cannot release un-acquired lock')" ]]
