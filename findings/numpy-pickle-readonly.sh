#!/usr/bin/env bash
# NumPy 2.4.6, CPython 3.11 to 3.14: whether an array that cannot be written to comes back writable from pickle depends on the protocol.
# Up to protocol 4 the copy is writable; protocol 5 keeps the flag, although the copy has memory of its own. CPython 3.14 made 5 the default of pickle, and
# so of multiprocessing's queues and pools: what a worker could write into before is read-only there.
#
# Output seen: 4 True / 5 False
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -q --disable-pip-version-check numpy==2.4.6
seen=$("$folder/venv/bin/python" - <<'PY'
import pickle

import numpy as np

array = np.arange(5.0)
array.flags.writeable = False
for protocol in (4, 5):
    print(protocol, pickle.loads(pickle.dumps(array, protocol=protocol)).flags.writeable)
PY
)
echo "$seen"
[[ $seen == $'4 True\n5 False' ]]
