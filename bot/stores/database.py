"""Connections and transactions: one write transaction at a time on SQLite, retried deadlocks on PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.core.errors import StoreDown

T = TypeVar("T")

ATTEMPTS: Final = 6
"""How often a transaction that the database rolled back for another's sake is tried."""

RETRYABLE: Final = frozenset({"40001", "40P01"})
"""PostgreSQL's serialization_failure and deadlock_detected: https://www.postgresql.org/docs/current/errcodes-appendix.html"""

BUSY_SECONDS: Final = 30
"""How long a writer waits for the others on SQLite."""

CONNECT_SECONDS: Final = 10
"""How long a PostgreSQL server may take to answer."""

SYNCHRONOUS: Final = {"kill": "NORMAL", "power": "FULL"}
"""What a commit survives -> SQLite's ``synchronous`` (in WAL mode NORMAL survives a kill, FULL a power cut)."""


def upsert(connection: Connection, table: Table) -> Any:
    """An INSERT that takes ``on_conflict_…``: both databases spell it alike, SQLAlchemy has two classes."""
    return insertion(connection.dialect.name, table)


def insertion(dialect: str, table: Table) -> Any:
    """The same, by the name of the database's dialect."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


class _Undo(Exception):
    """Ends a transaction that was never meant to be kept."""


class Database:
    """Engine and transaction runner. Work is a function of a connection, so that it can be run again."""

    def __init__(self, url: str, durability: str) -> None:
        self.url = _normal(url)
        self.engine = _engine(self.url, SYNCHRONOUS[durability])
        self._abandoned: list[object] = []
        _dispose_in_children(self)

    @property
    def file(self) -> Path | None:
        """The database file; None for a server."""
        return Path(self.url.database or "") if self.url.get_backend_name() == "sqlite" else None

    def after_fork(self) -> None:
        """Forget the parent's connections without closing them: they are the parent's. Kept referenced, since
        collecting them would close them."""
        self._abandoned.append(self.engine.pool)
        self.engine.dispose(close=False)

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` on one consistent snapshot. Raises StoreDown."""
        return self._run(work, write=False)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in one write transaction: all or nothing. Raises StoreDown, and what ``work`` raises."""
        return self._run(work, write=True)

    def undone(self, work: Callable[[Connection], object]) -> None:
        """Run ``work`` in one write transaction, then roll it back. Raises StoreDown, and what ``work`` raises."""

        def rolled_back(connection: Connection) -> None:
            work(connection)
            raise _Undo

        with contextlib.suppress(_Undo):
            self._run(rolled_back, write=True)

    def close(self) -> None:
        self.engine.dispose()

    def _run(self, work: Callable[[Connection], T], *, write: bool) -> T:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._once(work, write=write)
            except DBAPIError as error:
                if _retryable(error) and attempt < ATTEMPTS:
                    continue
                if _without_schema(error):
                    raise StoreDown("the store has no schema yet, or an older one: `headgate db migrate`") from None
                if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
                    raise StoreDown(_words(error)) from None
                raise
            except PoolTimeout:
                raise StoreDown("every connection to the store is in use") from None
        raise StoreDown("the store kept rolling back for other transactions")

    def _once(self, work: Callable[[Connection], T], *, write: bool) -> T:
        with self.engine.connect() as connection:
            connection = connection.execution_options(headgate_write=write, **_isolation(self.url, write=write))
            with connection.begin():
                return work(connection)


def _isolation(url: URL, *, write: bool) -> dict[str, str]:
    # A read of several statements must see one state; SQLite's WAL readers do so by themselves.
    if url.get_backend_name() == "sqlite" or write:
        return {}
    return {"isolation_level": "REPEATABLE READ"}


def _normal(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError("this is no database URL") from None
    match parsed.get_backend_name():
        case "sqlite":
            if not parsed.database or parsed.database == ":memory:":
                raise ValueError("the store needs a file: sqlite:////path/to/headgate.db")
            return parsed
        case "postgresql":
            return parsed.set(drivername="postgresql+psycopg")
        case other:
            raise ValueError(f"the store can be SQLite or PostgreSQL, not {other}")


def _engine(url: URL, synchronous: str) -> Engine:
    if url.get_backend_name() == "sqlite":
        _private_file(Path(url.database or ""))
        engine = create_engine(url, pool_size=8, max_overflow=56, connect_args={"timeout": BUSY_SECONDS})
        event.listen(engine, "connect", _sqlite_settings(synchronous))
        event.listen(engine, "begin", _sqlite_begin)
    else:
        # A server whose databases have no encoding (SQL_ASCII) would answer with bytes.
        utf8 = {"client_encoding": "utf8", "connect_timeout": CONNECT_SECONDS}
        engine = create_engine(
            url, pool_size=4, max_overflow=12, pool_pre_ping=True, pool_recycle=1800, connect_args=utf8
        )
    event.listen(engine, "connect", _note_process)
    event.listen(engine, "checkout", _check_process)
    return engine


def _private_file(path: Path) -> None:
    # Created before SQLite does, so that its WAL and shared-memory files copy these permissions.
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _sqlite_settings(synchronous: str) -> Callable[[sqlite3.Connection, object], None]:
    def on_connect(connection: sqlite3.Connection, record: object) -> None:  # noqa: ARG001 - SQLAlchemy's signature
        # None stops the driver from beginning transactions by itself (it would begin them deferred).
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA foreign_keys = ON")

    return on_connect


def _sqlite_begin(connection: Connection) -> None:
    # IMMEDIATE: a transaction that reads and then writes would else fail at the write when another was faster.
    write = connection.get_execution_options().get("headgate_write", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _note_process(connection: object, record: Any) -> None:  # noqa: ARG001 - SQLAlchemy's signature
    record.info["pid"] = os.getpid()


def _check_process(connection: object, record: Any, proxy: Any) -> None:  # noqa: ARG001 - SQLAlchemy's signature
    # https://docs.sqlalchemy.org/en/20/core/pooling.html#using-connection-pools-with-multiprocessing-or-os-fork
    if record.info["pid"] != os.getpid():
        record.dbapi_connection = proxy.dbapi_connection = None
        raise DisconnectionError("this connection belongs to another process")


def _dispose_in_children(database: Database) -> None:
    reference = weakref.ref(database)

    def in_child() -> None:
        alive = reference()
        if alive is not None:
            alive.after_fork()

    os.register_at_fork(after_in_child=in_child)


def _retryable(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) in RETRYABLE


def _without_schema(error: DBAPIError) -> bool:
    """Whether a table is not there: PostgreSQL's ``undefined_table``; SQLite has only words for it."""
    return getattr(error.orig, "sqlstate", None) == "42P01" or str(error.orig).startswith("no such table")


def _words(error: DBAPIError) -> str:
    # The driver's first line only: neither statement nor values, which may hold what people wrote.
    first = str(error.orig).strip().splitlines() or ["no reason given"]
    return f"the store cannot be reached: {first[0][:300]}"
