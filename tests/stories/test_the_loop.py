"""From the opened change to the deployed one, and what stops in between."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from bot.core.runs import RunKind
from bot.forge import Refused


@pytest.fixture(params=["github", "gitlab"])
def make_world(request: pytest.FixtureRequest, make_world: Callable[..., Any]) -> Callable[..., Any]:
    """The same day on every host that the local one speaks as: same verdicts, same deploys."""
    return partial(make_world, host=request.param)


@pytest.fixture
def world(make_world: Callable[..., Any]) -> Any:
    """Everything of one story, on each of these hosts."""
    return make_world()


def test_an_approved_change_is_planned_gated_merged_deployed_and_announced(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    assert world.gate(pull) == "pending"
    assert "Waiting for 1 approval" in world.face(pull)
    with pytest.raises(Refused):
        pull.merge("dee")

    world.approve(pull, "bo")
    assert world.gate(pull) == "success"

    world.merge(pull, "dee")
    assert world.deployed("prod_web") == "a=2"
    assert "Deployed by merge" in world.face(pull)
    assert world.room.said("waiting", "prod") and world.room.said("started", "prod-web")
    assert world.room.said("succeeded", "prod-web")
    assert [deployment.environment for deployment in world.repo.deployments()] == ["prod"]


def test_changes_are_named_as_people_of_the_host_name_them(world: Any) -> None:
    first = world.pull({"dev/web/wanted": "a=2\n"})
    second = world.pull({"dev/web/wanted": "a=3\n"})
    mark = "!" if world.kind == "gitlab" else "#"
    assert f"{mark}1 also concerns **dev-web**" in world.face(second)
    world.merge(first, "dee")
    assert world.room.said("succeeded", f"acme/infra{mark}1 ")


def test_a_docs_only_change_gets_green_checks_and_no_comment(world: Any) -> None:
    pull = world.pull({"docs/readme.md": "other words\n"})

    assert world.gate(pull) == "success"
    assert [each for each in pull.comments if each.author == "acme-bot"] == []

    world.merge(pull, "dee")
    assert world.run_states(pull, RunKind.DEPLOY) == []
    assert [each for each in pull.comments if each.author == "acme-bot"] == []


def test_a_change_that_affects_only_dev_needs_nobody(world: Any) -> None:
    pull = world.pull({"dev/web/wanted": "a=2\n"})

    assert world.gate(pull) == "success"
    world.merge(pull, "dee")
    assert world.deployed("dev_web") == "a=2"


def test_the_authors_own_approval_and_a_readers_do_not_count(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.approve(pull, "eve")

    assert world.gate(pull) == "pending"


def test_a_pushers_approval_does_not_count(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.push(pull, {"prod/web/wanted": "a=3\n"}, by="bo")
    world.approve(pull, "bo")
    assert world.gate(pull) == "pending"

    world.approve(pull, "cy")
    assert world.gate(pull) == "success"


def test_new_effects_drop_an_approval_and_its_giver_is_told_once(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.approve(pull, "bo")
    world.push(pull, {"prod/web/wanted": "b=1\n"})

    assert world.gate(pull) == "pending"
    assert "no longer counts" in world.face(pull)
    told = [text for text in world.sayings(pull) if "@bo" in text]
    assert len(told) == 1
    assert "destroys" in told[0]


def test_a_request_for_changes_by_the_approver_takes_the_approval_back(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.approve(pull, "bo")
    pull.request_changes("bo")
    world.settle()

    assert world.gate(pull) == "failure"


def test_what_differs_at_the_deploy_is_stopped_and_can_be_accepted_by_somebody_else(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.approve(pull, "bo")
    (world.live / "prod_web").write_text("a=1\nextra=9\n")
    world.merge(pull, "dee")
    assert world.deployed("prod_web") == "a=1\nextra=9"
    assert "would now do something that nobody reviewed" in world.face(pull)
    offered = world.face(pull).partition("--accept ")[2][:8]

    world.say(pull, "dee", f"/deploy prod-web --accept {offered}")
    assert world.deployed("prod_web") == "a=1\nextra=9"
    assert any("contributed" in text for text in world.sayings(pull))

    world.say(pull, "bo", f"/deploy prod-web --accept {offered}")
    assert world.deployed("prod_web") == "a=2"


def test_a_bypassing_merge_deploys_nothing_and_later_approval_does_not_launder_it(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.bypass(pull, "ann")
    world.approve(pull, "bo")

    assert world.deployed("prod_web") == "a=1"
    assert world.run_states(pull, RunKind.DEPLOY) == []
    assert "Merged past the gate" in world.face(pull)
    assert world.gate(pull) == "failure"  # nothing waits for an approval any more
    offered = world.face(pull).partition("--accept ")[2][:8]
    world.say(pull, "bo", f"/deploy prod-web --accept {offered}")
    assert world.deployed("prod_web") == "a=2"


def test_a_failed_deploy_shows_the_error_keeps_others_waiting_and_is_retried_by_command(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n", "prod/web/broken": ""})
    world.approve(pull, "bo")
    world.merge(pull, "dee")
    assert "InvalidParameterValue" in world.face(pull)
    assert world.room.said("failed", "prod-web")
    assert any(world.command("deploy prod-web") in text for text in world.sayings(pull))

    world.say(pull, "dee", "/deploy prod-web")
    assert world.run_states(pull, RunKind.DEPLOY) == [("prod-web", "failed"), ("prod-web", "failed")]


def test_environments_are_deployed_in_their_order_and_a_failure_stops_the_later_one(world: Any) -> None:
    pull = world.pull({"dev/web/wanted": "a=2\n", "dev/web/broken": "", "prod/web/wanted": "a=2\n"})
    world.approve(pull, "bo")
    world.merge(pull, "dee")

    assert world.run_states(pull, RunKind.DEPLOY) == [("dev-web", "failed")]
    assert world.deployed("prod_web") == "a=1"


def test_merge_by_command_waits_for_the_gate_and_then_merges(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.say(pull, "dee", world.command("merge"))
    assert any("not yet" in text for text in world.sayings(pull))

    world.approve(pull, "bo")
    assert pull.state == "merged"
    assert world.deployed("prod_web") == "a=2"


def test_a_hold_closes_the_gate_and_only_its_holder_or_a_maintainer_opens_it(world: Any) -> None:
    pull = world.pull({"dev/web/wanted": "a=2\n"})
    world.say(pull, "cy", "/hold waiting for the DBA")
    assert world.gate(pull) == "pending"
    assert "waiting for the DBA" in world.face(pull)

    world.say(pull, "dee", "/unhold")
    assert world.gate(pull) == "pending"
    world.say(pull, "cy", "/unhold")
    assert world.gate(pull) == "success"


KILLED_ONCE = """
import os, signal, sys
live, marker = os.path.join(os.environ["LIVE"], sys.argv[1]), os.path.join(os.environ["LIVE"], "killed")
if not os.path.exists(marker):
    open(marker, "w").close()
    os.kill(os.getpid(), signal.SIGKILL)
open(live, "w").write(open("wanted").read())
"""


def test_a_deploy_whose_command_was_killed_is_read_back_and_goes_on_by_itself(make_world: Any) -> None:
    world = make_world(files={"apply.py": KILLED_ONCE})
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.approve(pull, "bo")
    world.merge(pull, "dee")
    assert world.run_states(pull, RunKind.DEPLOY) == [("prod-web", "lost"), ("prod-web", "succeeded")]
    assert "Deployed by merge" in world.face(pull)
    assert world.deployed("prod_web") == "a=2"


def test_a_plan_whose_command_is_killed_every_time_is_given_up_and_says_why(make_world: Any) -> None:
    world = make_world(files={"plan.py": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)\n"})
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    assert world.run_states(pull, RunKind.PLAN) == [("prod-web", "lost")] * 3
    assert "never came to an end, 3 times over" in world.face(pull)
    assert "killed" in world.face(pull)
    assert world.gate(pull) == "failure"


def test_a_comment_of_odd_words_is_answered_once(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    before = len(world.sayings(pull))
    world.say(pull, "bo", "\n".join(f"@headgate word{number}" for number in range(20)))
    (answer,) = world.sayings(pull)[before:]
    assert answer.count("I don't know") == 5
