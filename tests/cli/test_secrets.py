"""The key is changed over under a story that goes on; the store is searched, and what is found is never said."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from bot.core.model import ChangeRef
from bot.core.runs import RunKind
from bot.stores.artifacts import ArtifactKey

Run = Callable[..., Result]
SECRET = "canary-in-the-store-41f7"


def age(world: Any) -> None:
    """The newest key has been there for a while."""
    os.utime(world.wiring.data / "artifact.key", (1000, 1000))


def log_of(world: Any, pull: Any) -> str:
    run = world.store.runs_of(ChangeRef(world.repo_ref, pull.number))[0]
    return str(world.wiring.log_reader(world.store)(run.id, -1)[0])


def test_approvals_and_the_record_hold_while_the_key_is_changed_under_a_running_service(world: Any, run: Run) -> None:
    pull = world.pull({"prod/db/wanted": "size=2\n"})
    pull.approve("bo")
    world.settle()
    gate, before = world.gate(pull), log_of(world, pull)
    world.store.checkpoint(world.services.audit_key)
    old = (world.wiring.data / "artifact.key").read_text()

    said = run("secrets", "rotate", "-c", world.config)
    assert said.exit_code == 0, said.output
    assert "a new key was made" in said.stdout
    assert old.strip() not in said.output
    age(world)
    said = run("secrets", "rotate", "--forget", "-c", world.config)
    assert (said.exit_code, "forgotten: " in said.stdout) == (0, True)
    assert old.strip() not in (world.wiring.data / "artifact.key").read_text()

    assert (gate, log_of(world, pull)) == (world.gate(pull), before) == ("success", before)
    pull.merge("dee")
    world.settle()
    assert world.deployed("prod_db") == "size=2"
    world.reload()
    world.store.checkpoint(world.services.audit_key)
    assert run("audit", "verify", "-c", world.config).exit_code == 0
    assert "good" in run("doctor", "-c", world.config, "--json").stdout
    [deploy] = [each for each in world.store.runs_of(ChangeRef(world.repo_ref, 1)) if each.kind is RunKind.DEPLOY]
    assert deploy.plan is not None
    assert deploy.plan.fingerprint == deploy.reviewed


def test_said_twice_it_goes_on_with_the_same_new_key_and_forgets_none_too_early(world: Any, run: Run) -> None:
    world.pull({"prod/db/wanted": "size=2\n"})
    would = run("secrets", "rotate", "--dry-run", "-c", world.config)
    assert "a new key would be made" in would.stdout
    assert len(world.wiring.keyring().keys()) == 1
    run("secrets", "rotate", "-c", world.config)
    keys = world.wiring.keyring().keys()
    again = run("secrets", "rotate", "-c", world.config)
    assert f"going on with the key {keys[0].id.hex()}" in again.stdout
    assert world.wiring.keyring().keys() == keys
    early = run("secrets", "rotate", "--forget", "-c", world.config)
    assert (early.exit_code, "too young" in early.output) == (1, True)
    assert world.wiring.keyring().keys() == keys
    would = run("secrets", "rotate", "--forget", "--dry-run", "-c", world.config)
    assert f"would be forgotten: {keys[1].id.hex()}" in would.stdout
    age(world)
    assert run("secrets", "rotate", "--forget", "-c", world.config).exit_code == 0
    assert "there is no older key" in run("secrets", "rotate", "--forget", "-c", world.config).stdout


def test_a_key_of_the_operators_is_never_written_and_each_step_is_told(
    world: Any, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.pull({"prod/db/wanted": "size=2\n"})
    old = (world.wiring.data / "artifact.key").read_text().strip()
    new = base64.b64encode(b"n" * 32).decode()
    world.config.write_text(world.config.read_text() + "artifact_key: env:MASTER\n")
    monkeypatch.setenv("MASTER", old)
    refused = run("secrets", "rotate", "-c", world.config)
    assert (refused.exit_code, "openssl rand" in refused.output) == (2, True)
    assert old not in refused.output
    assert "one key only" in run("secrets", "rotate", "--dry-run", "-c", world.config).stdout

    monkeypatch.setenv("MASTER", f"{new} {old}")
    done = run("secrets", "rotate", "--forget", "-c", world.config)
    assert (done.exit_code, "take it out" in done.stdout) == (0, True)
    monkeypatch.setenv("MASTER", new)
    assert run("audit", "verify", "-c", world.config).exit_code == 0
    assert run("secrets", "rotate", "--forget", "-c", world.config).exit_code == 0
    assert ArtifactKey.load(env="MASTER").id.hex() in done.stdout


def test_what_no_key_opens_is_named_and_the_rest_is_changed_over(world: Any, run: Run) -> None:
    world.pull({"prod/db/wanted": "size=2\n"})
    world.store.put_blob("plan-" + "0" * 32, "r1", b"not sealed by anybody")
    world.store.put_setting("identity-keys", json.dumps(
        [{"made_at": "2026-01-01T00:00:00+00:00", "public": {"kid": "k"}, "sealed": ""}]))  # fmt: skip
    said = run("secrets", "rotate", "-c", world.config)
    assert said.exit_code == 1
    assert "plan-" + "0" * 32 in said.stderr
    assert "the setting identity-keys" in said.stderr
    assert run("secrets", "scan", "-c", world.config).exit_code == 3


def test_a_clean_store_is_said_to_be_clean(world: Any, run: Run) -> None:
    pull = world.pull({"prod/db/wanted": "size=2\n"})
    pull.approve("bo")
    world.settle()
    pull.merge("dee")
    world.settle()
    said = run("secrets", "scan", "-c", world.config)
    assert (said.exit_code, said.stderr) == (0, "")
    document = json.loads(run("secrets", "scan", "--json", "-c", world.config).stdout)
    assert document["findings"] == []
    assert all(document["searched"][each] for each in ("columns", "pieces of logs", "files"))


@pytest.mark.parametrize("way", ["file", "env", "stdin"])
def test_a_secret_is_found_wherever_it_is_and_never_said(
    world: Any, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    world.pull({"prod/db/wanted": "size=2\n"})
    services = world.services
    log = services.log("run-x")
    log.write("x" * (16 * 2**10 - 10) + SECRET[::-1] + "\n")  # across the border of two pieces
    log.close()
    name = services.artifacts.put("plan", base64.b64encode(b"xx" + SECRET.encode()), owner="run-x")
    world.store.put_setting(f"named-{SECRET}", "x")
    (world.wiring.data / "runs").mkdir(exist_ok=True)
    (world.wiring.data / "runs" / "left").write_bytes(b"\0" * (2**20 - 5) + SECRET.encode())
    (tmp_path / "canary").write_text(SECRET + "\n")
    monkeypatch.setenv("CANARY", SECRET)
    words = {"file": ("--file", tmp_path / "canary"), "env": ("--env", "CANARY"), "stdin": ("--stdin",)}[way]
    said = run("secrets", "scan", "--given-only", *words, "-c", world.config, answer=f"{SECRET}\n")
    assert said.exit_code == 1
    assert SECRET not in said.output
    for place in ("log of run run-x, piece 1", f"artifact {name}", "column name", "runs/left"):
        assert place in said.stdout


def test_a_secret_of_the_settings_is_found_by_where_it_stands(world: Any, run: Run) -> None:
    world.store.put_setting("leak", "hook-secret")
    said = run("secrets", "scan", "-c", world.config)
    assert said.exit_code == 1
    assert "file:hook: table setting, row name=leak, column value" in said.stdout


def test_what_cannot_be_read_or_is_too_short_is_told(world: Any, run: Run, tmp_path: Path) -> None:
    (tmp_path / "chat").unlink()
    said = run("secrets", "scan", "--stdin", "-c", world.config, answer="abc\n")
    assert said.exit_code == 0
    assert "not looked for (cannot be read here, or too short): file:chat" in said.stderr
    assert "too short): line 1" in said.stderr


@pytest.mark.parametrize("words", [("--file", "/nowhere"), ("--env", "NOT_SET_ANYWHERE"), ()])
def test_nothing_to_look_for_is_wrong_usage(world: Any, run: Run, words: tuple[str, ...]) -> None:
    assert run("secrets", "scan", "--given-only", *words, "-c", world.config).exit_code == 2
