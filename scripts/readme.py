"""Runs the commands of bin/ that README.md shows, word for word, in a shell without variables."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```sh\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(bin/[^`]* [^`]*)`")


def commands(text: str) -> list[str]:
    """Returns the command lines of fenced sh blocks and those in the prose that have arguments."""
    lines = [line for block in BLOCK.finditer(text) for line in block["body"].splitlines() if line.startswith("bin/")]
    return lines + INLINE.findall(BLOCK.sub("", text))


def main() -> int:
    """Prints each command that fails, and returns the exit status."""
    found = commands((ROOT / "README.md").read_text(encoding="utf-8"))
    failed = 0
    with tempfile.TemporaryDirectory() as home:
        for line in found:
            run = subprocess.run(
                ["sh", "-c", line],
                cwd=ROOT,
                env={"PATH": "/usr/bin:/bin", "HOME": home},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
            )
            if run.returncode:
                failed += 1
                print(f"README.md: {line}: status {run.returncode}: {run.stdout}{run.stderr}", file=sys.stderr)
    if not found:
        print("README.md shows no command of bin/", file=sys.stderr)
    return int(failed > 0 or not found)


if __name__ == "__main__":
    sys.exit(main())
