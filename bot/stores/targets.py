"""Targets and intents: who may deploy where, in which order, and what stands there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, select, update

from bot.core.effects import MoveIntent
from bot.core.model import ChangeRef, RepoRef
from bot.core.record import Intent, IntentState
from bot.core.runs import Run
from bot.ports import TargetRow
from bot.stores.database import upsert
from bot.stores.schema import changes, concerns, freezes, intents, targets

OPEN = (IntentState.WAITING.value, IntentState.PARKED.value, IntentState.STOPPED.value)
"""Intents that nothing has deployed or deployed over."""

PART = 500
"""Targets asked for in one query: SQLite once allowed 999 parameters, https://www.sqlite.org/limits.html."""


def standing(connection: Connection, names: Sequence[str]) -> dict[str, TargetRow]:
    """The targets as they stand; one nobody has touched is free and empty."""
    found: dict[str, TargetRow] = {}
    for some in _parts(names):
        frozen = {row.target: row.reason for row in connection.execute(_freezes(some))}
        rows = connection.execute(select(targets).where(targets.c.target.in_(some)))
        known = {row.target: row._asdict() for row in rows}
        for name in some:
            found[name] = TargetRow(**known.get(name, {"target": name}), frozen=frozen.get(name, ""))
    return found


def _parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Names without repetition, in pieces that any database takes as parameters of one query."""
    wanted = sorted(set(names))
    for start in range(0, len(wanted), PART):
        yield wanted[start : start + PART]


def take(connection: Connection, run: Run, branch: str, now: datetime) -> TargetRow | None:
    """Lock the target for a deploy. None while it is held, frozen, or an earlier intent waits.

    The row is returned even when it already stands at (or past) the run's commit: the caller supersedes.
    """
    target = run.project.target
    new = upsert(connection, targets).values(target=target)
    connection.execute(new.on_conflict_do_nothing(index_elements=["target"]))
    row = connection.execute(select(targets).where(targets.c.target == target).with_for_update()).one()
    now_there = TargetRow(**row._asdict(), frozen=_frozen(connection, _freezes((target,))))
    if overtaken(now_there, run, branch):
        return now_there
    if now_there.locked_by or now_there.frozen or branch_frozen(connection, run.change.repo, branch):
        return None
    if _earlier_waits(connection, run, branch):
        return None
    connection.execute(update(targets).where(targets.c.target == target).values(locked_by=run.id, locked_since=now))
    return now_there


def overtaken(row: TargetRow, run: Run, branch: str) -> bool:
    """True when the commit that stands there is this one or a later one of the same branch."""
    same = (row.deployed_repo, row.deployed_branch) == (str(run.change.repo), branch)
    return same and row.deployed_order >= run.order


def release(connection: Connection, run: Run, now: datetime) -> None:
    """Free the target, if this run holds it; what it applied, wholly or in part, moved the target's state."""
    ours = update(targets).where(targets.c.target == run.project.target, targets.c.locked_by == run.id)
    freed: dict[str, Any] = {"locked_by": "", "locked_since": None}
    connection.execute(ours.values(freed | ({"moved_at": now} if run.applying else {})))


def holder(connection: Connection, target: str) -> str:
    """The id of the run that holds the lock; empty when free."""
    query = select(targets.c.locked_by).where(targets.c.target == target)
    return connection.execute(query).scalar_one_or_none() or ""


def deployed(connection: Connection, run: Run, branch: str, now: datetime) -> tuple[ChangeRef, ...]:
    """The run's commit stands on its target now: its intent is done, older ones are deployed over.

    Returns the other changes whose intents that settled.
    """
    connection.execute(
        update(targets)
        .where(targets.c.target == run.project.target)
        .values(
            deployed_sha=run.commit,
            deployed_order=run.order,
            deployed_repo=str(run.change.repo),
            deployed_branch=branch,
            deployed_environment=run.project.environment,
            deployed_at=now,
        )
    )
    settle(connection, run, IntentState.DEPLOYED, now)
    older = (
        update(intents)
        .where(intents.c.target == run.project.target, intents.c.repo == str(run.change.repo))
        .where(intents.c.branch == branch, intents.c.position < run.order, intents.c.state.in_(OPEN))
        .values(state=IntentState.SUPERSEDED.value, since=now, reason=f"{run.change} was deployed after it")
        .returning(intents.c.change)
    )
    return tuple(ChangeRef.parse(each) for each in connection.execute(older).scalars())


def settle(connection: Connection, run: Run, state: IntentState, now: datetime, reason: str = "") -> None:
    """Give the run's own intent a new state."""
    own = update(intents).where(
        intents.c.target == run.project.target,
        intents.c.change == str(run.change),
        intents.c.project == run.project.name,
    )
    connection.execute(own.values(state=state.value, since=now, reason=reason))


def waiting(connection: Connection, target: str) -> tuple[ChangeRef, ...]:
    """Changes that wait for their turn on the target."""
    query = select(intents.c.change).where(intents.c.target == target, intents.c.state == IntentState.WAITING.value)
    return tuple(ChangeRef.parse(each) for each in connection.execute(query.distinct()).scalars())


def add_intent(connection: Connection, intent: Intent, branch: str) -> None:
    """Claim the target's turn; an intent that is there already stays as it is."""
    new = upsert(connection, intents).values(
        target=intent.target,
        change=str(intent.change),
        project=intent.project,
        repo=str(intent.change.repo),
        branch=intent.branch or branch,
        position=intent.order,
        sha=intent.sha,
        state=intent.state.value,
        since=intent.since,
        reason=intent.reason,
    )
    connection.execute(new.on_conflict_do_nothing(index_elements=["target", "change", "project"]))


def move_intent(connection: Connection, move: MoveIntent, now: datetime) -> None:
    """Give a claim its new state, unless it is no longer as it was read: a run has settled it since."""
    read = move.intent
    own = update(intents).where(
        intents.c.target == read.target,
        intents.c.change == str(read.change),
        intents.c.project == read.project,
        intents.c.state == read.state.value,
    )
    connection.execute(own.values(state=move.state.value, since=now, reason=move.reason))


def intents_on(connection: Connection, names: Sequence[str]) -> dict[str, tuple[Intent, ...]]:
    """Intents that nothing has deployed or deployed over, per target in target-branch order."""
    found: dict[str, list[Intent]] = {}
    for some in _parts(names):
        query = select(intents).where(intents.c.target.in_(some), intents.c.state.in_(OPEN))
        for row in connection.execute(query.order_by(intents.c.repo, intents.c.position, intents.c.change)):
            found.setdefault(row.target, []).append(_intent(row))
    return {name: tuple(found.get(name, ())) for name in names}


def intents_of(connection: Connection, ref: ChangeRef) -> tuple[Intent, ...]:
    """What a change claimed, whatever became of it."""
    query = select(intents).where(intents.c.change == str(ref))
    ordered = query.order_by(intents.c.position, intents.c.project, intents.c.target)
    return tuple(_intent(row) for row in connection.execute(ordered))


def concern(connection: Connection, ref: ChangeRef, names: Sequence[str]) -> None:
    """Write down exactly these targets as what the change concerns."""
    wanted, mine = set(names), concerns.c.change == str(ref)
    known = set(connection.execute(select(concerns.c.target).where(mine)).scalars())
    for some in _parts(sorted(known - wanted)):
        connection.execute(delete(concerns).where(mine, concerns.c.target.in_(some)))
    for target in sorted(wanted - known):
        new = upsert(connection, concerns).values(target=target, change=str(ref))
        connection.execute(new.on_conflict_do_nothing(index_elements=["target", "change"]))


def changes_on(connection: Connection, names: Sequence[str]) -> tuple[tuple[str, ChangeRef], ...]:
    """(target, open change) pairs of these targets."""
    query = select(concerns).join(changes, changes.c.ref == concerns.c.change)
    here = query.where(concerns.c.target.in_(sorted(set(names))), changes.c.open)
    ordered = connection.execute(here.order_by(concerns.c.target, changes.c.repo, changes.c.number))
    return tuple((row.target, ChangeRef.parse(row.change)) for row in ordered)


def freeze(connection: Connection, repo: RepoRef, branch: str, reason: str, now: datetime) -> None:
    """Stop every deploy from a branch; an empty reason lets them go on."""
    if not reason:
        thaw = delete(freezes).where(freezes.c.repo == str(repo), freezes.c.branch == branch)
        connection.execute(thaw)
        return
    new = upsert(connection, freezes).values(repo=str(repo), branch=branch, reason=reason, at=now)
    connection.execute(
        new.on_conflict_do_update(index_elements=["repo", "branch"], set_={"reason": new.excluded.reason})
    )


def _freezes(names: Sequence[str]) -> Select[Any]:
    """(reason, target) for each target that a frozen branch concerns."""
    frozen_here = (intents.c.repo == freezes.c.repo) & (intents.c.branch == freezes.c.branch)
    return select(freezes.c.reason, intents.c.target).join(intents, frozen_here).where(intents.c.target.in_(names))


def branch_frozen(connection: Connection, repo: RepoRef, branch: str) -> str:
    """Why deploys from a branch are frozen; empty when they are not."""
    here = select(freezes.c.reason).where(freezes.c.repo == str(repo), freezes.c.branch == branch)
    return _frozen(connection, here)


def _frozen(connection: Connection, query: Select[Any]) -> str:
    return connection.execute(query.limit(1)).scalar_one_or_none() or ""


def _earlier_waits(connection: Connection, run: Run, branch: str) -> bool:
    here = (intents.c.repo == str(run.change.repo)) & (intents.c.branch == branch)
    query = (
        select(intents.c.position)
        .where(intents.c.target == run.project.target, here)
        .where(intents.c.position < run.order, intents.c.state == IntentState.WAITING.value)
    )
    return connection.execute(query.limit(1)).first() is not None


def _intent(row: Row[Any]) -> Intent:
    return Intent(
        change=ChangeRef.parse(row.change),
        project=row.project,
        target=row.target,
        order=row.position,
        sha=row.sha,
        state=IntentState(row.state),
        since=row.since,
        reason=row.reason,
        branch=row.branch,
    )
