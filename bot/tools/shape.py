"""What a tool printed, taken for no more than it is: it may be cut off, of another version, or written by the change.

Parts that are not there count as empty, parts of another shape end the reading with ToolFailed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from bot.core.errors import ToolFailed

_NONE: Final[Mapping[str, Any]] = {}


def decoded(text: str | bytes) -> Any:
    """JSON as values without lone surrogates, which no store and no host takes. Raises ValueError, RecursionError."""
    # Given bytes, the parser would let surrogates pass.
    written = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    value = json.loads(written)
    return _well_formed(value) if r"\ud" in written or r"\uD" in written else value


def _well_formed(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case dict():
            return {_well_formed(name): _well_formed(each) for name, each in value.items()}
        case list():
            return [_well_formed(each) for each in value]
        case _:
            return value


def mapping(value: Any) -> Mapping[str, Any]:
    """An object; nothing (null, or an empty value of any kind) is an empty one. Raises ToolFailed."""
    if isinstance(value, dict):
        return value
    if value:
        raise ToolFailed("its machine-readable output has another shape than is known here")
    return _NONE


def sequence(value: Any) -> Sequence[Any]:
    """A list, as ``mapping`` is for objects."""
    if isinstance(value, list):
        return value
    if value:
        raise ToolFailed("its machine-readable output has another shape than is known here")
    return ()


def mappings(value: Any) -> Sequence[Mapping[str, Any]]:
    """A list of objects, as ``mapping`` is for one."""
    return [mapping(each) for each in sequence(value)]


def text(value: Any) -> str:
    """Text as it is, anything else as it is written; empty for nothing."""
    return value if isinstance(value, str) else str(value) if value else ""
