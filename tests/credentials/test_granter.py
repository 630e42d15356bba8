"""A grant becomes variables and private files; what cannot be had is said by its setting, and nothing is repeated."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.core.errors import NoCredentials
from bot.core.identity import Bearer
from bot.core.redaction import Redactor
from bot.core.rules import Grant, SecretRef
from bot.credentials import Forms
from bot.credentials.granter import LARGEST
from bot.ports import Credentials, Given
from bot.wiring import read_secret_bytes

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "credentials"
    place.mkdir()
    return place


def handed(grant: Grant, bearer: Bearer, folder: Path, redactor: Redactor | None = None) -> Credentials:
    forms = Forms(read=lambda ref: read_secret_bytes(ref, folder.parent), now=lambda: NOW, base=folder.parent)
    return forms(grant, bearer, folder, redactor or Redactor(()), 60.0)


def test_a_file_is_delivered_to_the_byte_and_only_its_owner_reads_it(
    bearer: Bearer, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "gcp.json").write_bytes(b'{"private_key": "quartz-key-11"}\n\n')
    redactor = Redactor(())

    given = handed(Grant(files={"CREDS": SecretRef("file", "gcp.json")}), bearer, folder, redactor)

    place = Path(given.env["CREDS"])
    assert place.read_bytes() == b'{"private_key": "quartz-key-11"}\n\n'
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert place.parent == folder
    assert redactor.text("it says quartz-key-11") == "it says (hidden)"
    assert given.given == (Given("files", ("CREDS",)),)


def test_a_file_that_is_no_text_is_delivered_and_hidden_as_it_is_printed(
    bearer: Bearer, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "key.p12").write_bytes(bytes(range(128, 200)))
    redactor = Redactor(())

    given = handed(Grant(files={"P12": SecretRef("file", "key.p12")}), bearer, folder, redactor)

    assert Path(given.env["P12"]).read_bytes() == bytes(range(128, 200))
    assert redactor.text(bytes(range(128, 200)).hex()) == "(hidden)"


def test_variables_are_told_apart_from_files_and_by_name(
    bearer: Bearer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OURS", "word-of-quartz\n")

    given = handed(Grant(env={"REGION": "eu"}, secret_env={"TOKEN": SecretRef("env", "OURS")}), bearer, folder)

    assert given.env == {"REGION": "eu", "TOKEN": "word-of-quartz"}
    assert given.given == (Given("variables given", ("REGION", "TOKEN")),)


def test_nothing_granted_is_nothing_given(bearer: Bearer, folder: Path) -> None:
    assert handed(Grant(), bearer, folder) == Credentials()


@pytest.mark.parametrize(
    ("grant", "setting", "why"),
    [
        (Grant(secret_env={"A": SecretRef("file", "missing")}), "env.A", "cannot be read"),
        (Grant(secret_env={"A": SecretRef("env", "NOT_SET_ANYWHERE")}), "env.A", "cannot be read"),
        (Grant(secret_env={"A": SecretRef("file", "binary")}), "env.A", "not text in UTF-8"),
        (Grant(secret_env={"A": SecretRef("file", "empty")}), "env.A", "is empty"),
        (Grant(files={"A": SecretRef("file", "missing")}), "files.A", "cannot be read"),
        (Grant(files={"A": SecretRef("file", "large")}), "files.A", "so it is no credential"),
    ],
)
def test_what_cannot_be_had_is_said_by_its_setting_without_path_or_value(
    grant: Grant, setting: str, why: str, bearer: Bearer, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfequartz")
    (tmp_path / "empty").write_bytes(b" \n")
    (tmp_path / "large").write_bytes(b"q" * (LARGEST + 1))

    with pytest.raises(NoCredentials) as caught:
        handed(grant, bearer, folder)

    text = str(caught.value)
    assert text.startswith(f"environments.prod.plan.{setting}: ")
    assert why in text and "`headgate doctor`" in text
    assert str(tmp_path) not in text and "quartz" not in text
