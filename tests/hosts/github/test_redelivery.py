"""Webhooks that nobody took: which of them are handed over again, and that nothing is lost by it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.hosts.github.redelivery import ATTEMPTS, lost
from bot.work.allowance import Allowance
from bot.work.roster import Roster
from bot.work.sweeps import redeliver_all

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)


def entry(number: int, guid: str, code: int, seconds: float = 600) -> dict[str, Any]:
    at = (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"id": number, "guid": guid, "status_code": code, "delivered_at": at}


@pytest.mark.parametrize("code", [0, 429, 500, 502, 503])
def test_what_nobody_took_is_handed_over_again(code: int) -> None:
    assert lost([entry(9, "b", 202), entry(8, "a", code)], NOW) == (8,)


@pytest.mark.parametrize("code", [200, 202, 400, 401, 404, 413])
def test_what_was_taken_or_refused_is_not(code: int) -> None:
    assert lost([entry(8, "a", code)], NOW) == ()


def test_the_newest_attempt_is_repeated_oldest_first_and_not_for_ever() -> None:
    twice = [entry(9, "a", 0), entry(7, "b", 0), entry(5, "a", 503)]
    assert lost(twice, NOW) == (7, 9)
    assert lost([entry(n, "a", 0) for n in range(ATTEMPTS)], NOW) == ()
    assert lost([entry(9, "a", 202), entry(5, "a", 503)], NOW) == (), "it came through the second time"


def test_what_may_be_on_its_way_still_and_what_is_odd_is_left_alone() -> None:
    odd: list[dict[str, Any]] = [{}, {"guid": "x"}, {"guid": "y", "status_code": "0", "id": 3}]
    assert lost([entry(8, "a", 0, 5), *odd], NOW) == ()


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
