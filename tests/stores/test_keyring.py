"""Keys can be changed over while they are used; what has to stay the same for ever does."""

from __future__ import annotations

import base64
import stat
import threading
from pathlib import Path

import pytest

from bot.core.errors import KeyMismatch
from bot.stores.artifacts import CHECK, ArtifactKey
from bot.stores.keyring import ROOTS, Keyring, Roots, bind, roots, sealed_roots
from bot.stores.sqlstore import SqlStore

ONE, TWO = ArtifactKey(b"1" * 32), ArtifactKey(b"2" * 32)


@pytest.fixture
def store(tmp_path: Path):
    store = SqlStore(f"sqlite:///{tmp_path}/headgate.db")
    store.migrate()
    yield store
    store.close()


def written(*keys: ArtifactKey) -> str:
    return "\n".join(base64.b64encode(each.material).decode() for each in keys)


def test_another_process_seals_with_a_new_key_at_once_and_opens_both(tmp_path: Path) -> None:
    here, there = Keyring(tmp_path / "key"), Keyring(tmp_path / "key")
    old = there.seal(b"old", "n")
    with here.alone():
        new = here.add()
    assert there.keys()[0] == new
    assert here.open(there.seal(b"new", "n"), "n") == b"new"
    assert there.header == here.header
    assert there.open(old, "n") == b"old"
    with here.alone():
        here.forget()
    assert there.keys() == (new,)
    with pytest.raises(KeyMismatch, match="not here"):
        there.open(old, "n")


def test_the_file_stays_private_and_what_a_killed_process_left_beside_it_goes(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path / "key")
    keyring.keys()
    (tmp_path / ".key.0123456789ab").write_text("half a k")
    with keyring.alone():
        keyring.add()
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == ["key", "key.lock"]


def test_a_file_that_is_gone_is_not_made_again_by_a_process_that_knows_the_key(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path / "key")
    before = keyring.keys()
    (tmp_path / "key").unlink()
    assert keyring.keys() == before
    assert not (tmp_path / "key").exists()


def test_several_keys_in_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYS", written(TWO, ONE))
    keyring = Keyring(env="KEYS")
    assert keyring.keys() == (TWO, ONE)
    assert keyring.changed_at() == 0


def test_two_who_change_the_file_wait_for_each_other(tmp_path: Path) -> None:
    rings = [Keyring(tmp_path / "key") for _ in range(4)]
    first = rings[0].keys()

    def add(ring: Keyring) -> None:
        with ring.alone():
            ring.add()

    threads = [threading.Thread(target=add, args=(ring,)) for ring in rings]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(set(Keyring(tmp_path / "key").keys())) == 5
    assert rings[0].keys()[-1:] == first


def test_the_roots_of_a_store_never_change_with_its_key(store: SqlStore) -> None:
    bind(store, ONE)
    assert roots(store, ONE) == Roots.of(ONE)
    bind(store, TWO, ONE)
    store.put_setting(ROOTS, sealed_roots(roots(store, TWO, ONE), TWO, ONE))
    store.put_setting(CHECK, TWO.id.hex())
    bind(store, TWO)
    assert roots(store, TWO) == Roots.of(ONE)


def test_a_store_of_a_version_without_roots_gets_those_of_the_key_it_was_written_with(store: SqlStore) -> None:
    store.put_setting(CHECK, ONE.id.hex())
    assert roots(store, TWO, ONE) == Roots.of(ONE)
    bind(store, TWO, ONE)
    assert roots(store, TWO, ONE) == Roots.of(ONE)


def test_after_a_lost_key_a_store_begins_anew_as_the_error_says(store: SqlStore) -> None:
    bind(store, ONE)
    with pytest.raises(KeyMismatch):
        bind(store, TWO)
    store.put_setting(CHECK, None)
    bind(store, TWO)
    assert roots(store, TWO) == Roots.of(TWO)


def test_roots_are_never_shown() -> None:
    assert repr(Roots(b"secret", b"secret")) == "Roots()"
