"""Projects whose commands leave traps for Headgate itself: no file of the host is read, published or overwritten."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.core.errors import ToolFailed
from bot.ports import Job
from bot.tools.ansible.tool import Ansible
from bot.tools.command.tool import Command
from bot.tools.terraform.tool import Terraform

MakeJob = Callable[..., Job]
SECRET = "correct-horse-battery"
TRAPS = {
    "a link": "rm -rf {place}; ln -s {host} {place}",
    "a hard link": "rm -rf {place}; ln {host} {place}",
    "a pipe": "rm -rf {place}; mkfifo {place}",
    "a directory": "rm -rf {place}; mkdir {place}",
    "no end": "rm -rf {place}; ln -s /dev/zero {place}",
}
every_trap = pytest.mark.parametrize("trap", TRAPS.values(), ids=TRAPS.keys())
with_terraform = pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A file of ours that a hostile command wants; an event of Ansible's, so that reading it would show it."""
    file = tmp_path / "host.key"
    event = {"kind": "failed", "host": "h", "task": "t", "message": SECRET}
    file.write_text(json.dumps(event) + "\n")
    return file


def said(error: ToolFailed) -> str:
    return " ".join((str(error), *error.diagnostics))


# ----------------------------------------------------------------------------------------------- command


@pytest.mark.parametrize("trap", [TRAPS["a link"], TRAPS["a hard link"], TRAPS["a pipe"], TRAPS["a directory"]])
def test_the_printed_plan_is_never_written_through_what_the_plan_directory_holds(
    job: MakeJob, host: Path, trap: str
) -> None:
    lay = trap.format(place='"$HEADGATE_PLAN_DIR/plan.json"', host=host)
    before = host.read_bytes()
    options = {"plan": f"{lay}; echo '{{\"changes\": []}}'", "apply": "true"}
    try:
        artifact = Command().plan(job("command", options)).artifact
    except ToolFailed as error:
        artifact = said(error).encode()
    assert SECRET.encode() not in artifact
    assert host.read_bytes() == before


def test_a_plan_directory_full_of_links_to_the_host_carries_nothing_of_it(job: MakeJob, host: Path) -> None:
    lay = f'cd "$HEADGATE_PLAN_DIR"; ln -s {host} a; ln -s {host.parent} b; ln -s / c; mkfifo d; ln -s d e'
    options = {"plan": f"{lay}; echo '{{\"changes\": []}}'", "apply": "true"}
    assert SECRET.encode() not in Command().plan(job("command", options)).artifact


def test_what_validate_leaves_where_the_plan_directory_would_be_is_not_taken_for_it(job: MakeJob, host: Path) -> None:
    options = {
        "validate": f'cd "$HEADGATE_PLAN_DIR"; for n in plan apply planned; do ln -s {host.parent} "$n"; done',
        "plan": "echo '{\"changes\": []}'",
        "apply": 'echo x > "$HEADGATE_PLAN_DIR/left"',
    }
    here = job("command", options, deploy=True)
    assert Command().validate(here) == ()
    planned = Command().plan(here)
    assert SECRET.encode() not in planned.artifact
    assert Command().apply(here, planned).failure is None
    assert Command().verify(here).remaining.empty
    assert not (host.parent / "left").exists()


# ----------------------------------------------------------------------------------------------- ansible


@pytest.mark.real_tool
@every_trap
def test_a_playbook_that_swaps_its_events_shows_nothing_of_the_host(
    job: MakeJob, shop: Any, host: Path, trap: str
) -> None:
    lay = trap.format(place='"$HEADGATE_EVENTS"', host=host)
    shop.write({"lay.sh": lay})
    play = [{"hosts": "localhost", "gather_facts": False, "connection": "local", "tasks": [
        {"debug": {"msg": "{{ lookup('pipe', 'sh ' + playbook_dir + '/lay.sh') }}"}},
    ]}]  # fmt: skip
    here = job("ansible", {"playbook": "site.yml"}, files={"site.yml": json.dumps(play)})
    with pytest.raises(ToolFailed) as error:
        Ansible().plan(here)
    assert SECRET not in said(error.value)
    assert SECRET not in shop.log


# --------------------------------------------------------------------------------------------- terraform


@pytest.fixture
def project(shop: Any, tmp_path: Path) -> Callable[[str], None]:
    def write(body: str) -> None:
        (tmp_path / "state").mkdir(exist_ok=True)
        backend = f'terraform {{\n  backend "local" {{\n    path = "{tmp_path}/state/live.tfstate"\n  }}\n}}\n'
        shop.write({"main.tf": backend + body})

    return write


@pytest.mark.real_tool
@with_terraform
@every_trap
def test_a_provider_that_swaps_the_plan_file_gets_nothing_of_the_host_kept(
    job: MakeJob, shop: Any, project: Any, host: Path, trap: str
) -> None:
    """The wrapper stands for a hostile provider: it runs the real terraform, and acts when the plan was shown."""
    project('resource "terraform_data" "a" {}\n')
    here = job("terraform")
    lay = trap.format(place=here.scratch / "plan.tfplan", host=host)
    program = shop.place / "tf"
    program.write_text(f'#!/bin/sh\nterraform "$@"; code=$?\n[ "$1" != show ] || {{ {lay}; }}\nexit $code\n')
    program.chmod(0o755)
    tool = Terraform(str(program))
    tool.validate(here)
    with pytest.raises(ToolFailed, match=r"neither read nor replaced|left no plan file") as error:
        tool.plan(here)
    assert SECRET not in said(error.value)


@pytest.mark.real_tool
@with_terraform
@every_trap
def test_an_apply_that_leaves_a_false_state_gets_nothing_of_the_host_kept(
    job: MakeJob, shop: Any, project: Any, host: Path, trap: str
) -> None:
    lay = trap.format(place="errored.tfstate", host=host)
    project(
        f'resource "terraform_data" "a" {{\n  provisioner "local-exec" {{\n    command = "{lay}; exit 3"\n  }}\n}}\n'
    )
    here = job("terraform", deploy=True)
    Terraform().validate(here)
    failure = Terraform().apply(here, Terraform().plan(here)).failure
    assert failure is not None
    assert "exit status 3" in " ".join(failure.details)
    assert "errored.tfstate" in failure.message
    assert not list(here.cache.glob("errored-*"))


@pytest.mark.real_tool
@with_terraform
def test_a_plan_is_never_written_through_what_lies_where_it_goes(job: MakeJob, project: Any, host: Path) -> None:
    project('resource "terraform_data" "a" {}\n')
    here = job("terraform", deploy=True)
    Terraform().validate(here)
    planned = Terraform().plan(here)
    before = host.read_bytes()
    (here.scratch / "apply.tfplan").symlink_to(host)
    assert Terraform().apply(here, planned).failure is None
    assert host.read_bytes() == before


@every_trap
def test_code_that_a_command_swapped_is_not_read(
    job: MakeJob, shop: Any, project: Any, host: Path, trap: str
) -> None:
    project("")
    here = job("terraform", deploy=True)
    place = shop.directory / "main.tf"
    done = job("command", {"plan": trap.format(place=place, host=host) + "; echo '{\"changes\": []}'"})
    Command().plan(done)
    with pytest.raises(ToolFailed, match="neither read nor replaced") as error:
        Terraform().validate(here)
    assert SECRET not in said(error.value)
