"""The store: the truth. Rows, and Protocols by what they keep.

Every method says what it raises; anything not said is a bug of the adapter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from bot.core.effects import MoveIntent
from bot.core.effectset import EffectSet
from bot.core.events import Delivery, Hint
from bot.core.model import ChangeRef, RepoRef
from bot.core.record import AuditEntry, Intent, Memory, Message
from bot.core.runs import Holder, PlanResult, Run, RunKind, Step

SHUT_OUT: Final = "shut-out:"
"""Settings that tell of owners and repositories where nothing goes on; HOST/OWNER or HOST/OWNER/NAME follows."""
FORMER: Final = "former:"
"""Settings that tell which names a repository had, a line each; its present one follows."""


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A change's memory with what is needed to write it back conditionally.

    ``dirty`` counts marks ever made and ``cleared`` how many an advance has read; equal means clean.
    ``refetch`` says that the host must be asked again (a delivery or a sweep said so).
    """

    ref: ChangeRef
    memory: Memory
    version: int
    dirty: int
    cleared: int
    refetch: bool
    state: str
    wake_at: datetime | None
    updated_at: datetime
    hinted_head: str = ""
    """The newest head that a delivery spoke of; a read that shows an older change than this is retried."""
    hinted_at: datetime | None = None
    """The host's own time of that newest delivery's change."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """A message on its way to one destination."""

    id: int
    destination: str
    message: Message
    attempts: int


@dataclass(frozen=True, slots=True)
class Commit:
    """Everything one advance decided, written in one transaction or not at all.

    ``runs`` are inserted unless a run of that id exists; ``cancel`` cancels queued runs and asks running plans
    to stop; ``messages`` are (destination, message). ``intents`` are inserted unless they are there; ``moves``
    give a new state to those that are still as they were read. Open changes on their targets are marked.
    """

    memory: Memory
    cleared: int
    refetched: bool
    state: str
    wake_at: datetime | None
    runs: tuple[Run, ...] = ()
    cancel: tuple[str, ...] = ()
    intents: tuple[Intent, ...] = ()
    messages: tuple[tuple[str, Message], ...] = ()
    audit: tuple[AuditEntry, ...] = ()
    effect_sets: Mapping[str, EffectSet] = field(default_factory=dict)
    release: tuple[str, ...] = ()
    """Targets whose lock a person told us to release."""
    thaw: str = ""
    """A branch from which deploys may go on again."""
    moves: tuple[MoveIntent, ...] = ()
    targets: tuple[str, ...] | None = None
    """Targets the change concerns now, for :meth:`Targets.changes_on`; None leaves them as they are."""


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A target: what is deployed there, and who holds its lock (a run id; empty when free)."""

    target: str
    deployed_sha: str = ""
    deployed_order: int = 0
    deployed_repo: str = ""
    deployed_at: datetime | None = None
    deployed_branch: str = ""
    deployed_environment: str | None = None
    """None when nothing was deployed, or before this was kept."""
    moved_at: datetime | None = None
    """When a deploy that applied anything last ended there, well or not: plans that began before are outdated."""
    locked_by: str = ""
    locked_since: datetime | None = None
    frozen: str = ""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A written audit row with its place in the chain."""

    seq: int
    at: datetime
    entry: AuditEntry
    previous: str
    hash: str


class Deliveries(Protocol):
    """The durable inbox. Raises StoreDown."""

    def add_delivery(self, delivery: Delivery) -> bool:
        """Store it; False when its id was stored before (it is then marked unabsorbed again)."""
        ...

    def add_deliveries(self, many: Sequence[Delivery]) -> tuple[bool, ...]:
        """Store them in this order, all or none; for each what ``add_delivery`` would give."""
        ...

    def unabsorbed(self, limit: int = 100) -> tuple[Delivery, ...]: ...

    def absorb(self, delivery: Delivery, hints: Sequence[Hint], touched: Sequence[ChangeRef], outcome: str) -> None:
        """Mark the delivery absorbed and the changes dirty (refetch, pushers noted), in one transaction."""
        ...

    def oldest_unabsorbed(self) -> datetime | None: ...

    def note_pusher(self, repo: RepoRef, sha: str, login: str) -> None:
        """Remember who pushed a commit; the first that is told stays."""
        ...

    def pushers(self, repo: RepoRef, shas: Sequence[str]) -> Mapping[str, str]:
        """Commit -> login, for those that are known."""
        ...


class Changes(Protocol):
    """Memories of changes. Raises StoreDown, StoreConflict."""

    def change(self, ref: ChangeRef) -> ChangeRow | None: ...

    def mark_dirty(self, ref: ChangeRef, *, refetch: bool) -> None:
        """Count one mark, creating the change when it is new."""
        ...

    def due_changes(self, now: datetime, limit: int = 200) -> tuple[ChangeRef, ...]:
        """Dirty, or with a wake-up that is due, and not leased by anyone whose lease still runs."""
        ...

    def lease_change(self, ref: ChangeRef, holder: str, now: datetime, ttl: timedelta) -> bool:
        """Take (or prolong) the right to advance it; False while somebody else's lease runs."""
        ...

    def free_change(self, ref: ChangeRef, holder: str) -> None: ...

    def commit_change(self, row: ChangeRow, commit: Commit, now: datetime) -> ChangeRow:
        """Write what was decided, if the version still is ``row.version``; else StoreConflict."""
        ...

    def open_changes(self, repo: RepoRef) -> tuple[ChangeRow, ...]: ...

    def changes_below(self, owner: str) -> tuple[ChangeRef, ...]:
        """Of all repositories of ``HOST/OWNER``, or of the one of ``HOST/OWNER/NAME`` (in any case of letters): open
        ones, and those that were not to be found when last asked for."""
        ...

    def rename(self, old: RepoRef, new: RepoRef, *, parked: bool) -> tuple[ChangeRef, ...] | None:
        """Keep all of a repository under its new name; the changes that are to be looked at, which are dirty now.

        None while a run is under way that knows the old name. ``parked`` when nobody looks after the new name.
        """
        ...

    def list_changes(self, limit: int = 100, repo: RepoRef | None = None) -> tuple[ChangeRow, ...]:
        """Newest first, for the pages."""
        ...

    def change_by_head(self, repo: RepoRef, sha: str) -> tuple[ChangeRef, ...]: ...

    def change_by_merge(self, repo: RepoRef, sha: str) -> ChangeRef | None: ...


class Runs(Protocol):
    """Runs and their leases. Every write of a worker is conditional on the fencing token: StoreConflict."""

    def run(self, run_id: str) -> Run | None: ...

    def runs_of(self, ref: ChangeRef) -> tuple[Run, ...]:
        """All runs of a change, oldest first."""
        ...

    def queued_runs(self, environments: Sequence[str] | None, limit: int = 100) -> tuple[Run, ...]:
        """Deploys before plans; plans of the repository first of which fewest run; oldest first. ``environments``
        limits whose runs a worker may take."""
        ...

    def plans_since(self, repo: RepoRef, author: str, since: datetime, limit: int) -> tuple[datetime, ...]:
        """When the newest plans after ``since`` were queued, newest first: of the author's changes (in all of the
        host's repositories), or with an empty author of the repository's. At most ``limit``."""
        ...

    def active_runs(self) -> tuple[Run, ...]:
        """RUNNING and SUSPECT ones."""
        ...

    def claim_run(self, run_id: str, holder: Holder, now: datetime, ttl: timedelta) -> Run | None:
        """Move QUEUED to RUNNING with a fresh fencing token; a deploy also takes its target's lock and needs
        every earlier intent on the target finished. None when somebody was faster or the target is not free."""
        ...

    def renew_run(self, run: Run, now: datetime, ttl: timedelta) -> bool:
        """Prolong the lease; False when the run was told to stop (cancelled) or the token is stale."""
        ...

    def set_holder(self, run: Run, holder: Holder) -> Run: ...

    def mark_applying(self, run: Run, plan: PlanResult) -> Run:
        """Durably note that applying begins now. Raises StoreConflict when the token is stale."""
        ...

    def finish_run(self, run: Run, step: Step, now: datetime, audit: AuditEntry) -> Run:
        """Write the outcome held in ``run``, release its lock when that is safe, settle its intent, mark the
        change dirty; one transaction. Raises StoreConflict for a stale token, BadTransition."""
        ...

    def expire_runs(self, now: datetime) -> tuple[Run, ...]:
        """Move deploys whose lease ran out to SUSPECT and bury plans; returns what moved."""
        ...

    def bury_run(self, run: Run, now: datetime, why: str) -> Run:
        """The holder is proven dead: LOST, lock released, change marked dirty."""
        ...


class Targets(Protocol):
    def target(self, target: str) -> TargetRow: ...

    def targets(self, names: Sequence[str]) -> Mapping[str, TargetRow]:
        """Each of these targets as it stands, whether or not anybody has touched it; a few queries for all."""
        ...

    def intents_on(self, names: Sequence[str]) -> Mapping[str, tuple[Intent, ...]]:
        """Unfinished or stopped intents not yet deployed over, in order, for each of these targets."""
        ...

    def intents_of(self, ref: ChangeRef) -> tuple[Intent, ...]:
        """What a merged change claimed, in the order it was written."""
        ...

    def changes_on(self, targets: Sequence[str]) -> tuple[tuple[str, ChangeRef], ...]:
        """(target, open change) pairs: which open changes concern these targets."""
        ...

    def frozen(self, repo: RepoRef, branch: str) -> str:
        """Why deploys from a branch are frozen; empty when they are not."""
        ...

    def freeze(self, repo: RepoRef, branch: str, reason: str) -> None: ...


class Artifacts(Protocol):
    """Bytes, encrypted at rest. Raises KeyMismatch."""

    def put(self, kind: str, data: bytes, *, owner: str) -> str:
        """Store; returns the name."""
        ...

    def get(self, name: str) -> bytes | None: ...


class LogSink(Protocol):
    """A run's log while it grows: redacted text only."""

    def write(self, text: str) -> None: ...

    def close(self) -> str:
        """Finish; returns the artifact's name."""
        ...


class Outbox(Protocol):
    def due_messages(self, now: datetime, limit: int = 50) -> tuple[Outbound, ...]:
        """Take messages to send; each is hidden from others for a minute."""
        ...

    def messages_due(self, now: datetime) -> bool:
        """Whether anything waits to be sent (nothing is taken)."""
        ...

    def enqueue_messages(self, messages: Sequence[tuple[str, Message]], now: datetime) -> None:
        """Put (destination, message) pairs into the outbox; a key that is there already is left alone."""
        ...

    def sent(self, outbound: Outbound) -> None: ...

    def not_sent(self, outbound: Outbound, now: datetime, reason: str, wanted: float = 0.0) -> None:
        """Try again later with growing pauses, of at least the seconds ``wanted`` by the receiver;
        after the last attempt it is dead and counted."""
        ...


class Store(Deliveries, Changes, Runs, Targets, Outbox, Protocol):
    """The truth. Queues may forget; this may not."""

    def migrate(self) -> None:
        """Bring the schema up to date; safe with many starters."""
        ...

    def ping(self) -> None:
        """Raises StoreDown."""
        ...

    def effect_sets(self, fingerprints: Iterable[str]) -> Mapping[str, EffectSet]: ...

    def put_effect_sets(self, sets: Mapping[str, EffectSet]) -> None: ...

    def audit(self, entry: AuditEntry, now: datetime) -> None: ...

    def audit_rows(self, subject: str | None = None, after: int = 0, limit: int = 1000) -> tuple[AuditRow, ...]: ...

    def verify_audit(self) -> int:
        """Rows checked; raises StoreConflict naming the first row whose chain is broken."""
        ...

    def checkpoint(self, key: bytes) -> int:
        """Sign the heads of all audit chains, so that a chain cut off at its end is noticed; chains signed."""
        ...

    def verify_checkpoints(self, key: bytes) -> int:
        """Checkpoints checked. Raises StoreConflict naming the first that does not hold."""
        ...

    def setting(self, name: str) -> str | None: ...

    def settings(self, prefix: str) -> Mapping[str, str]:
        """Those whose names begin so, by what follows in the name."""
        ...

    def put_setting(self, name: str, value: str | None, *, only_new: bool = False) -> bool: ...

    def swap_setting(self, name: str, seen: str, value: str) -> bool:
        """Set it if it still is as it was seen; False when somebody was faster."""
        ...

    def append_log(self, run_id: str, seq: int, data: bytes) -> None:
        """A piece of a growing log, already redacted and encrypted."""
        ...

    def log_pieces(self, run_id: str, after: int = -1) -> tuple[tuple[int, bytes], ...]: ...

    def put_blob(self, name: str, owner: str, data: bytes) -> None: ...

    def blob(self, name: str) -> bytes | None: ...

    def sweep(self, now: datetime, keep: timedelta) -> int:
        """Delete what retention no longer keeps; rows deleted."""
        ...

    def lead(self, name: str, holder: str, now: datetime, ttl: timedelta) -> bool:
        """Take or prolong a named duty (sweeping, polling) so that only one process performs it."""
        ...

    def gauges(self, now: datetime) -> Mapping[str, float]:
        """Figures for the metrics page: oldest_unabsorbed_seconds, advance_lag_seconds, run_wait_seconds,
        suspect_runs, dead_messages, shut_out, open_changes, queued_runs, running_runs."""
        ...

    def list_runs(self, limit: int = 100, kind: RunKind | None = None) -> tuple[Run, ...]: ...

    def close(self) -> None: ...
