"""Runs: one execution for one project, moving along a transition table.

Rule: whatever decides which state follows which is in ``TRANSITIONS``; nobody else compares states to do so.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from bot.core.errors import BadTransition
from bot.core.model import ChangeRef
from bot.core.project import Project


class RunKind(enum.Enum):
    PLAN = "plan"
    DEPLOY = "deploy"


class RunState(enum.Enum):
    QUEUED = "queued"
    RUNNING = "running"
    SUSPECT = "suspect"
    """A deploy whose lease expired: its lock stays until its holder is proven dead or a person says so."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DIFFERS = "differs"
    """A deploy that would now do something nobody reviewed; nothing was applied."""
    LOST = "lost"
    """Its process died. A lost plan is simply planned again; a lost deploy is read back first."""
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    """A newer commit is already deployed on the target; an older one is never applied."""

    @property
    def over(self) -> bool:
        return self not in (RunState.QUEUED, RunState.RUNNING, RunState.SUSPECT)


class Step(enum.Enum):
    """What can happen to a run."""

    CLAIM = "claim"
    SUCCEED = "succeed"
    FAIL = "fail"
    DIFFER = "differ"
    EXPIRE = "expire"
    BURY = "bury"
    CANCEL = "cancel"
    SUPERSEDE = "supersede"


TRANSITIONS: Final[dict[RunState, dict[Step, RunState]]] = {
    RunState.QUEUED: {
        Step.CLAIM: RunState.RUNNING,
        Step.CANCEL: RunState.CANCELLED,
        Step.SUPERSEDE: RunState.SUPERSEDED,
    },
    RunState.RUNNING: {
        Step.SUCCEED: RunState.SUCCEEDED,
        Step.FAIL: RunState.FAILED,
        Step.DIFFER: RunState.DIFFERS,
        Step.EXPIRE: RunState.SUSPECT,
        Step.BURY: RunState.LOST,
        Step.CANCEL: RunState.CANCELLED,
        Step.SUPERSEDE: RunState.SUPERSEDED,
    },
    RunState.SUSPECT: {
        Step.SUCCEED: RunState.SUCCEEDED,
        Step.FAIL: RunState.FAILED,
        Step.DIFFER: RunState.DIFFERS,
        Step.BURY: RunState.LOST,
        Step.SUPERSEDE: RunState.SUPERSEDED,
    },
    RunState.SUCCEEDED: {},
    RunState.FAILED: {},
    RunState.DIFFERS: {},
    RunState.LOST: {},
    RunState.CANCELLED: {},
    RunState.SUPERSEDED: {},
}


def after(state: RunState, step: Step) -> RunState:
    """The state that follows. Raises BadTransition where the table has no such edge."""
    try:
        return TRANSITIONS[state][step]
    except KeyError:
        raise BadTransition(f"a run that is {state.value} cannot {step.value}") from None


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lease, precisely enough to prove it dead: a reused pid has another start time.

    ``started`` is the process's start in clock ticks since boot (``/proc/PID/stat`` field 22) or, where there is
    no /proc, its creation time in seconds.
    """

    host: str
    boot_id: str
    pid: int
    started: float

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"


def machine_name(run_id: str) -> str:
    """The machine's name as a run's isolated commands see it: no other process has it, so a lock that bears it was
    taken by that run (law 10)."""
    return "".join(letter if letter.isalnum() else "-" for letter in run_id)[:40].strip("-") or "run"


class FailureKind(enum.Enum):
    """Why a run failed, as far as it matters for what comes next."""

    INVALID = "invalid"
    """Validation found errors in the code; nothing ran."""
    TOOL = "tool"
    TIMEOUT = "timeout"
    MISSING = "missing"
    CHECKOUT = "checkout"
    NOT_CONVERGENT = "not_convergent"
    LOCKED = "locked"
    """The tool's own state is locked by somebody else."""
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, for people: one line, then detail lines (redacted, bounded)."""

    kind: FailureKind
    message: str
    details: tuple[str, ...] = ()


class Verification(enum.Enum):
    """What reading back after an apply found."""

    VERIFIED = "verified"
    NOT_CONVERGENT = "not_convergent"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class PlanResult:
    """What a dry run found. The effect set itself is stored once, under its fingerprint.

    ``artifact`` names the stored exact plan (empty when the tool has none); ``digest`` is the SHA-256 of its
    bytes; ``log`` names the stored log. ``state`` identifies the remote state that was read (serial and lineage)
    where the tool has one.
    """

    fingerprint: str
    tool_version: str = ""
    digest: str = ""
    artifact: str = ""
    state: str = ""
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    owned: int | None = None
    """How many things the project owns, where that was counted and its tool can tell."""


@dataclass(frozen=True, slots=True)
class Run:
    """One execution for one project. Values change only through :meth:`moved` and the store's writes.

    ``commit`` is what is checked out: the synthetic merge for a plan, the merged commit for a deploy.
    ``digest`` identifies the inputs (see ``Affected``). ``reviewed`` is the fingerprint of the effect set that
    people reviewed or accepted; a deploy applies nothing else. ``applying`` becomes True, durably, before the
    first byte is applied. ``order`` is the merged commit's position on the target branch's first-parent line.
    ``token`` is the fencing token of the claim: a write with an older one is refused.
    """

    id: str
    change: ChangeRef
    kind: RunKind
    project: Project
    commit: str
    digest: str
    created_at: datetime
    state: RunState = RunState.QUEUED
    attempt: int = 1
    reviewed: str = ""
    accepted_by: tuple[str, ...] = ()
    base: str = ""
    head: str = ""
    """For a plan: the two commits whose deterministic merge ``commit`` is, so any worker can make it again."""
    readback: bool = False
    """True when an earlier deploy of the same intent may have applied something: the remainder must be a
    subset of what was reviewed."""
    unlock: str = ""
    """The dead run whose left-behind state lock this one may release; ``*`` when a person said so."""
    order: int = 0
    token: int = 0
    holder: Holder | None = None
    lease_until: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    applying: bool = False
    applied: tuple[str, ...] = ()
    plan: PlanResult | None = None
    verification: Verification | None = None
    failure: Failure | None = None
    log: str = ""
    counts: bool = False
    """A plan run that only counts what a project owns that the change removes, as it stands on the target branch."""
    stranger: bool = False
    """Its code is from a fork or by somebody without write permission: it never runs without isolation."""

    def moved(self, step: Step, at: datetime) -> Run:
        """This run after ``step``. Raises BadTransition."""
        state = after(self.state, step)
        return replace(self, state=state, finished_at=at if state.over else self.finished_at)
