#!/usr/bin/env bash
# Runs the Go tests and the built example with the CPythons that the machine has: one core and one binary serve them
# all. They run at the same time, because a test waits more than it computes.
#
#   scripts/test_pythons.sh all ENVIRONMENT GO_TEST...      at full length; ENVIRONMENT is there already, for one of them
#   scripts/test_pythons.sh others ENVIRONMENT GO_TEST...   all but that one: at full length with the newest, else in short form
set -euo pipefail
which=$1 root=$PWD environment=$PWD/$2
shift 2
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

if [[ $which == others ]]; then
  unset 'minors[0]' 'environments[0]'
  report=${report/#$first tested/$first left to make test}
  newest=$(printf '%s\n' "${minors[@]}" | sort -V | tail -n 1)
fi

jobs=()
for i in "${!minors[@]}"; do
  short=()
  [[ $which == all || ${minors[i]} == "$newest" ]] || short=(-short)
  echo "== test go with CPython ${minors[i]} (${environments[i]}) ${short[*]:-at full length}"
  GOPHERSNAKE_PYTHON=${environments[i]} "$@" "${short[@]}" </dev/null >"$logs/${minors[i]}" 2>&1 &
  jobs[i]=$!
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
