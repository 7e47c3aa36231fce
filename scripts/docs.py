"""Checks that the documents say what is there.

- every `make TARGET` that they show is a target of the Makefile, and every program and script of the project that
  a fenced sh block runs exists;
- a fenced block after `<!-- from: PATH -->` stands word for word in that file;
- relative links lead to files.
"""

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/BINDINGS.md", "docs/PERFORMANCE.md")

FENCE = re.compile(
    r"(?:<!-- from: (?P<source>\S+) -->\s*\n)?^```(?P<language>\w*)[^\n]*\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
INLINE_MAKE = re.compile(r"`(make [^`]+)`")
LINK = re.compile(r"\]\((?!\w+:)(?P<path>[^)#]+)(?:#[^)]*)?\)")
TARGETS = set(re.findall(r"^([a-z][\w-]*):(?!=)", (ROOT / "Makefile").read_text(), re.M))


def commands(script: str) -> Iterator[list[str]]:
    """Yields the commands of a shell script as words, without prompts, comments and assignments in front."""
    for line in script.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|\|\||[|;]", line.removeprefix("$ ")):
            words = shlex.split(part, comments=True)
            while words and re.match(r"\w+=", words[0]):
                words = words[1:]
            if words:
                yield words


def program_exists(program: str) -> bool:
    """Tells whether a program of the project is there, or will be once it is built (`bin/NAME`)."""
    path = Path(program)
    if path.parts[0] == "bin":
        return any((ROOT / folder / path.name).is_dir() for folder in ("examples", "go/cmd"))
    return (ROOT / path).exists()


def command_problems(words: list[str]) -> Iterator[str]:
    """Yields what is wrong with one command."""
    program = words[0]
    if program == "make":
        for word in words[1:]:
            if not word.startswith("-") and "=" not in word and word not in TARGETS:
                yield f"the Makefile has no target {word}"
    elif "/" in program and not program.startswith(("/", "~", "$", "..")) and not program_exists(program):
        yield f"{program} does not exist"


def problems(text: str, folder: Path) -> Iterator[str]:
    """Yields what is wrong with one document."""
    for block in FENCE.finditer(text):
        if block["language"] == "sh":
            for words in commands(block["body"]):
                yield from command_problems(words)
        if source := block["source"]:
            if not (ROOT / source).is_file():
                yield f"{source}, named as the source of a block, does not exist"
            elif block["body"] not in (ROOT / source).read_text():
                yield f"the block from {source} does not stand there word for word"
    prose = FENCE.sub("", text)
    for inline in INLINE_MAKE.finditer(prose):
        words = inline[1].replace("…", "").split()
        yield from command_problems([word for word in words if word != "TARGET"])
    for link in LINK.finditer(prose):
        if not (folder / link["path"]).exists():
            yield f"the link to {link['path']} leads nowhere"


def main() -> int:
    """Prints every problem and returns the exit status."""
    found = []
    for name in DOCUMENTS:
        path = ROOT / name
        if path.is_file():
            found += [f"{name}: {problem}" for problem in problems(path.read_text(encoding="utf-8"), path.parent)]
        else:
            found.append(f"{name}: missing")
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
