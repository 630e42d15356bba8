"""The record: rows are only ever added, each sealed with the hash of the one before it in its subject's chain."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, update

from bot.core import codec
from bot.core.codec import Document
from bot.core.errors import StoreConflict
from bot.ports import AuditEntry, AuditRow
from bot.stores.database import upsert
from bot.stores.schema import audit, chains, checkpoints

ENTRY: Final = Document("audit entry", AuditEntry)

BEGINNING: Final = "0" * 64
"""What a chain's first row names as its previous hash."""


def write(connection: Connection, entries: Iterable[AuditEntry], now: datetime) -> None:
    """Add rows. Chains are locked in the order of their subjects, whoever writes."""
    ordered = list(entries)
    heads = {subject: _head(connection, subject) for subject in sorted({each.subject for each in ordered})}
    for entry in ordered:
        position, previous = heads[entry.subject]
        document = codec.encode(ENTRY, entry)
        sealed = _hash(entry.subject, position + 1, now, document, previous)
        connection.execute(
            insert(audit).values(
                subject=entry.subject,
                position=position + 1,
                at=now,
                document=document,
                previous=previous,
                hash=sealed,
            )
        )
        heads[entry.subject] = (position + 1, sealed)
    for subject, (position, sealed) in heads.items():
        connection.execute(update(chains).where(chains.c.subject == subject).values(position=position, hash=sealed))


def rows(connection: Connection, subject: str | None, after: int, limit: int) -> tuple[AuditRow, ...]:
    """Rows after a global sequence number, of one subject or of all."""
    query = select(audit).where(audit.c.seq > after).order_by(audit.c.seq).limit(limit)
    if subject is not None:
        query = query.where(audit.c.subject == subject)
    return tuple(
        AuditRow(row.seq, row.at, codec.decode(ENTRY, row.document), row.previous, row.hash)
        for row in connection.execute(query)
    )


def verify(connection: Connection) -> int:
    """Count the rows of every chain from its beginning to its head. Raises StoreConflict at the first break."""
    heads = {row.subject: (row.position, row.hash) for row in connection.execute(select(chains))}
    reached: dict[str, tuple[int, str]] = {}
    count = 0
    ordered = select(audit).order_by(audit.c.subject, audit.c.position)
    for row in connection.execute(ordered, execution_options={"yield_per": 500}):
        position, previous = reached.get(row.subject, (0, BEGINNING))
        _check(row, position + 1, previous)
        reached[row.subject] = (row.position, row.hash)
        count += 1
    for subject in sorted(heads.keys() | reached.keys()):
        if heads.get(subject) != reached.get(subject, (0, BEGINNING)):
            raise StoreConflict(f"the audit chain of {subject} does not end where it should: rows are missing")
    return count


def checkpoint(connection: Connection, key: bytes, now: datetime) -> int:
    """Sign every chain's head that no checkpoint has signed yet; returns how many there were.

    Without ``key`` a chain that was rewritten as a whole, heads included, cannot be passed off as signed.
    """
    unsigned = connection.execute(
        select(chains).where(chains.c.position != chains.c.signed).order_by(chains.c.subject).with_for_update()
    ).all()
    if not unsigned:
        return 0
    last = connection.execute(select(checkpoints).order_by(checkpoints.c.seq.desc()).limit(1)).one_or_none()
    heads = {row.subject: [row.position, row.hash] for row in unsigned}
    document = _canonical({"previous": last.mac if last else BEGINNING, "at": now.isoformat(), "heads": heads})
    connection.execute(insert(checkpoints).values(at=now, document=document, mac=_mac(key, document)))
    for row in unsigned:
        connection.execute(update(chains).where(chains.c.subject == row.subject).values(signed=row.position))
    return len(unsigned)


def verify_checkpoints(connection: Connection, key: bytes) -> int:
    """Check every checkpoint's signature and that the rows it signed still stand; returns the number of
    checkpoints. Raises StoreConflict naming the first that does not hold."""
    previous, count = BEGINNING, 0
    signed: dict[str, int] = {}
    for point in connection.execute(select(checkpoints).order_by(checkpoints.c.seq)).all():
        if not hmac.compare_digest(_mac(key, point.document), point.mac):
            raise StoreConflict(f"audit checkpoint {point.seq} is not signed with this key")
        content = json.loads(point.document)
        if content["previous"] != previous:
            raise StoreConflict(f"an audit checkpoint before {point.seq} is missing")
        for subject, (position, sealed) in content["heads"].items():
            _check_signed(connection, point.seq, subject, position, sealed)
            signed[subject] = position
        previous, count = point.mac, count + 1
    for row in connection.execute(select(chains.c.subject, chains.c.signed).where(chains.c.signed > 0)):
        if signed.get(row.subject) != row.signed:
            raise StoreConflict(f"the newest audit checkpoint of {row.subject} is missing")
    return count


def _check_signed(connection: Connection, seq: int, subject: str, position: int, sealed: str) -> None:
    here = select(audit.c.hash).where(audit.c.subject == subject, audit.c.position == position)
    if connection.execute(here).scalar_one_or_none() != sealed:
        raise StoreConflict(f"row {position} of the audit chain of {subject} is not what checkpoint {seq} signed")


def _head(connection: Connection, subject: str) -> tuple[int, str]:
    new = upsert(connection, chains).values(subject=subject, position=0, hash=BEGINNING)
    connection.execute(new.on_conflict_do_nothing(index_elements=["subject"]))
    row = connection.execute(select(chains).where(chains.c.subject == subject).with_for_update()).one()
    return row.position, row.hash


def _check(row: Row[Any], position: int, previous: str) -> None:
    whole = row.position == position and row.previous == previous
    if not whole or _hash(row.subject, row.position, row.at, row.document, row.previous) != row.hash:
        raise StoreConflict(f"the audit chain of {row.subject} is broken at row {row.seq} (position {row.position})")


def _hash(subject: str, position: int, at: datetime, document: str, previous: str) -> str:
    sealed = {
        "subject": subject,
        "position": position,
        "at": at.astimezone(UTC).isoformat(),
        "entry": document,
        "previous": previous,
    }
    return hashlib.sha256(_canonical(sealed).encode()).hexdigest()


def _mac(key: bytes, document: str) -> str:
    return hmac.new(key, b"audit checkpoint\0" + document.encode(), hashlib.sha256).hexdigest()


def _canonical(value: Mapping[str, object]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
