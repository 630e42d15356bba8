"""Artifacts leave the process encrypted, open only under their own name and key, and never half-written."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.errors import KeyMismatch
from bot.stores.artifacts import ArtifactKey, Cipher, DamagedArtifact, FolderVault, SealedArtifacts
from bot.stores.keyring import bind
from bot.stores.sqlstore import SqlStore

ONE, TWO = ArtifactKey(b"1" * 32), ArtifactKey(b"2" * 32)


@pytest.fixture
def store(tmp_path):
    store = SqlStore(f"sqlite:///{tmp_path}/headgate.db")
    store.migrate()
    yield store
    store.close()


@pytest.fixture(params=["database", "folder"])
def vault(request, store, tmp_path):
    return store if request.param == "database" else FolderVault(tmp_path / "artifacts")


# ------------------------------------------------------------------------------------------------------ key


def test_the_key_is_created_once_private_and_found_again(tmp_path):
    path = tmp_path / "data" / "artifact.key"
    key = ArtifactKey.load(path)
    assert ArtifactKey.load(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["artifact.key"]


def test_two_keys_that_are_created_differ(tmp_path):
    assert ArtifactKey.load(tmp_path / "a") != ArtifactKey.load(tmp_path / "b")


def test_of_many_who_create_the_key_all_get_the_same(tmp_path):
    script = (
        "import sys; from pathlib import Path; from bot.stores.artifacts import ArtifactKey;"
        "print(ArtifactKey.load(Path(sys.argv[1])).id.hex())"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "key")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    ids = {process.communicate(timeout=60)[0].strip() for process in processes}
    assert len(ids) == 1
    assert len(ids.pop()) == 16


def test_a_key_that_others_can_read_is_refused(tmp_path):
    path = tmp_path / "key"
    ArtifactKey.load(path)
    path.chmod(0o640)
    with pytest.raises(KeyMismatch, match="read by others"):
        ArtifactKey.load(path)


@pytest.mark.parametrize("text", ["", "short", "nicht base64!", base64.b64encode(b"x" * 31).decode()])
def test_what_is_no_key_is_refused_without_being_shown(tmp_path, text):
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(KeyMismatch) as refused:
        ArtifactKey.load(path)
    assert not text or text not in str(refused.value)


def test_the_variable_goes_before_the_file(tmp_path):
    environ = {"HEADGATE_KEY": base64.b64encode(b"1" * 32).decode()}
    assert ArtifactKey.load(tmp_path / "key", env="HEADGATE_KEY", environ=environ) == ONE
    assert not (tmp_path / "key").exists()
    with pytest.raises(KeyMismatch, match="HEADGATE_KEY"):
        ArtifactKey.load(env="HEADGATE_KEY", environ={})


def test_a_key_is_never_shown():
    assert "1111" not in repr(ONE)


def test_each_purpose_has_a_key_of_its_own():
    derived = [ONE.derive(b"effects"), ONE.derive(b"artifacts"), TWO.derive(b"effects"), ONE.material]
    assert len(set(derived)) == len(derived)
    assert ONE.derive(b"effects") == ArtifactKey(b"1" * 32).derive(b"effects")
    assert len(ONE.derive(b"effects")) == 32


def test_a_store_accepts_only_the_key_it_was_first_written_with(store):
    bind(store, ONE)
    bind(store, ONE)
    with pytest.raises(KeyMismatch, match=r"Put that key back.*delete the row"):
        bind(store, TWO)


# --------------------------------------------------------------------------------------------------- cipher


@settings(deadline=None)
@given(st.binary(max_size=2000), st.text(max_size=20))
def test_what_was_sealed_opens_under_its_name(data, name):
    assert Cipher(ONE).open(Cipher(ONE).seal(data, name), name) == data


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=50), st.data())
def test_one_flipped_bit_anywhere_is_noticed(data, draw):
    sealed = bytearray(Cipher(ONE).seal(data, "n"))
    position = draw.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[position // 8] ^= 1 << position % 8
    with pytest.raises(KeyMismatch):
        Cipher(ONE).open(bytes(sealed), "n")


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_what_was_never_sealed_does_not_open(junk):
    with pytest.raises(KeyMismatch):
        Cipher(ONE).open(junk, "n")


def test_swapped_artifacts_are_noticed():
    with pytest.raises(DamagedArtifact, match="altered"):
        Cipher(ONE).open(Cipher(ONE).seal(b"dev", "dev"), "prod")


def test_the_same_bytes_are_never_sealed_alike():
    assert Cipher(ONE).seal(b"x", "n") != Cipher(ONE).seal(b"x", "n")


def test_an_older_key_still_opens_and_only_the_new_one_seals():
    both = Cipher(TWO, ONE)
    assert both.open(Cipher(ONE).seal(b"old", "n"), "n") == b"old"
    assert Cipher(TWO).open(both.seal(b"new", "n"), "n") == b"new"
    with pytest.raises(KeyMismatch, match="not here"):
        Cipher(ONE).open(both.seal(b"new", "n"), "n")


# ---------------------------------------------------------------------------------------------------- vaults


def test_an_artifact_comes_back_and_rests_encrypted(vault):
    artifacts = SealedArtifacts(vault, Cipher(ONE))
    name = artifacts.put("plan", b"password=hunter2", owner="r1")
    assert artifacts.get(name) == b"password=hunter2"
    assert b"hunter2" not in vault.blob(name)
    assert name.startswith("plan-")
    assert artifacts.get("plan-" + "0" * 32) is None


@pytest.mark.parametrize("name", ["", "../headgate.db", "/etc/passwd", "plan-", "plan-" + "0" * 32 + "/x", "..\x00"])
def test_a_name_that_was_never_given_out_reads_nothing(vault, name):
    assert SealedArtifacts(vault, Cipher(ONE)).get(name) is None


def test_a_kind_is_one_plain_word(vault):
    with pytest.raises(ValueError, match="kind"):
        SealedArtifacts(vault, Cipher(ONE)).put("../x", b"", owner="r1")


def test_a_folder_is_private_and_holds_whole_files_only(tmp_path):
    folder = tmp_path / "artifacts"
    folder.mkdir(mode=0o755)
    name = SealedArtifacts(FolderVault(folder), Cipher(ONE)).put("plan", b"x", owner="r1")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.iterdir()] == [name]
    assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


def test_a_folder_refuses_names_that_lead_out_of_it(tmp_path):
    with pytest.raises(DamagedArtifact):
        FolderVault(tmp_path / "artifacts").blob("../headgate.db")


def test_a_folder_forgets_what_is_old(tmp_path):
    vault = FolderVault(tmp_path / "artifacts")
    artifacts = SealedArtifacts(vault, Cipher(ONE))
    old, new = (artifacts.put("plan", b"x", owner="r1") for _ in range(2))
    os.utime(tmp_path / "artifacts" / old, (1000, 1000))
    assert vault.sweep(2000.0) == 1
    assert (artifacts.get(old), artifacts.get(new)) == (None, b"x")
