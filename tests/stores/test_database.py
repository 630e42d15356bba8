"""Connections: durable as asked, private on disk, and nothing secret in an error."""

from __future__ import annotations

import stat

import pytest
from sqlalchemy import text

from bot.core.errors import StoreDown
from bot.stores.database import Database
from bot.stores.sqlstore import SqlStore


def _pragma(database, name):
    return database.read(lambda c: c.execute(text(f"PRAGMA {name}")).scalar_one())


@pytest.mark.parametrize(("durability", "synchronous"), [("kill", 1), ("power", 2)])
def test_a_commit_survives_what_the_operator_asked_for(tmp_path, durability, synchronous):
    database = Database(f"sqlite:///{tmp_path}/h.db", durability)
    assert (_pragma(database, "journal_mode"), _pragma(database, "synchronous")) == ("wal", synchronous)
    assert (_pragma(database, "foreign_keys"), _pragma(database, "busy_timeout")) == (1, 30_000)
    database.close()


def test_the_database_file_and_its_companions_are_private(tmp_path):
    store = SqlStore(f"sqlite:///{tmp_path}/new/h.db")
    store.migrate()
    store.put_setting("a", "1")
    files = sorted((tmp_path / "new").iterdir())
    assert len(files) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    store.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://x/y"])
def test_a_store_that_would_not_last_or_is_not_known_is_refused(url):
    with pytest.raises(ValueError, match="store"):
        SqlStore(url)


def test_a_plain_postgresql_url_means_the_driver_that_is_installed():
    database = Database("postgresql://headgate@/x?host=/nowhere", "power")
    assert database.engine.dialect.driver == "psycopg"
    assert database.file is None


def test_an_error_shows_neither_password_nor_statement(tmp_path):
    store = SqlStore("postgresql://headgate:hunter2@127.0.0.1:1/x?sslmode=disable")
    with pytest.raises(StoreDown) as down:
        store.put_setting("secret-name", "secret-value")
    assert not any(word in str(down.value) for word in ("hunter2", "secret-name", "secret-value", "INSERT"))
    assert down.value.__cause__ is None


def test_a_transaction_that_fails_leaves_nothing(tmp_path):
    store = SqlStore(f"sqlite:///{tmp_path}/h.db")
    store.migrate()
    database = Database(f"sqlite:///{tmp_path}/h.db", "kill")

    def work(connection):
        connection.execute(text("INSERT INTO setting VALUES ('a', '1')"))
        raise KeyError

    with pytest.raises(KeyError):
        database.write(work)
    assert store.setting("a") is None
    assert store.put_setting("a", "2"), "and the lock is free again"
    store.close()
    database.close()


def test_a_reader_sees_one_state_from_beginning_to_end(tmp_path):
    store = SqlStore(f"sqlite:///{tmp_path}/h.db")
    store.migrate()
    store.put_setting("a", "1")
    database = Database(f"sqlite:///{tmp_path}/h.db", "kill")
    query = text("SELECT value FROM setting")

    def work(connection):
        before = connection.execute(query).scalar_one()
        store.put_setting("a", "2")
        return before, connection.execute(query).scalar_one()

    assert database.read(work) == ("1", "1")
    assert store.setting("a") == "2"
    store.close()
    database.close()


def test_a_connection_of_another_process_is_never_used(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/h.db", "kill")
    with database.engine.connect() as connection:
        inherited = connection.connection.dbapi_connection
        connection.info["pid"] = -1
    with database.engine.connect() as connection:
        assert connection.connection.dbapi_connection is not inherited
        assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1
    database.close()
    inherited.close()


def test_after_a_fork_the_parents_connections_are_left_open(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/h.db", "kill")
    with database.engine.connect() as connection:
        inherited = connection.connection.dbapi_connection
    database.after_fork()
    with database.engine.connect() as connection:
        assert connection.connection.dbapi_connection is not inherited
    assert inherited.execute("SELECT 1").fetchone() == (1,)
    database.close()
    inherited.close()
