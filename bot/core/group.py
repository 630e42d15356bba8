"""A host's merge queue: whether a change, put on top of what goes before it, is what was planned and approved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.core.project import Affected, Selection


@dataclass(frozen=True, slots=True)
class Group:
    """A change as the host's queue would merge it: commit ``sha`` on top of ``base``.

    ``affected`` is what it would concern there, under the rules of that digest. ``mechanical`` is False when the
    commit is not just the change's head merged onto that base; ``landed`` whether the target branch has that base, so
    that nothing goes before it in the queue any more.
    """

    sha: str
    base: str
    mechanical: bool
    affected: tuple[Affected, ...] = ()
    rules_digest: str = ""
    landed: bool = True


def differs(group: Group, selection: Selection) -> str:
    """Why the plan that people saw is not what the queue would merge, in words; empty when it is just that.

    Equal inputs give equal plans: who goes before it in the queue may change anything but what its projects read.
    """
    if not group.mechanical:
        return "The queue's commit is not just this change on top of its base"
    if group.rules_digest != selection.rules_digest:
        return "The queue's commit stands under other rules than those it was judged by"
    planned, there = _read(selection.affected), _read(group.affected)
    other = [name for name in sorted({*planned, *there}) if planned.get(name) != there.get(name)]
    if not other:
        return ""
    more = f" and {len(other) - 1} more" if len(other) > 1 else ""
    return f"In the queue's commit {other[0]}{more} would be planned from something else than what people saw"


def _read(affected: tuple[Affected, ...]) -> Mapping[str, tuple[object, ...]]:
    """Project -> all that its plan follows from: what it reads, and its binding."""
    return {each.project.name: (each.digest, each.project.binding()) for each in affected}
