"""A host's merge queue: what would land is judged, lands, and is deployed; what nobody saw leaves the queue."""

from __future__ import annotations

from typing import Any

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


def test_what_goes_before_it_makes_another_plan_so_it_leaves_the_queue_and_may_come_back(world: Any) -> None:
    queue = world.repo.merge_queue()
    first = world.pull({"prod/web/wanted": "a=2\n"})
    second = world.pull({"prod/web/more": "x\n"})
    world.approve(first, "bo")
    world.approve(second, "bo")
    first.enqueue("dee", queue)
    second.enqueue("dee", queue)
    world.settle()
    assert waiting(world, queue) == ["success", "failure"]
    said = world.repo.statuses(queue.entries[1].sha)["headgate/gate"].description
    assert "What goes before it in the queue changes prod-web" in said

    through(world, queue)
    assert (first.state, second.state) == ("merged", "open")
    assert world.deployed("prod_web") == "a=2"
    world.approve(second, "cy")
    second.enqueue("dee", queue)
    through(world, queue)
    assert second.state == "merged"


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
