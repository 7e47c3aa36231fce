#!/usr/bin/env bash
# Runs the Go tests and the built example with every CPython that the machine has: one core and one binary serve them
# all. They run at the same time, because a test waits more than it computes.
#
#   scripts/test_pythons.sh ENVIRONMENT GO_TEST...      ENVIRONMENT is there already, for one of them
set -euo pipefail
root=$PWD environment=$PWD/$1
shift
first=$("$environment/bin/python" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])')
series=examples/outliers/data/sunspots.csv
want=$(bin/outliers -python "$environment" -json "$series")
logs=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$logs"' EXIT

minors=("$first") environments=("$environment")
report="$first tested ($environment)"
while IFS='|' read -r minor python why; do
  [[ $minor == "$first" ]] && continue
  if [[ -z $python ]]; then
    report+=$'\n'"$minor not tested ($why)"
    continue
  fi
  scripts/venv.sh "$root/.venv-$minor" "$python" requirements.txt requirements-test.txt </dev/null
  minors+=("$minor") environments+=("$root/.venv-$minor")
  report+=$'\n'"$minor tested ($python)"
done < <(scripts/pythons.sh)

jobs=()
for i in "${!minors[@]}"; do
  echo "== test go at full length with CPython ${minors[i]} (${environments[i]})"
  GOPHERSNAKE_PYTHON=${environments[i]} "$@" </dev/null >"$logs/${minors[i]}" 2>&1 &
  jobs+=($!)
done

failed=0
for i in "${!minors[@]}"; do
  wait "${jobs[i]}" || failed=1
  echo "== tested go with CPython ${minors[i]}"
  cat "$logs/${minors[i]}"
  if [[ $(bin/outliers -python "${environments[i]}" -json "$series" </dev/null) != "$want" ]]; then
    echo "bin/outliers -json prints something else with CPython ${minors[i]} than with $first" >&2
    failed=1
  fi
done
((!failed)) || exit 1

while read -r line; do echo "== CPython $line"; done <<<"$report"
