"""What can be known of a function before it is called."""

from __future__ import annotations

import inspect
import sys
from typing import Any


def is_async(function: Any) -> bool | None:
    """Return whether a call of the function returns a coroutine: True or None."""
    call = None if isinstance(function, type) else getattr(type(function), "__call__", None)  # noqa: B004
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call) or None


def signature_of(function: Any) -> inspect.Signature | None:
    """Return the signature of a function; None where Python cannot tell it.

    Annotations stay texts. From CPython 3.14 on they are evaluated when they are read, and may name what is there for
    type checkers only.
    """
    how: dict[str, Any] = {}
    if sys.version_info >= (3, 14):
        from annotationlib import Format

        how["annotation_format"] = Format.STRING
    try:
        return inspect.signature(function, **how)
    except Exception:  # whatever the function's own __signature__, __annotate__ or __wrapped__ raises
        return None


def _shown(signature: inspect.Signature) -> str:
    if sys.version_info >= (3, 14):
        return signature.format(quote_annotation_strings=False)
    return str(signature)


def check_signature(function: Any, positional: int, keywords: list[str] | None) -> str | None:
    """Compare a call with a function's signature.

    Returns:
        What does not fit, or None, also where Python cannot tell the signature.
    """
    signature = signature_of(function)
    if signature is None:
        return None
    name = f"{getattr(function, '__name__', type(function).__name__)}{_shown(signature)}"
    parameters = signature.parameters.values()
    takes = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if positional > len(takes) and not any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return f"it passes {positional} positional arguments, but {name} takes {len(takes)}"
    for parameter in takes[:positional]:
        if parameter.name in (keywords or []):
            return f"it passes {parameter.name!r} by position and by keyword to {name}"
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    named = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    for keyword in keywords or []:
        if keyword not in named:
            return f"it passes the keyword argument {keyword!r}, which {name} does not take"
    return None
