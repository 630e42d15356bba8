"""A program of the operator hands out credentials; whatever it does, no word of its output is repeated."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from bot.core.errors import NoCredentials
from bot.core.identity import Bearer
from bot.core.redaction import Redactor
from bot.core.rules import CredentialProcess, Grant, SecretRef
from bot.credentials import Forms
from bot.credentials.process import LONGEST
from bot.ports import Credentials, Given
from bot.wiring import read_secret_bytes

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
AWS = {
    "Version": 1,
    "AccessKeyId": "AKQZEXAMPLE",
    "SecretAccessKey": "quartz/secret",
    "SessionToken": "quartz-session",
    "Expiration": "2026-05-01T13:00:00Z",
}

Hand = Callable[..., Credentials]


@pytest.fixture
def hand(bearer: Bearer, tmp_path: Path) -> Hand:
    """Run a Python program as a credential process; what the run gets of it."""

    def run(
        code: str, redactor: Redactor | None = None, env: dict[str, str] | None = None, **words: object
    ) -> Credentials:
        process = CredentialProcess((sys.executable, "-c", code), **words)  # type: ignore[arg-type]
        forms = Forms(read=lambda ref: read_secret_bytes(ref, tmp_path), now=lambda: NOW, base=tmp_path)
        grant = Grant(env=env or {}, processes=(process,))
        return forms(grant, bearer, tmp_path, redactor or Redactor(()), 60.0)

    return run


def printing(value: object) -> str:
    return f"print({json.dumps(value)!r})"


def test_the_form_of_aws_becomes_the_variables_of_aws(hand: Hand) -> None:
    redactor = Redactor(())

    got = hand(printing(AWS), redactor)

    assert got.env == {
        "AWS_ACCESS_KEY_ID": "AKQZEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "quartz/secret",
        "AWS_SESSION_TOKEN": "quartz-session",
    }
    assert got.given == (Given("credential process", tuple(got.env), datetime(2026, 5, 1, 13, 0, tzinfo=UTC)),)
    assert redactor.text("quartz/secret quartz-session AKQZEXAMPLE") == "(hidden) (hidden) (hidden)"


@pytest.mark.parametrize("told", ["2026-05-01T15:00:00+02:00", "2026-05-01T13:00:00"])
def test_a_plain_mapping_gives_its_variables_until_their_end(hand: Hand, told: str) -> None:
    got = hand(printing({"VAULT_TOKEN": "quartz-vault", "Expiration": told}))

    assert got.env == {"VAULT_TOKEN": "quartz-vault"}
    assert got.given[0].until == datetime(2026, 5, 1, 13, 0, tzinfo=UTC)


def test_the_program_gets_nothing_of_the_workers_but_is_told_of_the_run(
    hand: Hand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OURS_ALONE", "quartz")
    (tmp_path / "token").write_text("quartz-token\n")

    got = hand(
        "import json, os; print(json.dumps({'SEEN': json.dumps(dict(os.environ)), 'AT': os.getcwd()}))",
        env={},
        secret_env={"TOKEN": SecretRef("file", "token")},
    )

    seen = json.loads(got.env["SEEN"])
    seen.pop("LC_CTYPE", None)
    assert set(seen) == {"PATH", "HOME", "LANG", "LC_ALL", "TOKEN"} | {
        name for name in seen if name.startswith("HEADGATE_")
    }
    assert seen["TOKEN"] == "quartz-token"
    assert got.env["AT"] == str(tmp_path)
    assert (seen["HEADGATE_ENVIRONMENT"], seen["HEADGATE_STEP"]) == ("prod", "plan")
    assert (seen["HEADGATE_REPOSITORY"], seen["HEADGATE_CHANGE"]) == ("github/acme/infra", "github/acme/infra!7")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (
            "import sys; print('quartz'); print('quartz', file=sys.stderr); sys.exit(3)",
            "the program ended with code 3",
        ),
        ("print('quartz')", "the program did not print JSON"),
        ("print('[' * 60000)", "the program did not print JSON"),
        ("print('[\"quartz\"]')", "the program printed no JSON object"),
        ("print('{}')", "the program handed out nothing"),
        (printing({"Expiration": "2026-05-01T13:00:00Z"}), "the program handed out nothing"),
        (printing({**AWS, "Version": 2}), "the program printed another `Version` than 1"),
        (printing({"Version": 1, "AccessKeyId": "quartz"}), "the program printed no `SecretAccessKey`"),
        (printing({**AWS, "SessionToken": 7}), "the program gave a variable a value that is no text"),
        (printing({"A": "quartz\0"}), "the program gave a variable a value that is no text"),
        (printing({"A": "quartz\ud800"}), "the program gave a variable a value that is no text"),
        (
            printing({**AWS, "Expiration": "0001-01-01T00:00:00+14:00"}),
            "the program printed an `Expiration` that is no time in ISO 8601",
        ),
        (printing({"quartz-1": "x"}), "the program named a variable with other signs than letters, digits and `_`"),
        (
            printing({**AWS, "Expiration": "quartz"}),
            "the program printed an `Expiration` that is no time in ISO 8601",
        ),
        (printing({**AWS, "Expiration": "2026-05-01T11:59:59Z"}), "what the program handed out is expired already"),
        (printing({f"A{n}": "quartz" for n in range(51)}), "the program handed out more than 50 variables"),
        (f"print('q' * {LONGEST + 1})", "the program printed more than 64 KiB"),
        (printing({"REGION": "quartz"}), "gives `REGION`, which another part of the grant gives too"),
    ],
)
def test_what_is_wrong_is_said_at_its_setting_and_no_output_repeated(hand: Hand, code: str, why: str) -> None:
    with pytest.raises(NoCredentials) as caught:
        hand(code, env={"REGION": "eu"})

    assert str(caught.value).startswith("environments.prod.plan.process[0]: ")
    assert f"{why}; " in str(caught.value)
    assert "quartz" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_program_that_is_not_there_is_told(bearer: Bearer, tmp_path: Path) -> None:
    forms = Forms(read=lambda ref: b"", now=lambda: NOW, base=tmp_path)

    with pytest.raises(NoCredentials, match="cannot be started \\(No such file or directory\\)"):
        forms(Grant(processes=(CredentialProcess(("/no/such/program",)),)), bearer, tmp_path, Redactor(()), 1.0)


@pytest.mark.parametrize("closing", ["", "os.close(1); "])
def test_a_program_that_does_not_end_is_killed_with_all_it_started(hand: Hand, tmp_path: Path, closing: str) -> None:
    note = tmp_path / "pid"
    code = (
        "import os, subprocess, sys, time; child = subprocess.Popen(['sleep', '300']); "
        f"open({str(note)!r}, 'w').write(str(child.pid)); {closing}time.sleep(300)"
    )
    begun = time.monotonic()

    with pytest.raises(NoCredentials, match="did not end within 2 s"):
        hand(code, timeout=2.0)

    assert time.monotonic() - begun < 30
    deadline = time.monotonic() + 10
    while _lives(int(note.read_text())):
        assert time.monotonic() < deadline


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_where_nobody_knows_the_user_the_program_still_runs(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 3_999_999_999)

    assert hand("import json, os; print(json.dumps({'PLACE': os.environ['HOME']}))").env == {"PLACE": "/"}
