"""Webhooks that tell of many repositories at once: a GitLab server's own, an organisation's, an App's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from apps import as_app

from bot.forge.courier import place_hook
from bot.hosts.github.inbox import EVENTS
from bot.work.roster import Roster
from bot.work.sweeps import allowance_of, redeliver_all


def published(world: Any) -> None:
    """The settings say where webhooks come in, so what was lost is handed over again."""
    public = world.hook_url.rpartition("/webhooks/")[0]
    world.config.write_text(world.config.read_text().replace("pages:", f'public_url: "{public}", pages:'))
    world.reload()


def handed_over(world: Any) -> None:
    """One look through the host's logs, five minutes later."""
    world.hours.ahead += timedelta(minutes=5)
    redeliver_all(world.services, Roster(world.services, world.kind), allowance_of(world.services, world.kind))
    world.settle()


def test_the_servers_own_webhook_alone_tells_of_changes_and_pushes(make_world: Callable[..., Any]) -> None:
    world = make_world(host="gitlab")
    world.forge.state.repo("acme/infra").hooks.clear()
    world.forge.add_shared_hook("", world.hook_url, "hook-secret")
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    assert "Waiting for 1 approval" in world.face(pull)
    world.push(pull, {"prod/web/wanted": "a=7\n"})
    assert "1 → 7" in world.face(pull).replace('"', "")
    world.say(pull, "bo", "headgate help")
    assert world.sayings(pull) == [], "comments it does not tell of: polling finds them"
    world.poll()
    assert len(world.sayings(pull)) == 1


def test_an_organisations_lost_webhooks_are_looked_for_once_for_all_its_repositories(
    make_world: Callable[..., Any],
) -> None:
    world = make_world(own_group=True, rules="}\n  - {match: github/acme/other")
    world.forge.create_repo("acme/other", {"a": "1"}, {"acme-bot": "admin"})
    world.forge.state.repo("acme/infra").hooks.clear()
    shelf = world.forge.state.shared_hooks.setdefault("acme", {})
    hook = place_hook(world.forge.state, shelf, "acme", world.hook_url, "hook-secret", EVENTS)
    published(world)
    world.forge.trouble.lose_deliveries = 50
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    assert world.face(pull) == ""
    world.forge.trouble.lose_deliveries = 0
    world.forge.trouble.forget_requests()
    handed_over(world)
    assert "Waiting for 1 approval" in world.face(pull)
    path = f"/orgs/acme/hooks/{hook.id}/deliveries"
    looked = [each for each in world.forge.trouble.requests("api") if each.path.endswith(path)]
    assert len(looked) == 1


def test_what_an_apps_own_webhook_lost_is_handed_over_where_a_pattern_names_its_repositories(world: Any) -> None:
    as_app(world)
    text = world.config.read_text().replace("match: github/acme/infra", 'match: "github/acme/*"')
    world.config.write_text(text)
    published(world)
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    assert "Waiting for 1 approval" in world.face(pull)
    world.forge.trouble.lose_deliveries = 50
    world.push(pull, {"prod/web/wanted": "a=7\n"})
    assert "1 → 7" not in world.face(pull).replace('"', "")
    world.forge.trouble.lose_deliveries = 0
    handed_over(world)
    assert "1 → 7" in world.face(pull).replace('"', "")
