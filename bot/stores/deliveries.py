"""The durable inbox: a delivery is stored before it is acknowledged, and absorbed with what it touches."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, update

from bot.core.events import BranchMoved, ChangeTouched, Delivery, Hint
from bot.core.model import ChangeRef, RepoRef
from bot.stores import changes
from bot.stores.database import insertion, upsert
from bot.stores.schema import deliveries
from bot.stores.schema import pushers as pusher_table


def add(connection: Connection, many: Sequence[Delivery]) -> tuple[bool, ...]:
    """Store them; one that was stored before is marked unabsorbed again and gives False."""
    rows = [
        {
            "host": each.host,
            "id": each.id,
            "event": each.event,
            "body": each.body,
            "received_at": each.received_at,
            "absorbed": False,
            "outcome": "",
        }
        for each in many
    ]
    # A list is one statement for all, which costs more than one for each when there is only one.
    stored = connection.execute(_insertion(connection.dialect.name), rows if len(rows) > 1 else rows[0])
    fresh = {(row.host, row.id) for row in stored}
    return tuple(_is_new(connection, each, fresh) for each in many)


def _is_new(connection: Connection, delivery: Delivery, fresh: set[tuple[str, str]]) -> bool:
    key = (delivery.host, delivery.id)
    if key in fresh:
        fresh.discard(key)  # of two alike that came together only one is new
        return True
    again = update(deliveries).where(deliveries.c.host == delivery.host, deliveries.c.id == delivery.id)
    connection.execute(again.values(absorbed=False, outcome=""))
    return False


@functools.cache
def _insertion(dialect: str) -> Any:
    """Made once for each kind of database: making it costs more than carrying it out."""
    new = insertion(dialect, deliveries).on_conflict_do_nothing(index_elements=["host", "id"])
    return new.returning(deliveries.c.host, deliveries.c.id)


def waiting(connection: Connection, limit: int) -> tuple[Delivery, ...]:
    """Unabsorbed ones in the order they came."""
    query = select(deliveries).where(deliveries.c.absorbed.is_(False)).order_by(deliveries.c.seq).limit(limit)
    return tuple(
        Delivery(row.host, row.id, row.event, row.body, row.received_at) for row in connection.execute(query)
    )


def oldest(connection: Connection) -> datetime | None:
    """When the longest waiting delivery was received."""
    query = select(func.min(deliveries.c.received_at)).where(deliveries.c.absorbed.is_(False))
    moment: datetime | None = connection.execute(query).scalar_one()
    return moment


def absorb(
    connection: Connection,
    delivery: Delivery,
    hints: Sequence[Hint],
    touched: Sequence[ChangeRef],
    outcome: str,
    now: datetime,
) -> None:
    """Mark changes dirty, keep watermarks and pushers, and mark the delivery absorbed."""
    for ref in sorted(set(touched)):
        changes.mark(connection, ref, now, refetch=True)
    for each in hints:
        match each:
            case ChangeTouched():
                changes.hint(connection, each.ref, each.head, each.updated_at)
                note_pusher(connection, each.ref.repo, each.head, each.pusher, now)
            case BranchMoved():
                note_pusher(connection, each.repo, each.after, each.pusher, now)
            case _:
                pass
    here = update(deliveries).where(deliveries.c.host == delivery.host, deliveries.c.id == delivery.id)
    connection.execute(here.values(absorbed=True, outcome=outcome))


def note_pusher(connection: Connection, repo: RepoRef, sha: str, login: str, now: datetime) -> None:
    """Remember who pushed ``sha``; the first that is told stays, and an empty login is none."""
    if sha and login:
        row = upsert(connection, pusher_table).values(repo=str(repo), sha=sha, login=login, at=now)
        connection.execute(row.on_conflict_do_nothing(index_elements=["repo", "sha"]))


def pushers(connection: Connection, repo: RepoRef, shas: Sequence[str]) -> Mapping[str, str]:
    """Commit -> login, for those that are known."""
    query = select(pusher_table.c.sha, pusher_table.c.login).where(
        pusher_table.c.repo == str(repo), pusher_table.c.sha.in_(list(shas))
    )
    return {row.sha: row.login for row in connection.execute(query)}
