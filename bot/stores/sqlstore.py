"""The store: every method is one transaction over the statements of its subject."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from bot.core.effectset import EffectSet
from bot.core.events import Delivery, Hint
from bot.core.model import ChangeRef, RepoRef
from bot.core.record import Intent
from bot.core.runs import Holder, PlanResult, Run, RunKind, Step
from bot.ports import AuditEntry, AuditRow, ChangeRow, Clock, Commit, Message, Outbound, TargetRow
from bot.stores import (
    audit,
    changes,
    commits,
    deliveries,
    leases,
    migrating,
    outbox,
    rehearsal,
    renaming,
    resealing,
    retention,
    runs,
    searching,
    shelf,
    targets,
)
from bot.stores.artifacts import Sealer
from bot.stores.database import Database
from bot.stores.targets import changes_on


class _SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class SqlStore:
    """``Store`` on SQLite (``sqlite:////path``) or PostgreSQL (``postgresql://…``).

    ``durability`` is what a commit on SQLite survives: ``kill`` (of the process) or ``power`` (cut).
    """

    def __init__(self, url: str, clock: Clock | None = None, *, durability: str = "power") -> None:
        self._db = Database(url, durability)
        self._clock: Clock = clock or _SystemClock()

    # ------------------------------------------------------------------------------------- the store itself

    def migrate(self) -> None:
        migrating.migrate(self._db)

    def schema_current(self) -> bool:
        """True when no migration is missing. Raises NewerFormat, StoreDown."""
        return migrating.current(self._db)

    def schema_revisions(self) -> tuple[str, str]:
        """The store's schema revision (empty when it has none) and this program's."""
        return migrating.revisions(self._db)

    def rehearse(self) -> None:
        """Say once what a run's own process says to the store, so that processes forked from this one need not
        compile it again; nothing of it is kept. Raises StoreDown."""
        self._db.undone(lambda c: rehearsal.play(c, self._clock.now()))

    def ping(self) -> None:
        self._db.read(lambda c: c.execute(text("SELECT 1")).scalar_one())

    def after_fork(self) -> None:
        """Forget the parent's connections; done by itself after ``os.fork``."""
        self._db.after_fork()

    def close(self) -> None:
        self._db.close()

    # ------------------------------------------------------------------------------------------- deliveries

    def add_delivery(self, delivery: Delivery) -> bool:
        return self.add_deliveries((delivery,))[0]

    def add_deliveries(self, many: Sequence[Delivery]) -> tuple[bool, ...]:
        return self._db.write(lambda c: deliveries.add(c, many))

    def unabsorbed(self, limit: int = 100) -> tuple[Delivery, ...]:
        return self._db.read(lambda c: deliveries.waiting(c, limit))

    def absorb(self, delivery: Delivery, hints: Sequence[Hint], touched: Sequence[ChangeRef], outcome: str) -> None:
        now = self._clock.now()
        self._db.write(lambda c: deliveries.absorb(c, delivery, hints, touched, outcome, now))

    def oldest_unabsorbed(self) -> datetime | None:
        return self._db.read(deliveries.oldest)

    def note_pusher(self, repo: RepoRef, sha: str, login: str) -> None:
        now = self._clock.now()
        self._db.write(lambda c: deliveries.note_pusher(c, repo, sha, login, now))

    def pushers(self, repo: RepoRef, shas: Sequence[str]) -> Mapping[str, str]:
        return self._db.read(lambda c: deliveries.pushers(c, repo, shas))

    # ---------------------------------------------------------------------------------------------- changes

    def change(self, ref: ChangeRef) -> ChangeRow | None:
        return self._db.read(lambda c: changes.get(c, ref))

    def mark_dirty(self, ref: ChangeRef, *, refetch: bool) -> None:
        now = self._clock.now()
        self._db.write(lambda c: changes.mark(c, ref, now, refetch=refetch))

    def due_changes(self, now: datetime, limit: int = 200) -> tuple[ChangeRef, ...]:
        return self._db.read(lambda c: changes.due(c, now, limit))

    def lease_change(self, ref: ChangeRef, holder: str, now: datetime, ttl: timedelta) -> bool:
        return self._db.write(lambda c: changes.lease(c, ref, holder, now, ttl))

    def free_change(self, ref: ChangeRef, holder: str) -> None:
        self._db.write(lambda c: changes.free(c, ref, holder))

    def commit_change(self, row: ChangeRow, commit: Commit, now: datetime) -> ChangeRow:
        return self._db.write(lambda c: commits.commit(c, row, commit, now))

    def open_changes(self, repo: RepoRef) -> tuple[ChangeRow, ...]:
        return self._db.read(lambda c: changes.of_repo(c, repo))

    def changes_below(self, owner: str) -> tuple[ChangeRef, ...]:
        return self._db.read(lambda c: changes.below(c, owner))

    def rename(self, old: RepoRef, new: RepoRef, *, parked: bool) -> tuple[ChangeRef, ...] | None:
        now = self._clock.now()
        return self._db.write(lambda c: renaming.rename(c, old, new, now, parked=parked))

    def list_changes(self, limit: int = 100, repo: RepoRef | None = None) -> tuple[ChangeRow, ...]:
        return self._db.read(lambda c: changes.newest(c, limit, repo))

    def change_by_head(self, repo: RepoRef, sha: str) -> tuple[ChangeRef, ...]:
        return self._db.read(lambda c: changes.by_head(c, repo, sha))

    def change_by_merge(self, repo: RepoRef, sha: str) -> ChangeRef | None:
        return self._db.read(lambda c: changes.by_merge(c, repo, sha))

    # ------------------------------------------------------------------------------------------------- runs

    def run(self, run_id: str) -> Run | None:
        return self._db.read(lambda c: runs.get(c, run_id))

    def runs_of(self, ref: ChangeRef) -> tuple[Run, ...]:
        return self._db.read(lambda c: runs.of_change(c, ref))

    def list_runs(self, limit: int = 100, kind: RunKind | None = None) -> tuple[Run, ...]:
        return self._db.read(lambda c: runs.newest(c, limit, kind))

    def queued_runs(self, environments: Sequence[str] | None, limit: int = 100) -> tuple[Run, ...]:
        return self._db.read(lambda c: runs.queued(c, environments, limit))

    def plans_since(self, repo: RepoRef, author: str, since: datetime, limit: int) -> tuple[datetime, ...]:
        return self._db.read(lambda c: runs.plans_since(c, repo, author, since, limit))

    def active_runs(self) -> tuple[Run, ...]:
        return self._db.read(runs.active)

    def claim_run(self, run_id: str, holder: Holder, now: datetime, ttl: timedelta) -> Run | None:
        return self._db.write(lambda c: leases.claim(c, run_id, holder, now, ttl))

    def renew_run(self, run: Run, now: datetime, ttl: timedelta) -> bool:
        return self._db.write(lambda c: runs.renew(c, run, now, ttl))

    def set_holder(self, run: Run, holder: Holder) -> Run:
        return self._db.write(lambda c: runs.set_holder(c, run, holder))

    def mark_applying(self, run: Run, plan: PlanResult) -> Run:
        return self._db.write(lambda c: runs.mark_applying(c, run, plan))

    def finish_run(self, run: Run, step: Step, now: datetime, audit: AuditEntry) -> Run:
        return self._db.write(lambda c: leases.finish(c, run, step, now, audit))

    def expire_runs(self, now: datetime) -> tuple[Run, ...]:
        return self._db.write(lambda c: leases.expire(c, now))

    def bury_run(self, run: Run, now: datetime, why: str) -> Run:
        return self._db.write(lambda c: leases.bury(c, run, now, why))

    # ---------------------------------------------------------------------------------------------- targets

    def target(self, target: str) -> TargetRow:
        return self.targets((target,))[target]

    def targets(self, names: Sequence[str]) -> Mapping[str, TargetRow]:
        return self._db.read(lambda c: targets.standing(c, names))

    def intents_on(self, names: Sequence[str]) -> Mapping[str, tuple[Intent, ...]]:
        return self._db.read(lambda c: targets.intents_on(c, names))

    def intents_of(self, ref: ChangeRef) -> tuple[Intent, ...]:
        return self._db.read(lambda c: targets.intents_of(c, ref))

    def changes_on(self, targets: Sequence[str]) -> tuple[tuple[str, ChangeRef], ...]:
        return self._db.read(lambda c: changes_on(c, targets))

    def frozen(self, repo: RepoRef, branch: str) -> str:
        return self._db.read(lambda c: targets.branch_frozen(c, repo, branch))

    def freeze(self, repo: RepoRef, branch: str, reason: str) -> None:
        """Stop every deploy from a branch; an empty reason lets them go on."""
        now = self._clock.now()
        self._db.write(lambda c: targets.freeze(c, repo, branch, reason, now))

    # ----------------------------------------------------------------------------------------------- outbox

    def due_messages(self, now: datetime, limit: int = 50) -> tuple[Outbound, ...]:
        return self._db.write(lambda c: outbox.take(c, now, limit))

    def messages_due(self, now: datetime) -> bool:
        return self._db.read(lambda c: outbox.any_due(c, now))

    def enqueue_messages(self, messages: Sequence[tuple[str, Message]], now: datetime) -> None:
        self._db.write(lambda c: outbox.add_all(c, messages, now))

    def sent(self, outbound: Outbound) -> None:
        self._db.write(lambda c: outbox.sent(c, outbound))

    def not_sent(self, outbound: Outbound, now: datetime, reason: str, wanted: float = 0.0) -> None:
        self._db.write(lambda c: outbox.not_sent(c, outbound, now, reason, wanted))

    # -------------------------------------------------------------------------------------------- the record

    def audit(self, entry: AuditEntry, now: datetime) -> None:
        self._db.write(lambda c: audit.write(c, (entry,), now))

    def audit_rows(self, subject: str | None = None, after: int = 0, limit: int = 1000) -> tuple[AuditRow, ...]:
        return self._db.read(lambda c: audit.rows(c, subject, after, limit))

    def verify_audit(self) -> int:
        return self._db.read(audit.verify)

    def checkpoint(self, key: bytes) -> int:
        """Sign every audit chain's new head with ``key``; returns how many chains had one."""
        now = self._clock.now()
        return self._db.write(lambda c: audit.checkpoint(c, key, now))

    def verify_checkpoints(self, key: bytes) -> int:
        """Checkpoints checked; raises StoreConflict naming the first that does not hold."""
        return self._db.read(lambda c: audit.verify_checkpoints(c, key))

    # -------------------------------------------------------------------------------------------- the shelf

    def effect_sets(self, fingerprints: Iterable[str]) -> Mapping[str, EffectSet]:
        wanted = tuple(fingerprints)
        return self._db.read(lambda c: shelf.effect_sets(c, wanted))

    def put_effect_sets(self, sets: Mapping[str, EffectSet]) -> None:
        now = self._clock.now()
        self._db.write(lambda c: shelf.put_effect_sets(c, sets, now))

    def setting(self, name: str) -> str | None:
        return self._db.read(lambda c: shelf.setting(c, name))

    def settings(self, prefix: str) -> Mapping[str, str]:
        return self._db.read(lambda c: shelf.settings_of(c, prefix))

    def put_setting(self, name: str, value: str | None, *, only_new: bool = False) -> bool:
        return self._db.write(lambda c: shelf.put_setting(c, name, value, only_new=only_new))

    def swap_setting(self, name: str, seen: str, value: str) -> bool:
        return self._db.write(lambda c: shelf.swap_setting(c, name, seen, value))

    def sealed_places(self) -> tuple[resealing.Place, ...]:
        """Where the store keeps what is sealed, beside a few settings."""
        return resealing.Blobs(self._db), resealing.Pieces(self._db)

    def search(self, sealer: Sealer, look: searching.Look) -> None:
        """Show everything that is held, as it stands and opened. Raises StoreDown."""
        searching.rows(self._db, look)
        searching.artifacts(self._db, sealer, look)
        searching.pieces(self._db, sealer, look)

    def append_log(self, run_id: str, seq: int, data: bytes) -> None:
        now = self._clock.now()
        self._db.write(lambda c: shelf.append_log(c, run_id, seq, data, now))

    def log_pieces(self, run_id: str, after: int = -1) -> tuple[tuple[int, bytes], ...]:
        return self._db.read(lambda c: shelf.log_pieces(c, run_id, after))

    def put_blob(self, name: str, owner: str, data: bytes) -> None:
        now = self._clock.now()
        self._db.write(lambda c: shelf.put_blob(c, name, owner, data, now))

    def blob(self, name: str) -> bytes | None:
        return self._db.read(lambda c: shelf.blob(c, name))

    def lead(self, name: str, holder: str, now: datetime, ttl: timedelta) -> bool:
        return self._db.write(lambda c: shelf.lead(c, name, holder, now, ttl))

    # ---------------------------------------------------------------------------------------------- upkeep

    def sweep(self, now: datetime, keep: timedelta) -> int:
        return self._db.write(lambda c: retention.sweep(c, now - keep))

    def gauges(self, now: datetime) -> Mapping[str, float]:
        return self._db.read(lambda c: retention.gauges(c, now))
