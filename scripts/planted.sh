#!/usr/bin/env bash
# Checks that a tool is on: it has to see what tests/planted does.
#
#   scripts/planted.sh WHAT SAYS COMMAND...      the command runs the program; SAYS is what the tool has to say
set -uo pipefail
what=$1 says=$2
shift 2
said=$("$@" "$what" 2>&1)
status=$?
if [[ $status == 0 || $said != *"$says"* ]]; then
  printf 'the tool does not see a planted %s (exit status %d):\n%s\n' "$what" "$status" "$said" >&2
  exit 1
fi
echo "a planted $what is seen"
