"""Everything a store holds, row by row and opened, for whoever looks for something in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, inspect, select, table, text

from bot.core.errors import KeyMismatch
from bot.stores.artifacts import FolderVault, Sealer
from bot.stores.database import Database
from bot.stores.logs import piece_name
from bot.stores.schema import blobs, logs

ROWS_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class Held:
    """One value somewhere. ``data`` is None where no key opens it: it could not be looked at."""

    where: str
    data: bytes | None
    follows: bool = False
    """Goes on where the one before ended (a log's next piece)."""


Look = Callable[[Held], None]


def rows(database: Database, look: Look) -> None:
    """Every column of every row of every table, also of those that are not ours. Raises StoreDown."""

    def read(connection: Connection) -> None:
        for name in sorted(inspect(connection).get_table_names()):
            keys = inspect(connection).get_pk_constraint(name)["constrained_columns"]
            query = select(text("*")).select_from(table(name))
            found = connection.execute(query, execution_options={"yield_per": ROWS_AT_ONCE})
            for number, row in enumerate(found.mappings(), 1):
                for held in _columns(name, keys, number, row):
                    look(held)

    database.read(read)


def artifacts(database: Database, sealer: Sealer, look: Look) -> None:
    """What is sealed in the store, opened."""

    def read(connection: Connection) -> None:
        options = {"yield_per": 1}
        for name, data in connection.execute(select(blobs.c.name, blobs.c.data), execution_options=options):
            look(Held(f"artifact {name}", _opened(sealer, bytes(data), name)))

    database.read(read)


def pieces(database: Database, sealer: Sealer, look: Look) -> None:
    """Every run's log, opened, in order."""

    def read(connection: Connection) -> None:
        before = ""
        query = select(logs.c.run, logs.c.seq, logs.c.data).order_by(logs.c.run, logs.c.seq)
        for run, seq, data in connection.execute(query, execution_options={"yield_per": ROWS_AT_ONCE}):
            opened = _opened(sealer, bytes(data), piece_name(run, seq))
            look(Held(f"log of run {run}, piece {seq}", opened, follows=run == before))
            before = run

    database.read(read)


def files(vault: FolderVault, sealer: Sealer) -> Iterator[Held]:
    """What is sealed in a folder, opened."""
    for name in vault.names():
        data = vault.blob(name)
        if data is not None:
            yield Held(f"artifact {name}", _opened(sealer, data, name))


def _columns(name: str, keys: list[str], number: int, row: Mapping[Any, Any]) -> Iterator[Held]:
    which = ", ".join(f"{key}={row[key]}" for key in keys) or f"number {number}"
    for column, value in row.items():
        data = bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode("utf-8", "replace")
        yield Held(f"table {name}, row {which}, column {column}", data)


def _opened(sealer: Sealer, data: bytes, name: str) -> bytes | None:
    try:
        return sealer.open(data, name)
    except KeyMismatch:
        return None
