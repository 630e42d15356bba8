"""What the Git host knows: repositories, changes, people, reviews, comments; host-neutral values."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


class Permission(enum.IntEnum):
    """What a person may do in a repository; comparable."""

    NONE = 0
    READ = 10
    TRIAGE = 20
    WRITE = 30
    MAINTAIN = 40
    ADMIN = 50


@dataclass(frozen=True, slots=True, order=True)
class RepoRef:
    """A repository: the host's name in the operator's settings and the path there (``acme/infra``)."""

    host: str
    path: str

    def __str__(self) -> str:
        return f"{self.host}/{self.path}"

    @classmethod
    def parse(cls, text: str) -> RepoRef:
        """``github/acme/infra`` -> RepoRef. Raises ValueError on anything without a slash."""
        host, _, path = text.partition("/")
        if not host or not path:
            raise ValueError(f"not a repository: {text!r} (wanted HOST/OWNER/NAME)")
        return cls(host, path)


@dataclass(frozen=True, slots=True)
class Home:
    """A repository as its host tells it apart: what it is called now, and the host's own number for it, which no
    renaming and no transfer changes."""

    repo: RepoRef
    id: str


@dataclass(frozen=True, slots=True, order=True)
class ChangeRef:
    """A change (pull or merge request) of a repository."""

    repo: RepoRef
    number: int

    def __str__(self) -> str:
        return f"{self.repo}!{self.number}"

    @classmethod
    def parse(cls, text: str) -> ChangeRef:
        """``github/acme/infra!12`` -> ChangeRef. Raises ValueError on anything else."""
        repo, mark, number = text.rpartition("!")
        if not mark or not number.isdecimal() or len(number) > 12:
            raise ValueError(f"not a change: {text!r} (wanted HOST/OWNER/NAME!NUMBER)")
        return cls(RepoRef.parse(repo), int(number))


class ChangeState(enum.Enum):
    OPEN = "open"
    CLOSED = "closed"
    MERGED = "merged"


class Mergeable(enum.Enum):
    """Whether the host could merge right now; UNKNOWN while it is still computing."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class HostHold:
    """A rule of the host's own that keeps a change from being merged: what it waits for, and what to do."""

    text: str
    how: str


@dataclass(frozen=True, slots=True)
class Change:
    """A pull or merge request as the host last told it. Logins are as the host spells them.

    ``head_repo`` is None when the fork was deleted. ``merge_sha`` is the commit the host names as the result
    of the merge; what it really is, is read from the target branch. ``held`` are the host's own rules that it
    says are not met; ours and checks never stand there. ``queued`` says that the host has been told to merge it in
    its turn (or is at it).
    """

    ref: ChangeRef
    title: str
    author: str
    state: ChangeState
    head_sha: str
    head_ref: str
    head_repo: RepoRef | None
    base_ref: str
    base_sha: str
    created_at: datetime
    updated_at: datetime
    url: str = ""
    body: str = ""
    author_is_bot: bool = False
    draft: bool = False
    labels: tuple[str, ...] = ()
    mergeable: Mergeable = Mergeable.UNKNOWN
    merged_at: datetime | None = None
    merged_by: str = ""
    merge_sha: str = ""
    locked: bool = False
    held: tuple[HostHold, ...] = ()
    queued: bool = False

    @property
    def from_fork(self) -> bool:
        return self.head_repo != self.ref.repo


class ReviewState(enum.Enum):
    APPROVED = "approved"
    CHANGES_REQUESTED = "changes_requested"
    COMMENTED = "commented"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True)
class Review:
    """One review. ``sha`` is the commit it was given on; empty where the host does not say."""

    id: str
    author: str
    state: ReviewState
    sha: str
    submitted_at: datetime
    body: str = ""
    by_bot: bool = False


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment in the change's conversation. ``edited_at`` is None when it was never edited.

    ``ours`` is True only when the host says that our own account wrote it.
    """

    id: str
    author: str
    body: str
    created_at: datetime
    edited_at: datetime | None = None
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of the change. ``author`` and ``committer`` are logins; empty when the host knows none.

    ``via_web`` marks commits made by the host itself (its "update branch" button and web editor). ``asked_by``
    are the logins that a bot's commit names as its co-authors: who asks a bot for a change wrote it (law 5).
    """

    sha: str
    author: str
    committer: str
    via_web: bool = False
    asked_by: tuple[str, ...] = ()


class CheckState(enum.Enum):
    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True)
class HostCheck:
    """A status or check run that something else reported on the head; ours are never read back."""

    name: str
    state: CheckState
    source: str = ""


@dataclass(frozen=True, slots=True)
class LeftLine:
    """When a change last left the host's own line of merges without being merged, and the host's words for why."""

    at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class HostFacts:
    """Everything one read of a change brought back from its host.

    ``permissions`` holds whom we had to ask about (lower-cased login). ``pushers`` maps a head commit to the
    login that pushed it, or to the empty string when the host cannot say. ``complete`` is False when a list
    was cut at a limit: such facts never open a gate.
    """

    change: Change
    reviews: tuple[Review, ...] = ()
    comments: tuple[Comment, ...] = ()
    commits: tuple[Commit, ...] = ()
    checks: tuple[HostCheck, ...] = ()
    permissions: Mapping[str, Permission] = field(default_factory=dict)
    pushers: Mapping[str, str] = field(default_factory=dict)
    complete: bool = True
    read_at: datetime | None = None
    left_line: LeftLine | None = None
    home: Home | None = None
    """Where it was read; None where the host does not tell."""

    def permission_of(self, login: str) -> Permission:
        """The permission of a person; NONE for one we did not ask about."""
        return self.permissions.get(login.lower(), Permission.NONE)
