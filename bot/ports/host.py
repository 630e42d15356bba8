"""The clock and the Git host, by role: inbox, reader, reporter.

Every method says what it raises; anything not said is a bug of the adapter.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from bot.core.events import Delivery, Hint
from bot.core.model import ChangeRef, Home, HostFacts, Permission, RepoRef
from bot.core.record import CheckConclusion


class Clock(Protocol):
    """The time, aware and in UTC."""

    def now(self) -> datetime: ...


class Inbox(Protocol):
    """Turns what a host posts to us into a delivery, and a delivery into hints. No host call is made."""

    def receive(self, headers: Mapping[str, str], body: bytes, at: datetime) -> Delivery:
        """Verify and wrap a webhook. Raises SignatureError, MalformedDelivery, ConfigError (no secret to be read)."""
        ...

    def decode(self, delivery: Delivery) -> tuple[Hint, ...]:
        """What the delivery hints at; never raises (an odd body gives one ``Ignored``)."""
        ...

    def about(self, delivery: Delivery) -> Home | None:
        """Which repository it is of, by its present name; None for one of none, or that is odd."""
        ...


@dataclass(frozen=True, slots=True)
class ChangeStub:
    """A change in a listing: enough to see that it moved."""

    ref: ChangeRef
    head_sha: str
    updated_at: datetime
    open: bool


@dataclass(frozen=True, slots=True)
class Budget:
    """What is left of the host's rate limit; None where it does not say."""

    limit: int | None = None
    remaining: int | None = None
    resets_at: datetime | None = None


class Reader(Protocol):
    """Reads of a host. Each raises HostBusy, HostDenied or HostGone, and only those."""

    def change(self, ref: ChangeRef, *, known: HostFacts | None, checks: bool) -> HostFacts:
        """All facts of a change. ``known`` are the facts of the last read, so that what cannot have changed
        is not asked again; ``checks`` says whether other reporters' checks are needed. Raises Renamed, too."""
        ...

    def permission(self, repo: RepoRef, login: str) -> Permission: ...

    def people(self, repo: RepoRef) -> Mapping[str, Permission]:
        """Who may do what, as far as our account may list it (lower-cased login); cached, empty when refused."""
        ...

    def repositories(self) -> tuple[RepoRef, ...]:
        """Those that our account was given a part in, by their present names; what is archived is left out, and what
        is merely open to everybody. One call for a page of 50 at least."""
        ...

    def members(self, group: str) -> frozenset[str] | None:
        """Who is in a team (``organisation/team``) or an organisation (lower-cased logins); cached for some minutes.
        None where our account may not list them all, or there is none of that name."""
        ...

    def moved_changes(self, repo: RepoRef, since: datetime | None) -> tuple[ChangeStub, ...]:
        """Open changes; or, after ``since``, whatever was updated, open or not; newest first. One call for a page."""
        ...

    def changes_of_commit(self, repo: RepoRef, sha: str) -> tuple[int, ...]:
        """Numbers of merged changes that the host associates with a commit of the target branch."""
        ...

    def home(self, repo: RepoRef) -> Home | None:
        """Where the repository is now that was asked for by a name it has or had; None where that is not told."""
        ...

    def default_branch(self, repo: RepoRef) -> str: ...

    def clone_url(self, repo: RepoRef) -> str:
        """An https (or http, for loopback) URL without credentials."""
        ...

    def change_name(self, number: int) -> str:
        """The git ref under which the host keeps a change's head."""
        ...

    def git_credentials(self, repo: RepoRef) -> tuple[str, str] | None:
        """User name and password for git over HTTP; None for a host that needs none."""
        ...

    def budget(self) -> Budget: ...

    def calls(self) -> Mapping[tuple[str, str], int]:
        """Calls made by this process, by (method, kind)."""
        ...

    def own_login(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Annotation:
    path: str
    line: int
    message: str
    level: str = "failure"


@dataclass(frozen=True, slots=True)
class CheckToSet:
    """A check to put on a commit. ``text`` is Markdown, used where the host can show it; ``change`` is whose check it
    is, where the host wants it for a change and not for its commit alone."""

    name: str
    sha: str
    conclusion: CheckConclusion
    summary: str
    url: str = ""
    text: str = ""
    annotations: tuple[Annotation, ...] = ()
    change: ChangeRef | None = None


class MergeOutcome(enum.Enum):
    MERGED = "merged"
    QUEUED = "queued"
    """The host has put it into its own line of merges and merges it when its turn comes."""
    HEAD_MOVED = "head_moved"
    NOT_MERGEABLE = "not_mergeable"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a host can do, so that nobody asks for its name.

    ``comment_limit`` in characters; ``review_has_sha`` whether a review names its commit; ``deployments`` whether
    it shows deployments of its own (else ``set_deployment`` is denied); ``required_by_name`` whether it can hold a
    merge back until a check of that name is green (else only our account may merge, and does it when the gate opens);
    ``slash_commands`` whether a comment's lines that begin with a slash reach us (else the host takes them for its
    own); ``mark`` what stands before a change's number; ``line`` what the host calls its own line of merges.
    """

    comment_limit: int
    review_has_sha: bool
    required_by_name: bool
    rich_checks: bool
    deployments: bool = True
    slash_commands: bool = True
    mark: str = "#"
    line: str = "merge queue"


class Reporter(Protocol):
    """Writes to a host. Each raises HostBusy, HostDenied, HostGone or HostUnclear (write outcome unknown)."""

    def capabilities(self) -> Capabilities: ...

    def put_comment(self, ref: ChangeRef, comment_id: str, body: str) -> str:
        """Edit the comment, or create one when ``comment_id`` is empty. Returns its id."""
        ...

    def drop_comment(self, ref: ChangeRef, comment_id: str) -> None: ...

    def set_check(self, repo: RepoRef, check: CheckToSet) -> None: ...

    def merge(self, ref: ChangeRef, head_sha: str, method: str, message: str) -> MergeOutcome:
        """Merge if and only if the head still is ``head_sha``."""
        ...

    def set_deployment(
        self,
        repo: RepoRef,
        deployment_id: str,
        sha: str,
        environment: str,
        state: str,
        url: str,
        description: str,
    ) -> str:
        """Create (empty id) a deployment and set its state: queued, in_progress, success, failure, inactive.
        Returns the host's id."""
        ...


@runtime_checkable
class Redelivers(Protocol):
    """A host that keeps a log of its webhooks, and hands one over again when it is asked to."""

    def logs(self, repos: Sequence[RepoRef]) -> tuple[RepoRef, ...]:
        """Of these repositories those through which every log is reached."""
        ...

    def redeliver(self, repo: RepoRef, url: str, now: datetime) -> int:
        """Have what was sent to ``url`` and taken by nobody handed over again, a few times at most; how many.
        Raises HostError."""
        ...


@runtime_checkable
class LinesUp(Protocol):
    """A host whose ``merge`` may put a change into a line of its own, where it is merged later."""

    def leave_line(self, ref: ChangeRef) -> None:
        """Take the change out of it; to stand there no longer, merged or not, is as good.
        Raises HostBusy, HostDenied, HostGone or HostUnclear."""
        ...


class Host(Inbox, Reader, Reporter, Protocol):
    """All roles of a Git host."""
