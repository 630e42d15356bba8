"""The files that operators copy: what they promise is checked, for nothing here is ever run by the other tests."""

from __future__ import annotations

import configparser
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.core.config.server import parse_server
from bot.core.rules import Limits, Settings
from bot.web.metrics import METRICS, OTHERS

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
PATIENCE = 30
"""Seconds that ``serve`` gives its children on top of limits.shutdown_grace."""

SECRET_NAME = re.compile(r"(?i)(password|passwd|token|secret|api_?key|private_?key)")


def read_yaml(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


# ------------------------------------------------------------------------------------------ container


def instructions(text: str) -> list[tuple[str, str]]:
    """(INSTRUCTION, the rest), with continued lines joined and comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(words[0].upper(), words[2]) for line in joined.splitlines() if (words := line.partition(" "))[0]]


def flaws(text: str) -> set[str]:
    """What is wrong with a Containerfile, by the rules of hadolint that matter here."""
    found: set[str] = set()
    user = "root"
    for word, rest in instructions(text):
        match word:
            case "FROM":
                user = "root"
                image = rest.split()[0]
                if ":" not in image or image.endswith(":latest"):
                    found.add("unpinned image")
            case "ADD":
                found.add("ADD")
            case "USER":
                user = rest.strip()
            case "ENV" | "ARG":
                names = re.findall(r"(?:^|\s)([A-Za-z_]\w*)(?==|\s|$)", rest)
                found |= {"secret in ENV"} if any(map(SECRET_NAME.search, names)) else set()
            case "RUN":
                if re.search(r"\b(curl|wget)\b.*\|\s*(ba)?sh\b", rest) or "sudo " in rest:
                    found.add("runs what it downloads")
                if "apt-get install" in rest and not ("--no-install-recommends" in rest and "lists" in rest):
                    found.add("apt leftovers")
            case "ENTRYPOINT" | "CMD" if not rest.startswith("["):
                found.add("shell form")
    if user.partition(":")[0] in ("root", "0"):
        found.add("root")
    return found


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("FROM python:latest\nUSER 1", "unpinned image"),
        ("FROM python\nUSER 1", "unpinned image"),
        ("FROM python:3.12", "root"),
        ("FROM a:1\nUSER 1\nFROM b:1", "root"),
        ("FROM a:1\nUSER 0:0", "root"),
        ("FROM a:1\nUSER 1\nADD https://example.com/x /x", "ADD"),
        ("FROM a:1\nUSER 1\nENV A=1 \\\n  GITHUB_TOKEN=x", "secret in ENV"),
        ("FROM a:1\nUSER 1\nRUN curl https://example.com/x \\\n  | sh", "runs what it downloads"),
        ("FROM a:1\nUSER 1\nRUN apt-get install git", "apt leftovers"),
        ("FROM a:1\nUSER 1\nENTRYPOINT headgate", "shell form"),
    ],
)
def test_the_rules_for_containerfiles_find_what_they_are_for(text: str, flaw: str) -> None:
    assert flaws(text) == {flaw}


def test_the_containerfile_breaks_no_rule() -> None:
    assert flaws((DEPLOY / "Containerfile").read_text()) == set()


def test_the_container_serves_is_asked_how_it_is_and_has_what_it_needs() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    found = instructions(text)
    assert ("ENTRYPOINT", '["headgate"]') in found
    assert ("CMD", '["serve"]') in found
    assert any(word == "HEALTHCHECK" and "/healthz" in rest for word, rest in found)
    runs = " ".join(rest for word, rest in found if word == "RUN")
    assert {"git", "redis-server"} <= set(runs.split())
    assert '".[postgres,ansible]"' in runs


# -------------------------------------------------------------------------------------------- compose


def test_every_composed_service_runs_with_little_and_gets_its_secrets_as_files() -> None:
    compose = read_yaml("compose.yaml")
    assert set(compose["services"]) == {"web", "worker", "postgres", "valkey"}
    for name, service in compose["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert service["read_only"] is True, name
        assert not service.get("privileged"), name
        assert not re.search(r":latest$", service["image"]), name
        assert set(service["secrets"]) <= set(compose["secrets"]), name
        for variable in service.get("environment", {}):
            assert not SECRET_NAME.search(variable) or variable.endswith("_FILE"), name
    assert all(set(secret) == {"file"} for secret in compose["secrets"].values())


def test_what_is_composed_is_published_on_loopback_only_and_keeps_the_store_inside() -> None:
    compose = read_yaml("compose.yaml")
    ports = [port for service in compose["services"].values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert compose["networks"]["inside"]["internal"] is True
    for name in ("postgres", "valkey"):
        assert compose["services"][name]["networks"] == ["inside"]


def test_every_volume_and_secret_of_compose_is_used() -> None:
    compose = read_yaml("compose.yaml")
    services = compose["services"].values()
    mounted = {volume.partition(":")[0] for service in services for volume in service.get("volumes", ())}
    assert set(compose["volumes"]) <= mounted
    assert set(compose["secrets"]) == {secret for service in services for secret in service["secrets"]}


# --------------------------------------------------------------------------------- systemd, Kubernetes


def test_systemd_waits_longer_than_a_shutdown_takes_and_signals_the_first_process_only() -> None:
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string((DEPLOY / "headgate.service").read_text())
    service = parser["Service"]
    assert service["KillMode"] == "mixed"
    minutes = re.fullmatch(r"(\d+)min", service["TimeoutStopSec"])
    assert minutes
    assert int(minutes[1]) * 60 > Limits().shutdown_grace + PATIENCE
    assert service["NoNewPrivileges"] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["User"] not in ("", "root")


def test_pods_are_no_root_and_workers_are_given_time_to_finish() -> None:
    documents = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
    deployments = {each["metadata"]["name"]: each for each in documents if each["kind"] == "Deployment"}
    assert set(deployments) == {"headgate-web", "headgate-worker"}
    for deployment in deployments.values():
        spec = deployment["spec"]["template"]["spec"]
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"] == labels
        assert spec["securityContext"]["runAsNonRoot"] is True
        (container,) = spec["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == {
            volume["name"] for volume in spec["volumes"]
        }
        assert not container["image"].endswith(":latest")
    worker = deployments["headgate-worker"]["spec"]["template"]["spec"]
    assert worker["terminationGracePeriodSeconds"] > Limits().shutdown_grace + PATIENCE


# ------------------------------------------------------------------------------------ settings, alerts


def test_the_example_is_valid_and_its_limits_are_the_defaults() -> None:
    path = DEPLOY / "headgate-server.example.yaml"
    settings = parse_server(path.read_bytes(), path.name)
    assert isinstance(settings, Settings), settings
    assert settings.limits == Limits()
    assert settings.hosts["github"].webhook_secrets


def test_the_example_names_every_setting_of_the_first_level() -> None:
    text = (DEPLOY / "headgate-server.example.yaml").read_text()
    names = set(re.findall(r"^(?:# )?(\w+):", text, re.MULTILINE))
    schema = yaml.safe_load(
        (DEPLOY.parent / "bot" / "core" / "config" / "schemas" / "headgate-server.schema.json").read_text()
    )
    # Secrets in variables are the same setting in another spelling.
    assert set(schema["properties"]) - {"artifact_key"} <= names


def test_alerts_ask_only_for_metrics_that_exist_and_say_what_to_do() -> None:
    known = {f"headgate_{name}" for name in (*METRICS, *OTHERS)}
    (group,) = read_yaml("dashboards/alerts.yaml")["groups"]
    asked: set[str] = set()
    for rule in group["rules"]:
        assert re.fullmatch(r"Headgate[A-Za-z]+", rule["alert"])
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]
        asked |= set(re.findall(r"headgate_\w+", rule["expr"]))
    assert asked <= known
    assert len({rule["alert"] for rule in group["rules"]}) == len(group["rules"])


def test_every_threshold_of_the_operators_page_has_its_alert() -> None:
    page = (DEPLOY.parent / "docs" / "operating.md").read_text()
    wanted = dict(re.findall(r"^\| `(headgate_\w+)`[^|]*\|[^|]*\| over (\d+) \|$", page, re.MULTILINE))
    assert wanted
    (group,) = read_yaml("dashboards/alerts.yaml")["groups"]
    expressions = {rule["expr"] for rule in group["rules"]}
    assert {f"{name} > {limit}" for name, limit in wanted.items()} <= expressions
