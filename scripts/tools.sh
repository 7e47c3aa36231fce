#!/usr/bin/env bash
# Says by name which tools are missing or too old, and what installs them, before anything else is done.
#
#   scripts/tools.sh PYTHON     exits 1 after one line a problem; says nothing when all is there
set -uo pipefail # not -e: all problems are told at once
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
python=${1:-python3}
status=0

complain() {
  echo "missing: $*" >&2
  status=1
}

older() { # FOUND NEEDED
  [[ $1 != "$2" && $(printf '%s\n' "$1" "$2" | sort -V | head -n 1) == "$1" ]]
}

# The versions stand in the manifests; a manifest that does not say one asks for nothing.
go_needed=$(sed -n 's/^go \([0-9.]*\).*/\1/p' go.mod)
rust_needed=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' Cargo.toml)
go_help="Go ${go_needed:-} or newer, see go.dev/doc/install"
rust_help="rustup, see rustup.rs, then: rustup toolchain install stable"

if ! command -v go >/dev/null; then
  complain "go ($go_help)"
else
  # Asked here and not elsewhere: a go that may fetch the version that go.mod names counts as that version.
  version=$(go env GOVERSION 2>/dev/null) || version=$(cd / && GOTOOLCHAIN=local go env GOVERSION)
  if older "${version#go}" "${go_needed:-0}"; then complain "go: found ${version#go} ($go_help)"; fi
fi

if ! command -v cargo >/dev/null || ! command -v rustc >/dev/null; then
  complain "cargo and rustc ($rust_help)"
elif ! version=$(rustc --version 2>&1); then
  complain "rustc: it does not run: ${version%%$'\n'*} ($rust_help)"
else
  version=$(cut -d ' ' -f 2 <<<"$version")
  if older "$version" "${rust_needed:-0}"; then complain "rustc: found $version, $rust_needed or newer is needed ($rust_help)"; fi
fi

if ! command -v "${CC:-cc}" >/dev/null; then complain "${CC:-cc} (a C compiler: apt-get install gcc libc6-dev)"; fi
if ! command -v "${CXX:-c++}" >/dev/null; then complain "${CXX:-c++} (a C++ compiler, for a test: apt-get install g++)"; fi

if ! command -v "$python" >/dev/null; then
  complain "$python (CPython 3.11 or newer: apt-get install python3 python3-venv)"
elif ! answer=$("$python" -I scripts/probe.py 2>/dev/null || "$python" scripts/probe.py 2>/dev/null); then
  complain "$python: it does not run (name another one: make PYTHON=/path/to/python3 ...)"
else
  IFS=$'\t' read -r version executable problem <<<"$answer"
  if [[ -n $problem ]]; then complain "$python: $executable is CPython $version, $problem"; fi
fi

exit "$status"
