"""The verdict: a tree of reasons that explains itself (P6). Evaluation builds it, rendering reads it."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Status(enum.IntEnum):
    """Ordered on purpose: a parent takes the strongest of its children unless its rule says otherwise.

    SKIPPED a rule that does not concern this change · PENDING waits for something · APPROVED satisfied ·
    DENIED must not pass as it is.
    """

    SKIPPED = 0
    PENDING = 1
    APPROVED = 2
    DENIED = 3


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule's outcome, with the values compared, who can change it and how.

    ``rule`` is a stable identifier (``approvals.prod``); ``text`` one plain sentence without a full stop;
    ``values`` what was compared with what; ``who`` logins or roles who can unblock; ``how`` the exact words to
    type or the click to make. ``ignored`` are (who, why) of approvals that do not count.
    """

    rule: str
    status: Status
    text: str
    values: tuple[tuple[str, str], ...] = ()
    who: tuple[str, ...] = ()
    how: str = ""
    counted: tuple[str, ...] = ()
    ignored: tuple[tuple[str, str], ...] = ()
    children: tuple[Reason, ...] = ()

    def leaves(self) -> tuple[Reason, ...]:
        """The rules that decide, without the groups above them."""
        if not self.children:
            return (self,)
        return tuple(leaf for child in self.children for leaf in child.leaves())

    def blockers(self) -> tuple[Reason, ...]:
        """What stands in the way, denials first; nothing below a group that is met, though a way to it may wait."""
        return tuple(sorted(self._blocking(), key=lambda leaf: -leaf.status))

    def _blocking(self) -> tuple[Reason, ...]:
        if self.status not in (Status.PENDING, Status.DENIED):
            return ()
        return tuple(leaf for child in self.children for leaf in child._blocking()) or (self,)


def all_of(rule: str, text: str, children: tuple[Reason, ...]) -> Reason:
    """Denied if one is denied, else pending if one is pending, else approved (all skipped: skipped)."""
    seen = {child.status for child in children}
    for status in (Status.DENIED, Status.PENDING, Status.APPROVED):
        if status in seen:
            return Reason(rule, status, text, children=children)
    return Reason(rule, Status.SKIPPED, text, children=children)
