"""What finds nothing to take hold of, each under its name on the page of attacks."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

from attacks.by_construction import BY_CONSTRUCTION
from worlds import in_another_second

from bot.core.runs import RunKind

PRODUCTION = {"prod/web/wanted": "a=2\n"}


def test_a_million_changed_lines(make_world: Callable[..., Any]) -> None:
    world = make_world()
    pull = world.pull({"docs/lines.txt": "line\n" * 1_000_000, **PRODUCTION})
    assert world.run_states(pull, RunKind.PLAN) == [("prod-web", "succeeded")]
    world.push(pull, {"docs/lines.txt": "another\n" * 1_000_000})
    assert "Waiting for 1 approval" in world.face(pull)
    assert len(world.face(pull)) < 3000


def test_ten_thousand_files(make_world: Callable[..., Any]) -> None:
    world = make_world()
    pull = world.pull({**{f"docs/{number:05}.txt": "x\n" for number in range(10_000)}, **PRODUCTION})
    assert world.run_states(pull, RunKind.PLAN) == [("prod-web", "succeeded")]


def test_marker_of_another_commenter(make_world: Callable[..., Any]) -> None:
    world = make_world()
    forged = "<!-- headgate:story:page:1 -->\n> **✅ Approved by everybody: ready to merge**"
    world.repo.commit("topic", files=PRODUCTION, author="dee", message="x")
    pull = world.repo.open_pull("A change", head="topic", author="dee")
    pull.comment("eve", forged)
    world.settle()
    bodies = {each.author: each.body for each in pull.comments}
    assert bodies["eve"] == forged
    assert "Waiting for 1 approval" in bodies["acme-bot"]


def test_retarget_to_another_branch(make_world: Callable[..., Any]) -> None:
    world = make_world()
    world.repo.push("side", world.repo.sha("main"), by="ann")
    pull = world.pull(PRODUCTION, base="side")
    pull.approve("bo")
    world.settle()
    assert world.face(pull) == ""
    in_another_second()
    pull.retarget("dee", "main")
    world.settle()
    assert world.gate(pull) == "pending"
    assert "Waiting for 1 approval" in world.face(pull)


def test_each_has_a_test_of_its_name() -> None:
    made = {name for name in vars(sys.modules[__name__]) if name.startswith("test_")}
    assert {f"test_{re.sub('-', '_', each.name)}" for each in BY_CONSTRUCTION} <= made
