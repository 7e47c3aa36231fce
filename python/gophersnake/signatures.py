"""What can be known of a function before it is called."""

from __future__ import annotations

import inspect
from typing import Any


def is_async(function: Any) -> bool | None:
    """Return whether a call of the function returns a coroutine: True or None."""
    call = None if isinstance(function, type) else getattr(type(function), "__call__", None)  # noqa: B004
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call) or None


def check_signature(function: Any, positional: int, keywords: list[str] | None) -> str | None:
    """Compare a call with a function's signature.

    Returns:
        What does not fit, or None, also where Python cannot tell the signature.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    name = getattr(function, "__name__", type(function).__name__)
    parameters = signature.parameters.values()
    takes = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if positional > len(takes) and not any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return f"it passes {positional} positional arguments, but {name}{signature} takes {len(takes)}"
    for parameter in takes[:positional]:
        if parameter.name in (keywords or []):
            return f"it passes {parameter.name!r} by position and by keyword to {name}{signature}"
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    named = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    for keyword in keywords or []:
        if keyword not in named:
            return f"it passes the keyword argument {keyword!r}, which {name}{signature} does not take"
    return None
