"""Bringing the schema up to date: all migrations in one transaction, under a lock, whoever starts first."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, inspect, text

from bot.core.codec import NewerFormat
from bot.stores.database import Database

VERSIONS: Final = Path(__file__).parent / "migrations" / "versions"
REVISION: Final = max(each.stem.partition("_")[0] for each in VERSIONS.glob("[0-9]*.py"))
"""This program's schema, by the names of the migrations (a test compares what is in them). Alembic could tell,
but would weigh megabytes in every process that only asks whether there is something to do."""

LOCK: Final = 0x6865616467617465
"""Key of the PostgreSQL advisory lock: "headgate" in ASCII."""


def migrate(database: Database) -> None:
    """Bring the schema to this program's revision. Raises NewerFormat when it is ahead already, StoreDown."""
    if not current(database):
        # SQLite needs no lock of its own: a write transaction begins IMMEDIATE, so one starter migrates at a time.
        database.write(_upgrade)


def current(database: Database) -> bool:
    """True when the schema has this program's revision. Raises NewerFormat, StoreDown."""
    if database.read(_revision) == REVISION:
        return True
    found, wanted = revisions(database)
    return found == wanted


def revisions(database: Database) -> tuple[str, str]:
    """The store's revision (empty for an empty store) and this program's. Raises NewerFormat, StoreDown."""
    script = _script()
    found = database.read(_revision)
    if found and found not in {each.revision for each in script.walk_revisions()}:
        raise NewerFormat(f"the store's schema is {found}, which this Headgate does not know: it is newer; upgrade")
    return found, script.get_current_head()


def _upgrade(connection: Connection) -> None:
    from alembic import command  # here, since only a starter needs it and it costs a tenth of a second

    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str:
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none() or ""


def _script() -> Any:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config())


def _config() -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config
