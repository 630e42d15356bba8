"""What is deleted when its time is over, and the figures that tell how the store is doing.

Kept for good: audit rows, the memories of changes, and whatever belongs to a change that is still open.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select

from bot.core import codec
from bot.core.record import Memory
from bot.core.runs import RunKind, RunState
from bot.ports import SHUT_OUT
from bot.stores.outbox import DEAD, WAITING
from bot.stores.schema import blobs, changes, deliveries, effect_sets, intents, logs, outbox, pushers, runs, settings
from bot.stores.targets import OPEN

_OVER = tuple(state.value for state in RunState if state.over)


def sweep(connection: Connection, before: datetime) -> int:
    """Delete what is older than ``before`` and no longer needed; returns the number of rows."""
    live = _live_changes()
    kept_runs = select(runs.c.id).where(runs.c.state.not_in(_OVER) | runs.c.change.in_(live))
    statements = (
        delete(deliveries).where(deliveries.c.absorbed, deliveries.c.received_at < before),
        delete(outbox).where(outbox.c.state != WAITING, outbox.c.due_at < before),
        delete(pushers).where(pushers.c.at < before, pushers.c.repo.not_in(_live_repos())),
        delete(logs).where(logs.c.at < before, logs.c.run.not_in(kept_runs)),
        delete(blobs).where(blobs.c.created_at < before, blobs.c.owner.not_in(kept_runs)),
        delete(runs).where(runs.c.finished_at < before, runs.c.state.in_(_OVER), runs.c.change.not_in(live)),
    )
    return sum(connection.execute(each).rowcount for each in statements) + _sweep_effects(connection, before)


def gauges(connection: Connection, now: datetime) -> Mapping[str, float]:
    """The figures of the metrics page; ages in seconds, 0 when there is nothing to be old."""
    dirty = changes.c.dirty != changes.c.cleared
    queued = runs.c.state == RunState.QUEUED.value
    waiting = deliveries.c.absorbed.is_(False)
    return {
        "oldest_unabsorbed_seconds": _age(connection, select(func.min(deliveries.c.received_at)).where(waiting), now),
        "advance_lag_seconds": _age(connection, select(func.min(changes.c.dirty_since)).where(dirty), now),
        "run_wait_seconds": _age(connection, select(func.min(runs.c.created_at)).where(queued), now),
        "suspect_runs": _count(connection, runs.c.state == RunState.SUSPECT.value),
        "dead_messages": _count(connection, outbox.c.state == DEAD),
        "waiting_messages": _count(connection, outbox.c.state == WAITING),
        "unabsorbed_deliveries": _count(connection, waiting),
        "dirty_changes": _count(connection, dirty),
        "shut_out": _count(connection, settings.c.name.startswith(SHUT_OUT, autoescape=True)),
        "open_changes": _count(connection, changes.c.open),
        "queued_runs": _count(connection, queued),
        "queued_deploys": _count(connection, queued & (runs.c.kind == RunKind.DEPLOY.value)),
        "running_runs": _count(connection, runs.c.state == RunState.RUNNING.value),
    }


def _live_changes() -> Any:
    unsettled = select(intents.c.change).where(intents.c.state.in_(OPEN))
    return select(changes.c.ref).where(changes.c.open | (changes.c.dirty != changes.c.cleared)).union(unsettled)


def _live_repos() -> Any:
    return select(changes.c.repo).where(changes.c.open)


def _sweep_effects(connection: Connection, before: datetime) -> int:
    old = set(connection.execute(select(effect_sets.c.fingerprint).where(effect_sets.c.used_at < before)).scalars())
    if not old:
        return 0
    for text in _stream(connection, select(changes.c.memory)):
        old -= _shown(codec.decode(codec.MEMORY, text))
    for text in _stream(connection, select(runs.c.document)):
        run = codec.decode(codec.RUN, text)
        old -= {run.reviewed, run.plan.fingerprint if run.plan is not None else ""}
    ordered = sorted(old)
    for start in range(0, len(ordered), 500):
        connection.execute(delete(effect_sets).where(effect_sets.c.fingerprint.in_(ordered[start : start + 500])))
    return len(ordered)


def _stream(connection: Connection, query: Any) -> Iterator[str]:
    return iter(connection.execute(query, execution_options={"yield_per": 200}).scalars())


def _shown(memory: Memory) -> set[str]:
    recorded = {each for record in memory.records for each in record.effects.values()}
    return recorded | {each for face in memory.faces for each in face.effects.values()}


def _age(connection: Connection, query: Any, now: datetime) -> float:
    since = connection.execute(query).scalar_one()
    return max(0.0, (now - since).total_seconds()) if since is not None else 0.0


def _count(connection: Connection, condition: Any) -> float:
    return float(connection.execute(select(func.count()).where(condition)).scalar_one())
