#!/usr/bin/env bash
# Makes a virtual environment from a lock file with hashes, unless it is already there for this Python and this lock.
#
#   scripts/venv.sh FOLDER PYTHON LOCK
set -euo pipefail
folder=$1 lock=$3
# The interpreter itself, and not that of an active virtual environment, which may be the one to be made again.
python=$("$2" -I -c 'import sys; print(sys._base_executable)')

# The stamp is written last: an environment that was interrupted half-way has none and is made again.
state=$("$python" -I -c 'import sys; print(sys.version, sys.base_prefix)'; sha256sum <"$lock")
stamp=$folder/gophersnake.stamp
if [[ -f $stamp && $state == "$(<"$stamp")" && -x $folder/bin/python ]]; then
  exit 0
fi

if [[ -e $folder && ! -f $folder/pyvenv.cfg ]]; then
  echo "$folder is in the way: it is no virtual environment" >&2
  exit 1
fi
echo "== set up $folder ($("$python" -I -c 'import platform as p; print(p.python_implementation(), p.python_version())'), $lock)"
rm -rf "$folder"
"$python" -I -m venv "$folder"
"$folder/bin/python" -I -m pip install --quiet --disable-pip-version-check --no-input \
  --require-hashes --only-binary :all: -r "$lock"
printf '%s\n' "$state" >"$stamp"
