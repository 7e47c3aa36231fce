#!/usr/bin/env bash
# Runs the Go tests and the built example again with every other CPython that the machine has: one core and one binary
# serve them all. They run at the same time, because a test waits more than it computes.
#
#   scripts/test_pythons.sh DONE GO_TEST...      DONE is the environment that has been tested already
set -euo pipefail
root=$PWD done=$1
shift
done_minor=$("$done/bin/python" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])')
series=examples/outliers/data/sunspots.csv
want=$(bin/outliers -python "$done" -json "$series")
logs=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$logs"' EXIT

report="$done_minor tested ($done)"
minors=() jobs=()
while IFS='|' read -r minor python why; do
  [[ $minor == "$done_minor" ]] && continue
  if [[ -z $python ]]; then
    report+=$'\n'"$minor not tested ($why)"
    continue
  fi
  scripts/venv.sh "$root/.venv-$minor" "$python" requirements.txt requirements-test.txt </dev/null
  echo "== test go with CPython $minor ($python)"
  GOPHERSNAKE_PYTHON=$root/.venv-$minor "$@" </dev/null >"$logs/$minor" 2>&1 &
  minors+=("$minor") jobs+=($!)
  report+=$'\n'"$minor tested ($python)"
done < <(scripts/pythons.sh)

failed=0
for i in "${!minors[@]}"; do
  wait "${jobs[i]}" || failed=1
  echo "== tested go with CPython ${minors[i]}"
  cat "$logs/${minors[i]}"
  if [[ $(bin/outliers -python "$root/.venv-${minors[i]}" -json "$series" </dev/null) != "$want" ]]; then
    echo "bin/outliers -json prints something else with CPython ${minors[i]} than with $done_minor" >&2
    failed=1
  fi
done
((!failed)) || exit 1

while read -r line; do echo "== CPython $line"; done <<<"$report"
