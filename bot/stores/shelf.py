"""What is kept by name: settings, effect sets, blobs, pieces of logs, and who has which duty."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, or_, select, update

from bot.core import codec
from bot.core.effectset import EffectSet
from bot.stores.database import upsert
from bot.stores.schema import blobs, duties, logs, settings
from bot.stores.schema import effect_sets as effect_table


def setting(connection: Connection, name: str) -> str | None:
    """The value, or None."""
    return connection.execute(select(settings.c.value).where(settings.c.name == name)).scalar_one_or_none()


def settings_of(connection: Connection, prefix: str) -> Mapping[str, str]:
    """Those whose names begin with ``prefix``, by what follows."""
    query = select(settings).where(settings.c.name.startswith(prefix, autoescape=True)).order_by(settings.c.name)
    # SQLite's LIKE does not tell letters' case apart.
    return {
        row.name.removeprefix(prefix): row.value for row in connection.execute(query) if row.name.startswith(prefix)
    }


def put_setting(connection: Connection, name: str, value: str | None, *, only_new: bool) -> bool:
    """Set it (None removes it). With ``only_new`` the first to write wins; False for the others."""
    if value is None:
        gone = delete(settings).where(settings.c.name == name).returning(settings.c.name)
        return not only_new and connection.execute(gone).first() is not None
    new = upsert(connection, settings).values(name=name, value=value)
    if only_new:
        once = new.on_conflict_do_nothing(index_elements=["name"]).returning(settings.c.name)
        return connection.execute(once).first() is not None
    connection.execute(new.on_conflict_do_update(index_elements=["name"], set_={"value": new.excluded.value}))
    return True


def swap_setting(connection: Connection, name: str, seen: str, value: str) -> bool:
    """Set it if it still is as it was seen; False when somebody was faster."""
    same = update(settings).where(settings.c.name == name, settings.c.value == seen).values(value=value)
    return connection.execute(same.returning(settings.c.name)).first() is not None


def put_effect_sets(connection: Connection, sets: Mapping[str, EffectSet], now: datetime) -> None:
    """Keep them under their fingerprints; those that are there already count as used again."""
    for fingerprint, effects in sorted(sets.items()):
        new = upsert(connection, effect_table).values(
            fingerprint=fingerprint, document=codec.encode(codec.EFFECTS, effects), used_at=now
        )
        used = {"used_at": new.excluded.used_at}
        connection.execute(new.on_conflict_do_update(index_elements=["fingerprint"], set_=used))


def effect_sets(connection: Connection, fingerprints: Iterable[str]) -> Mapping[str, EffectSet]:
    """Those that are known."""
    query = select(effect_table).where(effect_table.c.fingerprint.in_(sorted(set(fingerprints))))
    return {row.fingerprint: codec.decode(codec.EFFECTS, row.document) for row in connection.execute(query)}


def put_blob(connection: Connection, name: str, owner: str, data: bytes, now: datetime) -> None:
    """Keep bytes under a name; a name is written once and then stays."""
    new = upsert(connection, blobs).values(name=name, owner=owner, data=data, created_at=now)
    connection.execute(new.on_conflict_do_nothing(index_elements=["name"]))


def blob(connection: Connection, name: str) -> bytes | None:
    """The bytes, or None."""
    found = connection.execute(select(blobs.c.data).where(blobs.c.name == name)).scalar_one_or_none()
    return bytes(found) if found is not None else None


def append_log(connection: Connection, run_id: str, seq: int, data: bytes, now: datetime) -> None:
    """Keep one piece; the same piece again changes nothing."""
    new = upsert(connection, logs).values(run=run_id, seq=seq, data=data, at=now)
    connection.execute(new.on_conflict_do_nothing(index_elements=["run", "seq"]))


def log_pieces(connection: Connection, run_id: str, after: int) -> tuple[tuple[int, bytes], ...]:
    """Pieces after ``after``, in order."""
    query = select(logs.c.seq, logs.c.data).where(logs.c.run == run_id, logs.c.seq > after).order_by(logs.c.seq)
    return tuple((row.seq, bytes(row.data)) for row in connection.execute(query))


def lead(connection: Connection, name: str, holder: str, now: datetime, ttl: timedelta) -> bool:
    """Take or prolong a duty; one conditional upsert, so two takers cannot both win."""
    new = upsert(connection, duties).values(name=name, holder=holder, lease_until=now + ttl)
    statement = new.on_conflict_do_update(
        index_elements=["name"],
        set_={"holder": new.excluded.holder, "lease_until": new.excluded.lease_until},
        where=or_(duties.c.holder == holder, duties.c.lease_until <= now),
    )
    return connection.execute(statement.returning(duties.c.name)).first() is not None
