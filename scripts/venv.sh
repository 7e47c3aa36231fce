#!/usr/bin/env bash
# Makes a virtual environment from lock files with hashes, unless it is already there for this Python and these locks.
#
#   scripts/venv.sh FOLDER PYTHON LOCK...
set -euo pipefail
folder=$1 locks=("${@:3}")
# The interpreter itself, and not that of an active virtual environment, which may be the one to be made again.
python=$("$2" -I -c 'import sys; print(sys._base_executable)')

# The stamp is written last: an environment that was interrupted half-way has none and is made again.
state=$("$python" -I -c 'import sys; print(sys.version, sys.base_prefix)'; cat "${locks[@]}" | sha256sum)
stamp=$folder/gophersnake.stamp
if [[ -f $stamp && $state == "$(<"$stamp")" && -x $folder/bin/python ]]; then
  exit 0
fi

if [[ -e $folder && ! -f $folder/pyvenv.cfg ]]; then
  echo "$folder is in the way: it is no virtual environment" >&2
  exit 1
fi
echo "== set up $folder ($("$python" -I -c 'import platform as p; print(p.python_implementation(), p.python_version())'), ${locks[*]})"
rm -rf "$folder"
"$python" -I -m venv "$folder"
"$folder/bin/python" -I -m pip install --quiet --disable-pip-version-check --no-input \
  --require-hashes --only-binary :all: "${locks[@]/#/-r}"
printf '%s\n' "$state" >"$stamp"
