"""Counts words."""

import importlib.resources


def count() -> int:
    """Count the words of a text that lies beside this module in the binary."""
    return len(importlib.resources.files("texts").joinpath("greeting.txt").read_text().split())
