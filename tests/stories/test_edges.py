"""What happens at the edges: drafts, forks, force-pushes, two changes at once, a moved base, a Friday night."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from worlds import Hours, project

from bot.core.model import ChangeRef
from bot.core.runs import RunKind
from bot.web.pages import create_app


def test_a_draft_is_planned_but_asks_nobody_and_tells_no_chat(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"}, draft=True)
    assert world.run_states(pull, RunKind.PLAN) == [("prod-web", "succeeded")]
    assert world.gate(pull) == "pending"
    assert world.room.messages == []

    pull.set_draft("dee", False)
    world.settle()
    assert world.room.said("waiting", "prod")


def test_a_closed_changes_plans_are_cancelled_and_a_reopened_one_is_planned_again(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    pull.close("dee")
    world.settle()
    assert "Closed" in world.face(pull)

    pull.reopen("dee")
    world.settle()
    assert "Waiting for 1 approval" in world.face(pull)
    assert world.gate(pull) == "pending"


def test_two_open_changes_on_one_project_see_each_other_and_the_second_is_planned_again(world: Any) -> None:
    first = world.pull({"prod/web/wanted": "a=2\n"})
    second = world.pull({"prod/web/wanted": "a=1\nb=1\n"})
    assert f"#{first.number}" in world.face(second)

    first.approve("bo")
    second.approve("bo")
    world.settle()
    assert world.gate(second) == "success"
    second.merge("dee")
    world.settle()
    assert world.deployed("prod_web") == "a=1\nb=1"
    assert world.gate(first) != "success"


def test_a_change_opened_while_an_earlier_one_deploys_is_planned_on_what_that_leaves(world: Any) -> None:
    first = world.pull({"prod/web/wanted": "a=2\n"})
    first.approve("bo")
    world.settle()
    opened: list[Any] = []

    def open_another(run: Any) -> None:
        if run.kind is RunKind.DEPLOY and not opened:
            world.repo.commit("second", files={"prod/web/wanted": "a=3\n"}, author="dee")
            opened.append(world.repo.open_pull("Second", head="second", author="dee"))

    world.runs.before = open_another
    first.merge("dee")
    world.settle()
    (second,) = opened
    assert "2 → 3" in world.face(second).replace('"', "")
    second.approve("bo")
    world.settle()
    second.merge("dee")
    world.settle()
    assert "Deployed by merge" in world.face(second)
    assert world.deployed("prod_web") == "a=3"


def test_a_plan_from_before_a_deploy_on_its_target_is_made_again_before_the_gate_opens(world: Any) -> None:
    first = world.pull({"prod/web/wanted": "a=2\n"})
    second = world.pull({"prod/web/notes": "words\n"}, branch="second")
    first.approve("bo")
    world.settle()
    assert world.gate(second) == "success"
    begun: list[str] = []
    world.runs.before = lambda run: begun.append(run.kind.value)
    first.merge("dee")
    world.settle()
    assert begun[-1] == "plan", "whatever was planned before the deploy ended is planned again"
    assert "1 → 2" not in world.face(second).replace('"', "")
    assert world.gate(second) == "success"


def test_of_two_merges_that_wait_for_a_command_the_later_deploys_both(make_world: Any) -> None:
    world = make_world(config="version: 1\nprojects:\n" + project("prod-web", ", deploy: on_command"))
    pulls = []
    for number in (2, 3):
        pull = world.pull({"prod/web/wanted": f"a={number}\n"}, branch=f"t{number}")
        assert ("Inherited" in world.face(pull)) is (number == 3)
        pull.approve("bo")
        world.settle()
        pull.merge("dee")
        world.settle()
        pulls.append(pull)
    world.say(pulls[1], "bo", "/deploy")
    world.settle()
    assert world.deployed("prod_web") == "a=3"
    assert "Superseded" in world.face(pulls[0])


def test_a_forced_push_during_a_plan_leaves_only_the_newest_commits_plan_in_the_comment(world: Any) -> None:
    world.repo.commit("topic-1", files={"prod/web/wanted": "a=2\n"}, author="dee")
    pull = world.repo.open_pull("A change", head="topic-1", author="dee")
    pushed: list[str] = []

    def push_over(run: Any) -> None:
        if not pushed:
            pushed.append(
                world.repo.force_push(
                    "topic-1", {"prod/web/wanted": "a=7\n"}, by="dee", parent=world.repo.sha("main")
                )
            )

    world.runs.before = push_over
    world.settle()

    assert "1 → 7" in world.face(pull).replace('"', "")
    assert world.memory(pull).faces[-1].head == pull.head_sha


def test_a_retargeted_change_is_planned_for_its_new_base_or_left_alone(world: Any) -> None:
    world.repo.commit("release", files={"docs/readme.md": "release\n"}, author="ann")
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    pull.approve("bo")
    world.settle()
    pull.retarget("dee", "release")
    world.settle()
    pull.merge("dee")
    world.settle()

    assert world.deployed("prod_web") == "a=1"


def test_a_forks_code_is_not_run_until_somebody_allowed_says_so_for_that_commit(world: Any) -> None:
    world.config.write_text(world.config.read_text().replace("plan: {env:", "plan: {strangers: true, env:"))
    world.reload()
    fork = world.repo.fork("eve")
    fork.commit("evil", files={"prod/web/wanted": "a=2\n"}, author="eve")
    pull = world.repo.open_pull("From outside", head="eve:evil", author="eve")
    world.settle()
    assert world.run_states(pull, RunKind.PLAN) == []
    assert "/ok-to-plan" in world.face(pull)

    world.say(pull, "eve", f"/ok-to-plan {pull.head_sha}")
    assert world.run_states(pull, RunKind.PLAN) == []
    world.say(pull, "bo", f"/ok-to-plan {pull.head_sha}")
    assert world.run_states(pull, RunKind.PLAN) == [("prod-web", "succeeded")]

    fork.commit("evil", files={"prod/web/wanted": "a=3\n"}, author="eve")
    world.settle()
    assert world.run_states(pull, RunKind.PLAN) == [("prod-web", "succeeded")]


def test_a_forks_code_is_given_nothing_unless_the_operator_said_so(world: Any) -> None:
    fork = world.repo.fork("eve")
    fork.commit("evil", files={"prod/web/wanted": "a=2\n"}, author="eve")
    pull = world.repo.open_pull("From outside", head="eve:evil", author="eve")
    world.settle()

    world.say(pull, "bo", f"/ok-to-plan {pull.head_sha}")

    (run,) = world.store.runs_of(ChangeRef(world.repo_ref, pull.number))
    pages = create_app(world.services, world.wiring.log_reader(world.store)).test_client()
    assert run.stranger
    assert b"variables given: none; directories: none; network: none" in pages.get(f"/api/runs/{run.id}/log").data


def test_what_a_failed_deploy_left_is_inherited_shown_and_needs_a_newer_approval(world: Any) -> None:
    first = world.pull({"prod/web/wanted": "a=2\n", "prod/web/broken": ""})
    first.approve("bo")
    world.settle()
    first.merge("dee")
    world.settle()

    second = world.pull({"prod/web/broken": None})
    assert "Inherited" in world.face(second)

    assert world.gate(second) == "pending"
    second.approve("cy")
    world.settle()
    second.merge("dee")
    world.settle()
    assert world.deployed("prod_web") == "a=2"


def test_a_direct_push_to_the_target_branch_deploys_nothing_and_is_reported(world: Any) -> None:
    world.pull({"docs/readme.md": "so that the branch is known\n"})
    world.repo.unprotect("main")
    world.repo.commit("main", files={"prod/web/wanted": "a=9\n"}, author="ann", message="trust me")
    world.settle()

    assert world.deployed("prod_web") == "a=1"
    assert world.room.said("stray", "ann pushed")


def test_a_rewritten_target_branch_freezes_its_deploys_until_a_maintainer_unlocks(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.pull({"docs/readme.md": "first\n"}).merge("dee")
    world.settle()
    world.repo.unprotect("main")
    older = world.repo.log("main")[1].sha
    world.repo.force_push("main", {"docs/readme.md": "rewritten\n"}, by="ann", parent=older)
    world.settle()
    assert world.room.said("stray", "rewritten")
    assert world.gate(pull) == "failure"

    world.say(pull, "dee", "/unlock")
    assert world.gate(pull) == "failure"
    world.say(pull, "ann", "/unlock")
    assert world.gate(pull) == "pending"


def test_a_paused_installation_plans_but_deploys_nothing_until_resumed(world: Any) -> None:
    pull = world.pull({"dev/web/wanted": "a=2\n"})
    world.store.put_setting("paused", "audit week")
    pull.merge("dee")
    world.settle()
    assert world.deployed("dev_web") == "a=1"
    assert "audit week" in world.face(pull)

    world.store.put_setting("paused", None)
    world.store.mark_dirty(ChangeRef(world.repo_ref, pull.number), refetch=False)
    world.settle()
    assert world.deployed("dev_web") == "a=2"


def test_deploy_on_command_waits_for_the_word(make_world: Callable[..., Any]) -> None:
    config = "version: 1\nprojects:\n" + project("prod-web", ", deploy: on_command")
    world = make_world(config=config, approvals=0)
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    pull.merge("dee")
    world.settle()
    assert world.deployed("prod_web") == "a=1"
    assert "/deploy prod-web" in world.face(pull)

    world.say(pull, "dee", "/deploy")
    assert world.deployed("prod_web") == "a=2"


def test_in_comment_mode_nothing_is_blocked_and_nothing_is_deployed(make_world: Callable[..., Any]) -> None:
    world = make_world(mode="comment")
    world.repo.unprotect("main")
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    assert "prod-web" in world.face(pull)
    assert world.gate(pull) == ""

    pull.merge("dee")
    world.settle()
    assert world.deployed("prod_web") == "a=1"


def test_in_observe_mode_nothing_is_said(make_world: Callable[..., Any]) -> None:
    world = make_world(mode="observe")
    pull = world.pull({"prod/web/wanted": "a=2\n"})

    assert pull.comments == []
    assert pull.checks() == {} or world.gate(pull) in ("", "expected")
    assert world.run_states(pull, RunKind.PLAN) == [("prod-web", "succeeded")]


def test_a_broken_configuration_names_every_problem_and_plans_nothing(world: Any) -> None:
    broken = world.text.replace("tool: command", "tool: comand", 1) + "oops: 1\n"
    pull = world.pull({".headgate.yaml": broken})

    assert "problems" in world.face(pull)
    assert "Did you mean" in world.face(pull)
    assert world.gate(pull) == "failure"
    assert world.run_states(pull, RunKind.PLAN) == []


def test_a_branch_that_does_not_merge_is_told_which_files_conflict(world: Any) -> None:
    first = world.pull({"dev/web/wanted": "a=2\n"})
    second = world.pull({"dev/web/wanted": "a=3\n"})
    first.merge("dee")
    world.settle()

    assert "does not merge" in world.face(second)
    assert "dev/web/wanted" in world.face(second)
    assert world.gate(second) == "failure"


def test_a_deleted_comment_is_put_back(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    ours = next(comment for comment in pull.comments if "page:1" in comment.body)
    pull.delete_comment("ann", ours)
    world.settle()

    assert "Waiting for 1 approval" in world.face(pull)


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_every_merge_method_deploys_what_was_reviewed(world: Any, method: str) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.push(pull, {"prod/web/wanted": "a=2\nb=1\n"})
    pull.approve("bo")
    world.settle()
    pull.merge("dee", method=method)
    world.settle()

    assert world.deployed("prod_web") == "a=2\nb=1"


def test_a_change_cannot_lower_its_own_gate_by_renaming_its_environment(world: Any) -> None:
    lowered = world.text.replace("name: prod-web, path: prod/web, tool: command, environment: prod",
                             "name: prod-web, path: prod/web, tool: command, environment: dev")  # fmt: skip
    pull = world.pull({".headgate.yaml": lowered, "prod/web/wanted": "a=2\n"})

    assert world.gate(pull) != "success"


def test_unknown_words_are_answered_only_when_addressed(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.say(pull, "dee", "/plam")
    assert world.sayings(pull) == []

    world.say(pull, "dee", "@acme-bot plam")
    assert any("Did you mean `plan`" in text for text in world.sayings(pull))


def test_more_projects_than_the_limit_wait_for_a_word(make_world: Callable[..., Any]) -> None:
    world = make_world(rules=", max_projects: 1")
    pull = world.pull({"prod/web/wanted": "a=2\n", "prod/db/wanted": "size=2\n"})
    assert world.run_states(pull, RunKind.PLAN) == []
    assert "/plan --all" in world.face(pull)

    world.say(pull, "dee", "/plan --all")
    assert len(world.run_states(pull, RunKind.PLAN)) == 2


def test_dependencies_are_deployed_first(make_world: Callable[..., Any]) -> None:
    config = "version: 1\nprojects:\n" + project("prod-web", ", depends_on: [prod-db]") + project("prod-db")
    world = make_world(config=config, approvals=0)
    pull = world.pull({"prod/web/wanted": "a=2\n", "prod/db/wanted": "size=2\n"})
    pull.merge("dee")
    world.settle()

    assert world.run_states(pull, RunKind.DEPLOY) == [("prod-db", "succeeded"), ("prod-web", "succeeded")]


def test_a_repository_may_ask_for_more_approvals_than_the_operator_but_a_change_cannot_undo_it(
    make_world: Callable[..., Any],
) -> None:
    stricter = "version: 1\nenvironments: {prod: {approvals: 2}}\nprojects:\n" + project("prod-web")
    world = make_world(config=stricter)
    laxer = "version: 1\nprojects:\n" + project("prod-web")
    pull = world.pull({"prod/web/wanted": "a=2\n", ".headgate.yaml": laxer})
    pull.approve("bo")
    world.settle()
    assert world.gate(pull) == "pending"

    pull.approve("cy")
    world.settle()
    assert world.gate(pull) == "success"
    pull.merge("dee")
    world.settle()
    assert world.deployed("prod_web") == "a=2"


# ------------------------------------------------------------------------------------------- bots

ASKED = "Raise the limit\n\nCo-authored-by: Bo <7+bo@users.noreply.github.com>"


def by_bot(world: Any, message: str = "Raise the limit") -> Any:
    """A pull request that an application opened from a branch of its own in the repository."""
    world.forge.add_user("agent[bot]", bot=True)
    world.repo.grant("agent[bot]", "write")
    return world.pull({"prod/web/wanted": "a=2\n"}, title=message, author="agent[bot]")


def test_a_bots_change_is_planned_and_people_approve_it(world: Any) -> None:
    pull = by_bot(world)
    assert world.run_states(pull, RunKind.PLAN) == [("prod-web", "succeeded")]
    pull.approve("bo")
    world.settle()
    assert world.gate(pull) == "success"

    pull.merge("bo")
    world.settle()
    assert world.deployed("prod_web") == "a=2"


def test_who_pushed_onto_a_bots_branch_does_not_approve_it(world: Any) -> None:
    pull = by_bot(world)
    world.push(pull, {"prod/web/wanted": "a=3\n"}, by="bo")
    pull.approve("bo")
    world.settle()
    assert world.gate(pull) == "pending"

    pull.approve("cy")
    world.settle()
    assert world.gate(pull) == "success"


def test_who_asked_a_bot_for_a_change_does_not_approve_it(world: Any) -> None:
    pull = by_bot(world, ASKED)
    pull.approve("bo")
    world.settle()
    assert world.gate(pull) == "pending"
    world.say(pull, "bo", "/explain")
    assert any("asked a bot for this change" in said for said in world.sayings(pull))

    pull.approve("cy")
    world.settle()
    assert world.gate(pull) == "success"


def test_a_bots_approval_is_nobodys(world: Any) -> None:
    world.forge.add_user("approver[bot]", bot=True)
    world.repo.grant("approver[bot]", "write")
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    pull.approve("approver[bot]")
    world.settle()

    assert world.gate(pull) == "pending"
    assert "approver" not in world.face(pull).partition("**Next:**")[2]


def test_a_merge_waits_for_the_threads_that_the_host_wants_resolved(make_world: Callable[..., Any]) -> None:
    world = make_world(host="gitlab")
    world.repo.settings.threads_must_be_resolved = True
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    pull.open_thread("cy", "why?")
    world.approve(pull, "bo")
    assert world.gate(pull) == "pending"
    assert "GitLab wants every thread resolved" in world.face(pull)
    world.say(pull, "dee", "headgate merge")
    assert pull.state == "open"

    pull.resolve_threads("cy")
    world.settle()
    assert pull.state == "merged"
    assert world.deployed("prod_web") == "a=2"


def test_what_is_merged_outside_its_window_is_deployed_when_that_opens(make_world: Callable[..., Any]) -> None:
    hours = Hours()
    opens, closes = hours.now() + timedelta(hours=5), hours.now() + timedelta(hours=9)
    window = f"{{from: '{opens:%FT%H:%M}', until: '{closes:%FT%H:%M}'}}"
    world = make_world(hours=hours, prod=f", windows: [{window}]")
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.approve(pull, "bo")
    world.merge(pull, "dee")
    assert world.deployed("prod_web") == "a=1"
    assert "a deploy window of prod, from" in world.face(pull)
    hours.ahead = timedelta(hours=6)
    world.settle()
    assert world.deployed("prod_web") == "a=2"
