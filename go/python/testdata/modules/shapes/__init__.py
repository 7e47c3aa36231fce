import importlib.resources

from . import area


def note():
    return importlib.resources.files(__package__).joinpath("note.txt").read_text(encoding="utf-8")
