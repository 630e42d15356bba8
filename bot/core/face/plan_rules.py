"""What plan rules found, as a notice of the comment: what denies, what wants somebody, what is only told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from bot.core.face.explain import plain_keeping_code, sentence
from bot.core.face.markdown import plain
from bot.core.verdict import Reason, Status

MOST: Final = 15
"""Rules told in the comment; `/explain` tells of all."""
WARNING: Final = "Warning: "


def plan_notices(verdict: Reason) -> Iterator[str]:
    """One box, denials first; nothing when no rule found anything."""
    found = sorted(_found(verdict), key=lambda reason: -reason.status)
    lines = [_line(reason) for reason in found[:MOST]]
    if len(found) > MOST:
        lines.append(f"… and {len(found) - MOST} more plan rules")
    if lines:
        yield "\n".join(f"> {line}  " for line in lines)


def _found(reason: Reason) -> Iterator[Reason]:
    if reason.rule.startswith("plan-rule.") and reason.values:
        yield reason
        return
    for child in reason.children:
        yield from _found(child)


def _line(reason: Reason) -> str:
    shown = "; ".join(f"{plain(where)}: {plain(what)}" for where, what in reason.values[:3])
    more = f"; and {len(reason.values) - 3} more" if len(reason.values) > 3 else ""
    if reason.status is Status.APPROVED:
        text = plain_keeping_code(reason.text.removeprefix(WARNING))
        badge = "⚠" if reason.text.startswith(WARNING) else "✅"
        return f"{badge} {text} · {shown}{more}"
    badge = "⛔" if reason.status is Status.DENIED else "⏸"
    return f"{badge} {sentence(reason)} · {shown}{more}"
