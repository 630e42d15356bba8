"""What can come in: deliveries as they were received, and the hints read from them. Past tense, host-neutral."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.core.model import ChangeRef, RepoRef


@dataclass(frozen=True, slots=True)
class Delivery:
    """A verified webhook as it came: ``body`` is its JSON, ``id`` the host's own delivery id."""

    host: str
    id: str
    event: str
    body: bytes
    received_at: datetime


@dataclass(frozen=True, slots=True)
class ChangeTouched:
    """Something about a change may be different. ``pusher`` is set when ``head`` was just pushed by that login."""

    ref: ChangeRef
    head: str = ""
    pusher: str = ""
    updated_at: datetime | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class BranchMoved:
    """A branch was pushed (or a change merged into it). ``before`` is empty for a new branch."""

    repo: RepoRef
    branch: str
    before: str
    after: str
    pusher: str = ""
    forced: bool = False


@dataclass(frozen=True, slots=True)
class CommitTouched:
    """A status or check on a commit changed; whichever changes have it as head may be different."""

    repo: RepoRef
    sha: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class CommandPressed:
    """Somebody pressed a button that the host shows beside our check of a commit: as good as saying ``words``.

    ``id`` is the delivery's; the host shows the button to people who may write alone, which is asked all the same.
    """

    repo: RepoRef
    sha: str
    author: str
    words: str
    at: datetime
    id: str


@dataclass(frozen=True, slots=True)
class GateAsked:
    """The host asks whether a change may be merged, and waits for our gate's check whatever it was told before.

    ``id`` is the delivery's, ``by`` the host's own name of who is asked.
    """

    ref: ChangeRef
    id: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class GroupAsked:
    """The host's merge queue would merge a change as commit ``sha`` of ``branch``, onto ``base``: may it?"""

    ref: ChangeRef
    sha: str
    base: str
    branch: str


@dataclass(frozen=True, slots=True)
class GroupGone:
    """The queue merges no commit ``sha`` any more: it did, or the change was taken out."""

    ref: ChangeRef
    sha: str


@dataclass(frozen=True, slots=True)
class AccessChanged:
    """Which repositories of ``owner`` our account may reach may be different; ``repos`` are those that were named."""

    host: str
    owner: str
    repos: tuple[RepoRef, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing for us, and why."""

    why: str


Hint = (
    ChangeTouched
    | BranchMoved
    | CommitTouched
    | CommandPressed
    | GateAsked
    | GroupAsked
    | GroupGone
    | AccessChanged
    | Ignored
)
