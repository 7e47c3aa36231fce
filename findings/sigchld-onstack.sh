#!/usr/bin/env bash
# uvloop 0.23.0 and gevent 25.9.1: their handlers of SIGCHLD, installed for the first child process, lack SA_ONSTACK, which CPython's
# own handlers have had since 3.10. Both take the signal for the whole process, so that a host whose threads have small stacks (Go)
# handles the ends of its own children there, on stacks without room for it.
#
# Output seen: python SA_ONSTACK True, uvloop SA_ONSTACK False, gevent SA_ONSTACK False
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -q --disable-pip-version-check uvloop==0.23.0 gevent==25.9.1
cat >"$folder/main.py" <<'PY'
import ctypes
import signal
import struct
import sys

SA_ONSTACK = 0x08000000


def is_on_stack():
    """Whether the handler of SIGCHLD, which there must be, has the flag."""
    action = ctypes.create_string_buffer(152)
    ctypes.CDLL(None).sigaction(signal.SIGCHLD, None, action)
    assert struct.unpack_from("Q", action.raw, 0)[0] > 1
    return bool(struct.unpack_from("i", action.raw, 136)[0] & SA_ONSTACK)


def use_python():
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    return is_on_stack()


def use_uvloop():
    import asyncio

    import uvloop

    async def run():
        process = await asyncio.create_subprocess_exec("/bin/cat", stdin=asyncio.subprocess.PIPE)
        seen = is_on_stack()
        await process.communicate(b"")
        return seen

    return uvloop.run(run())


def use_gevent():
    import gevent.subprocess

    gevent.subprocess.check_call(["/bin/true"])
    return is_on_stack()


print(sys.argv[1], "SA_ONSTACK", globals()["use_" + sys.argv[1]]())
PY
seen=$(for library in python uvloop gevent; do "$folder/venv/bin/python" "$folder/main.py" "$library"; done | paste -sd, | sed 's/,/, /g')
echo "$seen"
[[ $seen == "python SA_ONSTACK True, uvloop SA_ONSTACK False, gevent SA_ONSTACK False" ]]
