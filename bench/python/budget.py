"""Prints where the time of a no-op goes, by part of the call.

Reads `perf report -t '|' --sort dso,symbol`, and how many C floors a call took from the file that the argument names.
"""

import re
import sys
from pathlib import Path

# The first that matches "library symbol" counts.
PARTS = {
    r"_multiarray_umath|openblas|kernel|bench\.series|NormFloat64|ld-linux": "not the call: start, interrupts, other threads",
    r"bench\.\(\*contestants\)": "the loop that calls",
    r"function_call_array|runtime\.": "crossing from Go to C and back",
    r"libc.* (__GI_)*_*pthread_|pthread_\w+@plt|take_gil|drop_gil|PyEval_(Save|Restore)Thread|PyThreadState_(MustExit|Swap)|errno_location|tstate|thread_state::": (
        "attach: taking the GIL and giving it up"
    ),
    r"python\.\(\*(gate|slot|lane)\)": "gate: a slot for the call and back",
    r"context\.|python\.\(\*(Interpreter|freeList)\)": "Go: state of the interpreter and of the context",
    r"go/python\.": "Go: argument and result",
    r"libgophersnake": "core: array, call, what Python kept, statistics",
    r"libpython|libc\.": "Python: the function call itself",
}


def main() -> None:
    output = Path(sys.argv[1]).read_text()
    found = re.search(r"([0-9.]+) floors/op", output)
    if found is None:
        sys.exit(f"want the output of the benchmark, got: {output}")
    call = float(found[1])
    shares = dict.fromkeys([*PARTS.values(), "other"], 0.0)
    largest: dict[str, list[str]] = {part: [] for part in shares}
    for line in sys.stdin:
        if line.startswith("#") or line.count("|") < 2:
            continue
        share, library, symbol = (field.strip() for field in line.split("|")[:3])
        name = f"{library} {symbol.removeprefix('[.] ')}"
        part = next((part for pattern, part in PARTS.items() if re.search(pattern, name)), "other")
        shares[part] += float(share.rstrip("%"))
        if len(largest[part]) < 3 and float(share.rstrip("%")) >= 0.5:
            largest[part].append("`" + name.split()[-1].split("/")[-1].split("@@")[0] + "`")
    print("| part | share of the time | C floors | mostly |")
    print("| --- | ---: | ---: | --- |")
    for part, share in shares.items():
        if share >= 0.05:
            print(f"| {part} | {share:.0f} % | {share / 100 * call:.2f} | {', '.join(largest[part])} |")
    print(f"| all | {sum(shares.values()):.0f} % | {sum(shares.values()) / 100 * call:.2f} | |")


if __name__ == "__main__":
    main()
