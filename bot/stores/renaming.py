"""A repository that has another name now: everything that is kept of it is kept under that one, or nothing is.

The record keeps the names that were true when it was written; a row of it tells of the renaming.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Connection, Table, delete, insert, select, update

from bot.core import codec
from bot.core.model import ChangeRef, ChangeState, RepoRef
from bot.core.record import AuditEntry, Memory
from bot.ports import FORMER, SHUT_OUT
from bot.stores import audit
from bot.stores.changes import GONE
from bot.stores.runs import ACTIVE
from bot.stores.schema import changes, concerns, freezes, intents, pushers, runs, settings, targets
from bot.stores.targets import OPEN

BRANCH_HEAD: Final = "branch-head:"
"""Of two the older stays: what came after it is looked at again, and nothing is passed over."""


def rename(
    connection: Connection, old: RepoRef, new: RepoRef, now: datetime, *, parked: bool
) -> tuple[ChangeRef, ...] | None:
    """Everything of ``old`` is of ``new`` from now on; the changes that have to be looked at, dirty.

    None, and nothing is done, while a run is under way that knows the old name. ``parked`` when nobody looks after
    the new name.
    """
    under_way = select(runs.c.id).where(runs.c.repo == str(old), runs.c.state.in_(ACTIVE))
    if connection.execute(under_way.limit(1)).first() is not None:
        return None
    names = _Names(old, new)
    moved = _changes(connection, names, now, parked=parked)
    _runs(connection, names)
    _claims(connection, names)
    _targets(connection, names)
    for table in (freezes, pushers):
        _rows(connection, table, names)
    _settings(connection, names)
    detail: dict[str, object] = {"from": str(old), "to": str(new)}
    entries = tuple(AuditEntry("headgate", "repository.renamed", str(each), detail) for each in (old, new))
    audit.write(connection, entries, now)
    return moved


class _Names:
    """The old name for the new one, wherever it stands for the repository."""

    def __init__(self, old: RepoRef, new: RepoRef) -> None:
        self.old, self.new = old, new
        # What a target means inside one repository alone bears its name: see bot.core.layout.
        self._local = (f"local:{old}/", f"local:{new}/")

    def target(self, name: str) -> str:
        """A target's."""
        before, after = self._local
        return after + name.removeprefix(before) if name.startswith(before) else name

    def change(self, text: str) -> str:
        """A change's."""
        return str(ChangeRef(self.new, ChangeRef.parse(text).number))

    def everywhere(self, value: object) -> object:
        """In the plain JSON of a document."""
        match value:
            case dict():
                if value == {"host": self.old.host, "path": self.old.path}:
                    return {"host": self.new.host, "path": self.new.path}
                return {self.everywhere(name): self.everywhere(item) for name, item in value.items()}
            case list() | tuple():
                return [self.everywhere(item) for item in value]
            case str():
                return self.target(value)
            case _:
                return value


def _changes(connection: Connection, names: _Names, now: datetime, *, parked: bool) -> tuple[ChangeRef, ...]:
    """Those that may not be at rest are looked at again; of a parked repository none is."""
    unsettled = set(connection.execute(select(intents.c.change).where(intents.c.state.in_(OPEN))).scalars())
    moved = []
    for row in connection.execute(select(changes).where(changes.c.repo == str(names.old))).all():
        ref, memory = ChangeRef(names.new, row.number), codec.decode(codec.MEMORY, row.memory)
        if not _vacated(connection, ref):
            if _only_heard_of(memory):
                connection.execute(delete(changes).where(changes.c.ref == row.ref))
            continue
        fields: dict[str, Any] = {
            "ref": str(ref),
            "repo": str(names.new),
            "memory": codec.altered(codec.MEMORY, row.memory, names.everywhere),
            "version": row.version + 1,
            "lease_holder": "",
            "lease_until": None,
        }
        if parked:
            fields |= {"open": False, "state": GONE, "wake_at": None, "cleared": row.dirty, "dirty_since": None}
        elif _may_move(memory) or row.ref in unsettled:
            fields |= {"dirty": row.dirty + 1, "refetch_mark": row.dirty + 1, "dirty_since": now}
            moved.append(ref)
        connection.execute(update(changes).where(changes.c.ref == row.ref).values(fields))
    return tuple(moved)


def _vacated(connection: Connection, ref: ChangeRef) -> bool:
    """Whether the place is free: who was only heard of under the new name makes room for what is known of it."""
    there = connection.execute(select(changes.c.memory).where(changes.c.ref == str(ref))).scalar_one_or_none()
    if there is None:
        return True
    if not _only_heard_of(codec.decode(codec.MEMORY, there)):
        return False
    connection.execute(delete(changes).where(changes.c.ref == str(ref)))
    return True


def _only_heard_of(memory: Memory) -> bool:
    return not (memory.faces or memory.records or memory.published.pages or memory.merge is not None)


def _may_move(memory: Memory) -> bool:
    return memory.host is None or memory.host.change.state is ChangeState.OPEN


def _runs(connection: Connection, names: _Names) -> None:
    for row in connection.execute(select(runs).where(runs.c.repo == str(names.old))).all():
        fields = {
            "change": names.change(row.change),
            "repo": str(names.new),
            "target": names.target(row.target),
            "document": codec.altered(codec.RUN, row.document, names.everywhere),
        }
        connection.execute(update(runs).where(runs.c.seq == row.seq).values(fields))


def _claims(connection: Connection, names: _Names) -> None:
    """Claims on targets, and which changes concern which; also where others' concern a target that bears our name."""
    for table in (intents, concerns):
        ours = table.c.change.startswith(f"{names.old}!", autoescape=True)
        local = table.c.target.startswith(f"local:{names.old}/", autoescape=True)
        for row in connection.execute(select(table).where(ours | local)).all():
            old = row._asdict()
            mine = old["change"].startswith(f"{names.old}!")
            new = old | {"target": names.target(old["target"])}
            if mine:
                new["change"] = names.change(old["change"])
            if mine and "repo" in old:
                new["repo"] = str(names.new)
            _replace(connection, table, old, new)


def _targets(connection: Connection, names: _Names) -> None:
    here = update(targets).where(targets.c.deployed_repo == str(names.old))
    connection.execute(here.values(deployed_repo=str(names.new)))
    local = targets.c.target.startswith(f"local:{names.old}/", autoescape=True)
    for row in connection.execute(select(targets).where(local)).all():
        old = row._asdict()
        # What the new name's target has seen, it has seen while nothing was known of it.
        connection.execute(delete(targets).where(targets.c.target == names.target(old["target"])))
        _replace(connection, targets, old, old | {"target": names.target(old["target"])})


def _rows(connection: Connection, table: Table, names: _Names) -> None:
    for row in connection.execute(select(table).where(table.c.repo == str(names.old))).all():
        old = row._asdict()
        _replace(connection, table, old, old | {"repo": str(names.new)})


def _replace(connection: Connection, table: Table, old: dict[str, Any], new: dict[str, Any]) -> None:
    """One row by another; where one of that key is there already, it stays."""
    keys = tuple(table.primary_key.columns)
    connection.execute(delete(table).where(*_same(keys, old)))
    if connection.execute(select(*keys).where(*_same(keys, new))).first() is None:
        connection.execute(insert(table).values(new))


def _same(keys: Iterable[Column[Any]], row: dict[str, Any]) -> list[Any]:
    return [key == row[key.name] for key in keys]


def _settings(connection: Connection, names: _Names) -> None:
    """Those that are kept by a repository's name, alone or with a branch, a change or a commit behind it."""
    named = settings.c.name.contains(f":{names.old}", autoescape=True)
    for row in connection.execute(select(settings).where(named)).all():
        kind, _, rest = row.name.partition(f":{names.old}")
        if rest[:1] not in ("", "@", "!") or ":" in kind:
            continue
        connection.execute(delete(settings).where(settings.c.name == row.name))
        if f"{kind}:" == SHUT_OUT:
            continue
        name = f"{kind}:{names.new}{rest}"
        if f"{kind}:" == BRANCH_HEAD:
            connection.execute(delete(settings).where(settings.c.name == name))
        if connection.execute(select(settings.c.name).where(settings.c.name == name)).first() is None:
            connection.execute(insert(settings).values(name=name, value=row.value))
    # Under which names older rows of the record are found.
    former = f"{FORMER}{names.new}"
    known = connection.execute(select(settings.c.value).where(settings.c.name == former)).scalar_one_or_none()
    connection.execute(delete(settings).where(settings.c.name == former))
    value = "\n".join(dict.fromkeys([*(known.split("\n") if known else ()), str(names.old)]))
    connection.execute(insert(settings).values(name=former, value=value))
