"""Findings under the rules in force, against what the target branch has: which deny, which warn, and why."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from bot.core.config.document import shown
from bot.core.guard.model import TEXT, Finding, Judged, Level
from bot.core.guard.rules import RULES, GuardRules
from bot.core.project import Selection
from bot.core.verdict import Reason, Status

KEPT: Final = 200
"""Findings kept per project; denials first, so that what is cut off never turns a denial into none."""


def judged(
    rules: GuardRules, project: str, found: Iterable[Finding], before: Sequence[Finding], *, new: bool = False
) -> tuple[Judged, ...]:
    """What the findings in a change's tree mean.

    ``before`` are those on the target branch, by which they are told from what the change does itself. A ``new``
    project has no state to move from there.
    """
    standing = Counter(_identity(finding) for finding in before)
    result = []
    for finding in found:
        stands = standing[_identity(finding)] > 0
        standing[_identity(finding)] -= 1
        level = rules.level(finding.rule)
        if level is Level.IGNORE or rules.allows(finding.rule, finding.value):
            continue
        each = Judged(_bounded(finding), level, project)
        if stands:
            # Only what would be denied is worth a word when it is not the change's doing.
            if level is Level.DENY and not _moves(finding):
                result.append(replace(each, level=Level.NOTE, standing=True))
        elif not _moves(finding):
            result.append(each)
        elif not new:
            old = next((other.value for other in before if other.rule == finding.rule), "")
            result.append(replace(each, before=_written(old) or "none"))
    return tuple(sorted(result, key=_order)[:KEPT])


def strictest(lists: Iterable[tuple[Judged, ...]]) -> tuple[Judged, ...]:
    """One project judged by the rules of several environments: each finding at its strictest level."""
    found: dict[Finding, Judged] = {}
    for each in (one for judged_by in lists for one in judged_by):
        known = found.get(each.finding)
        if known is None or _order(each) < _order(known):
            found[each.finding] = each
    return tuple(sorted(found.values(), key=_order)[:KEPT])


def _identity(finding: Finding) -> tuple[str, ...]:
    # State may be declared in another file and still be the same state.
    return (finding.rule, finding.value, finding.mark) if _moves(finding) else finding.identity()


def _bounded(finding: Finding) -> Finding:
    # A path may hold bytes that are no text; what is kept can be written down and compared again.
    return replace(finding, path=_written(finding.path), value=_written(finding.value), mark="")


def _written(text: str) -> str:
    return text[:TEXT].encode("utf-8", "replace").decode()


def _moves(finding: Finding) -> bool:
    rule = RULES.get(finding.rule)
    return rule is not None and rule.moved


ORDER: Final = (Level.DENY, Level.LOOK, Level.NOTE, Level.IGNORE)


def _order(each: Judged) -> tuple[int, bool, str, str, int]:
    finding = each.finding
    return (ORDER.index(each.level), each.standing, finding.rule, finding.path, finding.line)


def denials(selection: Selection, project: str) -> tuple[Judged, ...]:
    """What keeps this project's code from running."""
    return tuple(each for each in selection.guard if each.denies and each.project in ("", project))


def looks(selection: Selection) -> tuple[Judged, ...]:
    """What somebody else must have looked at before it is merged."""
    return tuple(each for each in selection.guard if each.level is Level.LOOK)


def guard_reasons(selection: Selection, author: str) -> tuple[Reason, ...]:
    """The gate's view: every denial with its place, its value, and how to unblock it."""
    return tuple(_reason(each, author) for each in selection.guard if each.denies)


def look_reason(found: Sequence[Judged], given: tuple[str, ...], people: tuple[str, ...]) -> Reason:
    """The gate waits until somebody with no hand in the change approved the commit with these findings shown."""
    count = len(found)
    values = tuple((each.finding.rule, place(each.finding)) for each in found[:20])
    if given:
        text = f"{count} finding{'s' * (count != 1)} of the static guard seen by {given[0]}"
        return Reason("guard.look", Status.APPROVED, text, values, counted=given)
    first = found[0].finding
    more = f" (and {count - 1} more)" if count > 1 else ""
    text = f"Somebody else must look at it: {first.what} (`{shown(place(first), 200)}`){more}"
    return Reason("guard.look", Status.PENDING, text, values, people, "approve on the host")


def _reason(each: Judged, author: str) -> Reason:
    finding = each.finding
    subject = f" of {each.project}" if each.project else ""
    values = [("file", place(finding))]
    if finding.value:
        values.append(("value", finding.value))
    if each.before:
        values.append(("target branch", each.before))
    return Reason(
        f"guard.{finding.rule}",
        Status.DENIED,
        f"Nothing{subject} was run: {finding.what} (`{shown(place(finding), 200)}`)",
        values=tuple(values),
        who=(author, "the operator"),
        how=remedy(finding),
    )


def place(finding: Finding) -> str:
    """``PATH:LINE``, or the path alone."""
    return f"{finding.path}:{finding.line}" if finding.line else finding.path


def remedy(finding: Finding) -> str:
    """What the author can do, and what the operator would write."""
    rule = RULES.get(finding.rule)
    if rule is not None and rule.allowed_by and finding.value and ".." not in finding.value.split("/"):
        setting = f"{rule.allowed_by}: [{json.dumps(shown(finding.value, 200), ensure_ascii=False)}]"
    else:
        setting = f"levels: {{{finding.rule}: look}}"
    return f"take it out, or allow it in the operator's file with `guard: {{{setting}}}`"
