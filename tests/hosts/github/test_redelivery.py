"""Webhooks that nobody took: which of them are handed over again, and that nothing is lost by it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from apps import as_app

from bot.core.runs import RunKind
from bot.hosts.github.redelivery import ATTEMPTS, lost
from bot.work.allowance import Allowance
from bot.work.roster import Roster
from bot.work.sweeps import redeliver_all

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)


def entry(number: int, guid: str, code: int, seconds: float = 600) -> dict[str, Any]:
    at = (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"id": number, "guid": guid, "status_code": code, "delivered_at": at}


def numbers(entries: list[dict[str, Any]]) -> list[int]:
    return [each.number for each in lost(entries, NOW)]


@pytest.mark.parametrize("code", [0, 429, 500, 502, 503])
def test_what_nobody_took_is_handed_over_again(code: int) -> None:
    assert numbers([entry(9, "b", 202), entry(8, "a", code)]) == [8]


@pytest.mark.parametrize("code", [200, 202, 400, 401, 404, 413])
def test_what_was_taken_or_refused_is_not(code: int) -> None:
    assert numbers([entry(8, "a", code)]) == []


def test_the_newest_attempt_is_repeated_oldest_first_and_not_for_ever() -> None:
    twice = [entry(9, "a", 0), entry(7, "b", 0), entry(5, "a", 503)]
    assert numbers(twice) == [7, 9]
    assert numbers([entry(n, "a", 0) for n in range(ATTEMPTS)]) == []
    assert numbers([entry(9, "a", 202), entry(5, "a", 503)]) == [], "it came through the second time"


def test_what_may_be_on_its_way_still_and_what_is_odd_is_left_alone() -> None:
    odd: list[dict[str, Any]] = [{}, {"guid": "x"}, {"guid": "y", "status_code": "0", "id": 3}]
    assert numbers([entry(8, "a", 0, 5), *odd]) == []


def test_a_change_whose_every_webhook_was_lost_is_planned_all_the_same(make_world: Callable[..., Any]) -> None:
    world = make_world()
    public = world.hook_url.removesuffix("/webhooks/github")
    world.config.write_text(world.config.read_text().replace("pages:", f'public_url: "{public}", pages:'))
    world.reload()
    world.forge.trouble.lose_deliveries = 50
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    assert world.gate(pull) == "expected"
    world.forge.trouble.lose_deliveries = 0
    world.hours.ahead += timedelta(minutes=5)
    allowance = Allowance(world.services.hosts["github"].budget, world.hours.now)

    redeliver_all(world.services, Roster(world.services, "github"), allowance)
    world.settle()
    assert world.gate(pull) == "pending"
    assert "Waiting for 1 approval" in world.face(pull)
    before = len(world.hook.deliveries)
    world.hours.ahead += timedelta(minutes=5)
    redeliver_all(world.services, Roster(world.services, "github"), allowance)
    world.settle()
    assert len(world.hook.deliveries) == before, "what came through is not asked for again"


# ------------------------------------------------------------------------------------------- the App's own log


@pytest.fixture
def away(make_world: Callable[..., Any]) -> Any:
    """Headgate is an App, and its door for webhooks is closed until somebody opens it again."""
    world = make_world()
    public = world.hook_url.removesuffix("/webhooks/github")
    world.config.write_text(world.config.read_text().replace("pages:", f'public_url: "{public}", pages:'))
    as_app(world)
    world.pull({"prod/web/wanted": "a=2\n"})
    world.close_door()
    return world


def look(world: Any, minutes: float = 5) -> None:
    world.hours.ahead += timedelta(minutes=minutes)
    allowance = Allowance(world.services.hosts["github"].budget, world.hours.now)
    redeliver_all(world.services, Roster(world.services, "github"), allowance)
    world.settle()


def tried(world: Any) -> int:
    return len([each for each in world.forge.trouble.requests("api") if each.path.endswith("/attempts")])


def test_what_came_while_we_were_away_is_found_in_the_apps_log_and_acts_once(away: Any) -> None:
    world, pull = away, away.repo.pulls()[0]
    pull.press("bo", "headgate/plan", "plan")
    new = world.repo.commit("topic-9", files={"prod/db/wanted": "size=2\n"}, author="dee")
    meanwhile = world.repo.open_pull("Meanwhile", head="topic-9", author="dee")
    for number in range(130):
        pull.comment("bo", f"words {number}")
    world.settle()
    assert world.run_states(pull, RunKind.PLAN) == [("prod-web", "succeeded")]
    assert {each.status_code for each in world.hook.deliveries[-130:]} == {0}
    world.open_door()

    look(world)
    assert world.run_states(pull, RunKind.PLAN) == [("prod-web", "succeeded")] * 2, "older than a page of the log"
    assert meanwhile.head_sha == new and world.gate(meanwhile) == "pending"
    before = tried(world)
    for _ in range(3):
        look(world)
    assert tried(world) == before, "what came through is not asked for again"
    world.forge.courier.redeliver(world.hook, world.hook.deliveries[0].id)
    assert world.run_states(pull, RunKind.PLAN) == [("prod-web", "succeeded")] * 2


def test_what_nobody_takes_is_given_up_and_the_log_is_not_read_twice(away: Any) -> None:
    world, pull = away, away.repo.pulls()[0]
    for number in range(130):
        pull.comment("bo", f"words {number}")
    world.settle()
    look(world)
    assert tried(world) == 130
    for _ in range(6):
        look(world)
    assert tried(world) == 130 * (ATTEMPTS - 1)
    world.forge.trouble.forget_requests()
    world.hours.ahead += timedelta(hours=1)
    look(world)
    look(world)
    pages = [each for each in world.forge.trouble.requests("api") if each.path.endswith("/app/hook/deliveries")]
    assert len(pages) == 2, "one page each, as nothing came since"
