"""What the guard finds, and what is made of it."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol


class Level(enum.Enum):
    """What a finding means."""

    IGNORE = "ignore"
    NOTE = "note"
    """It is shown."""
    LOOK = "look"
    """Somebody who had no hand in the change must approve what is shown, whatever its environment asks for."""
    DENY = "deny"
    """No code of the project runs, and the gate is closed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in the tree that would run, fetch or redirect.

    ``rule`` is a name in RULES; ``what`` a few words about it, without a full stop; ``value`` what allowlists are
    compared with; ``line`` 0 where it is not known. ``mark`` identifies all of it: two findings that differ only in
    their line are the same, two that differ in their mark are not.
    """

    rule: str
    path: str
    what: str
    value: str = ""
    line: int = 0
    mark: str = ""

    def identity(self) -> tuple[str, str, str, str]:
        """What makes it the same thing on both sides of a change."""
        return (self.rule, self.path, self.value, self.mark)


TEXT: Final = 300
"""Characters of a path or a value that are kept."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A finding under the rules in force. ``project`` is empty when it concerns the whole change.

    ``standing``: the target branch has it too, so it is not the change's doing and never denies. ``before`` is what
    the target branch has in its place, where that matters.
    """

    finding: Finding
    level: Level
    project: str = ""
    standing: bool = False
    before: str = ""

    @property
    def denies(self) -> bool:
        return self.level is Level.DENY


class EntryKind(enum.Enum):
    """What stands at a path of a tree."""

    FILE = "file"
    EXECUTABLE = "executable"
    LINK = "link"
    SUBMODULE = "submodule"


@dataclass(frozen=True, slots=True)
class Entry:
    """A path's kind, and what identifies its content."""

    kind: EntryKind
    digest: str


class Listing(Protocol):
    """A tree read without a checkout, that also knows what each entry is."""

    def paths(self) -> Sequence[str]:
        """Every file's path, sorted."""
        ...

    def read(self, path: str) -> bytes | None:
        """A regular file's bytes (bounded; None when missing, too large, a link or a submodule)."""
        ...

    def entry(self, path: str) -> Entry | None:
        """What stands there; None for nothing, and for a directory."""
        ...

    def link(self, path: str) -> str | None:
        """Where a symbolic link points, as written; None when it is no link."""
        ...
