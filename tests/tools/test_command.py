"""``command`` keeps its published contract: one JSON document or exit codes, a plan directory, nothing guessed."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from typing import Any

import pytest
from trees import Tree

from bot.core.effectset import Action, ValueKind, fingerprint
from bot.core.errors import ToolFailed, ToolTimeout
from bot.core.guard.model import EntryKind
from bot.core.project import Project
from bot.core.runs import FailureKind, Verification
from bot.ports import Job
from bot.tools.command.tool import Command

MakeJob = Callable[..., Job]
TOOL = Command()


def printing(*changes: dict[str, Any]) -> str:
    return f"cat <<'END'\n{json.dumps({'changes': list(changes)})}\nEND"


RECORD = {"address": "record.www", "action": "update", "before": {"ip": "10.0.0.1"}, "after": {"ip": "10.0.0.2"}}


def test_a_printed_document_becomes_effects(job: MakeJob) -> None:
    planned = TOOL.plan(job("command", {"plan": printing(RECORD), "apply": "true"}))
    (effect,) = planned.effects.resources
    assert (effect.address, effect.action) == ("record.www", Action.UPDATE)
    (leaf,) = effect.leaves
    assert (leaf.path, leaf.before.text, leaf.after.text) == ("ip", '"10.0.0.1"', '"10.0.0.2"')


def test_an_argv_is_run_without_a_shell(job: MakeJob) -> None:
    words = ["printf", "%s", '{"changes": [{"address": "$(id)", "action": "create"}]}']
    planned = TOOL.plan(job("command", {"plan": words, "apply": "true"}))
    assert planned.effects.resources[0].address == "$(id)"


def test_a_line_of_shell_stops_at_its_first_failure(job: MakeJob) -> None:
    with pytest.raises(ToolFailed):
        TOOL.plan(job("command", {"plan": "false; echo '{\"changes\": []}'", "apply": "true"}))


def test_the_same_plan_twice_gives_equal_effects_and_equal_bytes(job: MakeJob) -> None:
    other = {"address": "a", "action": "create", "after": {"x": 1}}
    first = TOOL.plan(job("command", {"plan": printing(RECORD, other), "apply": "true"}))
    second = TOOL.plan(job("command", {"plan": printing(other, RECORD), "apply": "true"}))
    assert first.effects == second.effects
    assert fingerprint(b"k", first.effects) == fingerprint(b"k", second.effects)
    again = TOOL.plan(job("command", {"plan": printing(RECORD, other), "apply": "true"}))
    assert again.artifact == first.artifact


def test_a_sensitive_path_is_a_token_and_its_value_nowhere(job: MakeJob, shop: Any) -> None:
    change = {**RECORD, "after": {"auth": {"password": "hunter2-hunter2"}}, "sensitive_paths": ["auth.password"]}
    planned = TOOL.plan(job("command", {"plan": printing(change), "apply": "true"}))
    assert "hunter2-hunter2" not in repr(planned.effects)
    leaf = next(leaf for leaf in planned.effects.resources[0].leaves if leaf.path == "auth.password")
    assert leaf.after.kind is ValueKind.SENSITIVE
    assert "hunter2-hunter2" not in shop.log


def test_what_the_plan_prints_never_reaches_the_log_but_its_words_on_stderr_do(job: MakeJob, shop: Any) -> None:
    TOOL.plan(job("command", {"plan": f"echo looking >&2; {printing(RECORD)}", "apply": "true"}))
    assert shop.log == "looking\n"


@pytest.mark.parametrize(
    ("printed", "says"),
    [
        ("hello", "did not print one JSON document"),
        ("", "did not print one JSON document"),
        ('{"changes": []} {"changes": []}', "did not print one JSON document"),
        ("[" * 100_000, "did not print one JSON document"),
        ("[]", "at the top"),
        ('{"changes": [{"address": "a"}]}', "at changes/0"),
        ('{"changes": [{"address": "", "action": "create"}]}', "at changes/0/address"),
        ('{"changes": [{"address": "a", "action": "explode"}]}', "at changes/0/action"),
    ],
)
def test_a_document_that_breaks_the_contract_fails_and_says_where(
    job: MakeJob, shop: Any, printed: str, says: str
) -> None:
    shop.write({"printed": printed})
    with pytest.raises(ToolFailed, match=says):
        TOOL.plan(job("command", {"plan": ["cat", "printed"], "apply": "true"}))


def test_a_plan_that_prints_without_end_fails(job: MakeJob) -> None:
    endless = ["head", "-c", "9000000", "/dev/zero"]
    with pytest.raises(ToolFailed, match="printed more than"):
        TOOL.plan(job("command", {"plan": endless, "apply": "true"}))


def test_an_exit_code_of_two_is_a_failure_unless_exit_codes_are_promised(job: MakeJob) -> None:
    with pytest.raises(ToolFailed, match="exit code 2"):
        TOOL.plan(job("command", {"plan": "echo usage >&2; exit 2", "apply": "true"}))


@pytest.mark.parametrize(("code", "actions"), [(0, []), (2, [Action.RUN])])
def test_promised_exit_codes_say_nothing_or_something(job: MakeJob, code: int, actions: list[Action]) -> None:
    planned = TOOL.plan(job("command", {"plan": f"exit {code}", "apply": "true", "exit_codes": True}))
    assert [each.action for each in planned.effects.resources] == actions
    assert planned.effects.unpredictable == len(actions)
    assert planned.effects.empty is (code == 0)


def test_any_other_exit_code_fails_even_when_they_are_promised(job: MakeJob) -> None:
    with pytest.raises(ToolFailed, match="exit code 1") as error:
        TOOL.plan(job("command", {"plan": "echo no route >&2; exit 1", "apply": "true", "exit_codes": True}))
    assert error.value.diagnostics == ("no route",)


def test_a_plan_that_takes_too_long_is_stopped(job: MakeJob) -> None:
    with pytest.raises(ToolTimeout):
        TOOL.plan(job("command", {"plan": ["sleep", "60"], "apply": "true"}, timeout=0.3))


def test_apply_gets_exactly_the_planned_directory_and_document(job: MakeJob, shop: Any) -> None:
    options = {
        "plan": f'echo one > "$HEADGATE_PLAN_DIR/a"; mkdir "$HEADGATE_PLAN_DIR/d"; ln -s /etc/passwd '
        f'"$HEADGATE_PLAN_DIR/link"; echo two > "$HEADGATE_PLAN_DIR/d/b"; {printing(RECORD)}',
        "apply": 'cd "$HEADGATE_PLAN_DIR"; find . -type f -o -type l | sort; cat a d/b',
    }
    planned = TOOL.plan(job("command", options))
    applied = TOOL.apply(job("command", options, deploy=True), planned)
    assert applied.failure is None
    assert applied.done == ("record.www",)
    assert shop.log.split() == ["./a", "./d/b", "./plan.json", "one", "two"]


def test_a_tampered_artifact_writes_nothing_outside_its_directory(job: MakeJob, shop: Any) -> None:
    planned = TOOL.plan(job("command", {"plan": printing(RECORD), "apply": "true"}))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo("../../escaped")
        entry.size = 1
        tar.addfile(entry, io.BytesIO(b"x"))
    evil = type(planned)(planned.effects, "", artifact=buffer.getvalue())
    with pytest.raises(tarfile.FilterError):
        TOOL.apply(job("command", {"plan": "true", "apply": "true"}, deploy=True), evil)
    assert not list(shop.place.parent.rglob("escaped"))


def test_an_apply_that_fails_says_its_last_words(job: MakeJob) -> None:
    options = {"plan": printing(RECORD), "apply": "echo doing; echo InvalidParameterValue >&2; exit 3"}
    planned = TOOL.plan(job("command", options))
    applied = TOOL.apply(job("command", options, deploy=True), planned)
    assert applied.done == ()
    assert applied.failure is not None
    assert (applied.failure.kind, applied.failure.message) == (FailureKind.TOOL, "InvalidParameterValue")


def test_an_apply_that_takes_too_long_is_a_timeout(job: MakeJob) -> None:
    options = {"plan": printing(RECORD), "apply": ["sleep", "60"]}
    planned = TOOL.plan(job("command", options))
    applied = TOOL.apply(job("command", options, deploy=True, timeout=0.3), planned)
    assert applied.failure is not None
    assert applied.failure.kind is FailureKind.TIMEOUT


def test_only_the_given_variables_are_there(job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADGATE_TOKEN", "must-not-leak")
    program = (
        "import json, os; print(json.dumps({'changes': [{'address': n, 'action': 'create'} for n in os.environ]}))"
    )
    planned = TOOL.plan(job("command", {"plan": ["python3", "-c", program], "apply": "true"}, env={"REGION": "eu"}))
    names = {each.address for each in planned.effects.resources}
    assert {"REGION", "HEADGATE_PLAN_DIR"} <= names
    assert "HEADGATE_TOKEN" not in names


@pytest.mark.parametrize("missing", ["plan", "apply"])
def test_a_project_without_its_commands_is_invalid(job: MakeJob, missing: str) -> None:
    options = {name: "true" for name in ("plan", "apply") if name != missing}
    (found,) = TOOL.validate(job("command", options))
    assert found.level == "error"
    assert f"`{missing}`" in found.message


def test_validate_reports_its_last_words_when_it_fails(job: MakeJob) -> None:
    options = {"plan": "true", "apply": "true"}
    assert TOOL.validate(job("command", options)) == ()
    assert TOOL.validate(job("command", {**options, "validate": "true"})) == ()
    (said,) = TOOL.validate(job("command", {**options, "validate": "echo line 3 is wrong >&2; exit 1"}))
    assert said.message == "line 3 is wrong"
    (silent,) = TOOL.validate(job("command", {**options, "validate": "exit 4"}))
    assert silent.message == "`validate` ended with 4"


def test_verify_plans_again_and_expects_nothing(job: MakeJob, shop: Any) -> None:
    options = {"plan": ["cat", "printed"], "apply": "true"}
    shop.write({"printed": '{"changes": []}'})
    assert TOOL.verify(job("command", options)).outcome is Verification.VERIFIED
    shop.write({"printed": json.dumps({"changes": [RECORD]})})
    left = TOOL.verify(job("command", options))
    assert left.outcome is Verification.NOT_CONVERGENT
    assert left.remaining.resources[0].address == "record.www"
    shop.write({"printed": "oops"})
    assert TOOL.verify(job("command", options)).outcome is Verification.INCOMPLETE


def test_verify_works_in_the_job_that_planned(job: MakeJob) -> None:
    here = job("command", {"plan": printing(), "apply": "true"})
    TOOL.plan(here)
    assert TOOL.verify(here).outcome is Verification.VERIFIED


def test_a_verify_command_decides_by_its_exit_code(job: MakeJob) -> None:
    options = {"plan": printing(RECORD), "apply": "true"}
    assert TOOL.verify(job("command", {**options, "verify": "true"})).outcome is Verification.VERIFIED
    failed = TOOL.verify(job("command", {**options, "verify": "echo still 502; exit 1"}))
    assert failed.outcome is Verification.INCOMPLETE
    assert failed.notes == ("still 502",)
    slow = TOOL.verify(job("command", {**options, "verify": ["sleep", "60"]}, timeout=0.3))
    assert slow.outcome is Verification.INCOMPLETE


def test_what_it_owns_are_the_lines_that_owned_prints(job: MakeJob, shop: Any) -> None:
    assert TOOL.owned(job("command", {"owned": "printf 'record.www\\n\\n  \\nrecord.mail'"})) == 2
    assert TOOL.owned(job("command", {"owned": ["true"]})) == 0
    assert "record.www" not in shop.log


def test_without_owned_nobody_knows_what_it_owns_and_a_failing_one_is_no_answer(job: MakeJob) -> None:
    assert TOOL.owned(job("command", {"plan": "true"})) is None
    with pytest.raises(ToolFailed):
        TOOL.owned(job("command", {"owned": "echo a; exit 3"}))


def test_programs_of_the_repository_that_its_commands_name_are_findings() -> None:
    names = ("plan.py", "web/apply.sh", "web/other")
    tree = Tree({name: name.encode() for name in names}, {"web/apply.sh": EntryKind.EXECUTABLE})
    options = {"plan": ["python3", "../plan.py", "../../outside", "/bin/ls"], "apply": 'exec "./apply.sh"; true'}
    found = list(TOOL.guard(Project("web", "web", "command", options=options), tree))
    assert [each.path for each in found if each.rule == "program"] == ["plan.py", "web/apply.sh"]
    assert [each.value for each in found if each.rule == "command"][1] == 'exec "./apply.sh"; true'
