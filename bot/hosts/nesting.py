"""How deep JSON is nested, told before any parser sees it."""

from __future__ import annotations

import re
from typing import Final

MAX_DEPTH: Final = 64
"""What a webhook's body may have; hosts send about a dozen."""

_STRING: Final = re.compile(rb'"[^"]*+(?:"|\Z)')
_ALIKE: Final = bytes.maketrans(b"{}", b"[]")
_NEITHER: Final = bytes(set(range(256)) - set(b'"[]{}'))


def deeper(body: bytes, most: int) -> bool:
    """Whether brackets nest deeper than that outside strings; before any parser sees them.

    Only quotes and brackets are kept, strings taken out, then innermost pairs, one level at a time: each step is one
    pass of C over what is left, and there are at most ``most`` of them.
    """
    if b"\\" in body:
        body = body.replace(rb"\\", b"").replace(rb"\"", b"")
    # Two quotes side by side enclose no bracket, or join two strings into one; either may go.
    left = body.translate(_ALIKE, _NEITHER).replace(b'""', b"")
    if b'"' in left:
        left = _STRING.sub(b"", left)
    for level in range(most + 1):
        inner = left.replace(b"[]", b"")
        if len(inner) == len(left):
            return level + left.count(b"[") > most
        left = inner
    return True
