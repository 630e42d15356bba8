"""Days on a host where Headgate is an app: its check runs have buttons, which are as good as words; and who let it in
may shut it out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from apps import as_app
from click.testing import CliRunner
from worlds import World

from bot.cli import cli
from bot.core.runs import RunKind
from bot.forge import Refused
from bot.forge.app_story import AppStory
from bot.ports import SHUT_OUT
from bot.web.metrics import scrape


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """The operator's file names an app in place of a token."""
    made = make_world()
    as_app(made)
    return made


@pytest.fixture
def app(world: World) -> AppStory:
    """The app, as who let it in sees it."""
    return world.forge.app_story(next(iter(world.forge.state.apps.values())))


def plans(world: Any, pull: Any) -> list[str]:
    return [state for _, state in world.run_states(pull, RunKind.PLAN)]


@pytest.mark.parametrize("button", ["", "plan"])
def test_a_button_beside_a_check_plans_once_more_for_who_may_write(world: Any, button: str) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    assert plans(world, pull) == ["succeeded"]
    with pytest.raises(Refused):
        pull.press("eve", "headgate/plan", button)

    pull.press("bo", "headgate/plan", button)
    world.settle()
    assert plans(world, pull) == ["succeeded", "succeeded"]
    world.forge.courier.redeliver(world.hook, world.hook.deliveries[-1].id)
    world.settle()
    assert plans(world, pull) == ["succeeded", "succeeded"], "a press is one press, however often it is told"


def test_an_app_gates_merges_and_deploys_as_an_account_does(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    assert world.gate(pull) == "pending"
    world.approve(pull, "bo")
    assert world.gate(pull) == "success"
    world.say(pull, "dee", "/merge")
    assert world.deployed("prod_web") == "a=2"
    assert world.room.said("succeeded", "prod-web")


# ------------------------------------------------------------------------------------- shut out, and let in again


def asked(world: World) -> int:
    """How often the host was called, and told us nothing."""
    return sum(1 for each in world.forge.trouble.requests("api") if each.login == "headgate[bot]")


def doctor(world: World) -> str:
    return CliRunner().invoke(cli, ["doctor", "--config", str(world.config)]).output


def figure(world: World, name: str) -> float:
    page = scrape(world.store, world.queue, world.hours, dict).decode()
    return float(next(line for line in page.splitlines() if line.startswith(f"headgate_{name} ")).split()[1])


def shut_out(app: AppStory, how: str) -> None:
    if how == "suspended":
        app.suspend("acme", "ann")
    else:
        app.uninstall("acme", "ann")


def let_in(world: World, app: AppStory, how: str) -> None:
    if how == "suspended":
        app.unsuspend("acme", "ann")
    else:
        world.forge.install_app(next(iter(world.forge.state.apps.values())), "acme")


@pytest.mark.parametrize("told", [True, False], ids=["told", "untold"])
@pytest.mark.parametrize("how", ["suspended", "not installed"])
def test_who_shuts_the_app_out_is_asked_seldom_and_everything_goes_on_when_it_is_let_in_again(
    world: Any, app: AppStory, how: str, told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    pulls = [world.pull({"prod/web/wanted": f"a={number}\n"}) for number in range(2, 6)]
    world.forge.trouble.lose_deliveries = 0 if told else 1
    shut_out(app, how)
    world.settle()
    world.repo.commit("topic-1", files={"prod/web/wanted": "a=9\n"}, author="dee", message="more")
    world.repo.commit("topic-9", files={"prod/db/wanted": "size=2\n"}, author="dee", message="meanwhile")
    new = world.repo.open_pull("Meanwhile", head="topic-9", author="dee")
    world.poll()
    before = asked(world)
    for _ in range(60):
        world.hours.ahead += timedelta(minutes=1)
        world.settle()
        world.poll()
    assert asked(world) - before <= 3 * 12 + 3, "one try in five minutes, of at most three calls, for an hour"
    assert caplog.text.count("Nothing is planned, gated or deployed in github/acme") == 1
    assert world.room.said("access", f"the App is {how} at acme")
    assert len([each for each in world.room.messages if each["kind"] == "access"]) == 1
    assert figure(world, "shut_out") == 1
    assert f"the App is {how} at acme" in doctor(world)

    if not told:
        world.forge.trouble.lose_deliveries = 1
    let_in(world, app, how)
    assert world.until(lambda: world.gate(new) == "pending")
    assert world.until(lambda: pulls[0].head_sha[:7] in world.face(pulls[0]))
    assert world.room.said("access", "github/acme goes on again")
    assert figure(world, "shut_out") == 0
    assert world.store.settings(SHUT_OUT) == {}
    world.approve(pulls[1], "bo")
    world.merge(pulls[1], "dee")
    assert world.until(lambda: world.deployed("prod_web") == "a=3")
