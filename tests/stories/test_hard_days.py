"""Days that go wrong: a failed deploy on a Friday night, a base that moves under a crowd, branches and closings."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from bot.core.decide.planning import CROWD
from bot.core.model import ChangeRef
from bot.core.runs import RunKind


def test_a_failed_deploy_on_a_friday_night(world: Any) -> None:
    broken = {"dev/web/wanted": "a=2\n", "prod/web/wanted": "a=2\n", "dev/web/broken": ""}
    friday = world.pull(broken, title="Friday, 18:55")
    friday.approve("bo")
    world.settle()
    friday.merge("dee")
    world.settle()

    assert (world.deployed("dev_web"), world.deployed("prod_web")) == ("a=1", "a=1")
    assert "dev-web failed" in world.face(friday)
    assert "the cloud says no" in world.face(friday)
    assert "waits for dev-web" in world.face(friday), "what comes after it is held back, and says so"
    assert any("failed" in said for said in world.sayings(friday)), "an edited comment would notify nobody"
    assert world.room.said("failed", "the cloud says no")
    (target,) = (
        each for each in world.store.targets([run.project.target for run in deploys(world, friday)]).values()
    )
    assert target.locked_by == "", "nothing runs there, so nothing is locked"

    fix = world.pull({"dev/web/broken": None, "dev/web/wanted": "a=3\n", "prod/web/wanted": "a=3\n"}, title="Fix")
    assert world.face(fix).count("Inherited") == 2
    fix.approve("cy")
    world.settle()
    assert world.gate(fix) == "success", "a fix is admitted"
    fix.merge("dee")
    world.settle()
    assert (world.deployed("dev_web"), world.deployed("prod_web")) == ("a=3", "a=3")
    assert "Deployed by merge" in world.face(fix)
    assert "Superseded" in world.face(friday)
    assert [state for _, state in world.run_states(friday, RunKind.DEPLOY)] == ["failed"]


def deploys(world: Any, pull: Any) -> list[Any]:
    runs = world.store.runs_of(ChangeRef(world.repo_ref, pull.number))
    return [run for run in runs if run.kind is RunKind.DEPLOY]


def test_a_stopped_deploy_is_called_to_mind_until_somebody_says_anything(world: Any) -> None:
    world.change_limits(reminder=1.0)
    pull = world.pull({"dev/web/wanted": "a=2\n", "dev/web/broken": ""})
    pull.merge("dee")
    deadline = time.monotonic() + 60
    while not world.room.said("failed", "still is not deployed"):
        assert time.monotonic() < deadline
        world.settle()
    ref = ChangeRef(world.repo_ref, pull.number)
    assert world.store.change(ref).wake_at is not None

    world.say(pull, "bo", "/explain")
    assert world.store.change(ref).wake_at is None


def test_a_deploy_that_is_tried_again_by_hand_carries_on_with_what_waited_for_it(world: Any) -> None:
    pull = world.pull({"dev/web/wanted": "a=2\n", "prod/web/wanted": "a=2\n", "dev/web/broken": ""})
    pull.approve("bo")
    world.settle()
    pull.merge("dee")
    world.settle()
    states = {intent.project: intent.state.value for intent in intents(world, pull)}
    assert states == {"dev-web": "stopped", "prod-web": "parked"}

    world.say(pull, "bo", "/deploy dev-web")
    assert [state for _, state in world.run_states(pull, RunKind.DEPLOY)] == ["failed", "failed"]
    assert world.deployed("prod_web") == "a=1"


def intents(world: Any, pull: Any) -> Any:
    return world.store.intents_of(ChangeRef(world.repo_ref, pull.number))


def test_a_change_that_is_closed_while_its_plans_are_queued_plans_no_further(world: Any) -> None:
    def close(_: Any) -> None:
        if pulls[0].state == "open":
            pulls[0].close("dee")
            assert world.forge.courier.settle()

    world.repo.commit("topic", files={"prod/web/wanted": "a=2\n", "prod/db/wanted": "size=2\n"}, author="dee")
    pulls = [world.repo.open_pull("Short-lived", head="topic", author="dee")]
    world.runs.before = close
    world.settle()
    states = sorted(state for _, state in world.run_states(pulls[0], RunKind.PLAN))
    assert len(states) == 2
    assert states[0] == "cancelled"
    assert "Closed" in world.face(pulls[0]) or world.face(pulls[0]) == ""


def listing(make_world: Callable[..., Any], *branches: str) -> Any:
    world = make_world()
    text = world.config.read_text().replace("branches: [main]", f"branches: [{', '.join(branches)}]")
    world.config.write_text(text)
    world.reload()
    return world


def test_a_retargeted_change_is_planned_and_approved_again_for_the_other_listed_branch(
    make_world: Callable[..., Any],
) -> None:
    world = listing(make_world, "main", "release")
    first = world.pull({"prod/web/wanted": "a=7\n"})
    world.repo.commit("release", files={"docs/readme.md": "release\n"}, author="ann")
    first.approve("bo")
    world.settle()
    first.merge("dee")
    world.settle()
    assert world.deployed("prod_web") == "a=7"

    pull = world.pull({"prod/db/wanted": "size=2\n"}, branch="topic")
    pull.approve("bo")
    world.settle()
    assert world.gate(pull) == "success"
    pull.retarget("dee", "release")
    world.settle()
    assert world.gate(pull) == "pending", "what was approved for one branch is not approved for another"
    assert "onto `release`" in world.face(pull)


def test_two_listed_branches_do_not_hold_each_others_deploys_for_older(make_world: Callable[..., Any]) -> None:
    world = listing(make_world, "main", "release")
    tip = world.repo.commit("release", files={"docs/readme.md": "release\n"}, author="ann")
    for number in (2, 3):
        world.pull({"docs/readme.md": f"{number}\n"}, branch=f"d{number}").merge("dee")
    on_main = world.pull({"prod/web/wanted": "a=5\n"}, branch="m")
    on_main.approve("bo")
    world.settle()
    on_main.merge("dee")
    world.settle()
    assert world.deployed("prod_web") == "a=5"

    world.repo.commit("r", files={"prod/web/wanted": "a=6\n"}, author="dee", parent=tip)
    pull = world.repo.open_pull("To release", head="r", base="release", author="dee")
    world.settle()
    pull.approve("bo")
    world.settle()
    pull.merge("dee")
    world.settle()
    assert "Deployed by merge" in world.face(pull)
    assert world.deployed("prod_web") == "a=6"


CHANGES = 12
"""As many as the host's limit of written things per minute lets one see at once: three each."""


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_base_that_moves_under_a_crowd_of_open_changes_plans_only_what_somebody_waits_for(
    make_world: Callable[..., Any],
) -> None:
    world = make_world()
    world.config.write_text(world.config.read_text() + "sandbox: {isolation: off}\n")
    world.reload()
    pulls = []
    for number in range(CHANGES):
        world.repo.commit(f"t{number}", files={f"prod/web/note{number}": "words\n"}, author="dee")
        pulls.append(world.repo.open_pull(f"Change {number}", head=f"t{number}", author="dee"))
    world.settle(200)
    assert all(world.run_states(pull, RunKind.PLAN) == [("prod-web", "succeeded")] for pull in pulls)
    assert len(pulls) > CROWD
    waited_for = pulls[6]
    waited_for.approve("bo")
    world.settle(200)

    mover = pulls[0]
    mover.merge("dee")
    world.settle(200)

    again = [pull.number for pull in pulls[1:] if len(world.run_states(pull, RunKind.PLAN)) > 1]
    assert again == [waited_for.number]
    assert world.gate(waited_for) == "success"
    assert world.gate(pulls[1]) == "pending", "an old plan opens nothing"
