#!/usr/bin/env bash
# Runs the Go tests and the built example again with every other CPython that the machine has: one core and one binary
# serve them all.
#
#   scripts/test_pythons.sh DONE GO_TEST...      DONE is the environment that has been tested already
set -euo pipefail
root=$PWD done=$1
shift
done_minor=$("$done/bin/python" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])')
series=examples/outliers/data/sunspots.csv
want=$(bin/outliers -python "$done" -json "$series")

report="$done_minor tested ($done)"
while IFS='|' read -r minor python why; do
  [[ $minor == "$done_minor" ]] && continue
  if [[ -z $python ]]; then
    report+=$'\n'"$minor not tested ($why)"
    continue
  fi
  venv=$root/.venv-$minor
  scripts/venv.sh "$venv" "$python" requirements.txt requirements-test.txt </dev/null
  echo "== test go with CPython $minor ($python)"
  GOPHERSNAKE_PYTHON=$venv "$@" </dev/null
  if [[ $(bin/outliers -python "$venv" -json "$series" </dev/null) != "$want" ]]; then
    echo "bin/outliers -json prints something else with CPython $minor than with $done_minor" >&2
    exit 1
  fi
  report+=$'\n'"$minor tested ($python)"
done < <(scripts/pythons.sh)

while read -r line; do echo "== CPython $line"; done <<<"$report"
