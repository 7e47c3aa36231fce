#!/usr/bin/env bash
# Tests the C ABI: the header, the core's symbols, its knowledge of CPython's structs, the tests in this folder, plain
# and under AddressSanitizer, and examples/c. Called by `make test-c`, which builds the core.
#
#   [GOPHERSNAKE_PYTHON=ENVIRONMENT] [PANIC_PROFILE=release] tests/c/run.sh
set -uo pipefail # not -e: all failures are told at once
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit
core=target/release
out=target/test-c
here=tests/c
mkdir -p "$out"
passed=0 failed=0

strict=(-Wall -Wextra -Werror -pedantic -Iinclude)
read -ra cc <<<"${CC:-cc}"
read -ra cxx <<<"${CXX:-c++}"

# check WHAT COMMAND...: counts whether the command succeeds; shows what it said if not.
check() {
  local what=$1 said
  shift
  if said=$("$@" 2>&1); then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'FAILED %s\n%s\n' "$what" "$said"
  fi
}

# same WANT GOT
same() {
  [[ $1 == "$2" ]] || { printf 'want: %s\ngot:  %s\n' "$1" "$2"; return 1; }
}

# run WHAT COMMAND...: runs a test program and adds up what it counted. What it printed is in $out/stdout and stderr.
run() {
  local what=$1 said counts
  shift
  "$@" >"$out/stdout" 2>"$out/stderr"
  local status=$?
  said=$(<"$out/stdout")
  counts=$(tail -n 1 <<<"$said")
  if [[ $counts =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
    printf '== %s: %s\n' "$what" "$counts"
    if ((BASH_REMATCH[2] > 0)); then sed '$d' <<<"$said"; fi
  else
    failed=$((failed + 1))
    printf 'FAILED %s: ended with status %d before it had counted\n%s\n' "$what" "$status" "$said"
    head -n 60 "$out/stderr"
  fi
}

# ---- the environment

python=${GOPHERSNAKE_PYTHON:-.venv}
[[ -d $python ]] && python=$python/bin/python
{ read -r executable && read -r libpython && read -r version && read -r minor; } < <("$python" -I -c '
import os, sys, sysconfig as s
folders = [s.get_config_var("LIBDIR") or "", os.path.join(sys.base_prefix, "lib")]
paths = [os.path.join(folder, s.get_config_var("INSTSONAME")) for folder in folders]
print(sys.executable, next(filter(os.path.exists, paths), "none"), sys.hexversion >> 16, "%d.%d" % sys.version_info[:2], sep="\n")')
if [[ ! -f ${libpython:-} ]]; then
  echo "missing: a shared libpython of $python" >&2
  exit 1
fi
echo "== CPython $minor ($executable, $libpython)"

# A prefix with an executable and the landmark of a standard library, and no `encodings`.
broken=$(mktemp -d)
trap 'rm -rf "$broken"' EXIT
mkdir -p "$broken/bin" "$broken/lib/python$minor/lib-dynload"
touch "$broken/bin/python" "$broken/lib/python$minor/os.py"
chmod +x "$broken/bin/python"

export TEST_EXECUTABLE=$executable TEST_VERSION=$version TEST_FOLDER=$PWD/tests/python
export TEST_BROKEN_EXECUTABLE=$broken/bin/python

# ---- the header

check 'the header is C11' "${cc[@]}" -std=c11 "${strict[@]}" -fsyntax-only -x c "$here/header.c"
check 'the header is C++17' "${cxx[@]}" -std=c++17 "${strict[@]}" -fsyntax-only -x c++ "$here/header.c"

# ---- the core's symbols

declared() { # the functions of the header, one a line
  "${cc[@]}" -E -P "$@" -Iinclude -x c "$here/header.c" | grep -o 'snake_[a-z_]* *(' | tr -d ' (' | sort -u
}
exported() { # LIBRARY
  nm -D --defined-only "$1" | awk '{ print $3 }' | sort -u
}
needs_no_libpython() { # LIBRARY
  local needed
  needed=$(readelf -d "$1" | grep NEEDED) || return
  ! grep python <<<"$needed"
}
check 'the core exports what the header declares, and nothing else' \
  same "$(declared)" "$(exported $core/libgophersnake.so)"
check 'the core needs no libpython' needs_no_libpython $core/libgophersnake.so

# ---- what src/configuration.rs knows of CPython's structs, against every header that is installed

rust=src/configuration.rs
offset_of() { # MINOR NUMBER, of PROGRAM_NAME_OFFSETS
  grep 'const PROGRAM_NAME_OFFSETS' $rust | grep -o "($1, [0-9]*)" | grep -o '[0-9]*)' | tr -d ')'
}
utf8_mode=$(sed -n 's/.*const UTF8_MODE_OFFSET: usize = \([0-9]*\);.*/\1/p' $rust)
preconfig_room=$(sed -n 's/.*let mut preconfig = \[0_u64; \([0-9]*\)\];.*/\1/p' $rust)
config_room=$(sed -n 's/.*let mut config = \[0_u64; \([0-9]*\)\];.*/\1/p' $rust)
check 'the numbers are found in src/configuration.rs' test -n "$utf8_mode" -a -n "$preconfig_room" -a -n "$config_room"

layout_is() { # FOLDER NUMBER: compares one installed header
  local program_name utf8 preconfig config status want
  "${cc[@]}" "-I$1" -o "$out/layout" "$here/layout.c" || return
  IFS=' ' read -r program_name utf8 preconfig config status < <("$out/layout")
  want=$(offset_of "$2")
  same "program_name=$want utf8_mode=$utf8_mode status=0,8,16,24,32" "$program_name $utf8 $status" || return
  if ((${preconfig#*=} > preconfig_room * 8 || ${config#*=} > config_room * 8)); then
    echo "$preconfig $config: the room in $rust is too small"
    return 1
  fi
}
pending_is() { # FOLDER NUMBER: compares the internal headers beside one
  local found want
  "${cc[@]}" "-I$1" "-I$1/internal" -o "$out/runtime_layout" "$here/runtime_layout.c" || return
  found=$("$out/runtime_layout")
  if (($2 < 13)); then
    want=pending=$(grep 'const PENDING_OFFSETS' src/pending.rs | grep -o "($2, [0-9]*)" | grep -o '[0-9]*)' | tr -d ')')
  else
    want=$(sed -n 's/^const EVAL_BREAKER_OFFSET: usize = \([0-9]*\);.*/eval_breaker=\1/p' src/pending.rs)
    want+=$(sed -n 's/^const CALLS_TO_DO: u32 = 1 << 2;.*/ calls_to_do=4/p' src/pending.rs)
  fi
  same "$want" "$found"
}
declare -A versions=()
for folder in "$(pyenv root 2>/dev/null || echo /nonexistent)"/versions/*/include/python3.* /usr/include/python3.* \
  /usr/local/include/python3.*; do
  [[ -f $folder/cpython/initconfig.h ]] || continue
  full=$(sed -n 's/^#define PY_VERSION  *"\(.*\)"/\1/p' "$folder/patchlevel.h")
  number=$(cut -d . -f 2 <<<"$full")
  # Before 3.11 nothing is supported; from 3.14 on options have names.
  ((number >= 11 && number <= 13)) || continue
  check "the layout of PyConfig in $folder" layout_is "$folder" "$number"
  if [[ -d $folder/internal ]]; then
    check "the word of pending calls in $folder" pending_is "$folder" "$number"
  fi
  versions[3.$number]+=" $full"
  [[ $folder == *d ]] && versions[3.$number]+=' (debug)'
done
for known in 3.11 3.12 3.13; do
  echo "== layout of PyConfig $known: ${versions[$known]:+checked with the headers of}${versions[$known]:- NOT checked, no header is installed}"
done

# ---- the tests, plain and under AddressSanitizer

compile() { # OUTPUT FOLDER_OF_CORE FLAG...
  local output=$1 folder=$2
  shift 2
  "${cc[@]}" -std=c11 -g "${strict[@]}" "$@" -o "$output" \
    "$here"/{main,check,host,boundary,interpreter,error,value,result,tree,array,lease,object,function,thread_state,callback,interrupt}.c \
    -Wl,--no-as-needed "$libpython" -L"$folder" -lgophersnake -Wl,-rpath,"$PWD/$folder:${libpython%/*}" -lpthread
}
check 'the tests compile' compile "$out/abi" $core
run 'C ABI' "$out/abi" abi
check 'shutdown runs atexit and flushes' same 1 "$(grep -c '^printed by atexit$' "$out/stdout")"
run 'broken standard library' "$out/abi" broken-stdlib

export ASAN_OPTIONS=detect_leaks=0 # CPython never frees all that it allocates
check 'the tests compile with AddressSanitizer' compile "$out/abi-asan" $core \
  -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
is_watched() {
  local said
  said=$("$out/abi-asan" overflow 2>&1) && return 1
  grep -q 'AddressSanitizer: heap-buffer-overflow' <<<"$said"
}
check 'AddressSanitizer is on' is_watched
run 'C ABI under AddressSanitizer' "$out/abi-asan" abi
run 'broken standard library under AddressSanitizer' "$out/abi-asan" broken-stdlib

# ---- a panic

# As it is shipped, or quickly: it unwinds in both.
panicking=target/panic-for-test
if [[ ${PANIC_PROFILE:-dev} == release ]]; then profile=release; else profile=debug; fi
check 'the core with a planted panic compiles' \
  cargo build --quiet --profile "${PANIC_PROFILE:-dev}" --locked --features panic-for-test --target-dir $panicking
panicking+=/$profile
check 'it exports the panic, and nothing else more' \
  same "$(declared -DSNAKE_PANIC_FOR_TEST)" "$(exported $panicking/libgophersnake.so)"
check 'the tests compile with it' compile "$out/panic" $panicking -DSNAKE_PANIC_FOR_TEST
run 'a panic' "$out/panic" panic
check 'a panic prints nothing to standard error' same '' "$(<"$out/stderr")"

# ---- examples/c: the commands that its first comment shows, with this environment

example() {
  local build command
  build=$(sed -n 's/^ \*   \(cc .*\)/\1/p' examples/c/outliers.c)
  command=$(sed -n 's/^ \*   \(echo .*\)/\1/p' examples/c/outliers.c)
  command=${command//.venv\/bin\/python/\'$executable\'}
  eval "$build" || return
  same $'4\t95' "$(eval "$command" 2>&1)" || return
  # No number at all: the exception of the Python function is shown, with its traceback.
  local said status
  said=$(eval "${command//echo*|/}" </dev/null 2>&1)
  status=$?
  same 1 $status && [[ $said == 'Traceback (most recent call last):'*'ValueError: no values: want at least one' ]] ||
    { echo "$said"; return 1; }
}
check 'examples/c: build, run, fail' example

echo "$passed passed, $failed failed"
((failed == 0))
