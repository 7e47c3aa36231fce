#!/usr/bin/env bash
# uvloop 0.23.0 on CPython 3.11: a loop that ran a child process leaves SIGCHLD with its default when it is closed. A handler that
# the program had installed by signal.signal is lost, although signal.getsignal still names it: no later child calls it.
#
# Output seen: handler kept by Python: True, by the kernel: False, calls for a later child: 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -q --disable-pip-version-check uvloop==0.23.0
cat >"$folder/main.py" <<'PY'
import asyncio
import signal
import subprocess
import sys

import uvloop

calls = 0


def count(number, frame):
    global calls
    calls += 1


async def run():
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "pass")
    await process.wait()


def is_caught():
    """Whether the kernel knows of a handler of SIGCHLD."""
    with open("/proc/self/status") as status:
        caught = next(line for line in status if line.startswith("SigCgt:")).split()[1]
    return bool(int(caught, 16) >> (signal.SIGCHLD - 1) & 1)


signal.signal(signal.SIGCHLD, count)
assert is_caught()
uvloop.run(run())
calls = 0
subprocess.run([sys.executable, "-c", "pass"], check=True)
kept = signal.getsignal(signal.SIGCHLD) is count
print(f"handler kept by Python: {kept}, by the kernel: {is_caught()}, calls for a later child: {calls}")
PY
seen=$("$folder/venv/bin/python" "$folder/main.py")
echo "$seen"
[[ $seen == "handler kept by Python: True, by the kernel: False, calls for a later child: 0" ]]
