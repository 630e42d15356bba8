"""What the bot will do: imperative, idempotent, coarse. ``decide`` returns these; ``flow.perform`` does them.

State effects change only what Headgate remembers; all of one decision are written in one transaction. Host
effects speak to the Git host, each is tried on its own, and a refusal becomes a fact of the next snapshot.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from bot.core.guard.model import Judged
from bot.core.model import Permission
from bot.core.record import (
    CheckConclusion,
    FaceShown,
    GateRecord,
    InLine,
    Intent,
    IntentState,
    Judgement,
    MergeRecord,
)
from bot.core.runs import Run

# ------------------------------------------------------------------------------------- state effects


@dataclass(frozen=True, slots=True)
class StartRun:
    run: Run


@dataclass(frozen=True, slots=True)
class CancelRun:
    run_id: str
    why: str


@dataclass(frozen=True, slots=True)
class NoteGuard:
    """What the static guard denies or wants looked at, for the record; once per outcome."""

    key: str
    head: str
    found: tuple[Judged, ...]


@dataclass(frozen=True, slots=True)
class OpenGate:
    """Write the record before anything turns green."""

    record: GateRecord


@dataclass(frozen=True, slots=True)
class CloseGate:
    record_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Judge:
    """A request's outcome. ``answer`` is said to the person when it is not empty."""

    request_id: str
    judgement: Judgement
    permission: Permission
    answer: str = ""


@dataclass(frozen=True, slots=True)
class RecordMerge:
    merge: MergeRecord
    intents: tuple[Intent, ...]


@dataclass(frozen=True, slots=True)
class MoveIntent:
    """One of our claims now waits for something else: for its turn, for a person, or for nothing any more.

    ``intent`` is as it was read; a claim that has been settled in the meantime stays settled.
    """

    intent: Intent
    state: IntentState
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ReleaseTarget:
    """A person said that nobody holds this target any more."""

    target: str
    by: str


@dataclass(frozen=True, slots=True)
class ThawBranch:
    """A maintainer looked at the rewritten target branch: deploys from it go on."""

    branch: str
    by: str


@dataclass(frozen=True, slots=True)
class Tell:
    """A chat message; told once per key. ``kind``: started, succeeded, failed, waiting, stray."""

    key: str
    kind: str
    environment: str
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Note:
    """Remember that something was dealt with, so that it is not done again."""

    key: str


@dataclass(frozen=True, slots=True)
class NotePlanning:
    """Remember since when people have been waiting for plans (None: they no longer are)."""

    since: datetime | None


@dataclass(frozen=True, slots=True)
class NoteLine:
    """How this change stands in the host's own line of merges: it left without being merged; None: that is past."""

    line: InLine | None


# -------------------------------------------------------------------------------------- host effects


@dataclass(frozen=True, slots=True)
class PublishComment:
    """The face's comment: page bodies in order. Performed by comparing with what stands."""

    pages: tuple[str, ...]
    shown: FaceShown


@dataclass(frozen=True, slots=True)
class PublishCheck:
    name: str
    sha: str
    conclusion: CheckConclusion
    summary: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Say:
    """A short new comment, once per key, only when a person must act (edits do not notify) or asked."""

    key: str
    body: str


@dataclass(frozen=True, slots=True)
class MergeChange:
    head: str
    method: str
    asked_by: str


@dataclass(frozen=True, slots=True)
class LeaveLine:
    """Take the change out of the host's own line of merges: its gate is not open any more."""

    head: str


@dataclass(frozen=True, slots=True)
class PublishDeployment:
    """Tell the host how a deploy stands. ``state``: queued, in_progress, success, failure, inactive."""

    key: str
    sha: str
    environment: str
    state: str
    description: str
    url: str = ""


# --------------------------------------------------------------------------------------------- time


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Look at this change again at that time even if nothing happens before."""

    at: datetime


StateEffect = (
    StartRun
    | CancelRun
    | NoteGuard
    | OpenGate
    | CloseGate
    | Judge
    | RecordMerge
    | MoveIntent
    | ReleaseTarget
    | ThawBranch
    | Tell
    | Note
    | NotePlanning
    | NoteLine
)
HostEffect = PublishComment | PublishCheck | Say | MergeChange | LeaveLine | PublishDeployment
Effect = StateEffect | HostEffect | WakeAt


@dataclass(frozen=True, slots=True)
class Decision:
    """Effects in the order they are performed; ``wake_at`` the earliest ``WakeAt``, None for never."""

    state: tuple[StateEffect, ...] = ()
    host: tuple[HostEffect, ...] = ()
    wake_at: datetime | None = None

    def effects(self) -> tuple[Effect, ...]:
        """All of them as one tuple."""
        wake: tuple[Effect, ...] = (WakeAt(self.wake_at),) if self.wake_at else ()
        return (*self.state, *self.host, *wake)


def key_of(effect: HostEffect) -> str:
    """What a refusal of this effect is remembered under."""
    match effect:
        case PublishComment():
            return "comment"
        case PublishCheck(name=name, sha=sha):
            return f"check:{name}:{sha}"
        case Say(key=key):
            return f"say:{key}"
        case MergeChange(head=head):
            return f"merge:{head}"
        case LeaveLine(head=head):
            return f"leave:{head}"
        case PublishDeployment(key=key):
            return f"deployment:{key}"
        case _:
            assert_never(effect)
