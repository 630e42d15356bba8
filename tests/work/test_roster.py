"""Repositories that only a pattern names are found, once an hour and within what sweeps may ask."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bot.core.model import RepoRef
from bot.ports import Budget
from bot.work.allowance import Allowance
from bot.work.roster import Roster

INFRA, WEB = RepoRef("github", "acme/infra"), RepoRef("github", "acme/web")


@pytest.fixture
def world(make_world: Callable[..., Any]) -> Any:
    """A pattern is all that names acme's repositories."""
    made = make_world()
    made.config.write_text(made.config.read_text().replace("match: github/acme/infra", 'match: "github/acme/*"'))
    made.reload()
    return made


def asks(world: Any) -> int:
    """How often the host was asked which repositories there are."""
    return sum(1 for each in world.forge.trouble.requests("api") if each.path.endswith("/user/repos"))


def free(world: Any) -> Allowance:
    return Allowance(Budget, world.hours.now)


def test_a_new_repository_is_found_within_the_hour_and_the_host_asked_once_in_it(world: Any) -> None:
    roster = Roster(world.services, "github")
    assert roster.repositories(free(world)) == (INFRA,)
    world.forge.create_repo("acme/web", {"a": "1"}, {"acme-bot": "write"})
    world.forge.create_repo("other/web", {"a": "1"}, {"acme-bot": "write"})
    assert roster.repositories(free(world)) == (INFRA,)
    assert asks(world) == 1
    world.hours.ahead += timedelta(hours=1)
    assert roster.repositories(free(world)) == (INFRA, WEB)
    assert asks(world) == 2


def test_where_all_are_named_in_full_the_host_is_not_asked(make_world: Callable[..., Any]) -> None:
    world = make_world()
    assert Roster(world.services, "github").repositories(free(world)) == (INFRA,)
    assert asks(world) == 0


def test_a_host_that_will_not_tell_leaves_it_as_it_was(world: Any) -> None:
    roster = Roster(world.services, "github")
    assert roster.repositories(free(world)) == (INFRA,)
    world.hours.ahead += timedelta(hours=1)
    world.forge.trouble.fail_next()
    assert roster.repositories(free(world)) == (INFRA,)
    assert roster.repositories(free(world)) == (INFRA,)
    assert asks(world) == 3, "what failed is asked again at once, what is refused after an hour"


def test_a_host_that_refuses_is_asked_again_after_an_hour(world: Any) -> None:
    (world.config.parent / "token").write_text("no-such-token")
    roster = Roster(world.services, "github")
    for _ in range(3):
        assert roster.repositories(free(world)) == ()
    assert asks(world) == 1


def test_a_listing_waits_for_its_share_of_the_hosts_budget(world: Any) -> None:
    budget = Budget(20, 10, world.hours.now() + timedelta(minutes=9))
    spent = Allowance(lambda: budget, world.hours.now)
    assert spent.once(lambda: 4)
    assert Roster(world.services, "github").repositories(spent) == ()
    assert asks(world) == 0


def test_a_host_that_is_not_ours_has_what_is_named_in_full(world: Any) -> None:
    assert Roster(world.services, "elsewhere").repositories(free(world)) == ()
