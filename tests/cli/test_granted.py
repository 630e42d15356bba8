"""``headgate doctor`` asks for credentials as a run would, says what is missing and where, and shows none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from issuing import published, token_endpoint

from bot.wiring import Wiring

SETTINGS = """\
data: data
identity: {{issuer: "{issuer}"}}
hosts: {{github: {{url: "http://127.0.0.1:9", token_file: token, webhook_secret_file: hook}}}}
repositories: [{{match: github/acme/infra, environments: {{prod: ["prod/**"], dev: ["**"]}}}}]
environments:
  dev:
    plan:
      env: {{REGION: eu, WORD: {{file: word}}}}
      files: {{KUBE: {{file: kube}}}}
      process: [{{command: [/bin/echo, '{{"A": "quartz-a"}}']}}]
      identity: [{{audience: sts.example, variable: T, exchange: {{url: "{endpoint}"}}}}]
  prod: {{deploy: {{files: {{KUBE: {{file: gone}}}}}}}}
  bare: {{}}
"""


def findings(run: Any, config: Path, *words: str) -> dict[str, dict[str, str]]:
    result = run("doctor", "--json", "--config", config, *words)
    assert "quartz" not in result.output
    return {each["what"]: each for each in json.loads(result.stdout)}


@pytest.fixture
def config(tmp_path: Path) -> Any:
    for name in ("token", "hook", "word", "kube"):
        (tmp_path / name).write_text(f"quartz-{name}\n")
    path = tmp_path / "headgate-server.yaml"
    path.write_text("data: data\n")
    wiring = Wiring(path)
    store = wiring.store()
    store.migrate()
    with published(wiring.ring(store)) as issuer, token_endpoint(issuer, "sts.example") as endpoint:
        path.write_text(SETTINGS.format(issuer=issuer, endpoint=endpoint.url))
        yield path
    store.close()


def test_what_can_be_had_is_told_by_form_and_name_and_what_cannot_by_its_place(run: Any, config: Path) -> None:
    found = findings(run, config)

    assert found["dev plan"]["state"] == "good"
    assert found["dev plan"]["text"] == (
        "variables given: REGION, WORD; files: KUBE; credential process: A; identity (sts.example, exchanged): T"
    )
    assert found["prod deploy"]["state"] == "bad"
    assert found["prod deploy"]["text"] == (
        f"environments.prod.deploy.files.KUBE: this secret cannot be read: {config.parent / 'gone'}: "
        "this secret cannot be read: No such file or directory"
    )
    assert {"dev deploy", "prod plan", "bare plan"} & found.keys() == set()
    assert list((config.parent / "data").glob("doctor-*")) == []


def test_a_worker_of_one_environment_is_not_asked_for_anothers(run: Any, config: Path) -> None:
    found = findings(run, config, "--environment", "dev")

    assert "dev plan" in found and "prod deploy" not in found


def test_where_no_repository_is_named_it_is_asked_for_all_the_same(run: Any, config: Path) -> None:
    config.write_text(config.read_text().replace("github/acme/infra", "github/acme/*"))

    assert findings(run, config, "--environment", "dev")["dev plan"]["state"] == "good"
