"""Terraform as it really behaves: each of its pitfalls, run against the real binary with a local state."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.core.effectset import Action, ValueKind, fingerprint
from bot.core.errors import ToolError, ToolFailed
from bot.core.runs import FailureKind, Verification
from bot.ports import Job
from bot.tools.terraform import tool as terraform_tool
from bot.tools.terraform.reading import owned
from bot.tools.terraform.tool import Terraform

pytestmark = [
    pytest.mark.real_tool,
    pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed"),
]

MakeJob = Callable[..., Job]
TOOL = Terraform()
SECRET = "correct-horse-battery"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder / "live.tfstate"


@pytest.fixture
def code(shop: Any, state: Path) -> Callable[..., None]:
    """Write main.tf: the lasting backend, and then this."""

    def write(body: str, **files: str) -> None:
        backend = f'terraform {{\n  backend "local" {{\n    path = "{state}"\n  }}\n}}\n'
        shop.write({"main.tf": backend + body, **files})

    return write


@pytest.fixture
def plan(job: MakeJob) -> Callable[..., Any]:
    """Validate and plan, as a run does."""

    def make(**words: Any) -> Any:
        here = job("terraform", words.pop("options", None), **words)
        assert not [each for each in TOOL.validate(here) if each.level == "error"]
        return TOOL.plan(here)

    return make


@pytest.fixture
def deploy(job: MakeJob, plan: Callable[..., Any]) -> Callable[..., Any]:
    """Plan and apply; it must work."""

    def make(**words: Any) -> Any:
        planned = plan(deploy=True, **words)
        applied = TOOL.apply(job("terraform", deploy=True, **words), planned)
        assert applied.failure is None
        return applied

    return make


def data(name: str, value: str, extra: str = "") -> str:
    return f'resource "terraform_data" "{name}" {{\n  input = "{value}"\n{extra}}}\n'


def shown(planned: Any) -> list[tuple[str, Action]]:
    return [(each.address, each.action) for each in planned.effects.resources]


# ------------------------------------------------------------------------------------------- effects


def test_create_update_and_delete_are_told_apart(code: Any, plan: Any, deploy: Any) -> None:
    code(data("a", "1") + data("b", "1"))
    first = plan()
    assert shown(first) == [("terraform_data.a", Action.CREATE), ("terraform_data.b", Action.CREATE)]
    assert first.tool_version
    assert first.state == ""
    assert set(deploy().done) == {"terraform_data.a", "terraform_data.b"}
    code(data("a", "2") + data("c", "1"))
    second = plan()
    assert shown(second) == [
        ("terraform_data.a", Action.UPDATE),
        ("terraform_data.b", Action.DELETE),
        ("terraform_data.c", Action.CREATE),
    ]
    lineage, _, serial = second.state.partition(":")
    assert lineage and int(serial) >= 1


def test_nothing_to_do_is_empty(code: Any, plan: Any, deploy: Any) -> None:
    code(data("a", "1"))
    deploy()
    assert plan().effects.empty


def test_a_change_of_only_an_output_is_an_effect(code: Any, plan: Any, deploy: Any) -> None:
    code(data("a", "1") + 'output "o" { value = "old" }\n')
    deploy()
    code(data("a", "1") + 'output "o" { value = "new" }\n')
    planned = plan()
    assert shown(planned) == []
    (output,) = planned.effects.outputs
    assert (output.name, output.before.text, output.after.text) == ("o", '"old"', '"new"')
    assert not planned.effects.empty


def test_a_mere_move_is_shown_though_terraform_counts_nothing(code: Any, plan: Any, deploy: Any) -> None:
    code(data("a", "1"))
    deploy()
    code(data("b", "1") + "moved {\n  from = terraform_data.a\n  to = terraform_data.b\n}\n")
    planned = plan()
    (effect,) = planned.effects.resources
    assert (effect.action, effect.previous_address) == (Action.MOVE, "terraform_data.a")
    counts = planned.effects.counts()
    assert (counts.move, counts.create, counts.delete) == (1, 0, 0)


@pytest.mark.parametrize("lifecycle", ["", "  lifecycle {\n    create_before_destroy = true\n  }\n"])
def test_a_replacement_counts_once(code: Any, plan: Any, deploy: Any, lifecycle: str) -> None:
    code(data("a", "1", f'  triggers_replace = "x"\n{lifecycle}'))
    deploy()
    code(data("a", "1", f'  triggers_replace = "y"\n{lifecycle}'))
    planned = plan()
    (effect,) = planned.effects.resources
    assert effect.action is Action.REPLACE
    assert effect.reason == "replace_because_cannot_update"
    assert effect.replace_paths == ("triggers_replace",)
    counts = planned.effects.counts()
    assert (counts.replace, counts.create, counts.delete) == (1, 0, 0)


def test_forgetting_and_importing_are_not_deleting_and_creating(code: Any, plan: Any, deploy: Any) -> None:
    code(data("a", "1"))
    deploy()
    code("removed {\n  from = terraform_data.a\n  lifecycle {\n    destroy = false\n  }\n}\n")
    assert shown(plan()) == [("terraform_data.a", Action.FORGET)]
    code(data("a", "1") + 'resource "terraform_data" "i" {}\nimport {\n  to = terraform_data.i\n  id = "known"\n}\n')
    (effect,) = plan().effects.resources
    assert (effect.action, effect.import_id) == (Action.IMPORT, "known")


def test_the_same_commit_planned_in_two_places_gives_equal_effects(
    code: Any, plan: Any, shop: Any, tmp_path: Path
) -> None:
    code(
        data("a", "1") + data("b", "${terraform_data.a.id}") + f'variable "p" {{\n  sensitive = true\n'
        f'  default = "{SECRET}"\n}}\nresource "terraform_data" "s" {{\n  input = var.p\n}}\n'
    )
    first = plan()
    other = type(shop)(tmp_path / "elsewhere")
    other.write({"main.tf": (shop.directory / "main.tf").read_text()})
    here = other.job("terraform")
    TOOL.validate(here)
    second = TOOL.plan(here)
    assert first.effects == second.effects
    assert fingerprint(b"k", first.effects) == fingerprint(b"k", second.effects)


def test_variables_and_variable_files_reach_the_plan(code: Any, plan: Any) -> None:
    code('variable "x" {}\nvariable "y" {}\n' + data("a", "${var.x}${var.y}"), **{"x.tfvars": 'x = "from-file-"\n'})
    planned = plan(options={"var_files": ["x.tfvars"], "vars": {"y": "given"}})
    leaves = {leaf.path: leaf.after.text for leaf in planned.effects.resources[0].leaves}
    assert leaves["input"] == '"from-file-given"'


# ------------------------------------------------------------------------------------------- secrets


def test_a_sensitive_variable_is_neither_in_the_log_nor_in_the_effects(
    code: Any, plan: Any, deploy: Any, shop: Any
) -> None:
    body = 'variable "p" {\n  sensitive = true\n}\nresource "terraform_data" "s" {\n  input = var.p\n}\n'
    code(body + 'output "o" {\n  value = var.p\n  sensitive = true\n}\n')
    planned = plan(env={"TF_VAR_p": SECRET})
    assert SECRET not in repr(planned.effects)
    leaf = next(leaf for leaf in planned.effects.resources[0].leaves if leaf.path == "input")
    assert leaf.after.kind is ValueKind.SENSITIVE
    assert planned.effects.outputs[0].after.kind is ValueKind.SENSITIVE
    other = plan(env={"TF_VAR_p": SECRET + "2"})
    assert other.effects != planned.effects
    deploy(env={"TF_VAR_p": SECRET})
    assert shop.log
    assert SECRET not in shop.log


def test_what_the_machine_form_holds_is_not_logged(code: Any, plan: Any, shop: Any) -> None:
    code(data("a", "1"))
    plan()
    assert "format_version" not in shop.log
    assert "terraform_data.a will be created" in shop.log


# ------------------------------------------------------------------------------------ exactly the plan


def test_the_plan_is_applied_even_when_the_code_was_edited_after_it(
    code: Any, plan: Any, job: MakeJob, state: Path
) -> None:
    code(data("a", "planned"))
    planned = plan(deploy=True)
    code(data("a", "edited"))
    assert TOOL.apply(job("terraform", deploy=True), planned).failure is None
    assert '"planned"' in state.read_text()
    assert '"edited"' not in state.read_text()


def test_a_plan_is_refused_after_another_was_applied(
    code: Any, plan: Any, deploy: Any, job: MakeJob, state: Path
) -> None:
    code(data("a", "1"))
    deploy()
    code(data("a", "2"))
    old = plan(deploy=True)
    code(data("a", "3"))
    deploy()
    refused = TOOL.apply(job("terraform", deploy=True), old)
    assert refused.done == ()
    assert refused.failure is not None
    assert (refused.failure.kind, refused.failure.message) == (
        FailureKind.TOOL,
        "the state moved since the plan was made",
    )
    assert '"3"' in state.read_text()


def test_an_apply_that_fails_half_way_says_what_was_done(code: Any, plan: Any, job: MakeJob) -> None:
    bad = '  depends_on = [terraform_data.a]\n  provisioner "local-exec" {\n    command = "exit 3"\n  }\n'
    code(data("a", "1") + data("b", "1", bad))
    applied = TOOL.apply(job("terraform", deploy=True), plan(deploy=True))
    assert applied.done == ("terraform_data.a",)
    assert applied.failure is not None
    assert applied.failure.kind is FailureKind.TOOL
    assert "exit status 3" in " ".join(applied.failure.details)


def test_reading_back_after_an_apply_finds_nothing_left(code: Any, deploy: Any, job: MakeJob) -> None:
    code(data("a", "1"))
    deploy()
    assert TOOL.verify(job("terraform", deploy=True)).outcome is Verification.VERIFIED


def test_what_never_settles_is_not_convergent(code: Any, deploy: Any, job: MakeJob) -> None:
    code('resource "terraform_data" "a" {\n  input = timestamp()\n}\n')
    deploy()
    verified = TOOL.verify(job("terraform", deploy=True))
    assert verified.outcome is Verification.NOT_CONVERGENT
    assert shown_of(verified) == ["terraform_data.a"]


def shown_of(verified: Any) -> list[str]:
    return [each.address for each in verified.remaining.resources]


def test_reading_back_that_fails_is_incomplete(code: Any, deploy: Any, job: MakeJob) -> None:
    code(data("a", "1"))
    deploy()
    code("nonsense {")
    assert TOOL.verify(job("terraform", deploy=True)).outcome is Verification.INCOMPLETE


# --------------------------------------------------------------------------------- findings, warnings


def test_a_failing_check_block_is_a_warning_and_does_not_stop_the_plan(code: Any, plan: Any) -> None:
    code(
        data("a", "1") + 'check "small" {\n  assert {\n    condition = terraform_data.a.input == "2"\n'
        '    error_message = "not as it should be"\n  }\n}\n'
    )
    planned = plan()
    assert shown(planned) == [("terraform_data.a", Action.CREATE)]
    assert planned.warnings == ("check.small fails: not as it should be",)


def test_an_error_is_found_at_its_line(code: Any, job: MakeJob) -> None:
    code('output "o" {\n  value = var.missing\n}\n')
    errors = [each for each in TOOL.validate(job("terraform")) if each.level == "error"]
    assert [(each.path, each.line) for each in errors] == [("live/main.tf", 7)]
    assert "undeclared input variable" in errors[0].message


def test_bad_format_only_warns(code: Any, job: MakeJob) -> None:
    code('resource "terraform_data" "a" {\ninput="1"\n}\n')
    (found,) = TOOL.validate(job("terraform"))
    assert found.level == "warning"
    assert "main.tf is not formatted" in found.message


def test_a_plan_that_fails_says_why(code: Any, job: MakeJob) -> None:
    code('data "terraform_remote_state" "r" {\n  backend = "local"\n  config = { path = "/nowhere/x.tfstate" }\n}\n')
    here = job("terraform")
    TOOL.validate(here)
    with pytest.raises(ToolFailed, match="plan failed with exit code 1") as error:
        TOOL.plan(here)
    assert any("remote state" in line for line in error.value.diagnostics)


# ------------------------------------------------------------------------------------ state and locks


@pytest.mark.parametrize("backend", ["", 'terraform {\n  backend "local" {\n    path = "x.tfstate"\n  }\n}\n'])
def test_a_state_that_would_be_lost_is_refused(shop: Any, job: MakeJob, backend: str) -> None:
    shop.write({"main.tf": backend + data("a", "1")})
    with pytest.raises(ToolFailed, match="no lasting backend"):
        TOOL.validate(job("terraform"))
    assert shop.commands == []


def test_a_workspace_whose_state_would_be_lost_is_refused(code: Any, job: MakeJob) -> None:
    """The local backend keeps other workspaces beside the code unless ``workspace_dir`` says otherwise."""
    code(data("a", "1"))
    with pytest.raises(ToolFailed, match="no lasting backend"):
        TOOL.validate(job("terraform", workspace="blue"))


def test_each_workspace_has_a_state_of_its_own(shop: Any, job: MakeJob, tmp_path: Path) -> None:
    place = f'path = "{tmp_path}/live.tfstate"\n    workspace_dir = "{tmp_path}/spaces"'
    shop.write({"main.tf": f'terraform {{\n  backend "local" {{\n    {place}\n  }}\n}}\n' + data("a", "1")})
    here = job("terraform", workspace="blue", deploy=True)
    TOOL.validate(here)
    assert TOOL.apply(job("terraform", workspace="blue", deploy=True), TOOL.plan(here)).failure is None
    assert (tmp_path / "spaces" / "blue").is_dir()
    assert not (tmp_path / "live.tfstate").exists()
    assert TOOL.verify(job("terraform", workspace="blue", deploy=True)).outcome is Verification.VERIFIED


def test_what_a_project_owns_are_the_instances_in_its_state(code: Any, deploy: Any, job: MakeJob, shop: Any) -> None:
    module = 'module "m" {\n  source = "./m"\n}\n'
    read = f'  backend = "local"\n  config = {{ path = "{shop.place}/state/live.tfstate" }}\n'
    inside = {
        "m/main.tf": data("inner", SECRET),
        "m/read.tf": f'data "terraform_remote_state" "x" {{\n{read}}}\n',
    }
    code(data("a", "1") + data("many", "2", "  count = 3\n"))
    deploy()
    assert TOOL.owned(job("terraform")) == 4

    code(data("a", "1") + module, **inside)
    deploy()
    shop.pieces.clear()
    assert TOOL.owned(job("terraform")) == 2
    assert SECRET not in shop.log

    code("")
    deploy()
    assert TOOL.owned(job("terraform")) == 0


def test_a_project_that_was_never_deployed_owns_nothing(code: Any, job: MakeJob) -> None:
    code(data("a", "1"))
    assert TOOL.owned(job("terraform")) == 0


def test_a_state_of_an_unknown_format_is_not_counted(code: Any, job: MakeJob) -> None:
    for odd in ({"version": 3}, {"version": 4}, {"version": 5, "resources": []}):
        with pytest.raises(ToolFailed, match="format"):
            owned(odd)


def test_init_is_skipped_the_second_time_and_done_again_when_the_backend_moves(
    code: Any, job: MakeJob, shop: Any, tmp_path: Path
) -> None:
    def inits() -> int:
        return sum(1 for argv in shop.commands if argv[1] == "init")

    code(data("a", "1"))
    TOOL.validate(job("terraform"))
    code(data("a", "2"))
    TOOL.validate(job("terraform"))
    assert inits() == 1
    TOOL.validate(job("terraform", deploy=True))
    assert inits() == 2  # deploys run with other credentials and keep their own
    text = (shop.directory / "main.tf").read_text()
    shop.write({"main.tf": text.replace("live.tfstate", "moved.tfstate")})
    TOOL.validate(job("terraform"))
    assert inits() == 3


@pytest.fixture
def locked(state: Path) -> Callable[[], Any]:
    """Hold the local state's lock as another terraform would: an fcntl lock, and a note of who has it."""

    def hold() -> Any:
        note = {"ID": "11111111-2222", "Operation": "OperationTypeApply", "Who": "cy@laptop", "Version": "1.11.4"}
        (state.parent / f".{state.name}.lock.info").write_text(
            json.dumps({**note, "Info": "", "Created": "2025-01-01T00:00:00Z", "Path": str(state)})
        )
        file = state.open("r+b")
        fcntl.lockf(file, fcntl.LOCK_EX)
        return file

    return hold


def test_a_state_locked_by_somebody_else_is_not_applied_to(
    code: Any, plan: Any, deploy: Any, job: MakeJob, locked: Any, monkeypatch: pytest.MonkeyPatch, state: Path
) -> None:
    monkeypatch.setattr(terraform_tool, "LOCK_WAIT", "0s")
    code(data("a", "1"))
    deploy()
    code(data("a", "2"))
    planned = plan(deploy=True)
    before = state.read_bytes()
    with locked():
        applied = TOOL.apply(job("terraform", deploy=True), planned)
        with pytest.raises(ToolError, match="locked by somebody else"):
            TOOL.plan(job("terraform", deploy=True))
        assert plan().effects == planned.effects  # a change's plan is thrown away, so it takes no lock
    assert applied.failure is not None
    assert applied.failure.kind is FailureKind.LOCKED
    assert state.read_bytes() == before


def test_a_lock_of_somebody_else_is_never_broken(
    code: Any, deploy: Any, job: MakeJob, locked: Any, shop: Any
) -> None:
    code(data("a", "1"))
    deploy()
    with locked():
        assert not TOOL.unlock(job("terraform", deploy=True), "worker-7:123:456")
    assert not any("force-unlock" in argv for argv in shop.commands)


def test_there_is_nothing_to_unlock_when_nothing_is_locked(code: Any, deploy: Any, job: MakeJob) -> None:
    code(data("a", "1"))
    deploy()
    assert not TOOL.unlock(job("terraform", deploy=True), "*")


def test_a_later_run_asks_for_no_version(code: Any, plan: Any, shop: Any) -> None:
    code(data("a", "1"))
    first, later = plan(), plan()

    assert [words[1] for words in shop.commands].count("version") == 1
    assert later.tool_version == first.tool_version
