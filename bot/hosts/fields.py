"""Fields of hosts' JSON, and the mark on what we write. Whatever is missing or odd becomes a harmless default."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
ADDRESSED: Final = re.compile(r"^[ \t]*(?:/|@|headgate\b)", re.IGNORECASE | re.MULTILINE)
"""A comment that may hold a command: what its author may do has to be known."""
MARKER: Final = "<!-- headgate:"
"""How everything begins that we write in a conversation; it does not show."""


def moment(text: object) -> datetime | None:
    """``2026-01-02T03:04:05Z`` as an aware time that can be told in UTC."""
    if not isinstance(text, str):
        return None
    try:
        parsed = datetime.fromisoformat(text)
        aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        aware.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return aware


def some(value: object) -> Mapping[str, Any]:
    """A JSON object, or an empty one in place of anything else (null: a deleted account, a deleted fork)."""
    return value if isinstance(value, dict) else {}


def login(account: object) -> str:
    """An account's login; empty for one that was deleted (null)."""
    return str(some(account).get("login") or "")


def has_marker(body: str) -> bool:
    """Whether a comment's first line bears our marker."""
    return body.startswith(MARKER)


def is_ours(author: str, body: str, own: str) -> bool:
    """Whether we wrote it: our account did, and it bears our marker. A person's token may be our account."""
    return bool(own) and author.lower() == own.lower() and has_marker(body)
