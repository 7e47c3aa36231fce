"""Generators that note what happens to them."""

import sys
import time


def watched(log):
    try:
        while True:
            yield 1
    finally:
        log.append("closed")


def refusing(log):
    try:
        yield 1
    finally:
        raise KeyError("close")


def sleeping(log, seconds):
    log.append("running")
    time.sleep(seconds)
    yield 1


class Outer:
    class JSONDecodeErrorLike(ValueError):
        pass


def names(log):
    said, heard = "name?", []
    while True:
        try:
            word = yield said
        except Exception as error:
            said = f"caught {error!r}"
            continue
        if word == "stop":
            return "returned", heard
        if word == "number":
            said = 5
            continue
        heard.append(word)
        said = f"hello {word}"


def conversation(log):
    return (yield from names(log))


def hear(log):
    """Note what comes to sys.unraisablehook; with None, no more."""
    sys.unraisablehook = sys.__unraisablehook__ if log is None else lambda it: log.append(repr(it.exc_value))
