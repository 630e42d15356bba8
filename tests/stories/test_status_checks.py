"""Days on a GitLab that asks us itself before it lets anybody merge: external status checks (Ultimate)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from bot.cli import cli
from bot.forge.external_checks import word_for
from bot.forge.gitlab.status_checks import FACE


def asks_us(world: Any) -> None:
    """``headgate setup`` has GitLab ask us; the settings are read again."""
    public = world.hook_url.rpartition("/webhooks/")[0]
    if "public_url" not in world.config.read_text():
        world.config.write_text(world.config.read_text().replace("pages:", f'public_url: "{public}", pages:'))
    words = ["setup", "gitlab", "acme/infra", "--status-check", "--yes", "--config", str(world.config)]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, result.output
    world.reload()


@pytest.fixture
def world(make_world: Callable[..., Any]) -> Any:
    made = make_world(host="gitlab")
    asks_us(made)
    return made


def word(world: Any, pull: Any) -> str:
    """How the service that is us stands with a change."""
    state, repo = world.forge.state, world.forge.state.repo("acme/infra")
    (check,) = repo.external_checks.values()
    return word_for(state, next(each for each in repo.pulls if each.number == pull.number), check)


def test_what_gitlab_asks_is_answered_as_the_gate_stands_and_the_merge_waits_for_it(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    assert (world.gate(pull), word(world, pull)) == ("pending", "pending")
    world.approve(pull, "bo")
    assert (world.gate(pull), word(world, pull)) == ("success", "passed")
    world.push(pull, {"prod/web/wanted": "a=3\n"})
    assert word(world, pull) == "pending", "an answer is for one head"

    world.approve(pull, "cy")
    world.say(pull, "bo", "headgate hold not today")
    assert word(world, pull) == "pending"
    world.say(pull, "bo", "headgate unhold")
    assert word(world, pull) == "passed"
    world.merge(pull, "dee")
    assert world.deployed("prod_web") == "a=3"


def test_a_gate_that_is_closed_for_good_is_a_failed_check(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    pull.request_changes("bo")
    world.settle()
    assert (world.gate(pull), word(world, pull)) == ("failure", "failed")


def test_silence_that_gitlab_counts_against_a_change_ends_when_somebody_has_it_ask_again(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.hours.ahead += timedelta(minutes=3)
    assert word(world, pull) == "failed", "GitLab's own rule: two minutes of pending are a failure"
    pull.retry_check("bo", "headgate/gate")
    world.settle()
    assert word(world, pull) == "pending"
    world.hours.ahead += timedelta(minutes=3)
    world.approve(pull, "cy")
    assert word(world, pull) == "passed"
    pull.label("dee", "urgent")
    world.settle()
    assert word(world, pull) == "passed"


def test_the_question_alone_tells_of_a_change(world: Any) -> None:
    hooks = world.forge.state.repo("acme/infra").hooks
    for number in [number for number, hook in hooks.items() if hook.face != FACE]:
        del hooks[number]
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    assert "Waiting for 1 approval" in world.face(pull)
    world.push(pull, {"prod/web/wanted": "a=7\n"})
    assert "1 → 7" in world.face(pull).replace('"', "")


def test_a_question_that_is_first_asked_when_the_gate_stands_open_is_answered(make_world: Callable[..., Any]) -> None:
    world = make_world(host="gitlab")
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.approve(pull, "bo")
    assert world.gate(pull) == "success"
    asks_us(world)
    assert word(world, pull) != "passed"
    pull.label("dee", "urgent")
    world.settle()
    assert word(world, pull) == "passed"


def test_a_whole_group_is_set_up_to_ask_us(make_world: Callable[..., Any]) -> None:
    world = make_world(host="gitlab", own_group=True)
    world.config.write_text(world.config.read_text().replace("pages:", 'public_url: "http://hg.example", pages:'))
    words = ["setup", "gitlab", "--group", "acme", "--status-check", "--yes", "--config", str(world.config)]
    first, second = (CliRunner().invoke(cli, words) for _ in range(2))
    assert "+ acme/infra: external status check headgate/gate asks http://hg.example/webhooks/gitlab" in first.output
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert second.output.endswith("everything is set up; nothing to change\n")
    (check,) = world.forge.state.repo("acme/infra").external_checks.values()
    assert (check.name, check.branches) == ("headgate/gate", {"main"})


def test_it_cannot_be_asked_for_elsewhere(make_world: Callable[..., Any]) -> None:
    world = make_world()
    words = ["setup", "github", "acme/infra", "--status-check", "--config", str(world.config)]
    assert CliRunner().invoke(cli, words).exit_code == 2
