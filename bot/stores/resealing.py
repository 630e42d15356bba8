"""Sealing what is stored again, with the newest key: piece by piece, while others read and write.

What is done is told by what stands there, so it can be stopped at any moment and begun again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from sqlalchemy import Connection, LargeBinary, func, select, tuple_, update

from bot.core.errors import KeyMismatch
from bot.stores.artifacts import HEADER_BYTES, FolderVault
from bot.stores.database import Database
from bot.stores.keyring import Keyring
from bot.stores.logs import piece_name
from bot.stores.schema import blobs, logs

BLOBS_AT_ONCE: Final = 8
"""A plan may have tens of megabytes …"""
PIECES_AT_ONCE: Final = 200
"""… a piece of a log has at most 16 KiB."""

Told = Callable[[str, int, int], None]
"""(what, how many are done, of how many)"""


@dataclass(frozen=True, slots=True)
class Sealed:
    """One thing as it stands: where, under which name it was sealed, and its bytes."""

    key: tuple[Any, ...]
    name: str
    data: bytes


class Place(Protocol):
    """Somewhere sealed things are kept."""

    @property
    def what(self) -> str:
        """What is kept there, in words."""

    def count(self, header: bytes) -> int:
        """How many do not begin with this header."""

    def batch(self, header: bytes, after: tuple[Any, ...] | None) -> Sequence[Sealed]:
        """Some of them, in order, after the key of the last."""

    def put(self, items: Sequence[tuple[Sealed, bytes]]) -> None:
        """The new bytes in place of the old; what was deleted meanwhile stays so."""


@dataclass(frozen=True, slots=True)
class Blobs:
    """Artifacts in the store."""

    database: Database
    what: str = "artifacts in the store"

    def count(self, header: bytes) -> int:
        return self.database.read(lambda c: _count(c, blobs, header))

    def batch(self, header: bytes, after: tuple[Any, ...] | None) -> Sequence[Sealed]:
        query = select(blobs.c.name, blobs.c.data).where(_header(blobs) != header)
        query = query.where(blobs.c.name > after[0]) if after else query
        rows = self.database.read(lambda c: c.execute(query.order_by(blobs.c.name).limit(BLOBS_AT_ONCE)).all())
        return [Sealed((row.name,), row.name, bytes(row.data)) for row in rows]

    def put(self, items: Sequence[tuple[Sealed, bytes]]) -> None:
        def write(connection: Connection) -> None:
            for old, new in items:
                row = (blobs.c.name == old.name) & (_header(blobs) == old.data[:HEADER_BYTES])
                connection.execute(update(blobs).where(row).values(data=new))

        self.database.write(write)


@dataclass(frozen=True, slots=True)
class Pieces:
    """Pieces of logs in the store."""

    database: Database
    what: str = "pieces of logs"

    def count(self, header: bytes) -> int:
        return self.database.read(lambda c: _count(c, logs, header))

    def batch(self, header: bytes, after: tuple[Any, ...] | None) -> Sequence[Sealed]:
        query = select(logs.c.run, logs.c.seq, logs.c.data).where(_header(logs) != header)
        query = query.where(tuple_(logs.c.run, logs.c.seq) > after) if after else query
        query = query.order_by(logs.c.run, logs.c.seq).limit(PIECES_AT_ONCE)
        rows = self.database.read(lambda c: c.execute(query).all())
        return [Sealed((row.run, row.seq), piece_name(row.run, row.seq), bytes(row.data)) for row in rows]

    def put(self, items: Sequence[tuple[Sealed, bytes]]) -> None:
        def write(connection: Connection) -> None:
            for old, new in items:
                run, seq = old.key
                row = (logs.c.run == run) & (logs.c.seq == seq) & (_header(logs) == old.data[:HEADER_BYTES])
                connection.execute(update(logs).where(row).values(data=new))

        self.database.write(write)


@dataclass(frozen=True, slots=True)
class Files:
    """Artifacts in a folder."""

    vault: FolderVault
    what: str = "artifacts in the folder"

    def count(self, header: bytes) -> int:
        return len(self._names(header))

    def batch(self, header: bytes, after: tuple[Any, ...] | None) -> Sequence[Sealed]:
        names = [each for each in self._names(header) if after is None or each > after[0]]
        found = ((name, self.vault.blob(name)) for name in names[:BLOBS_AT_ONCE])
        return [Sealed((name,), name, data) for name, data in found if data is not None]

    def put(self, items: Sequence[tuple[Sealed, bytes]]) -> None:
        for old, new in items:
            self.vault.rewrite(old.name, new)

    def _names(self, header: bytes) -> list[str]:
        return [name for name in self.vault.names() if self.vault.header(name) not in (header, b"")]


def reseal(places: Iterable[Place], keyring: Keyring, told: Told) -> tuple[str, ...]:
    """Everything under the newest key; returns the names of what no key opens (it stays as it is)."""
    lost: list[str] = []
    for place in places:
        header = keyring.header
        total, done, after = place.count(header), 0, None
        while items := place.batch(header, after):
            good: list[tuple[Sealed, bytes]] = []
            for item in items:
                try:
                    good.append((item, keyring.seal(keyring.open(item.data, item.name), item.name)))
                except KeyMismatch:
                    lost.append(item.name)
            place.put(good)
            after, done = items[-1].key, done + len(items)
            told(place.what, done, max(done, total))
    return tuple(lost)


def _count(connection: Connection, table: Any, header: bytes) -> int:
    return int(connection.execute(select(func.count()).where(_header(table) != header)).scalar_one())


def _header(table: Any) -> Any:
    return func.substr(table.c.data, 1, HEADER_BYTES, type_=LargeBinary)
