"""The outbox: what chat is told, written with the decision that tells it, once per destination and key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, select, update

from bot.core import codec
from bot.core.codec import Document
from bot.ports import Message, Outbound
from bot.stores.database import upsert
from bot.stores.schema import outbox

MESSAGE: Final = Document("message", Message)

WAITING: Final = "waiting"
SENT: Final = "sent"
DEAD: Final = "dead"

HIDDEN: Final = timedelta(minutes=1)
"""How long a taken message is hidden from other senders."""

PAUSES: Final = tuple(timedelta(seconds=each) for each in (10, 30, 120, 600, 1800, 3600, 7200, 14400))
"""The pause after each failed attempt; after the last the message is dead."""


def add(connection: Connection, destination: str, message: Message, now: datetime) -> None:
    """Put it out, unless the same was told there before."""
    new = upsert(connection, outbox).values(
        destination=destination,
        key=message.key,
        document=codec.encode(MESSAGE, message),
        state=WAITING,
        due_at=now,
    )
    connection.execute(new.on_conflict_do_nothing(index_elements=["destination", "key"]))


def add_all(connection: Connection, messages: Sequence[tuple[str, Message]], now: datetime) -> None:
    """Put (destination, message) pairs out."""
    for destination, message in messages:
        add(connection, destination, message, now)


def any_due(connection: Connection, now: datetime) -> bool:
    """Whether anything could be taken now; nothing is."""
    ready = select(outbox.c.id).where(outbox.c.state == WAITING, outbox.c.due_at <= now)
    return connection.execute(ready.limit(1)).first() is not None


def take(connection: Connection, now: datetime, limit: int) -> tuple[Outbound, ...]:
    """Messages that are due, oldest first, hidden from others for a minute."""
    ready = select(outbox.c.id).where(outbox.c.state == WAITING, outbox.c.due_at <= now)
    chosen = connection.execute(ready.order_by(outbox.c.id).limit(limit).with_for_update(skip_locked=True)).scalars()
    hidden = update(outbox).where(outbox.c.id.in_(list(chosen))).values(due_at=now + HIDDEN)
    taken = connection.execute(
        hidden.returning(outbox.c.id, outbox.c.destination, outbox.c.document, outbox.c.attempts)
    )
    return tuple(
        Outbound(row.id, row.destination, codec.decode(MESSAGE, row.document), row.attempts)
        for row in sorted(taken, key=lambda row: row.id)
    )


def sent(connection: Connection, outbound: Outbound) -> None:
    """It arrived."""
    connection.execute(update(outbox).where(outbox.c.id == outbound.id).values(state=SENT, reason=""))


def not_sent(connection: Connection, outbound: Outbound, now: datetime, reason: str, wanted: float) -> None:
    """It did not: wait longer each time, at least the seconds ``wanted``, and give up after the last pause."""
    attempts = outbound.attempts + 1
    state = WAITING if attempts <= len(PAUSES) else DEAD
    due_at = now + max(PAUSES[min(attempts, len(PAUSES)) - 1], timedelta(seconds=wanted))
    ours = update(outbox).where(outbox.c.id == outbound.id, outbox.c.state == WAITING)
    connection.execute(ours.values(state=state, attempts=attempts, due_at=due_at, reason=reason[:1000]))
