"""A new key seals everything stored again, whatever dies meanwhile; what no key opens stays and is named."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import databases
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from bot.core.errors import KeyMismatch
from bot.stores.artifacts import ArtifactKey, Cipher, DamagedArtifact, FolderVault, SealedArtifacts
from bot.stores.keyring import Keyring
from bot.stores.logs import StoredLog, read_log
from bot.stores.resealing import Files, reseal
from bot.stores.searching import Held, files
from bot.stores.sqlstore import SqlStore

LOG = "".join(f"line {n} of a log that is longer than one piece of it\n" for n in range(1200))


@pytest.fixture
def store(tmp_path: Path):
    store = SqlStore(f"sqlite:///{tmp_path}/headgate.db")
    store.migrate()
    yield store
    store.close()


@pytest.fixture
def pg(postgres: str):
    databases.create_database(postgres, "resealing", "template0")
    store = SqlStore(f"postgresql://headgate@/resealing?host={postgres}")
    store.migrate()
    yield store
    store.close()


def quiet(what: str, done: int, total: int) -> None:
    assert 0 < done <= total, what


def fill(store: SqlStore, folder: FolderVault, keyring: Keyring, count: int = 20) -> dict[str, bytes]:
    """Artifacts in both places and a log; what they hold, by name."""
    held = {}
    for vault in (store, folder):
        for n in range(count):
            data = b"plan %d" % n
            held[SealedArtifacts(vault, keyring).put("plan", data, owner="r1")] = data
    log = StoredLog(store, keyring, "r1")
    log.write(LOG)
    log.close()
    return held


def holds(store: SqlStore, folder: FolderVault, sealer: Keyring | Cipher, held: dict[str, bytes]) -> None:
    for name, data in held.items():
        found = [SealedArtifacts(vault, sealer).get(name) for vault in (store, folder)]
        assert sorted(each is None for each in found) == [False, True]
        assert data in found
    assert "".join(text for _, text in read_log(store, sealer, "r1")) == LOG


def left(store: SqlStore, folder: FolderVault, keyring: Keyring) -> list[int]:
    return [place.count(keyring.header) for place in (*store.sealed_places(), Files(folder))]


def test_everything_opens_with_the_new_key_alone_afterwards(store: SqlStore, tmp_path: Path) -> None:
    keyring, folder = Keyring(tmp_path / "key"), FolderVault(tmp_path / "artifacts")
    held = fill(store, folder, keyring)
    old = Cipher(*keyring.keys())
    new = keyring.add()
    assert left(store, folder, keyring) == [20, 4, 20]
    assert reseal((*store.sealed_places(), Files(folder)), keyring, quiet) == ()
    assert left(store, folder, keyring) == [0, 0, 0]
    holds(store, folder, Cipher(new), held)
    with pytest.raises(KeyMismatch):
        holds(store, folder, old, held)


def test_everything_is_sealed_again_on_postgresql_too(pg: SqlStore, tmp_path: Path) -> None:
    keyring, folder = Keyring(tmp_path / "key"), FolderVault(tmp_path / "artifacts")
    held = fill(pg, folder, keyring)
    new = keyring.add()
    assert left(pg, folder, keyring) == [20, 4, 20]
    assert reseal((*pg.sealed_places(), Files(folder)), keyring, quiet) == ()
    assert left(pg, folder, keyring) == [0, 0, 0]
    holds(pg, folder, Cipher(new), held)


def test_what_others_write_meanwhile_is_sealed_with_the_new_key(store: SqlStore, tmp_path: Path) -> None:
    keyring, folder = Keyring(tmp_path / "key"), FolderVault(tmp_path / "artifacts")
    held = fill(store, folder, keyring)
    other = Keyring(tmp_path / "key")
    other.keys()
    keyring.add()

    def write(what: str, done: int, total: int) -> None:
        held[SealedArtifacts(store, other).put("plan", b"meanwhile", owner="r2")] = b"meanwhile"
        holds(store, folder, other, held)

    reseal((*store.sealed_places(), Files(folder)), keyring, write)
    assert left(store, folder, keyring) == [0, 0, 0]


def test_what_was_altered_stays_as_it_is_and_is_named(store: SqlStore, tmp_path: Path) -> None:
    keyring, folder = Keyring(tmp_path / "key"), FolderVault(tmp_path / "artifacts")
    good = SealedArtifacts(folder, keyring).put("plan", b"good", owner="r1")
    bad = SealedArtifacts(folder, keyring).put("plan", b"bad", owner="r1")
    place = tmp_path / "artifacts" / bad
    place.write_bytes(damaged := place.read_bytes()[:-1])
    keyring.add()
    assert reseal((Files(folder),), keyring, quiet) == (bad,)
    assert place.read_bytes() == damaged
    assert SealedArtifacts(folder, keyring).get(good) == b"good"
    assert [held.data for held in sorted(files(folder, keyring), key=lambda each: each.data is None)] == [
        b"good",
        None,
    ]


def test_a_file_keeps_its_time_so_that_it_is_swept_when_it_was_due(tmp_path: Path) -> None:
    keyring, folder = Keyring(tmp_path / "key"), FolderVault(tmp_path / "artifacts")
    name = SealedArtifacts(folder, keyring).put("plan", b"x", owner="r1")
    os.utime(tmp_path / "artifacts" / name, (1000, 1000))
    keyring.add()
    reseal((Files(folder),), keyring, quiet)
    assert folder.sweep(2000.0) == 1
    folder.rewrite(name, b"y")
    assert (folder.blob(name), folder.header(name)) == (None, b"")


def dies_at(step: int, work: Callable[[], object]) -> bool:
    """Do it in a process that is killed before its ``step``-th statement, commit or change of a file."""
    child = os.fork()
    if child == 0:
        count = 0

        def tick(*_: object) -> None:
            nonlocal count
            count += 1
            if count >= step:
                os.kill(os.getpid(), signal.SIGKILL)

        event.listen(Engine, "before_cursor_execute", tick)
        event.listen(Engine, "commit", tick)
        sys.addaudithook(lambda name, _: tick() if name in ("open", "os.rename", "os.remove", "os.utime") else None)
        work()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def test_killed_at_any_moment_everything_opens_and_the_next_time_goes_on(store: SqlStore, tmp_path: Path) -> None:
    keyring, folder = Keyring(tmp_path / "key"), FolderVault(tmp_path / "artifacts")
    held = fill(store, folder, keyring, count=3)

    def change_over() -> None:
        mine = Keyring(tmp_path / "key")
        with mine.alone():
            if len(mine.keys()) == 1:
                mine.add()
            reseal((*store.sealed_places(), Files(folder)), mine, quiet)
            mine.forget()

    step = 0
    while dies_at(step := step + 1, change_over):
        holds(store, folder, keyring, held)
        assert len(keyring.keys()) in (1, 2)
    assert step > 15
    holds(store, folder, keyring, held)
    assert left(store, folder, keyring) == [0, 0, 0]
    assert len(keyring.keys()) == 1


@pytest.mark.parametrize("damage", ["altered", "swapped", "cut"])
def test_a_damaged_log_is_refused_whole_and_in_words(store: SqlStore, tmp_path: Path, damage: str) -> None:
    keyring = Keyring(tmp_path / "key")
    for run in ("r1", "r2"):
        log = StoredLog(store, keyring, run)
        log.write(LOG)
        log.close()
    (_, first), (_, second), *_ = store.log_pieces("r1")
    wrong = {"altered": first[:40] + b"x" + first[41:], "swapped": second, "cut": first[:30]}[damage]
    with store._db.engine.connect() as connection:
        connection.exec_driver_sql("UPDATE run_log SET data = ? WHERE run = 'r1' AND seq = 0", (wrong,))
        connection.commit()
    with pytest.raises(DamagedArtifact, match="log:r1:0 was altered after it was stored"):
        read_log(store, keyring, "r1")
    seen: list[Held] = []
    store.search(keyring, seen.append)
    assert [held.where for held in seen if held.data is None] == ["log of run r1, piece 0"]


def test_a_key_that_is_not_there_is_named(store: SqlStore) -> None:
    sealed = Cipher(ArtifactKey(b"1" * 32)).seal(b"x", "n")
    with pytest.raises(KeyMismatch, match="not here"):
        Cipher(ArtifactKey(b"2" * 32)).open(sealed, "n")
