"""Days on which a repository gets another name, on every host: what is known survives, and nobody inherits it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hosts.gitea.world import GiteaWorld
from worlds import FILES, World, project

from bot.cli import cli
from bot.core.model import RepoRef
from bot.core.runs import RunKind
from bot.ports import SHUT_OUT


@pytest.fixture(params=["github", "gitlab", "gitea"])
def open_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Makes the world of a story."""
    made: list[Any] = []
    server = request.getfixturevalue("gitea_server") if request.param == "gitea" else None

    def make(**words: Any) -> Any:
        world = GiteaWorld(server, tmp_path, **words) if server else World(tmp_path, host=request.param, **words)
        made.append(world)
        return world

    yield make
    for world in made:
        world.stop()


@pytest.fixture
def world(open_world: Callable[..., Any]) -> Any:
    return open_world()


def rename(world: Any) -> RepoRef:
    """By somebody, on the host; what it is called now."""
    if world.kind == "gitea":
        return RepoRef("gitea", world.ground.rename())
    world.repo.move("acme/platform")
    return RepoRef(world.kind, "acme/platform")


def list_it(world: Any, name: RepoRef, match: str = "") -> None:
    """In the operator's file, in place of what is there, by name or by a pattern; and a restart."""
    world.config.write_text(world.config.read_text().replace(str(world.repo_ref), match or str(name)))
    world.reload()
    world.repo_ref = name


def looked(world: Any, wanted: Callable[[], bool]) -> bool:
    """Whether it comes true while hours pass; on hosts that tell us nothing, by looking."""

    def seen() -> bool:
        if not wanted():
            world.poll()
        return bool(wanted())

    return bool(world.until(seen, seconds=60, steps=15))


def approve(world: Any, pull: Any) -> None:
    """By bo; the hours do not pass meanwhile, as a real host knows no others than its own."""
    world.approve(pull, "bo")
    for _ in range(10):
        world.settle()
    assert world.gate(pull) == "success"


def comments(world: Any, pull: Any) -> int:
    return sum("story:page:" in each.body.partition("\n")[0] for each in pull.comments)


def test_it_waits_for_the_operator_and_then_everything_goes_on_with_what_was_approved(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    approve(world, pull)
    old, new = world.repo_ref, rename(world)
    assert looked(world, lambda: bool(world.room.said("access", f"is called {new.path} now")))
    told = world.room.said("access", f"Name {new} in place of {old} in the operator's file")
    assert told is not None and told["title"].endswith(f"deployed in {str(old).lower()}")
    writes = world.writes()
    for _ in range(10):
        world.hours.ahead += timedelta(minutes=2)
        world.poll()
    assert world.writes() == writes
    assert len([each for each in world.room.messages if each["kind"] == "access"]) == 1

    list_it(world, new)
    assert looked(world, lambda: bool(world.room.said("access", "go on under the new name")))
    assert world.store.settings(SHUT_OUT) == {}
    world.merge(pull, "dee")
    assert looked(world, lambda: world.deployed("prod_web") == "a=2")
    assert (comments(world, pull), len(world.memory(pull).records)) == (1, 1)
    assert world.run_states(pull, RunKind.DEPLOY) == [("prod-web", "succeeded")]
    assert world.store.verify_audit()
    words = ["audit", "export", "--subject", f"{new}!{pull.number}", "--config", str(world.config)]
    rows = [json.loads(line) for line in CliRunner().invoke(cli, words).stdout.splitlines()]
    assert rows == sorted(rows, key=lambda row: row["seq"])
    assert {row["subject"] for row in rows} == {f"{old}!{pull.number}", f"{new}!{pull.number}"}


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_a_merge_that_waited_for_its_deploy_is_deployed_under_the_new_name(
    make_world: Callable[..., Any], kind: str
) -> None:
    world = make_world(host=kind, config="version: 1\nprojects:\n" + project("prod-web", ", deploy: on_command"))
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.approve(pull, "bo")
    world.merge(pull, "dee")
    assert looked(
        world, lambda: "waits" in world.face(pull).lower() and "/deploy" in world.face(pull).replace("headgate ", "/")
    )
    assert world.deployed("prod_web") == "a=1"
    list_it(world, rename(world))
    assert looked(world, lambda: bool(world.room.said("access", "go on under the new name")))
    world.say(pull, "dee", world.command("deploy"))
    assert looked(world, lambda: world.deployed("prod_web") == "a=2")


def test_where_a_pattern_names_the_new_name_too_nobody_has_to_do_anything(world: Any) -> None:
    text = world.config.read_text()
    world.config.write_text(text.replace(str(world.repo_ref), f"{world.kind}/acme/*"))
    world.reload()
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    approve(world, pull)
    world.repo_ref = rename(world)
    assert looked(world, lambda: bool(world.room.said("access", "go on under the new name")))
    assert looked(world, lambda: world.gate(pull) == "success")
    world.merge(pull, "dee")
    assert looked(world, lambda: world.deployed("prod_web") == "a=2")
    assert comments(world, pull) == 1


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_who_comes_to_have_the_old_name_inherits_nothing(make_world: Callable[..., Any], kind: str) -> None:
    world = make_world(host=kind)
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    approve(world, pull)
    old, new = world.repo_ref, rename(world)
    theirs = _moves_in(world)
    other = theirs.open_pull("Theirs", head="topic-1", author="dee")
    world.settle()
    assert looked(world, lambda: _gate(other) == "pending")
    assert world.room.said("access", "acme/infra is another repository than it was")
    assert world.memory(pull).records == (), "the gate of number 1 was open for another repository's change"
    assert world.run_states(pull, RunKind.PLAN) == [("prod-web", "succeeded")]

    list_it(world, new, f"{kind}/acme/*")
    assert looked(world, lambda: bool(world.room.said("access", "go on under the new name")))
    world.repo_ref = old
    assert _gate(other) == "pending"
    world.repo_ref = new
    assert len(world.memory(pull).records) == 1
    world.merge(pull, "dee")
    assert looked(world, lambda: world.deployed("prod_web") == "a=2")


def _moves_in(world: Any) -> Any:
    """Somebody's repository under the name that became free, with a change of the same number."""
    people = {"dee": "write", "bo": "write", "ann": "admin", "acme-bot": "admin"}
    made = world.forge.create_repo("acme/infra", FILES, people)
    made.add_hook(world.hook_url, "hook-secret")
    made.commit("topic-1", {"prod/web/wanted": "a=7\n"}, "dee")
    return made


def _gate(pull: Any) -> str:
    check = pull.checks().get("headgate/gate")
    return check.outcome.value if check else ""
