"""Reading a host's answer whatever it is: JSON or not, its words about what is wrong, how long to wait."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

LONGEST_WAIT: Final = 3600.0


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, as the host asks for; None when it does not. ``headers`` have lower-case names."""
    after = headers.get("retry-after", "")
    return min(float(after), LONGEST_WAIT) if after.isascii() and after.isdecimal() else None


def parsed(text: str | None) -> Any:
    """JSON, or None for what is none."""
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None


def words(text: str | None) -> str:
    """The host's message and what it finds wrong, on one printable line."""
    data = parsed(text)
    if not isinstance(data, dict):
        return ""
    found = [str(data.get("message") or "")]
    errors = data.get("errors")
    for each in errors[:5] if isinstance(errors, list) else ():
        found.append(str(each.get("message") or each.get("code") or "") if isinstance(each, dict) else str(each))
    line = "; ".join(dict.fromkeys(part for part in found if part))
    return "".join(char if char.isprintable() else " " for char in line)[:300]
