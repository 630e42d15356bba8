"""What policies compare with beside the host's facts: read only where rules ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.core.policy.facts import FileFact
from bot.core.policy.owners import Owners


@dataclass(frozen=True, slots=True)
class GitCommit:
    """What git itself says of a commit."""

    parents: tuple[str, ...]
    message: str


@dataclass(frozen=True, slots=True)
class Ground:
    """Files, commits, members of teams, code owners. ``files`` is None where their list was cut off."""

    files: tuple[FileFact, ...] | None = ()
    commits: Mapping[str, GitCommit] = field(default_factory=dict)
    teams: Mapping[str, frozenset[str]] = field(default_factory=dict)
    organisations: Mapping[str, frozenset[str]] = field(default_factory=dict)
    owners: Owners | None = None
