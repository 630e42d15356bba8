"""A host's merge queue: what would land is judged, lands, and is deployed; what nobody saw leaves the queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from worlds import PLAN, in_another_second

from bot.core.events import GroupAsked
from bot.core.model import ChangeRef
from bot.core.runs import RunKind
from bot.flow.grouping import note_group


def through(world: Any, queue: Any, rounds: int = 4) -> None:
    """The host looks at its queue, we at what it tells, a few times."""
    for _ in range(rounds):
        world.settle()
        with world.forge.state.lock:
            queue.settle()
    world.settle()


def waiting(world: Any, queue: Any) -> list[str]:
    """What our check says of each entry's commit."""
    return [world.repo.statuses(entry.sha)["headgate/gate"].state for entry in queue.entries]


def test_two_changes_of_different_projects_land_one_after_the_other_and_are_deployed(world: Any) -> None:
    queue = world.repo.merge_queue()
    first = world.pull({"prod/web/wanted": "a=2\n"})
    second = world.pull({"prod/db/wanted": "size=2\n"})
    for pull in (first, second):
        world.approve(pull, "bo")
        pull.enqueue("dee", queue)
    world.settle()
    assert waiting(world, queue) == ["success", "success"]

    through(world, queue)
    assert (first.state, second.state) == ("merged", "merged")
    assert (world.deployed("prod_web"), world.deployed("prod_db")) == ("a=2", "size=2")
    for pull in (first, second):
        assert "Deployed by merge" in world.face(pull)
        assert len(world.run_states(pull, RunKind.PLAN)) == 1, "the same inputs are planned once"
        assert len([each for each in pull.comments if "story:page:" in each.body]) == 1


def test_what_goes_before_it_in_the_same_project_is_waited_for_and_planned_upon(
    make_world: Callable[..., Any],
) -> None:
    gap = "\n" * 8
    world = make_world(files={"prod/web/wanted": f"a=1{gap}"})
    queue = world.repo.merge_queue()
    first = world.pull({"prod/web/wanted": f"a=2{gap}"})
    second = world.pull({"prod/web/wanted": f"a=1{gap}b=1\n"})
    world.approve(first, "bo")
    world.approve(second, "bo")
    first.enqueue("dee", queue)
    second.enqueue("dee", queue)
    seen: list[list[str]] = []
    world.runs.before = lambda run: seen.append(waiting(world, queue)) if run.kind is RunKind.DEPLOY else None
    world.settle()
    assert waiting(world, queue) == ["success", "pending"]
    said = world.repo.statuses(queue.entries[1].sha)["headgate/gate"].description
    assert said == "Waits for what goes before it in the queue to land"

    through(world, queue)
    assert (first.state, second.state) == ("merged", "merged"), "its effects are those that were approved"
    assert seen[0] == ["pending"], "nothing is green while what went before it is deployed"
    assert world.run_states(second, RunKind.PLAN) == [("prod-web", "succeeded")] * 2, "planned upon what landed"
    assert world.deployed("prod_web").split() == ["a=2", "b=1"]
    for pull in (first, second):
        assert "Deployed by merge" in world.face(pull)
        assert len([each for each in pull.comments if "story:page:" in each.body]) == 1


def test_what_has_other_effects_upon_what_went_before_it_leaves_the_queue_and_may_come_back(world: Any) -> None:
    queue = world.repo.merge_queue()
    first = world.pull({"plan.py": PLAN.replace('else "update"', 'else "replace"')})
    second = world.pull({"prod/web/wanted": "a=2\n"})
    world.approve(first, "bo")
    world.approve(second, "bo")
    assert world.gate(first) == world.gate(second) == "success"
    first.enqueue("dee", queue)
    second.enqueue("dee", queue)
    world.settle()
    assert waiting(world, queue) == ["success", "pending"]

    through(world, queue)
    assert (first.state, second.state) == ("merged", "open")
    assert "1 replace" in world.face(second)
    assert world.deployed("prod_web") == "a=1"
    in_another_second()
    world.approve(second, "cy")
    second.enqueue("dee", queue)
    through(world, queue)
    assert second.state == "merged"
    assert world.deployed("prod_web") == "a=2"


def test_when_who_goes_before_it_leaves_the_queue_it_is_asked_for_anew_and_lands(world: Any) -> None:
    queue = world.repo.merge_queue()
    first = world.pull({"prod/web/wanted": "a=2\n"})
    second = world.pull({"prod/web/more": "x\n"})
    for pull in (first, second):
        world.approve(pull, "bo")
        pull.enqueue("dee", queue)
    world.settle()
    assert waiting(world, queue) == ["success", "pending"]
    world.say(first, "cy", "/hold not now")
    through(world, queue)
    assert (first.state, second.state) == ("open", "merged")


def test_a_gate_that_closes_while_it_waits_in_line_takes_it_out(world: Any) -> None:
    queue = world.repo.merge_queue()
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.approve(pull, "bo")
    pull.enqueue("dee", queue)
    world.say(pull, "cy", "/hold not now")
    assert waiting(world, queue) == ["failure"]
    through(world, queue)
    assert (pull.state, queue.entries) == ("open", [])
    assert world.gate(pull) == "pending"
    assert world.deployed("prod_web") == "a=1"


def test_a_queue_whose_branch_is_gone_without_a_word_holds_nobody_up(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    asked = GroupAsked(ChangeRef(world.repo_ref, pull.number), "c" * 40, "b" * 40, "gh-readonly-queue/main/pr-1-x")
    note_group(world.services, asked)
    world.approve(pull, "bo")
    assert world.gate(pull) == "success"
    pull.merge("dee")
    world.settle()
    assert world.deployed("prod_web") == "a=2"
