"""One day of a change, told on every host alike: same verdicts, same deploys, the same in the comment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hosts.gitea.swagger import problems
from hosts.gitea.world import GiteaWorld
from worlds import World

from bot.core.runs import RunKind
from bot.forge import PullStory, Refused

THOROUGH = pytest.mark.thorough


class GitHubWorld(World):
    """What the other hosts' worlds can, too."""

    def force_push(self, pull: PullStory, files: dict[str, str], by: str) -> None:
        """The branch begun anew from the target branch."""
        self.repo.force_push(f"topic-{pull.number}", files, by=by, parent=self.repo.sha("main"))
        self.settle()

    def from_fork(self, files: dict[str, str | None], by: str) -> PullStory:
        self.repo.fork(by).commit("theirs", files=files, author=by)
        made = self.repo.open_pull("From outside", head=f"{by}:theirs", author=by)
        self.settle()
        return made

    def make_branch(self, name: str) -> None:
        self.repo.commit(name, files={"docs/readme.md": f"{name}\n"}, author="ann")


@pytest.fixture(params=["github", "gitea"])
def open_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Makes the world of a story; on Gitea every request of ours must be as the server describes it."""
    made: list[Any] = []
    gitea = request.param == "gitea"
    server, judge = (request.getfixturevalue(f"gitea_{name}") if gitea else None for name in ("server", "judge"))

    def make(**words: Any) -> Any:
        made.append(GiteaWorld(server, tmp_path, **words) if gitea else GitHubWorld(tmp_path, **words))
        return made[-1]

    yield make
    for world in made:
        world.stop()
        found = problems(judge, world.ground.wire.exchanges) if gitea else []
        assert not found, "\n".join(found[:20])


@pytest.fixture
def world(open_world: Callable[..., Any]) -> Any:
    return open_world()


def test_an_approved_change_is_planned_gated_merged_and_deployed(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    assert world.gate(pull) == "pending"
    assert "Waiting for 1 approval" in world.face(pull)
    with pytest.raises(Refused):
        pull.merge("dee")

    pull.approve("bo")
    world.settle()
    assert world.gate(pull) == "success"

    pull.merge("dee")
    world.settle()
    assert world.deployed("prod_web") == "a=2"
    assert "Deployed by merge" in world.face(pull)
    assert len([each for each in pull.comments if "story:page:" in each.body]) == 1
    assert world.room.said("waiting", "prod") and world.room.said("succeeded", "prod-web")


def test_a_readers_and_a_pushers_approval_do_not_count(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.push(pull, {"prod/web/wanted": "a=3\n"}, by="bo")
    pull.approve("eve")
    pull.approve("bo")
    world.settle()
    assert world.gate(pull) == "pending"

    pull.approve("cy")
    world.settle()
    assert world.gate(pull) == "success"


def test_a_forced_push_with_new_effects_drops_the_approval(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    pull.approve("bo")
    world.settle()
    assert world.gate(pull) == "success"
    world.force_push(pull, {"prod/web/wanted": "b=1\n"}, by="dee")

    assert world.gate(pull) == "pending"
    assert "no longer counts" in world.face(pull)


def test_a_dismissed_approval_and_a_request_for_changes_close_the_gate(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    review = pull.approve("bo")
    world.settle()
    assert world.gate(pull) == "success"
    pull.dismiss("ann", review)
    world.settle()
    assert world.gate(pull) == "pending"

    pull.approve("cy")
    world.settle()
    assert world.gate(pull) == "success"
    pull.request_changes("cy")
    world.settle()
    assert world.gate(pull) == "failure"


def test_a_forks_code_waits_for_somebodys_word_for_that_commit(world: Any) -> None:
    world.config.write_text(world.config.read_text().replace("plan: {env:", "plan: {strangers: true, env:"))
    world.reload()
    pull = world.from_fork({"prod/web/wanted": "a=2\n"}, by="eve")
    assert world.run_states(pull, RunKind.PLAN) == []
    assert "/ok-to-plan" in world.face(pull)

    world.say(pull, "eve", f"/ok-to-plan {pull.head_sha}")
    assert world.run_states(pull, RunKind.PLAN) == []
    world.say(pull, "bo", f"/ok-to-plan {pull.head_sha}")
    assert world.run_states(pull, RunKind.PLAN) == [("prod-web", "succeeded")]


def test_what_was_merged_past_the_gate_is_not_deployed(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    pull.merge("ann", bypass=True)
    world.settle()

    assert world.deployed("prod_web") == "a=1"
    assert world.run_states(pull, RunKind.DEPLOY) == []
    assert "Merged past the gate" in world.face(pull)
    offered = world.face(pull).partition("--accept ")[2][:8]
    world.say(pull, "bo", f"/deploy prod-web --accept {offered}")
    assert world.deployed("prod_web") == "a=2"


@pytest.mark.parametrize(
    "method", [pytest.param("merge", marks=THOROUGH), "squash", pytest.param("rebase", marks=THOROUGH)]
)
def test_a_change_is_merged_by_command_and_deployed(open_world: Callable[..., Any], method: str) -> None:
    world = open_world(rules=f", merge_method: {method}")
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.push(pull, {"docs/readme.md": "a second commit\n"})
    pull.approve("bo")
    world.settle()
    world.say(pull, "bo", "/merge")

    assert world.deployed("prod_web") == "a=2"
    assert world.room.said("succeeded", "prod-web")
    assert not world.room.said("stray", "")


def test_an_earlier_change_is_no_part_of_a_squashed_one(open_world: Callable[..., Any]) -> None:
    world = open_world(rules=", merge_method: squash")
    first = world.pull({"dev/web/wanted": "a=2\n"})
    first.merge("dee", "squash")
    world.settle()
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.push(pull, {"docs/readme.md": "a second commit\n"})
    pull.approve("bo")
    world.settle()
    world.say(pull, "bo", "/merge")
    assert world.deployed("prod_web") == "a=2"
    assert world.run_states(pull, RunKind.DEPLOY) == [("prod-web", "succeeded")]


def test_a_draft_waits_and_a_closed_change_is_planned_again_when_it_is_reopened(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    pull.set_draft("dee")
    world.settle()
    pull.approve("bo")
    world.settle()
    assert world.gate(pull) != "success"
    pull.set_draft("dee", False)
    world.settle()
    assert world.gate(pull) == "success"

    pull.close("dee")
    world.settle()
    assert "Closed" in world.face(pull)
    pull.reopen("dee")
    world.settle()
    assert world.gate(pull) == "success"


def test_a_change_for_another_branch_is_left_alone(world: Any) -> None:
    world.make_branch("release")
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    pull.approve("bo")
    world.settle()
    pull.retarget("dee", "release")
    world.settle()
    pull.merge("dee")
    world.settle()
    assert world.deployed("prod_web") == "a=1"
