"""Ansible as it really behaves: each of its pitfalls, run with the real ansible-core against this machine."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.core.effectset import Action, ValueKind, fingerprint
from bot.core.errors import ToolFailed, ToolTimeout
from bot.core.runs import FailureKind, Verification
from bot.ports import Job
from bot.tools.ansible.tool import Ansible

pytestmark = [
    pytest.mark.real_tool,
    pytest.mark.skipif(
        shutil.which("ansible-playbook", path=str(Path(sys.executable).parent)) is None,
        reason="ansible-core is not installed",
    ),
]

MakeJob = Callable[..., Job]
Task = dict[str, Any]
TOOL = Ansible()
SECRET = "correct-horse-battery"
HOSTS = f"""
[web]
web1
web2
[far]
far1 ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1
[empty]
[all:vars]
ansible_connection=local
ansible_python_interpreter={sys.executable}
"""


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """What the playbook manages."""
    folder = tmp_path / "live"
    folder.mkdir()
    return folder


@pytest.fixture
def play(shop: Any) -> Callable[..., None]:
    """Write site.yml: one play of these tasks, on web1 if nothing else is said, and what comes beside it."""

    def write(*tasks: Task, beside: dict[str, str] | None = None, more: tuple[Task, ...] = (), **words: Any) -> None:
        first = {"hosts": "web1", "gather_facts": False, "tasks": list(tasks), **words}
        shop.write({"hosts.ini": HOSTS, "site.yml": json.dumps([first, *more]), **(beside or {})})

    return write


@pytest.fixture
def run(job: MakeJob) -> Callable[..., Job]:
    """One more run of site.yml."""

    def make(options: dict[str, object] | None = None, **words: Any) -> Job:
        return job("ansible", {"playbook": "site.yml", "inventory": ["hosts.ini"], **(options or {})}, **words)

    return make


def copy(place: Path, content: str, **words: Any) -> Task:
    return {"name": f"copy {place.name}", "copy": {"content": content, "dest": str(place)}, **words}


def shell(line: str, **words: Any) -> Task:
    return {"name": "run it", "shell": line, **words}


def shown(planned: Any) -> list[tuple[str, Action]]:
    return [(each.address, each.action) for each in planned.effects.resources]


# ------------------------------------------------------------------------------------------- effects


def test_changes_are_effects_though_a_check_run_with_changes_ends_like_one_without(
    play: Any, run: Any, live: Path
) -> None:
    (live / "old").write_text("was\n")
    (live / "gone").write_text("x")
    play(
        copy(live / "new", "hello\n"),
        copy(live / "old", "is\n"),
        {"name": "remove it", "file": {"path": str(live / "gone"), "state": "absent"}},
        {"name": "a directory", "file": {"path": str(live / "d"), "state": "directory"}},
    )
    planned = TOOL.plan(run())
    assert dict(shown(planned)) == {
        "web1 › copy new": Action.CREATE,
        "web1 › copy old": Action.UPDATE,
        "web1 › remove it": Action.DELETE,
        "web1 › a directory": Action.CREATE,
    }
    update = next(each for each in planned.effects.resources if each.address.endswith("copy old"))
    (leaf,) = update.leaves
    assert (leaf.path, leaf.before.text, leaf.after.text) == (str(live / "old"), r'"was\n"', r'"is\n"')
    assert planned.tool_version.startswith("2.")
    assert sorted(path.name for path in live.iterdir()) == ["gone", "old"]


def test_nothing_to_do_is_empty(play: Any, run: Any, live: Path) -> None:
    (live / "old").write_text("same")
    play(copy(live / "old", "same"), {"name": "look", "debug": {"msg": "hello"}})
    assert TOOL.plan(run()).effects.empty


def test_the_same_commit_planned_twice_gives_equal_effects(play: Any, run: Any, live: Path) -> None:
    play(
        copy(live / "a", "1"),
        {"template": {"src": "t.j2", "dest": str(live / "t")}},
        beside={"t.j2": "{{ 1 + 1 }}\n"},
    )
    first, second = TOOL.plan(run()), TOOL.plan(run())
    assert first.effects == second.effects
    assert fingerprint(b"k", first.effects) == fingerprint(b"k", second.effects)
    assert first.artifact == second.artifact


def test_every_host_and_every_item_of_a_loop_is_an_effect_of_its_own(play: Any, run: Any, live: Path) -> None:
    loop = {"name": "each", "copy": {"content": "x", "dest": f"{live}/{{{{ inventory_hostname }}}}-{{{{ item }}}}"}}
    play({**loop, "loop": ["a", "b"]}, hosts="web")
    assert [address for address, _ in shown(TOOL.plan(run()))] == [
        "web1 › each (a)", "web1 › each (b)", "web2 › each (a)", "web2 › each (b)",
    ]  # fmt: skip


def test_two_tasks_of_one_name_are_told_apart(play: Any, run: Any, live: Path) -> None:
    play(*({**copy(live / name, "x"), "name": "same"} for name in ("a", "b")))
    assert [address for address, _ in shown(TOOL.plan(run()))] == ["web1 › same", "web1 › same #2"]


def test_a_handler_is_an_effect_only_when_something_notifies_it(play: Any, run: Any, live: Path, shop: Any) -> None:
    handler = {"name": "tell it", "copy": {"content": "told", "dest": str(live / "told")}}
    play(copy(live / "a", "1", notify="tell it"), handlers=[handler])
    assert [address for address, _ in shown(TOOL.plan(run()))] == ["web1 › copy a", "web1 › tell it"]
    assert "tell it (handler)" in shop.log
    (live / "a").write_text("1")
    assert TOOL.plan(run()).effects.empty


def test_contents_too_long_to_show_still_differ_when_they_differ(play: Any, run: Any, live: Path) -> None:
    long = "x" * 300_000
    play(copy(live / "a", long + "1"))
    first = TOOL.plan(run())
    play(copy(live / "a", long + "2"))
    second = TOOL.plan(run())
    assert shown(first) == shown(second) == [("web1 › copy a", Action.CREATE)]
    assert first.effects != second.effects
    assert all(len(leaf.after.text) < 25_000 for leaf in first.effects.resources[0].leaves)


def test_a_content_that_ansible_does_not_compare_says_so(play: Any, run: Any, live: Path) -> None:
    (live / "a").write_bytes(b"\0" * 100)
    play(copy(live / "a", "text"))
    (effect,) = TOOL.plan(run()).effects.resources
    assert effect.action is Action.UPDATE
    assert "not compared" in effect.leaves[0].after.text


# ------------------------------------------------------------------------------- what check mode cannot know


@pytest.mark.parametrize(
    "task",
    [
        {"command": "echo hi"},
        {"shell": "echo hi"},
        {"script": "/bin/true"},
        {"raw": "echo hi"},
        {"shell": "echo hi", "async": 10, "poll": 1},
        {"shell": "echo hi", "check_mode": False},
        {"command": "echo {{ item }}", "loop": ["a"]},
    ],
    ids=["command", "shell", "script", "raw", "async", "even in check mode", "loop"],
)
def test_a_step_that_nobody_can_foresee_is_counted_and_shown(play: Any, run: Any, task: Task) -> None:
    play({"name": "step", **task})
    planned = TOOL.plan(run())
    assert [action for _, action in shown(planned)] == [Action.RUN]
    assert planned.effects.unpredictable == 1
    assert planned.warnings == ("1 steps cannot be predicted by check mode",)
    assert not planned.effects.empty


@pytest.mark.parametrize(
    "task",
    [{"command": "echo", "when": False}, {"command": {"cmd": "echo", "creates": "/"}}, {"debug": {"msg": "x"}}],
    ids=["when", "creates", "debug"],
)
def test_a_step_that_would_not_run_is_not_counted(play: Any, run: Any, task: Task) -> None:
    play({"name": "step", **task})
    assert TOOL.plan(run()).effects.empty


def test_a_task_that_reads_what_was_skipped_fails_the_check_and_says_so(play: Any, run: Any) -> None:
    play(shell("echo hi", register="said"), {"name": "use it", "debug": {"msg": "{{ said.stdout_lines[0] }}"}})
    with pytest.raises(ToolFailed, match="web1: use it: "):
        TOOL.plan(run())


def test_what_a_rescue_caught_or_a_play_ignores_did_not_fail(play: Any, run: Any, live: Path) -> None:
    fails = {"name": "fails", "fail": {"msg": "no"}}
    play({"block": [fails], "rescue": [copy(live / "a", "1")]}, {**fails, "ignore_errors": True})
    assert shown(TOOL.plan(run())) == [("web1 › copy a", Action.CREATE)]


# ------------------------------------------------------------------------------------------- secrets


def test_a_task_with_no_log_shows_that_it_changes_and_nothing_else(
    play: Any, run: Any, live: Path, shop: Any
) -> None:
    play(copy(live / "a", SECRET, no_log=True, loop=[SECRET]))
    here = run()
    planned = TOOL.plan(here)
    ((_, action),) = shown(planned)
    assert action is Action.UPDATE
    (leaf,) = planned.effects.resources[0].leaves
    assert leaf.after.kind is ValueKind.SENSITIVE
    assert SECRET not in repr(planned) + shop.log
    assert not [
        path for path in here.scratch.rglob("*") if path.is_file() and SECRET in path.read_text(errors="replace")
    ]
    assert TOOL.apply(run(deploy=True), planned).failure is None
    assert SECRET not in shop.log


def test_a_failing_task_with_no_log_keeps_its_words_to_itself(play: Any, run: Any, shop: Any) -> None:
    play({"name": "fails", "fail": {"msg": SECRET}, "no_log": True})
    with pytest.raises(ToolFailed, match="web1: fails") as error:
        TOOL.plan(run())
    assert SECRET not in str(error.value) + repr(error.value.diagnostics) + shop.log


def test_a_task_that_may_not_be_compared_shows_no_content(play: Any, run: Any, live: Path) -> None:
    play(copy(live / "a", SECRET, diff=False))
    planned = TOOL.plan(run())
    assert len(planned.effects.resources) == 1
    assert SECRET not in repr(planned.effects)


def test_a_difference_is_not_in_the_log(play: Any, run: Any, live: Path, shop: Any) -> None:
    play(copy(live / "a", SECRET))
    TOOL.plan(run())
    assert "changed: web1" in shop.log
    assert SECRET not in shop.log


# ----------------------------------------------------------------------------------------------- hosts


def test_a_play_that_matches_no_host_is_an_error_though_ansible_ends_well(play: Any, run: Any) -> None:
    play(shell("true"), hosts="empty")
    (found,) = TOOL.validate(run())
    assert (found.level, found.message.partition(":")[0]) == ("error", "no host matches")
    with pytest.raises(ToolFailed, match="no host matches"):
        TOOL.plan(run())


def test_one_play_of_several_that_matches_no_host_only_warns(play: Any, run: Any, live: Path) -> None:
    play(copy(live / "a", "1"), more=({"hosts": "empty", "tasks": [shell("true")]},))
    (found,) = TOOL.validate(run())
    assert (found.level, found.message) == ("warning", "no host matches 1 of 2 plays")
    assert len(TOOL.plan(run()).effects.resources) == 1


def test_a_limit_that_leaves_no_host_is_an_error(play: Any, run: Any) -> None:
    play(shell("true"))
    assert [each.level for each in TOOL.validate(run({"limit": "web2"}))] == ["error"]
    with pytest.raises(ToolFailed, match="no host matches"):
        TOOL.plan(run({"limit": "web2"}))
    with pytest.raises(ToolFailed, match="exit code 1"):
        TOOL.plan(run({"limit": "nowhere"}))


def test_a_host_that_cannot_be_reached_fails_the_plan_by_name(play: Any, run: Any) -> None:
    play({"name": "look", "ping": {}}, hosts="far1:web1")
    with pytest.raises(ToolFailed, match="far1: look: ") as error:
        TOOL.plan(run())
    assert len(error.value.diagnostics) == 1


def test_a_host_that_was_not_shown_is_not_touched(play: Any, run: Any, live: Path) -> None:
    task = {"name": "each", "copy": {"content": "x", "dest": f"{live}/{{{{ inventory_hostname }}}}"}}
    play(task, hosts="web")
    planned = TOOL.plan(run({"limit": "web1"}))
    applied = TOOL.apply(run(deploy=True), planned)
    assert (applied.failure, applied.done) == (None, ("web1 › each",))
    assert [path.name for path in live.iterdir()] == ["web1"]


# ------------------------------------------------------------------------------------- apply and verify


def test_what_was_shown_is_done_and_reading_back_finds_nothing_left(play: Any, run: Any, live: Path) -> None:
    play(copy(live / "a", "1"))
    applied = TOOL.apply(run(deploy=True), TOOL.plan(run(deploy=True)))
    assert (applied.failure, applied.done) == (None, ("web1 › copy a",))
    assert (live / "a").read_text() == "1"
    assert TOOL.verify(run(deploy=True)).outcome is Verification.VERIFIED


def test_steps_that_cannot_be_foreseen_do_not_count_against_reading_back(play: Any, run: Any, live: Path) -> None:
    play(shell(f"touch {live}/a"))
    applied = TOOL.apply(run(deploy=True), TOOL.plan(run(deploy=True)))
    assert applied.failure is None
    assert (live / "a").exists()
    verified = TOOL.verify(run(deploy=True))
    assert verified.outcome is Verification.VERIFIED
    assert verified.remaining.unpredictable == 1


def test_what_never_settles_is_not_convergent_and_what_cannot_be_read_back_is_incomplete(
    play: Any, run: Any, live: Path
) -> None:
    play(copy(live / "a", "1"), copy(live / "a", "2"))
    assert TOOL.apply(run(deploy=True), TOOL.plan(run(deploy=True))).failure is None
    assert TOOL.verify(run(deploy=True)).outcome is Verification.NOT_CONVERGENT
    play({"name": "fails", "fail": {"msg": "no"}})
    assert TOOL.verify(run(deploy=True)).outcome is Verification.INCOMPLETE


def test_an_apply_that_fails_half_way_says_what_was_done_and_why(play: Any, run: Any, live: Path) -> None:
    play(copy(live / "a", "1"), shell("echo broken >&2; exit 3"))
    applied = TOOL.apply(run(deploy=True), TOOL.plan(run(deploy=True)))
    assert applied.done == ("web1 › copy a",)
    assert applied.failure is not None
    assert applied.failure.kind is FailureKind.TOOL
    assert applied.failure.message.startswith("web1: run it: ")


def test_one_host_that_fails_does_not_hide_what_the_others_did(play: Any, run: Any, live: Path) -> None:
    fails = shell("exit 1", when="inventory_hostname == 'web1'")
    done = {"name": "each", "copy": {"content": "x", "dest": f"{live}/{{{{ inventory_hostname }}}}"}}
    play(fails, done, hosts="web")
    applied = TOOL.apply(run(deploy=True), TOOL.plan(run(deploy=True)))
    assert applied.done == ("web2 › each",)
    assert applied.failure is not None
    assert applied.failure.details[0].startswith("web1: run it: ")


def test_a_play_that_takes_too_long_is_stopped(play: Any, run: Any) -> None:
    play(shell("sleep 60", check_mode=False))
    with pytest.raises(ToolTimeout):
        TOOL.plan(run(timeout=4.0))


# ------------------------------------------------------------------------------------------ what is played


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- hosts: web1\n  tasks:\n   - nonsense: {", "ERROR"),
        ("- hosts: web1\n  tasks: [{no_such_module: {}}]", "no_such"),
    ],
)
def test_a_playbook_that_cannot_be_parsed_is_invalid(shop: Any, run: Any, text: str, says: str) -> None:
    shop.write({"hosts.ini": HOSTS, "site.yml": text})
    (found,) = TOOL.validate(run())
    assert found.level == "error"
    assert says in found.message


def test_a_project_without_a_playbook_is_invalid(job: MakeJob) -> None:
    (found,) = TOOL.validate(job("ansible"))
    assert found.level == "error"
    assert "`playbook`" in found.message


def test_tags_and_extra_variables_reach_the_play(play: Any, run: Any, live: Path) -> None:
    play(copy(live / "a", "{{ word }}", tags=["a"]), copy(live / "b", "b", tags=["b"]))
    planned = TOOL.plan(run({"tags": ["a"], "extra_vars": {"word": "given"}}))
    (effect,) = planned.effects.resources
    assert effect.leaves[0].after.text == '"given"'
    assert [address for address, _ in shown(TOOL.plan(run({"skip_tags": ["a"]})))] == ["web1 › copy b"]


FALSE_CALLBACK = """
from ansible.plugins.callback import CallbackBase
DOCUMENTATION = "name: headgate\\ntype: stdout\\nshort_description: x\\ndescription: x"
class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "headgate"
    def v2_playbook_on_stats(self, stats):
        import os
        print("the false one")
        open(os.environ["HEADGATE_EVENTS"], "w").write('{"kind": "stats", "hosts": {"web1": {}}}\\n')
"""


@pytest.mark.parametrize("folder", ["callback_plugins", "plugins", "roles/r/callback_plugins"])
def test_the_repository_cannot_put_a_callback_in_the_place_of_ours(
    play: Any, run: Any, live: Path, shop: Any, folder: str
) -> None:
    config = "[defaults]\nstdout_callback = minimal\ncallback_plugins = ./plugins\nretry_files_enabled = True\n"
    beside = {"ansible.cfg": config, f"{folder}/headgate.py": FALSE_CALLBACK, "roles/r/tasks/main.yml": "[]\n"}
    play(copy(live / "a", "1"), roles=["r"], beside=beside)
    assert shown(TOOL.plan(run())) == [("web1 › copy a", Action.CREATE)]
    assert "the false one" not in shop.log


def test_a_plan_whose_events_were_torn_is_refused(play: Any, run: Any, live: Path) -> None:
    tear = "{{ lookup('pipe', 'printf garbage >> \"$HEADGATE_EVENTS\"') }}"
    play({"name": "tear", "debug": {"msg": tear}}, copy(live / "a", "1"))
    with pytest.raises(ToolFailed, match="cannot be read whole"):
        TOOL.plan(run())


def test_the_version_is_told_where_a_run_may_write_to_its_scratch_directory_alone(
    play: Any, run: Any, live: Path, shop: Any
) -> None:
    play(copy(live / "a", "new"))
    shop.narrow = True
    outcome = Ansible().plan(run())

    assert outcome.tool_version.startswith("2."), shop.log
    assert "Traceback" not in shop.log
