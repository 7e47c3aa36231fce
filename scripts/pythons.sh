#!/usr/bin/env bash
# Finds one usable CPython of each minor version that gophersnake is tested with.
#
#   scripts/pythons.sh          one line a version: VERSION, EXECUTABLE or nothing, what is wrong (separated by "|")
#
# A name on PATH proves nothing (pyenv puts a python3.12 there that only fails), so each candidate is asked (probe.py).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

candidates() { # MINOR: executables that may be it, best first
  local root
  if root=$(pyenv root 2>/dev/null); then
    find "$root/versions" -mindepth 1 -maxdepth 1 -name "$1.*" -printf "%p/bin/python$1\n" 2>/dev/null | sort -Vr
  fi
  command -v "python$1" || true
  printf '%s\n' "/usr/local/bin/python$1" "/usr/bin/python$1"
}

for minor in 3.11 3.12 3.13; do
  found='' why='not found'
  while read -r candidate; do
    answer=$("$candidate" -I probe.py 2>/dev/null) || continue
    IFS=$'\t' read -r version executable problem <<<"$answer"
    [[ $version == "$minor".* ]] || continue
    if [[ -z $problem ]]; then
      found=$executable why=''
      break
    fi
    why="$executable: $problem"
  done < <(candidates "$minor")
  printf '%s|%s|%s\n' "$minor" "$found" "$why"
done
