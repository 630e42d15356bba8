"""A run's life across tables: claim, finish, expire, bury; each one transaction over run, target and change.

Rows are locked in one order (change, run, target, intents, audit), so that transactions rarely deadlock; where
they do all the same, the database ends one and it is run again.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, update

from bot.core.errors import BadTransition
from bot.core.model import ChangeRef
from bot.core.record import IntentState
from bot.core.runs import Failure, FailureKind, Holder, Run, RunKind, RunState, Step
from bot.ports import AuditEntry
from bot.stores import audit, changes, runs, targets
from bot.stores.database import upsert
from bot.stores.schema import counters

ACTOR: Final = "headgate"

_KEEPS_LOCK: Final = frozenset({Step.CLAIM, Step.EXPIRE})


def claim(connection: Connection, run_id: str, holder: Holder, now: datetime, ttl: timedelta) -> Run | None:
    """QUEUED to RUNNING with a fresh fencing token; see ``Runs.claim_run``."""
    run = runs.locked(connection, run_id)
    if run is None or run.state is not RunState.QUEUED:
        return None
    if run.kind is RunKind.DEPLOY:
        branch = changes.branch_of(connection, str(run.change))
        standing = targets.take(connection, run, branch, now)
        if standing is None:
            return None
        if targets.overtaken(standing, run, branch):
            _supersede(connection, run, now)
            return None
    claimed = replace(
        run.moved(Step.CLAIM, now),
        token=_next_token(connection),
        holder=holder,
        lease_until=now + ttl,
        started_at=now,
    )
    return runs.save(connection, claimed)


def finish(connection: Connection, run: Run, step: Step, now: datetime, entry: AuditEntry) -> Run:
    """Write the outcome held in ``run``. Raises StoreConflict for a stale token, BadTransition."""
    if step in _KEEPS_LOCK:
        raise BadTransition(f"a run cannot be finished by {step.value}")
    changes.mark(connection, run.change, now, refetch=False)
    current = runs.held(connection, run)
    outcome = replace(run, state=current.state, applying=current.applying or run.applying)
    finished = runs.save(connection, replace(outcome.moved(step, now), lease_until=None))
    if finished.kind is RunKind.DEPLOY:
        _settle(connection, finished, step, now)
    audit.write(connection, (entry,), now)
    return finished


def expire(connection: Connection, now: datetime) -> tuple[Run, ...]:
    """Deploys whose lease ran out become SUSPECT and keep their lock; plans are LOST."""
    return tuple(_expire(connection, run, now) for run in runs.expired(connection, now))


def bury(connection: Connection, run: Run, now: datetime, why: str) -> Run:
    """The holder is dead: LOST, lock released, intent left waiting. Raises StoreConflict, BadTransition."""
    changes.mark(connection, run.change, now, refetch=False)
    current = runs.held(connection, run)
    known = replace(run, state=current.state, applying=current.applying or run.applying)
    lost = _lose(connection, known, now, why)
    _free(connection, lost, now)
    _note(connection, "run.lost", lost, now, why)
    return lost


def give_up(connection: Connection, target: str, now: datetime) -> None:
    """A person released the target: its SUSPECT run is buried. A lock whose holder is alive stays: releasing it
    would let two applies run at once."""
    run = runs.locked(connection, targets.holder(connection, target))
    if run is not None and run.state is RunState.SUSPECT:
        bury(connection, run, now, "a person released its lock")


def _settle(connection: Connection, run: Run, step: Step, now: datetime) -> None:
    reason = run.failure.message if run.failure is not None else ""
    match step:
        case Step.SUCCEED:
            branch = changes.branch_of(connection, str(run.change))
            for ref in sorted(set(targets.deployed(connection, run, branch, now)) - {run.change}):
                changes.mark(connection, ref, now, refetch=False)
        case Step.FAIL:
            targets.settle(connection, run, IntentState.STOPPED, now, reason or "it failed")
        case Step.DIFFER:
            differs = "it would now do something that nobody reviewed"
            targets.settle(connection, run, IntentState.STOPPED, now, reason or differs)
        case Step.SUPERSEDE:
            targets.settle(connection, run, IntentState.SUPERSEDED, now, reason)
        case _:
            pass
    _free(connection, run, now)


def _free(connection: Connection, run: Run, now: datetime) -> None:
    targets.release(connection, run, now)
    if run.kind is RunKind.DEPLOY:
        mark_concerned(connection, {run.project.target}, run.change, now)


def mark_concerned(connection: Connection, names: Set[str], but: ChangeRef, now: datetime) -> None:
    """Whoever waits for these targets may have its turn now, and open changes may have to be planned again;
    nobody else would tell them."""
    waiting = {ref for name in sorted(names) for ref in targets.waiting(connection, name)}
    planned = {ref for _, ref in targets.changes_on(connection, sorted(names))} if names else set()
    for ref in sorted((waiting | planned) - {but}):
        changes.mark(connection, ref, now, refetch=False)


def _expire(connection: Connection, run: Run, now: datetime) -> Run:
    changes.mark(connection, run.change, now, refetch=False)
    if run.kind is RunKind.PLAN:
        lost = _lose(connection, run, now, "its lease ran out")
        _note(connection, "run.lost", lost, now, "its lease ran out")
        return lost
    suspect = runs.save(connection, run.moved(Step.EXPIRE, now))
    _note(
        connection, "run.suspect", suspect, now, "its lease ran out; the lock stays until its holder is proven dead"
    )
    return suspect


def _lose(connection: Connection, run: Run, now: datetime, why: str) -> Run:
    failure = run.failure or Failure(FailureKind.INTERNAL, why)
    return runs.save(connection, replace(run.moved(Step.BURY, now), failure=failure, lease_until=None))


def _supersede(connection: Connection, run: Run, now: datetime) -> None:
    why = "a later commit (or this one) is already deployed on its target"
    superseded = runs.save(connection, run.moved(Step.SUPERSEDE, now))
    targets.settle(connection, superseded, IntentState.SUPERSEDED, now, why)
    changes.mark(connection, run.change, now, refetch=False)
    _note(connection, "run.superseded", superseded, now, why)


def _note(connection: Connection, action: str, run: Run, now: datetime, why: str) -> None:
    detail = {
        "run": run.id,
        "kind": run.kind.value,
        "project": run.project.name,
        "target": run.project.target,
        "holder": str(run.holder) if run.holder is not None else "",
        "why": why,
    }
    audit.write(connection, (AuditEntry(ACTOR, action, str(run.change), detail),), now)


def _next_token(connection: Connection) -> int:
    first = upsert(connection, counters).values(name="fence", value=0)
    connection.execute(first.on_conflict_do_nothing(index_elements=["name"]))
    counted = update(counters).where(counters.c.name == "fence").values(value=counters.c.value + 1)
    token: int = connection.execute(counted.returning(counters.c.value)).scalar_one()
    return token
