"""A project is removed: what it owns is counted first, and nothing is silently forgotten."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from worlds import World, project

from bot.core.runs import RunKind

OWNED = """\
import os, sys
live = os.path.join(os.environ["LIVE"], sys.argv[1])
print("\\n".join(open(live).read().split()) if os.path.exists(live) else "")
"""
COUNTED = ', owned: ["python3", "owned.py", "dev_web"]'
REST = project("prod-web") + project("prod-db")


@pytest.fixture
def counting(make_world: Callable[..., World]) -> World:
    """A world whose dev-web can be counted."""
    config = "version: 1\nprojects:\n" + project("dev-web", COUNTED) + REST
    return make_world(config=config, files={"dev/web/owned.py": OWNED})


def without_dev(world: World) -> object:
    return world.pull({".headgate.yaml": "version: 1\nprojects:\n" + REST, "dev/web/wanted": None})


def test_a_project_that_owns_something_cannot_be_removed(counting: World) -> None:
    (counting.live / "dev_web").write_text("a=1\nb=2\nc=3\n")
    pull = without_dev(counting)

    assert counting.run_states(pull, RunKind.PLAN) == [("dev-web", "succeeded")]
    assert counting.gate(pull) == "failure"
    face = counting.face(pull)
    assert "**dev-web** is removed by this change, but 3 things it owns would stay behind unmanaged." in face
    assert "removed, owns 3 things" in face
    assert "first empty the project in a change of its own, then remove it" in face


def test_an_emptied_project_can_be_removed(counting: World) -> None:
    emptied = counting.pull({"dev/web/wanted": ""})
    emptied.merge("dee")
    counting.settle()
    assert counting.deployed("dev_web") == ""

    pull = without_dev(counting)
    assert counting.gate(pull) == "success"
    pull.merge("dee")
    counting.settle()
    assert counting.run_states(pull, RunKind.DEPLOY) == []
    assert "dev-web" not in (counting.repo.read(".headgate.yaml") or "")


def test_it_is_counted_again_when_somebody_asks(counting: World) -> None:
    pull = without_dev(counting)
    assert counting.gate(pull) == "failure"
    (counting.live / "dev_web").write_text("")
    counting.say(pull, "bo", "/plan dev-web")

    assert counting.gate(pull) == "success"


def test_what_nobody_can_count_waits_for_an_approval_even_where_none_is_needed(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    pull = without_dev(world)
    assert world.gate(pull) == "pending"
    assert "command cannot tell what it owns" in world.face(pull)

    pull.approve("bo")
    world.settle()
    assert world.gate(pull) == "success"
    pull.merge("dee")
    world.settle()
    assert world.run_states(pull, RunKind.DEPLOY) == []
    assert world.deployed("dev_web") == "a=1"


def test_the_change_cannot_count_for_itself(counting: World) -> None:
    """What is run is the target branch's: a change that also rewrites the counter is not asked."""
    files = {
        ".headgate.yaml": "version: 1\nprojects:\n" + REST,
        "dev/web/wanted": None,
        "dev/web/owned.py": "print()\n",
    }
    pull = counting.pull(files)

    assert counting.gate(pull) == "failure"
    assert "owns 1 thing" in counting.face(pull)
