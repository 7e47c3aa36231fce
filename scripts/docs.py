"""Checks that the documents say what is there.

- every `make TARGET` that they show is a target of the Makefile, and every program and script of the project that
  a fenced sh block runs exists;
- a fenced block after `<!-- from: PATH -->` stands word for word in that file;
- relative links lead to files;
- the tests that docs/PROMISES.md names exist.
"""

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = (
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "docs/BINDINGS.md",
    "docs/LIBRARIES.md",
    "docs/PERFORMANCE.md",
    "docs/PROMISES.md",
)

FENCE = re.compile(
    r"(?:<!-- from: (?P<source>\S+) -->\s*\n)?^```(?P<language>\w*)[^\n]*\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
INLINE_MAKE = re.compile(r"`(make [^`]+)`")
LINK = re.compile(r"\]\((?!\w+:)(?P<path>[^)#]+)(?:#[^)]*)?\)")
TARGETS = set(re.findall(r"^([a-z][\w-]*):(?!=)", (ROOT / "Makefile").read_text(), re.M))
GO_TEST = re.compile(r"`((?:Test|Fuzz)[A-Z]\w*)`")
TORTURE = re.compile(r"`torture/(?P<program>\w+):\s(?P<case>[^`]+)`")
C_TEST = re.compile(r"`(tests/[\w./]+)`")


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


def missing_tests(text: str) -> Iterator[str]:
    """Yields the tests that a document names and that are not there."""
    sources = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("**/*_test.go"))
    tests = set(re.findall(r"^func ((?:Test|Fuzz)\w+)\(", sources, re.M))
    for name in GO_TEST.findall(text):
        if name not in tests:
            yield f"there is no test {name}"
    for named in TORTURE.finditer(text):
        program = ROOT / "tests/torture" / named["program"] / "main.go"
        words = r"\s+".join(map(re.escape, named["case"].split()))
        # The rest of a name may be a number or a size that is put behind it.
        stem = rf'"{words}[",]|"{words.rpartition(chr(92) + "s+")[0]} "'
        if not program.is_file() or not re.search(stem, program.read_text(encoding="utf-8")):
            yield f"tests/torture/{named['program']} has no case {named['case']!r}"
    for name in C_TEST.findall(text):
        if not (ROOT / name).exists():
            yield f"{name} does not exist"


def main() -> int:
    """Prints every problem and returns the exit status."""
    found = []
    for name in DOCUMENTS:
        path = ROOT / name
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            found += [f"{name}: {problem}" for problem in problems(text, path.parent)]
            if path.name == "PROMISES.md":
                found += [f"{name}: {problem}" for problem in missing_tests(text)]
        else:
            found.append(f"{name}: missing")
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
