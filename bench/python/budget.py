"""Prints where the time of a no-op goes, by part of the call.

Reads `perf report -t '|' --sort dso,symbol`. The arguments are a file that says how many C floors a call took, one with
`perf script --no-demangle -F ip,sym,symoff,dso`, and the core. The core's functions are inlined into each other, so its
samples count by the source file of the innermost line that is its own.
"""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

# The first that matches "library symbol" counts.
ATTACH = "attach: taking the GIL and giving it up"
CORE = "core: the rest"
PARTS = {
    r"_multiarray_umath|openblas|kernel|bench\.series|NormFloat64": "not the call: start, interrupts, other threads",
    r"bench\.\(\*contestants\)": "the loop that calls",
    r"function_call_array|runtime\.": "crossing from Go to C and back",
    r"libc.* (__GI_)*_*pthread_|pthread_\w+@plt|take_gil|drop_gil|PyEval_(Save|Restore)Thread|PyThreadState_(MustExit|Swap)|errno_location|tstate|__tls_get_addr": ATTACH,
    r"python\.\(\*(gate|slot|lane)\)": "gate: a slot for the call and back",
    r"context\.|python\.\(\*(Interpreter|freeList)\)": "Go: state of the interpreter and of the context",
    r"go/python\.": "Go: argument and result",
    r"libgophersnake": CORE,
    r"libpython|libc\.": "Python: the function call itself",
}


# By the names of the core's source files.
CORE_PARTS = {
    r"thread_state|float_mode|interpreter": ATTACH,
    r"array|lend|lease": "core, wrap: the array, and what Python kept of it",
    r"function|argument|interrupt|output|callback": "core, call: what the host described, whose output it is, who may interrupt it",
    r"value|tree|object": "core, result: its description",
    r"activity": "core, stats",
    r"boundary|error": "core, safety: panics, pointers that are checked",
}


def core_shares(samples: str, core: str) -> Counter[str]:
    """Count the samples in the core by part."""
    counts: Counter[str] = Counter(re.findall(r"(\S+\+0x[0-9a-f]+) \(\S*libgophersnake", samples))
    symbols = subprocess.run(["nm", core], check=True, capture_output=True, text=True).stdout
    starts = {name: int(address, 16) for address, name in re.findall(r"^(\w+) [tT] (.*)$", symbols, re.MULTILINE)}
    addresses: Counter[int] = Counter()
    for place, count in counts.items():
        name, offset = place.rsplit("+", 1)
        if name in starts:
            addresses[starts[name] + int(offset, 16)] += count
    asked = "\n".join(map(hex, addresses))
    command = ["addr2line", "--addresses", "--inlines", "--exe", core]
    chains = subprocess.run(command, input=asked, check=True, capture_output=True, text=True).stdout.split("0x")[1:]
    source = str(Path(__file__).resolve().parents[2] / "src")
    shares: Counter[str] = Counter()
    for chain, count in zip(chains, addresses.values(), strict=True):
        own = re.search(re.escape(source) + r"/(\w+)\.rs", chain)
        part = next((part for files, part in CORE_PARTS.items() if own and re.fullmatch(files, own[1])), CORE)
        shares[part] += count
    return shares


def main() -> None:
    output = Path(sys.argv[1]).read_text()
    found = re.search(r"([0-9.]+) floors/op", output)
    if found is None:
        sys.exit(f"want the output of the benchmark, got: {output}")
    call = float(found[1])
    in_core = core_shares(Path(sys.argv[2]).read_text(), sys.argv[3])
    parts = list(PARTS.values())
    parts[parts.index(CORE) : parts.index(CORE)] = CORE_PARTS.values()
    shares = dict.fromkeys([*parts, "other"], 0.0)
    largest: dict[str, list[str]] = {part: [] for part in shares}
    core = 0.0
    for line in sys.stdin:
        if line.startswith("#") or line.count("|") < 2:
            continue
        share, library, symbol = (field.strip() for field in line.split("|")[:3])
        name = f"{library} {symbol.removeprefix('[.] ')}"
        part = next((part for pattern, part in PARTS.items() if re.search(pattern, name)), "other")
        if part == CORE:
            core += float(share.rstrip("%"))
            continue
        shares[part] += float(share.rstrip("%"))
        if len(largest[part]) < 3 and float(share.rstrip("%")) >= 0.5:
            largest[part].append("`" + name.split()[-1].split("/")[-1].split("@@")[0] + "`")
    for part, count in in_core.items():
        shares[part] += core * count / in_core.total()
    for files, part in CORE_PARTS.items():
        largest[part] += [f"`{stem}.rs`" for stem in files.split("|")][: 3 - len(largest[part])]
    print("| part | share of the time | C floors | mostly |")
    print("| --- | ---: | ---: | --- |")
    for part, share in shares.items():
        if share >= 0.05:
            print(f"| {part} | {share:.0f} % | {share / 100 * call:.2f} | {', '.join(largest[part])} |")
    print(f"| all | {sum(shares.values()):.0f} % | {sum(shares.values()) / 100 * call:.2f} | |")


if __name__ == "__main__":
    main()
