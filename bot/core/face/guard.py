"""What the static guard found, as a notice of the comment: denials first, bounded, every word made harmless."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, assert_never

from bot.core.face.explain import plain_keeping_code
from bot.core.face.markdown import code, plain
from bot.core.guard.judging import ORDER, place, remedy
from bot.core.guard.model import Judged, Level
from bot.core.project import Selection

MOST: Final = 15
"""Findings in the comment; the gate's check and `/explain` name every denial."""


def guard_notices(selection: Selection) -> Iterator[str]:
    """One box of findings; nothing when there are none. What the target branch has too is no news, so it takes one
    line together: told at length on every change, it would teach people to look past the box."""
    known = [each for each in selection.guard if _no_news(each)]
    news = (each for each in selection.guard if not _no_news(each))
    found = sorted(news, key=lambda each: ORDER.index(each.level))
    lines = [_line(each) for each in found[:MOST]]
    if len(found) > MOST:
        lines.append(f"… and {len(found) - MOST} more findings of the static guard")
    if known:
        lines.append(_known(known))
    if lines:
        yield "\n".join(f"> {line}  " for line in lines)


def _no_news(each: Judged) -> bool:
    return each.standing and each.level is Level.NOTE


def _known(known: list[Judged]) -> str:
    """Each rule with its values, once."""
    values: dict[str, dict[str, None]] = {}
    for each in known:
        values.setdefault(each.finding.rule, {})[each.finding.value] = None
    shown = [
        " ".join((f"**{plain(rule)}**", *(code(value) for value in list(some)[:3] if value)))
        + ("…" if len(some) > 3 else "")
        for rule, some in sorted(values.items())
    ]
    return f"ℹ The target branch has these too: {', '.join(shown)}"


def _line(each: Judged) -> str:
    finding = each.finding
    value = f": {code(finding.value)}" if finding.value else ""
    before = f" (target branch: {code(each.before)})" if each.before else ""
    project = f" in **{plain(each.project)}**" if each.project else ""
    standing = "; the target branch has it too" if each.standing else ""
    what = f"{plain_keeping_code(finding.what)}{value}{before}{standing} · {code(place(finding), 200)}"
    return f"{_badge(each.level)} **{plain(finding.rule)}**{project}: {what}{_way_out(each)}"


def _badge(level: Level) -> str:
    match level:
        case Level.DENY:
            return "⛔"
        case Level.LOOK:
            return "👀"
        case Level.NOTE | Level.IGNORE:
            return "ℹ"
        case _:
            assert_never(level)


def _way_out(each: Judged) -> str:
    return f" · {remedy(each.finding)}" if each.level is Level.DENY else ""
