"""What a change costs the host, and what a burst of deliveries costs us."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from worlds import project

from bot.core.model import ChangeRef
from bot.core.runs import RunKind


def calls_for_a_push(world: Any, pull: Any, files: dict[str, str]) -> int:
    """Host API calls of our account between a push and rest; unchanged answers (304) are free."""
    world.forge.trouble.forget_requests()
    world.push(pull, files)
    made = [each for each in world.forge.trouble.requests("api") if each.login == "acme-bot"]
    return sum(1 for each in made if each.status != 304)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("projects", [1, 40, pytest.param(100, marks=pytest.mark.thorough)])
def test_a_settled_push_costs_at_most_twelve_calls_however_many_projects(
    make_world: Callable[..., Any], projects: int
) -> None:
    names = [f"dev-p{number}" for number in range(projects)]
    config = "version: 1\nprojects:\n" + "".join(project(name) for name in names)
    files = {f"dev/p{number}/wanted": "a=1\n" for number in range(projects)}
    world = make_world(config=config, files=files, rules=", max_projects: 200")
    world.change_limits(quiet_plan=3600)  # or a slow machine would have to tell how far it is
    pull = world.pull({f"dev/p{number}/wanted": "a=2\n" for number in range(projects)})

    calls = calls_for_a_push(world, pull, {f"dev/p{number}/wanted": "a=3\n" for number in range(projects)})

    assert calls <= 12


def test_telling_how_far_slow_plans_are_costs_far_fewer_calls_than_there_are_projects(
    make_world: Callable[..., Any],
) -> None:
    names = [f"dev-p{number}" for number in range(40)]
    config = "version: 1\nprojects:\n" + "".join(project(name) for name in names)
    world = make_world(config=config, files={f"dev/p{number}/wanted": "a=1\n" for number in range(40)})
    world.change_limits(quiet_plan=0.3)
    pull = world.pull({f"dev/p{number}/wanted": "a=2\n" for number in range(40)})

    calls = calls_for_a_push(world, pull, {f"dev/p{number}/wanted": "a=3\n" for number in range(40)})

    assert calls <= 30


def test_an_author_who_pushes_too_often_waits_and_nobody_else_does(make_world: Callable[..., Any]) -> None:
    world = make_world()
    world.change_limits(plans_per_author=3)
    first = world.pull({"prod/web/wanted": "a=2\n"})
    for value in range(3, 6):
        world.push(first, {"prod/web/wanted": f"a={value}\n"})
    other = world.pull({"prod/db/wanted": "size=2\n"}, author="bo")

    assert len(world.run_states(first, RunKind.PLAN)) == 3
    assert "1 plan waits: dee had 3 within an hour, which is the limit; it goes on at" in world.face(first)
    assert len(world.run_states(other, RunKind.PLAN)) == 1
    assert "plan waits" not in world.face(other)


@pytest.mark.slow
def test_a_burst_of_deliveries_ends_in_one_comment_and_plans_of_the_newest(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    first, courier = pull.head_sha, world.forge.courier
    courier.hold()
    world.forge.trouble.repeat_deliveries = 600
    for number in range(200):
        world.repo.commit(f"topic-{pull.number}", files={"prod/web/wanted": f"a={number + 3}\n"}, author="dee")
    # The host sends every letter of a push twice; somebody asks for the first two hundred once more.
    for delivery in world.hook.deliveries[-800:-600]:
        courier.redeliver(world.hook, delivery.id)
    assert courier.release(shuffle=random.Random(3)) >= 1000
    world.settle()

    assert sum("story:page:1" in each.body.partition("\n")[0] for each in pull.comments) == 1
    assert '"1" → "202"' in world.face(pull)
    # All pushes had been made when a worker looked, so nothing between the first and the last was planned.
    runs = world.store.runs_of(ChangeRef(world.repo_ref, pull.number))
    assert {run.head for run in runs if run.kind is RunKind.PLAN} == {first, pull.head_sha}
    assert len(world.run_states(pull, RunKind.PLAN)) == 2
