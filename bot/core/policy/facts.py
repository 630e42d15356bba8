"""What rules compare with: one value per change, whole before the first rule is looked at."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bot.core.effectset import EffectSet
from bot.core.model import HostCheck, Permission, ReviewState
from bot.core.policy.owners import Owners


class FileStatus(enum.Enum):
    """What a change does to a file. A renamed one is deleted under its old name and added under the new."""

    ADDED = "added"
    CHANGED = "changed"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class FileFact:
    """A file that differs, with how many of its lines (0 for one that is not text)."""

    path: str
    status: FileStatus = FileStatus.CHANGED
    added: int = 0
    deleted: int = 0


@dataclass(frozen=True, slots=True)
class Signature:
    """A commit's signature as the host judged it: whose it is and with which key, where it says so."""

    valid: bool
    by: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class CommitFact:
    """A commit of the change. Logins are empty where the host knows none; ``signature`` None where it is silent."""

    sha: str
    parents: tuple[str, ...] = ()
    author: str = ""
    committer: str = ""
    via_web: bool = False
    message: str = ""
    pushed_at: datetime | None = None
    pushed_by: str = ""
    asked_by: tuple[str, ...] = ()
    signature: Signature | None = None

    def hands(self) -> tuple[str, ...]:
        """Whose work it is; a commit made by the host's own button has no committer."""
        committer = () if self.via_web else (self.committer,)
        return tuple(login for login in (self.author, *committer, self.pushed_by, *self.asked_by) if login)


class Files(tuple[FileFact, ...]):
    """The files of a change, with their paths by status, told apart once for all rules."""

    def paths(self, wanted: frozenset[FileStatus]) -> list[str]:
        """The paths of those with one of these statuses."""
        kept: dict[Any, list[str]] = self.__dict__
        if wanted not in kept:
            kept[wanted] = [each.path for each in self if each.status in wanted]
        return kept[wanted]


class Commits(tuple[CommitFact, ...]):
    """The commits of a change, with what rules ask of all of them, found once."""

    def history(self, head: str) -> frozenset[str]:
        """A commit and all before it, as far as the change goes; empty for one that is not in it."""
        kept: dict[Any, frozenset[str]] = self.__dict__
        if head not in kept:
            parents = {each.sha: each.parents for each in self}
            kept[head] = frozenset(_walk(head, parents)) if head in parents else frozenset()
        return kept[head]

    def hands(self) -> frozenset[str]:
        """Lower-cased logins of everybody whose work is in them."""
        kept: dict[Any, frozenset[str]] = self.__dict__
        if None not in kept:
            kept[None] = frozenset(hand.lower() for each in self for hand in each.hands())
        return kept[None]


def _walk(head: str, parents: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    waiting, seen = [head], {head}
    while waiting:
        sha = waiting.pop()
        yield sha
        for parent in parents[sha]:
            if parent in parents and parent not in seen:
                seen.add(parent)
                waiting.append(parent)


class Saying(enum.Enum):
    """By what somebody said something about a change."""

    REVIEW = "review"
    COMMENT = "comment"
    DESCRIPTION = "description"


@dataclass(frozen=True, slots=True)
class Word:
    """Something somebody said: a review, a comment, the description.

    ``head`` is the commit it was said of, where that is known. ``uncovered`` are projects whose present effects were
    not shown to who said it, with why (law 5).
    """

    id: str
    kind: Saying
    author: str
    at: datetime
    text: str = ""
    state: ReviewState | None = None
    edited_at: datetime | None = None
    head: str = ""
    by_bot: bool = False
    uncovered: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProjectFact:
    """An affected project: the environments whose gates it must pass, and what its plan would do (None: no plan)."""

    name: str
    environments: tuple[str, ...]
    tool: str
    effects: EffectSet | None = None
    drifted: bool | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule found in a project's plan. ``error`` is set where it could not be evaluated: that denies."""

    rule: str
    project: str
    address: str = ""
    what: str = ""
    error: str = ""
    policy: str = ""
    """The file that the rule is of."""


@dataclass(frozen=True, slots=True)
class People:
    """Who belongs where and may do what; names and logins in lower case.

    A team or organisation that is not there is one that the host did not let us list: nobody is known to be in it,
    and nobody to be outside of it.
    """

    teams: Mapping[str, frozenset[str]] = field(default_factory=dict)
    organisations: Mapping[str, frozenset[str]] = field(default_factory=dict)
    permissions: Mapping[str, Permission] = field(default_factory=dict)

    def permission_of(self, login: str) -> Permission:
        """What somebody may do here."""
        return self.permissions.get(login.lower(), Permission.NONE)


@dataclass(frozen=True, slots=True)
class Facts:
    """A change as rules see it.

    ``files`` and ``commits`` are None where their list was cut off at a limit: then nothing about them holds, nor
    does its contrary. ``properties`` are the repository's own, as the host keeps them; None where it does not tell.
    """

    now: datetime
    repository: str = ""
    author: str = ""
    author_is_bot: bool = False
    bot: str = ""
    """Our own login, who approves nothing."""
    title: str = ""
    target_branch: str = ""
    source_branch: str = ""
    head: str = ""
    draft: bool = False
    labels: tuple[str, ...] = ()
    files: tuple[FileFact, ...] | None = ()
    commits: tuple[CommitFact, ...] | None = ()
    words: tuple[Word, ...] = ()
    checks: tuple[HostCheck, ...] = ()
    workflows: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Path of a workflow's file -> the conclusions of its latest run for each kind of event."""
    people: People = People()
    projects: tuple[ProjectFact, ...] = ()
    owners: Owners | None = None
    """The repository's code owners, as the target branch has them."""
    properties: Mapping[str, tuple[str, ...]] | None = None
    topics: tuple[str, ...] | None = None
    found: tuple[Found, ...] = ()
    """What plan rules found in these projects' plans."""
    unknown_hands: tuple[str, ...] = ()
    """What about the contributors nobody can tell, as phrases."""

    def __post_init__(self) -> None:
        """Lists that many rules look through remember what was found in them."""
        if self.files is not None:
            object.__setattr__(self, "files", Files(self.files))
        if self.commits is not None:
            object.__setattr__(self, "commits", Commits(self.commits))

    def contributors(self, commits: Iterable[CommitFact] | None = None) -> frozenset[str]:
        """Lower-cased logins of the author and of everybody whose work is in these commits (all, unless said)."""
        found = (self.commits or ()) if commits is None else commits
        whose = found if isinstance(found, Commits) else Commits(found)
        return whose.hands() | {self.author.lower()}
