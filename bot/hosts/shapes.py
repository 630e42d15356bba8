"""What the words of a webhook must look like before they are used: they may be anybody's."""

from __future__ import annotations

import re
from typing import Final

DELIVERY: Final = re.compile(r"[A-Za-z0-9-]{1,100}")
EVENT: Final = re.compile(r"[a-z0-9_]{1,100}")
ACCOUNT: Final = re.compile(r"[\w.-]{1,100}", re.ASCII)
REPOSITORY: Final = re.compile(r"[\w.-]{1,100}/[\w.-]{1,100}", re.ASCII)
PROJECT: Final = re.compile(r"[\w.-]{1,255}(/[\w.-]{1,255}){1,21}", re.ASCII)
"""A repository within groups within groups."""
BRANCH: Final = re.compile(r"[^\x00-\x20\x7f]{1,1000}")
MAX_NUMBER: Final = 10**12
"""What a change's number may have; see ChangeRef.parse."""

_SHA: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


def sha(text: str) -> str:
    """A commit's id; empty for what is none."""
    return text if _SHA.fullmatch(text) else ""


def moved(text: str) -> str | None:
    """A push's commit: empty for the zeros that mean "none", None for what is no commit at all."""
    if text and not text.strip("0"):
        return ""
    return sha(text) or None


def word(text: str | None) -> str:
    """A short word of a payload, fit for a log."""
    return "".join(char for char in (text or "")[:100] if char.isprintable())
