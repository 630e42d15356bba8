"""``headgate identity``: what to tell a cloud, and a new key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from bot.cli.web import build
from bot.wiring import Wiring

SETTINGS = """\
data: data
hosts: {github: {token_file: token, webhook_secret_file: hook}}
repositories: [{match: github/acme/*}, {match: github/acme/infra, environments: {prod: ["prod/**"], dev: ["**"]}}]
environments:
  prod:
    plan: {identity: [{audience: sts.example, file: TOKEN_FILE}]}
    deploy: {process: [{command: [/c], audience: vault}]}
  dev: {}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    for name in ("token", "hook"):
        (tmp_path / name).write_text("word\n")
    path = tmp_path / "headgate-server.yaml"
    path.write_text("identity: {issuer: 'https://hg.example'}\n" + SETTINGS)
    return path


def told(run: Any, config: Path) -> Any:
    result = run("identity", "show", "--json", "--config", config)
    assert result.exit_code == 0
    return json.loads(result.stdout)


def test_it_says_whom_to_trust_for_what(run: Any, config: Path) -> None:
    found = told(run, config)

    assert found["issuer"] == "https://hg.example"
    assert found["tokens"] == [
        {"audience": "sts.example", "subject": "repo:github/acme/infra:environment:prod:step:plan"},
        {"audience": "vault", "subject": "repo:github/acme/infra:environment:prod:step:deploy"},
    ]
    text = run("identity", "show", "--config", config).stdout
    assert f"key      {found['keys'][0]['id']}  since " in text
    assert "repo:github/acme/infra:environment:prod:step:plan  for sts.example" in text


def test_a_new_key_waits_until_others_have_read_it_unless_the_old_one_was_stolen(run: Any, config: Path) -> None:
    [old] = told(run, config)["keys"]

    assert " signs from 20" in run("identity", "rotate", "--config", config).stdout
    keys = told(run, config)["keys"]
    assert [(key["id"] == old["id"], key["signs"]) for key in keys] == [(True, True), (False, False)]

    assert run("identity", "rotate", "--at-once", "--config", config).stdout.endswith(" signs from now on\n")
    [only] = told(run, config)["keys"]
    assert only["signs"] and only["id"] not in {key["id"] for key in keys}
    assert "identity.rotated" in run("audit", "export", "--config", config).stdout


def test_where_nobody_signs_it_says_what_to_set(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "headgate-server.yaml"
    path.write_text("data: data\n")

    result = run("identity", "show", "--config", path)

    assert result.exit_code == 2
    assert "identity.issuer: is not set" in result.stderr


@pytest.mark.parametrize("issuer", [True, False])
def test_the_documents_are_served_beside_the_webhooks_and_only_where_somebody_signs(
    run: Any, config: Path, issuer: bool, served: Any
) -> None:
    if not issuer:
        config.write_text("data: data\n")
    else:
        told(run, config)

    for name in ("openid-configuration", "jwks.json"):
        answer = served(config, f"/.well-known/{name}", "webhooks")
        assert answer.status_code == (200 if issuer else 404)
        assert served(config, f"/.well-known/{name}", "pages").status_code == 404
    if issuer:
        [key] = served(config, "/.well-known/jwks.json", "webhooks").json["keys"]
        assert key["kid"] == told(run, config)["keys"][0]["id"]


@pytest.fixture
def served() -> Any:
    """Ask one of the two services of ``headgate web``."""

    def ask(config: Path, path: str, service: str) -> Any:
        port = int(getattr(Wiring(config).settings.listen, service).rpartition(":")[2])
        return Client(build(str(config))).get(path, environ_overrides={"gunicorn.socket": Listening(port)})

    return ask


class Listening:
    """The socket that a request came in by."""

    def __init__(self, port: int) -> None:
        self._port = port

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", self._port
