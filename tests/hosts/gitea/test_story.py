"""What a real Gitea tells by itself is enough: a change goes all the way by webhooks alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hosts.gitea.swagger import problems
from hosts.gitea.world import GiteaWorld

from bot.core.runs import RunKind


@pytest.fixture
def world(gitea_server: Any, gitea_judge: Any, tmp_path: Path) -> Iterator[GiteaWorld]:
    made = GiteaWorld(gitea_server, tmp_path, by_webhooks=True)
    yield made
    made.stop()
    found = problems(gitea_judge, made.ground.wire.exchanges)
    assert not found, "\n".join(found[:20])


def test_by_webhooks_alone_a_change_is_planned_approved_merged_and_deployed(world: GiteaWorld) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    assert world.comes(lambda: "Waiting for 1 approval" in world.face(pull))
    assert world.comes(lambda: world.gate(pull) == "pending")
    pull.approve("bo")
    assert world.comes(lambda: world.gate(pull) == "success")
    pull.merge("dee")
    assert world.comes(lambda: world.deployed("prod_web") == "a=2")
    assert world.comes(lambda: "Deployed by merge" in world.face(pull))
    assert world.run_states(pull, RunKind.DEPLOY) == [("prod-web", "succeeded")]
    assert len([each for each in pull.comments if "story:page:" in each.body]) == 1


def test_a_command_and_a_push_are_answered_by_webhooks_alone(world: GiteaWorld) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    assert world.comes(lambda: world.gate(pull) == "pending")
    pull.comment("bo", "/help")
    assert world.comes(lambda: any("/plan" in text for text in world.sayings(pull)))
    world.push(pull, {"prod/web/wanted": "a=7\n"}, by="cy")
    assert world.comes(lambda: "1 → 7" in world.face(pull).replace('"', ""))
    pull.approve("cy")
    assert world.comes(lambda: "cy" in [each.author for each in world.memory(pull).host.reviews])
    assert world.gate(pull) == "pending"


def test_a_direct_push_deploys_nothing_and_is_reported_with_its_pusher(world: GiteaWorld) -> None:
    known = world.pull({"docs/readme.md": "so that the branch is known\n"})
    assert world.comes(lambda: world.gate(known) == "success")
    world.ground.call("DELETE", "/branch_protections/main")
    world.ground.commit("main", {"prod/web/wanted": "a=9\n"}, "ann", message="trust me")
    assert world.comes(lambda: world.room.said("stray", "ann pushed") is not None)
    assert world.deployed("prod_web") == "a=1"
