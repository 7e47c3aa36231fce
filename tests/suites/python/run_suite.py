"""Runs tests that others wrote, in the host or in plain Python, and writes what becomes of each, as lines of JSON.

A line is written before a test begins and after it has ended, so that a crash or a hang has a name.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
import tempfile
import traceback
import unittest
from collections.abc import Iterable, Iterator
from typing import Any

# What becomes of a module or a path that this version does not have.
ABSENT = "not there"
# From the best to the worst: a test that is told of twice has the worse outcome.
OUTCOMES = ["passed", "skipped", "failed as expected", "failed"]


class Results:
    """The file of results; tests that it has already are not run again."""

    def __init__(self, file: str, left_out: Iterable[str], only: Iterable[str]) -> None:
        self.left_out = [glob(pattern) for pattern in left_out]
        self.only = set(only)
        self.done = set()
        if os.path.exists(file):
            with open(file) as lines:
                self.done = {line["id"] for line in map(json.loads, lines) if line["outcome"] != "begun"}
        self.descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self.pid = os.getpid()

    def put(self, test: str, outcome: str, why: str = "") -> None:
        if os.getpid() == self.pid:  # and not in a fork that a test has let go
            line = {"id": clean(test), "outcome": outcome, "why": why[-3000:]}
            os.write(self.descriptor, f"{json.dumps(line)}\n".encode())

    def wanted(self, test: str) -> bool:
        test = clean(test)
        if test in self.done or any(pattern.fullmatch(test) for pattern in self.left_out):
            return False
        return not self.only or test in self.only


def glob(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)


def clean(test: str) -> str:
    """The name of a test, with what differs from one process to the next taken out."""
    return re.sub(r"0x[0-9a-f]{6,}", "0x", test)


class UnittestResult(unittest.TestResult):
    def __init__(self, results: Results) -> None:
        super().__init__()
        self.results = results
        self.running: str | None = None

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self.running, self.outcome, self.why = test.id(), "passed", ""
        self.results.put(test.id(), "begun")

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        self.running = None
        self.results.put(test.id(), self.outcome, self.why)

    def note(self, test: Any, outcome: str, why: Any) -> None:
        text = why if isinstance(why, str) else "".join(traceback.format_exception(*why))
        if self.running is None:  # a class or a module that could not be set up
            self.results.put(test.id(), outcome, text)
        elif OUTCOMES.index(outcome) > OUTCOMES.index(self.outcome):
            self.outcome, self.why = outcome, text

    def addFailure(self, test: Any, err: Any) -> None:
        self.note(test, "failed", err)

    addError = addFailure

    def addSkip(self, test: Any, reason: str) -> None:
        self.note(test, "skipped", reason)

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        self.note(test, "failed as expected", err)

    def addUnexpectedSuccess(self, test: Any) -> None:
        self.note(test, "failed", "it was expected to fail")

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        if err is not None:
            self.note(test, "failed", err)


def run_unittest(results: Results, names: list[str]) -> None:
    """Run modules of ``unittest``."""
    for name in names:
        if importlib.util.find_spec(name) is None:
            results.put(name, ABSENT)
            continue
        if name.startswith("test."):
            from test import support

            support.use_resources = []  # no network, no display, nothing that takes gigabytes or minutes
            support.verbose = 0
        if name.endswith("test_events"):
            # They need no more of their watcher than that it waits for children, which the usual one does without signals.
            import asyncio

            if hasattr(asyncio, "SafeChildWatcher"):
                asyncio.SafeChildWatcher = asyncio.ThreadedChildWatcher  # type: ignore[misc]
        try:
            tests = unittest.defaultTestLoader.loadTestsFromModule(importlib.import_module(name))
        except unittest.SkipTest as skipped:
            results.put(name, "skipped", str(skipped))
            continue
        except Exception as failure:
            results.put(name, "failed", "".join(traceback.format_exception(failure)))
            continue
        wanted(tests, results).run(UnittestResult(results))


def wanted(tests: unittest.TestSuite, results: Results) -> unittest.TestSuite:
    """The same suite, with those tests only that are wanted."""
    kept = type(tests)()
    for test in flatten(tests):
        if results.wanted(test.id()):
            kept.addTest(test)
    return kept


def flatten(tests: unittest.TestSuite) -> Iterator[Any]:
    for test in tests:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


class PytestPlugin:
    def __init__(self, results: Results) -> None:
        self.results = results
        self.outcome, self.why = "passed", ""

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = [item for item in items if self.results.wanted(item.nodeid)]

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.outcome, self.why = "passed", ""
        self.results.put(nodeid, "begun")

    def pytest_runtest_logreport(self, report: Any) -> None:
        outcome = report.outcome
        if hasattr(report, "wasxfail"):
            outcome = "failed as expected" if report.skipped else "passed"
        if OUTCOMES.index(outcome) > OUTCOMES.index(self.outcome):
            self.outcome, self.why = outcome, report.longreprtext

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.results.put(nodeid, self.outcome, self.why)

    def pytest_collectreport(self, report: Any) -> None:
        if report.outcome != "passed":
            self.results.put(f"{report.nodeid} (collected)", report.outcome, report.longreprtext)


def run_pytest(results: Results, names: list[str]) -> None:
    """Run packages and modules by pytest, with names that begin where packages are installed."""
    import pytest

    root = os.path.dirname(os.path.dirname(pytest.__file__))
    options = ["-q", "-q", "--no-header", "--tb=short", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", root]
    paths = [os.path.join(root, name) for name in names]
    for name, path in zip(names, paths, strict=True):
        if not os.path.exists(path):
            results.put(name, ABSENT)
            return
    code = pytest.main([*options, *paths], plugins=[PytestPlugin(results)])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
        results.put(" ".join(names), "failed", f"pytest: {code!r}")


def run(kind: str, file: str, left_out: list[str], only: list[str], names: list[str]) -> None:
    """Run tests and write their results to a file.

    Args:
        kind: what runs them, ``unittest`` or ``pytest``.
        file: where the results are added.
        left_out: patterns of tests that are not run; ``*`` is anything.
        only: the tests to run, all if there is none.
        names: modules, or paths below the folder of packages.
    """
    results = Results(file, left_out, only)
    os.chdir(tempfile.mkdtemp(prefix="suite-", dir=os.environ["TMPDIR"]))
    {"unittest": run_unittest, "pytest": run_pytest}[kind](results, names)
    results.put("(end)", "passed")


if __name__ == "__main__":
    run(*json.load(sys.stdin))
