"""What Headgate remembers of a change: requests, gate records, faces shown, the merge, refusals.

One change's memory is one versioned value, saved whole and conditionally: whatever one advance decided is
written in one transaction or not at all.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from bot.core.model import ChangeRef, HostFacts, Permission
from bot.core.policy.facts import Found
from bot.core.project import Selection
from bot.core.rules import Environment
from bot.core.verdict import Reason

MEMORY_FORMAT = 3
"""Bumped with every incompatible layout of :class:`Memory`; a program refuses a newer one (law 17)."""


class Verb(enum.Enum):
    """The commands; the words people type."""

    PLAN = "plan"
    DEPLOY = "deploy"
    MERGE = "merge"
    HOLD = "hold"
    UNHOLD = "unhold"
    UNLOCK = "unlock"
    OK_TO_PLAN = "ok-to-plan"
    EXPLAIN = "explain"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Command:
    """One parsed command. ``words`` are project names or patterns (or the SHA of ok-to-plan).

    ``accept`` is the fingerprint (or its beginning) of ``deploy --accept``; ``reason`` free text of hold.
    """

    verb: Verb
    words: tuple[str, ...] = ()
    all: bool = False
    accept: str = ""
    state: bool = False
    reason: str = ""


class Judgement(enum.Enum):
    OPEN = "open"
    """Not judged yet, or granted and still waiting (``/merge`` before the gate opens)."""
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Request:
    """A command somebody gave, bound at absorption to the head whose face they had before them (law 8).

    ``id`` is the comment's id and the command's position in it. ``permission`` is what it was judged on.
    ``command`` is None when the words were not understood; ``answer`` then says what would have been.
    """

    id: str
    author: str
    at: datetime
    head: str
    command: Command | None
    permission: Permission = Permission.NONE
    judgement: Judgement = Judgement.OPEN
    answer: str = ""
    absorbed_at: datetime | None = None

    @property
    def since(self) -> datetime:
        """When we learned of it, by our own clock (hosts tell whole seconds, by theirs)."""
        return self.absorbed_at or self.at


@dataclass(frozen=True, slots=True)
class Covered:
    """An approval that counted, with the effect sets it covered (project -> fingerprint)."""

    login: str
    at: datetime
    sha: str


@dataclass(frozen=True, slots=True)
class GateRecord:
    """Proof that the gate was open: for this head, onto this base, under these rules, for these effects.

    ``closed_at`` is None while it stands. ``effects`` maps project names to fingerprints.
    """

    id: str
    head: str
    base_ref: str
    base: str
    tree: str
    rules_digest: str
    opened_at: datetime
    approvals: tuple[Covered, ...] = ()
    effects: Mapping[str, str] = field(default_factory=dict)
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FaceShown:
    """One published face: when it stood, for which commit, showing which effects."""

    at: datetime
    head: str
    base_ref: str
    effects: Mapping[str, str] = field(default_factory=dict)
    headline: str = ""
    """Its first line, as Markdown: for lists of changes."""


class CheckConclusion(enum.Enum):
    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class CheckShown:
    """A check as we last set it on a commit."""

    name: str
    sha: str
    conclusion: CheckConclusion
    summary: str


@dataclass(frozen=True, slots=True)
class Published:
    """What stands on the host now, as far as we know. ``pages`` are (comment id, digest of its body)."""

    pages: tuple[tuple[str, str], ...] = ()
    checks: tuple[CheckShown, ...] = ()
    deployments: Mapping[str, str] = field(default_factory=dict)
    """``environment/run id`` -> ``host's deployment id:state``."""


@dataclass(frozen=True, slots=True)
class MergeRecord:
    """How the change came onto the target branch, told by the branch's own movement (law 12).

    ``mechanical`` is True when merging ``head`` onto ``first_parent`` gives exactly ``tree``: nobody slipped
    anything in. ``order`` is the position on the first-parent line. ``admitted`` names the gate record under
    which it may deploy; empty when it bypassed the gate (``why_not`` then says what was missing).
    """

    sha: str
    first_parent: str
    tree: str
    order: int
    at: datetime
    by: str
    mechanical: bool
    rules_digest: str
    admitted: str = ""
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The host refused an effect: how often, until when it is not tried again, and its words."""

    attempts: int
    not_before: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class InLine:
    """We had the host put this commit into its own line of merges, where it is merged when its turn comes.

    ``gone_at`` is None while it stands there as far as we know, else when it was found to have left without being
    merged; ``why`` says for what reason. ``asked_by`` is empty when the rules alone wanted the merge.
    """

    head: str
    since: datetime
    asked_by: str = ""
    gone_at: datetime | None = None
    why: str = ""


class IntentState(enum.Enum):
    """What became of one target's share in a merged change."""

    WAITING = "waiting"
    DEPLOYED = "deployed"
    PARKED = "parked"
    """Waits for a person: nothing moves it by itself, so later merges do not wait for it but inherit it."""
    STOPPED = "stopped"
    """Failed, differs, or was never admitted: what it left undeployed is inherited by the next change."""
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Intent:
    """A merged change's claim on one target, in target-branch order."""

    change: ChangeRef
    project: str
    target: str
    order: int
    sha: str
    state: IntentState
    since: datetime
    reason: str = ""
    branch: str = ""
    """The target branch along which ``order`` counts: orders of two branches, or repositories, say nothing."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Everything Headgate remembers of one change, saved whole under a version number."""

    format: int = MEMORY_FORMAT
    host: HostFacts | None = None
    selection: Selection | None = None
    selection_key: str = ""
    requests: tuple[Request, ...] = ()
    records: tuple[GateRecord, ...] = ()
    faces: tuple[FaceShown, ...] = ()
    published: Published = Published()
    merge: MergeRecord | None = None
    line: InLine | None = None
    said: tuple[str, ...] = ()
    """Keys of short comments and notifications that were already made; each is made once."""
    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    pushers: Mapping[str, str] = field(default_factory=dict)
    seen_comment: str = ""
    asked: str = ""
    """The last delivery by which the host asked for our gate's check, as far as it was heeded."""
    tightened: Mapping[str, Environment] = field(default_factory=dict)
    """Environments that the target branch's own configuration makes stricter (without credentials)."""
    planning_since: datetime | None = None
    judged: Mapping[str, tuple[Found, ...]] = field(default_factory=dict)
    """``project:fingerprint:rules`` -> what plan rules found in that plan."""
    reasons: tuple[Reason, ...] = ()
    """What each file of policies came to when it was judged last."""
    heads: tuple[tuple[str, datetime], ...] = ()
    """Each head that was read, with when it first was, oldest first: whoever spoke since spoke of it, where a host
    names no commit."""


HEADS_KEPT: Final = 100


def seen_heads(known: tuple[tuple[str, datetime], ...], head: str, now: datetime) -> tuple[tuple[str, datetime], ...]:
    """The heads with one that was read now. One that comes back (a forced push) is seen anew."""
    if not head or (known and known[-1][0] == head):
        return known
    return (*known, (head, now))[-HEADS_KEPT:]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One row of the record: who did what to which change or project, on which grounds."""

    actor: str
    action: str
    subject: str
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """A chat message in the outbox. ``key`` is stable: the same thing is told once. ``group`` is the change."""

    key: str
    group: str
    kind: str
    environment: str
    title: str
    body: str
    url: str = ""
