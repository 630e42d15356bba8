"""Runs' rows: reading and queueing them, and writes that only the holder of the fencing token may make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, case, exists, func, or_, select, update

from bot.core import codec
from bot.core.errors import StoreConflict
from bot.core.model import ChangeRef, RepoRef
from bot.core.record import IntentState
from bot.core.runs import Holder, PlanResult, Run, RunKind, RunState, Step
from bot.stores.changes import author_name
from bot.stores.database import upsert
from bot.stores.schema import changes, freezes, intents, runs, targets

ACTIVE = (RunState.RUNNING.value, RunState.SUSPECT.value)
"""States in which a run holds its lease, or held it last."""

_COLUMNS = (runs.c.document, runs.c.lease_until)


def get(connection: Connection, run_id: str) -> Run | None:
    """The run, or None."""
    row = connection.execute(select(*_COLUMNS).where(runs.c.id == run_id)).one_or_none()
    return _run(row) if row is not None else None


def locked(connection: Connection, run_id: str) -> Run | None:
    """The run, its row locked until the transaction ends."""
    row = connection.execute(select(*_COLUMNS).where(runs.c.id == run_id).with_for_update()).one_or_none()
    return _run(row) if row is not None else None


def add(connection: Connection, run: Run) -> None:
    """Queue it, unless a run of that id exists."""
    new = upsert(connection, runs).values(_values(run) | {"id": run.id, "created_at": run.created_at})
    connection.execute(new.on_conflict_do_nothing(index_elements=["id"]))


def save(connection: Connection, run: Run) -> Run:
    """Write a run whose row this transaction has locked."""
    connection.execute(update(runs).where(runs.c.id == run.id).values(_values(run)))
    return run


def held(connection: Connection, run: Run) -> Run:
    """The stored run that ``run``'s token still holds, locked. Raises StoreConflict when it does not."""
    current = locked(connection, run.id)
    if current is None or current.token != run.token or current.state.value not in ACTIVE:
        state = current.state.value if current is not None else "gone"
        raise StoreConflict(f"run {run.id} is no longer ours (it is {state}): nothing was written")
    return current


def of_change(connection: Connection, ref: ChangeRef) -> tuple[Run, ...]:
    """All runs of a change, oldest first."""
    return _all(connection, select(*_COLUMNS).where(runs.c.change == str(ref)).order_by(runs.c.seq))


def queued(connection: Connection, environments: Sequence[str] | None, limit: int) -> tuple[Run, ...]:
    """What can be claimed now, deploys first, then plans of the repository of which fewest run. A deploy whose
    target is locked, whose branch is frozen, or whose turn has not come is left out: a hundred of them waiting for
    one target would else hide every other run."""
    deploys_first = case((runs.c.kind == RunKind.DEPLOY.value, 0), else_=1)
    query = select(*_COLUMNS).where(runs.c.state == RunState.QUEUED.value)
    query = query.where(
        or_(runs.c.kind == RunKind.PLAN.value, ~or_(_target_locked(), _earlier_waiting(), _branch_frozen()))
    )
    if environments is not None:
        query = query.where(runs.c.environment.in_(list(environments)))
    busy = _running_plans()
    query = query.outerjoin(busy, busy.c.repo == runs.c.repo)
    fewest_first = case((runs.c.kind == RunKind.DEPLOY.value, 0), else_=func.coalesce(busy.c.number, 0))
    return _all(connection, query.order_by(deploys_first, fewest_first, runs.c.seq).limit(limit))


def plans_since(
    connection: Connection, repo: RepoRef, author: str, since: datetime, limit: int
) -> tuple[datetime, ...]:
    """When plans were queued after that moment, newest first and at most so many: of the author's changes on that
    host, or (with no author) of the repository's."""
    query = select(runs.c.created_at).where(runs.c.kind == RunKind.PLAN.value, runs.c.created_at > since)
    if author:
        query = query.join(changes, changes.c.ref == runs.c.change).where(
            changes.c.author == author_name(repo, author)
        )
    else:
        query = query.where(runs.c.repo == str(repo))
    return tuple(connection.execute(query.order_by(runs.c.created_at.desc()).limit(limit)).scalars())


def active(connection: Connection) -> tuple[Run, ...]:
    """RUNNING and SUSPECT ones, oldest first."""
    return _all(connection, select(*_COLUMNS).where(runs.c.state.in_(ACTIVE)).order_by(runs.c.seq))


def newest(connection: Connection, limit: int, kind: RunKind | None) -> tuple[Run, ...]:
    """Newest first."""
    query = select(*_COLUMNS).order_by(runs.c.seq.desc()).limit(limit)
    return _all(connection, query.where(runs.c.kind == kind.value) if kind is not None else query)


def expired(connection: Connection, now: datetime) -> tuple[Run, ...]:
    """RUNNING ones whose lease ran out, locked; those that another transaction is writing are not waited for."""
    late = and_(runs.c.state == RunState.RUNNING.value, runs.c.lease_until < now)
    return _all(connection, select(*_COLUMNS).where(late).order_by(runs.c.seq).with_for_update(skip_locked=True))


def cancel(connection: Connection, run_id: str, now: datetime) -> None:
    """A queued run is cancelled; a running plan is told to stop at its next renewal. A deploy that runs is left
    alone: stopping half an apply helps nobody."""
    run = locked(connection, run_id)
    if run is None:
        return
    if run.state is RunState.QUEUED:
        save(connection, run.moved(Step.CANCEL, now))
    elif run.state is RunState.RUNNING and run.kind is RunKind.PLAN:
        connection.execute(update(runs).where(runs.c.id == run_id).values(stop=True))


def renew(connection: Connection, run: Run, now: datetime, ttl: timedelta) -> bool:
    """Prolong the lease. False when it was told to stop or the token is stale."""
    ours = and_(runs.c.id == run.id, runs.c.token == run.token, runs.c.state.in_(ACTIVE), runs.c.stop.is_(False))
    statement = update(runs).where(ours).values(lease_until=now + ttl).returning(runs.c.id)
    return connection.execute(statement).first() is not None


def set_holder(connection: Connection, run: Run, holder: Holder) -> Run:
    """Note who really holds it. Raises StoreConflict."""
    return save(connection, replace(held(connection, run), holder=holder))


def mark_applying(connection: Connection, run: Run, plan: PlanResult) -> Run:
    """Note that applying begins now, and what. Raises StoreConflict."""
    return save(connection, replace(held(connection, run), applying=True, plan=plan))


def _running_plans() -> Any:
    """Repository -> how many of its plans run now."""
    running = select(runs.c.repo, func.count().label("number")).where(
        runs.c.state.in_(ACTIVE), runs.c.kind == RunKind.PLAN.value
    )
    return running.group_by(runs.c.repo).subquery()


def _target_locked() -> Any:
    return exists(select(1).where(targets.c.target == runs.c.target, targets.c.locked_by != ""))


def _own_branch() -> Any:
    return select(changes.c.base_ref).where(changes.c.ref == runs.c.change).correlate(runs).scalar_subquery()


def _earlier_waiting() -> Any:
    return exists(
        select(1).where(
            intents.c.target == runs.c.target,
            intents.c.repo == runs.c.repo,
            intents.c.branch == _own_branch(),
            intents.c.position < runs.c.position,
            intents.c.state == IntentState.WAITING.value,
        )
    )


def _branch_frozen() -> Any:
    here = and_(freezes.c.repo == changes.c.repo, freezes.c.branch == changes.c.base_ref)
    return exists(select(1).select_from(changes).join(freezes, here).where(changes.c.ref == runs.c.change))


def _values(run: Run) -> dict[str, Any]:
    return {
        "change": str(run.change),
        "kind": run.kind.value,
        "state": run.state.value,
        "environment": run.project.environment,
        "target": run.project.target,
        "repo": str(run.change.repo),
        "position": run.order,
        "token": run.token,
        "lease_until": run.lease_until,
        "finished_at": run.finished_at,
        "document": codec.encode(codec.RUN, run),
    }


def _all(connection: Connection, query: Select[Any]) -> tuple[Run, ...]:
    return tuple(_run(row) for row in connection.execute(query))


def _run(row: Row[Any, Any]) -> Run:
    # The lease is prolonged every few seconds without writing the document again.
    return replace(codec.decode(codec.RUN, row.document), lease_until=row.lease_until)
