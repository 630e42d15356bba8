"""Changes' rows: a memory is written whole, and only over the version it was read at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, case, func, or_, select, text, union_all, update

from bot.core import codec
from bot.core.errors import StoreConflict
from bot.core.model import ChangeRef, ChangeState, RepoRef
from bot.core.record import Memory
from bot.ports import ChangeRow, Commit
from bot.stores.database import upsert
from bot.stores.schema import changes

_DIRTY = text("dirty <> cleared")
"""Spelled as in the partial index, else the index is not used."""

GONE = "gone"
"""State of a change that its host does not know, or does not show us."""
_NOT_OURS = frozenset({"ignored", GONE})
"""States of changes that nothing is done for, whatever their host says of them."""


def get(connection: Connection, ref: ChangeRef) -> ChangeRow | None:
    """The change's row, or None."""
    found = connection.execute(select(changes).where(changes.c.ref == str(ref))).one_or_none()
    return _row(found) if found is not None else None


def mark(connection: Connection, ref: ChangeRef, now: datetime, *, refetch: bool) -> None:
    """Count one mark; a new change is created dirty."""
    new = upsert(connection, changes).values(_fresh(ref, now) | {"dirty": 1, "refetch_mark": int(refetch)})
    marked = {
        "dirty": changes.c.dirty + 1,
        "dirty_since": case(
            (changes.c.dirty == changes.c.cleared, new.excluded.dirty_since), else_=changes.c.dirty_since
        ),
    }
    if refetch:
        marked["refetch_mark"] = changes.c.dirty + 1
    connection.execute(new.on_conflict_do_update(index_elements=["ref"], set_=marked))


def hint(connection: Connection, ref: ChangeRef, head: str, at: datetime | None) -> None:
    """Keep the newest delivery's watermark; an older one (they come out of order) changes nothing."""
    fields: dict[str, Any] = {"hinted_head": head} if head else {}
    row = update(changes).where(changes.c.ref == str(ref))
    if at is not None:
        row = row.where(or_(changes.c.hinted_at.is_(None), changes.c.hinted_at <= at))
        fields["hinted_at"] = at
    if fields:
        connection.execute(row.values(fields))


def due(connection: Connection, now: datetime, limit: int) -> tuple[ChangeRef, ...]:
    """Dirty or woken, longest waiting first, and leased by nobody. Two branches, so that each uses its index."""
    free = or_(changes.c.lease_until.is_(None), changes.c.lease_until <= now)
    dirty = select(changes.c.ref, changes.c.dirty_since.label("since")).where(_DIRTY, free)
    woken = select(changes.c.ref, changes.c.wake_at.label("since")).where(changes.c.wake_at <= now, free)
    both = union_all(dirty, woken).subquery()
    query = select(both.c.ref).group_by(both.c.ref).order_by(func.min(both.c.since), both.c.ref).limit(limit)
    return tuple(ChangeRef.parse(ref) for ref in connection.execute(query).scalars())


def lease(connection: Connection, ref: ChangeRef, holder: str, now: datetime, ttl: timedelta) -> bool:
    """Take or prolong; one conditional upsert, so two takers cannot both win."""
    taken = {"lease_holder": holder, "lease_until": now + ttl}
    new = upsert(connection, changes).values(_fresh(ref, now) | {"dirty_since": None} | taken)
    free = or_(changes.c.lease_holder == holder, changes.c.lease_until.is_(None), changes.c.lease_until <= now)
    statement = new.on_conflict_do_update(index_elements=["ref"], set_=taken, where=free)
    return connection.execute(statement.returning(changes.c.ref)).first() is not None


def free(connection: Connection, ref: ChangeRef, holder: str) -> None:
    """Give the lease back, if it is still ours."""
    ours = and_(changes.c.ref == str(ref), changes.c.lease_holder == holder)
    connection.execute(update(changes).where(ours).values(lease_holder="", lease_until=None))


def save(connection: Connection, row: ChangeRow, commit: Commit, now: datetime) -> ChangeRow:
    """Write the memory over version ``row.version``. Raises StoreConflict when another version stands there."""
    cleared = case((changes.c.cleared > commit.cleared, changes.c.cleared), else_=commit.cleared)
    fields: dict[str, Any] = _columns(commit.memory, commit.state) | {
        "memory": codec.encode(codec.MEMORY, commit.memory),
        "version": changes.c.version + 1,
        "cleared": cleared,
        "dirty_since": case((changes.c.dirty > commit.cleared, changes.c.dirty_since), else_=None),
        "state": commit.state,
        "wake_at": commit.wake_at,
        "updated_at": now,
    }
    if commit.refetched:
        # A mark made after this row was read wants a read of its own.
        fields["refetch_mark"] = case((changes.c.refetch_mark > row.dirty, changes.c.refetch_mark), else_=0)
    here = and_(changes.c.ref == str(row.ref), changes.c.version == row.version)
    written = connection.execute(update(changes).where(here).values(fields).returning(*changes.c)).one_or_none()
    if written is None:
        raise StoreConflict(f"{row.ref} was written by somebody else since version {row.version}")
    return _row(written)


def of_repo(connection: Connection, repo: RepoRef) -> tuple[ChangeRow, ...]:
    """Changes that are open on their host as far as we know, by number."""
    query = select(changes).where(changes.c.repo == str(repo), changes.c.open).order_by(changes.c.number)
    return tuple(_row(row) for row in connection.execute(query))


def below(connection: Connection, owner: str) -> tuple[ChangeRef, ...]:
    """Of all repositories of ``HOST/OWNER``, or of one: open ones, and those that were not to be found."""
    name, place = func.lower(changes.c.repo), owner.lower()
    theirs = or_(name == place, name.startswith(f"{place}/", autoescape=True))
    query = select(changes.c.ref).where(theirs, or_(changes.c.open, changes.c.state == GONE))
    return _refs(connection.execute(query.order_by(changes.c.repo, changes.c.number)).scalars().all())


def newest(connection: Connection, limit: int, repo: RepoRef | None) -> tuple[ChangeRow, ...]:
    """Last written first."""
    query = select(changes).order_by(changes.c.updated_at.desc(), changes.c.ref).limit(limit)
    if repo is not None:
        query = query.where(changes.c.repo == str(repo))
    return tuple(_row(row) for row in connection.execute(query))


def by_head(connection: Connection, repo: RepoRef, sha: str) -> tuple[ChangeRef, ...]:
    """Changes whose head, as last read, is ``sha``."""
    query = select(changes.c.ref).where(changes.c.repo == str(repo), changes.c.head_sha == sha)
    return _refs(connection.execute(query.order_by(changes.c.number)).scalars().all())


def by_merge(connection: Connection, repo: RepoRef, sha: str) -> ChangeRef | None:
    """The change that ``sha`` merged, by its merge record or, before there is one, by the host's word."""
    query = select(changes.c.ref).where(changes.c.repo == str(repo), changes.c.merge_sha == sha)
    found = _refs(connection.execute(query.order_by(changes.c.number).limit(1)).scalars().all())
    return found[0] if found else None


def author_name(repo: RepoRef, login: str) -> str:
    """A person among those of all hosts; hosts do not tell case apart in a login."""
    return f"{repo.host}/{login.lower()}"


def branch_of(connection: Connection, ref: str) -> str:
    """The branch that a change goes to; empty when it was never read."""
    return connection.execute(select(changes.c.base_ref).where(changes.c.ref == ref)).scalar_one_or_none() or ""


def _fresh(ref: ChangeRef, now: datetime) -> dict[str, Any]:
    return {
        "ref": str(ref),
        "repo": str(ref.repo),
        "number": ref.number,
        "memory": codec.encode(codec.MEMORY, Memory()),
        "dirty_since": now,
        "updated_at": now,
    }


def _columns(memory: Memory, state: str) -> dict[str, Any]:
    columns: dict[str, Any] = {"open": state not in _NOT_OURS}
    if memory.host is not None:
        change = memory.host.change
        columns["open"] = columns["open"] and change.state is ChangeState.OPEN
        columns |= {"head_sha": change.head_sha, "base_ref": change.base_ref, "merge_sha": change.merge_sha}
        columns["author"] = author_name(change.ref.repo, change.author)
    if memory.merge is not None:
        columns["merge_sha"] = memory.merge.sha
    return columns


def _refs(texts: Sequence[str]) -> tuple[ChangeRef, ...]:
    return tuple(ChangeRef.parse(each) for each in texts)


def _row(row: Row[Any]) -> ChangeRow:
    return ChangeRow(
        ref=ChangeRef.parse(row.ref),
        memory=codec.decode(codec.MEMORY, row.memory),
        version=row.version,
        dirty=row.dirty,
        cleared=row.cleared,
        refetch=row.refetch_mark > 0,
        state=row.state,
        wake_at=row.wake_at,
        updated_at=row.updated_at,
        hinted_head=row.hinted_head,
        hinted_at=row.hinted_at,
    )
