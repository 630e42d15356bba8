"""What a worker needs of its surroundings to put walls around each command, in every way that it is shipped."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
WALLS = {"mount", "umount2", "pivot_root", "sethostname", "unshare", "clone", "clone3", "setns", "seccomp", "prctl"}
"""Calls that bubblewrap makes."""


def test_the_image_has_bubblewrap() -> None:
    assert "bubblewrap" in (DEPLOY / "Containerfile").read_text().split()


def test_the_workers_profile_leaves_what_the_walls_are_made_with_and_refuses_what_nobody_needs() -> None:
    profile = json.loads((DEPLOY / "worker-seccomp.json").read_text())
    refused = {name for rule in profile["syscalls"] for name in rule["names"]}

    assert profile["defaultAction"] == "SCMP_ACT_ALLOW"
    assert not refused & WALLS
    assert {"bpf", "kexec_load", "init_module", "ptrace", "keyctl", "perf_event_open", "io_uring_setup"} <= refused
    assert all(rule["action"] == "SCMP_ACT_ERRNO" for rule in profile["syscalls"])


def test_the_composed_worker_may_make_walls_and_the_web_may_not() -> None:
    services: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]

    assert services["worker"]["security_opt"] == [
        "no-new-privileges:true",
        "seccomp:./worker-seccomp.json",
        "systempaths=unconfined",
    ]
    assert services["web"]["security_opt"] == ["no-new-privileges:true"]
    assert all(services[name]["cap_drop"] == ["ALL"] for name in ("web", "worker"))


def test_the_worker_pods_may_make_walls_and_the_web_pods_may_not() -> None:
    documents = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())
    pods = {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]
        for each in documents
        if each and each["kind"] == "Deployment"
    }
    worker, web = pods["headgate-worker"], pods["headgate-web"]

    assert worker["hostUsers"] is False
    assert worker["containers"][0]["securityContext"]["procMount"] == "Unmasked"
    assert worker["securityContext"]["seccompProfile"] == {"type": "Unconfined"}
    assert web["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert "procMount" not in web["containers"][0]["securityContext"]


def test_the_unit_lets_commands_have_mounts_and_a_host_name_of_their_own() -> None:
    unit = (DEPLOY / "headgate.service").read_text()

    assert re.search(r"^SystemCallFilter=@system-service @mount sethostname$", unit, re.MULTILINE)
    assert not re.search(r"^(ProtectHostname|RestrictNamespaces)=(?!no)", unit, re.MULTILINE)
