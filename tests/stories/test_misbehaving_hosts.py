"""A host that misbehaves while a change is pushed, approved, merged and deployed: the day ends as on a host that does
not, with one comment, one deploy, and at most twice the calls for a push."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from bot.core.errors import HostError
from bot.core.model import RepoRef
from bot.core.runs import RunKind


@dataclass(frozen=True)
class Fault:
    """Something that is wrong with the host for a while. ``begin`` is called before each thing that people do."""

    name: str
    begin: Callable[[Any, Any], None]


def broken(world: Any, _: Any) -> None:
    world.forge.trouble.fail_next(3)


def limited(world: Any, _: Any) -> None:
    world.forge.trouble.limit_next(2, 429, 20)


def limited_without_a_word(world: Any, _: Any) -> None:
    world.forge.trouble.limit_next(2, 429, None)


def spoilt(**knobs: float) -> Callable[[Any, Any], None]:
    """The host's trouble is turned up so far; see ``bot.forge.trouble``."""

    def begin(world: Any, _: Any) -> None:
        for name, value in knobs.items():
            assert hasattr(world.forge.trouble, name)
            setattr(world.forge.trouble, name, value)

    return begin


def down_for_an_hour(world: Any, _: Any) -> None:
    world.forge.trouble.fail_next(100_000)
    world.up_again = world.hours.now() + timedelta(hours=1)


def comment_deleted(world: Any, pull: Any) -> None:
    page = next(each for each in pull.comments if "story:page:1" in each.body.partition("\n")[0])
    pull.delete_comment("ann", page)


def status_overwritten(world: Any, pull: Any) -> None:
    world.repo.set_status(pull.head_sha, "headgate/gate", "success", by="dee")


FAULTS = [
    Fault("server-errors", broken),
    Fault("limited", limited),
    Fault("limited-without-retry-after", limited_without_a_word),
    Fault("answers-cut-short", spoilt(cut_answers=3)),
    Fault("answers-lost", spoilt(lose_answers=2)),
    Fault("slow", spoilt(latency_s=0.02)),
    Fault("mergeability-unknown", spoilt(null_mergeable_reads=6)),
    Fault("stale-reads", spoilt(stale_reads=6)),
    Fault("deliveries-lost", spoilt(lose_deliveries=20)),
    Fault("an-hour-of-downtime", down_for_an_hour),
    Fault("comment-deleted", comment_deleted),
    Fault("status-overwritten", status_overwritten),
]


@pytest.fixture(params=["github", "gitlab"])
def world(request: pytest.FixtureRequest, make_world: Callable[..., Any]) -> Any:
    """A host of each kind whose hours pass when the story says so."""
    made = make_world(host=request.param)
    made.up_again = None
    return made


def calls(world: Any) -> int:
    """Calls of our account that a host counts."""
    made = [each for each in world.forge.trouble.requests("api") if each.login == "acme-bot"]
    return sum(1 for each in made if each.status != 304)


def shown(world: Any, pull: Any) -> bool:
    """The comment is about the newest commit, whose plan has ended."""
    face = world.face(pull)
    return f"`{pull.head_sha[:7]}`" in face and "Waiting for 1 approval" in face and world.gate(pull) == "pending"


def pushed(world: Any, pull: Any, value: int, fault: Callable[[Any, Any], None]) -> int:
    """Calls between a push and the moment that all is told."""
    world.forge.trouble.forget_requests()
    world.repo.commit(f"topic-{pull.number}", files={"prod/web/wanted": f"a={value}\n"}, author="dee", message="more")
    fault(world, pull)
    assert eventually(world, lambda: shown(world, pull))
    return calls(world)


def eventually(world: Any, wanted: Callable[[], bool], steps: int = 200) -> bool:
    """Whether it comes true; where webhooks were lost, polling finds it."""

    def seen() -> bool:
        if world.up_again and world.hours.now() > world.up_again:
            world.up_again = None
            world.forge.trouble.calm()
        if wanted():
            return True
        with contextlib.suppress(HostError):
            world.poll()
        return wanted()

    return bool(world.until(seen, seconds=120 if world.up_again else 15, steps=steps))


def one_comment_and_one_deploy(world: Any, pull: Any) -> None:
    """Nothing was said or done twice."""
    assert len([each for each in pull.comments if "story:page:" in each.body.partition("\n")[0]]) == 1
    assert world.run_states(pull, RunKind.DEPLOY) == [("prod-web", "succeeded")]
    told = world.sayings(pull)
    assert len(told) == len(set(told))


EVERYDAY = ("server-errors", "limited", "answers-lost", "stale-reads", "an-hour-of-downtime")
"""What differs most between the two kinds of host; on the second one the rest is tried now and then."""
PAIRS = [
    pytest.param(
        host,
        fault,
        id=f"{host}-{fault.name}",
        marks=() if host == "github" or fault.name in EVERYDAY else pytest.mark.thorough,
    )
    for host in ("github", "gitlab")
    for fault in FAULTS
]


@pytest.mark.parametrize(("world", "fault"), PAIRS, indirect=["world"])
def test_the_day_ends_as_on_a_host_that_behaves(world: Any, fault: Fault) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    usual = pushed(world, pull, 3, lambda *_: None)

    assert pushed(world, pull, 4, fault.begin) <= 2 * usual

    fault.begin(world, pull)
    world.approve(pull, "bo")
    assert eventually(world, lambda: world.gate(pull) == "success")
    fault.begin(world, pull)
    world.merge(pull, "dee")
    assert eventually(world, lambda: "Deployed by merge" in world.face(pull))
    assert world.deployed("prod_web") == "a=4"
    world.forge.trouble.calm()
    one_comment_and_one_deploy(world, pull)


def test_a_forced_push_in_the_middle_of_a_plan_leaves_the_newest_commits_plan_alone(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.repo.commit(f"topic-{pull.number}", files={"prod/web/wanted": "a=3\n"}, author="dee", message="more")
    assert world.forge.courier.settle()
    for _ in range(2):  # what was told is absorbed, and the change looked at: its plan waits
        job = world.queue.take(world.lanes, 0)
        assert job is not None
        world.jobs(*job)
    world.force_push(pull, {"prod/web/wanted": "a=9\n"}, by="dee")

    assert eventually(world, lambda: shown(world, pull))
    assert '"9"' in world.face(pull) and '"3"' not in world.face(pull)
    world.approve(pull, "bo")
    world.merge(pull, "dee")
    assert eventually(world, lambda: world.deployed("prod_web") == "a=9")
    one_comment_and_one_deploy(world, pull)


def test_a_base_that_is_deleted_takes_nothing_else_down(world: Any) -> None:
    world.make_branch("release")
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    pull.retarget("dee", "release")
    world.settle()
    world.repo.delete_branch("release", by="ann")
    other = world.pull({"prod/web/wanted": "a=3\n"})
    assert eventually(world, lambda: shown(world, other))
    world.approve(other, "bo")
    world.merge(other, "dee")
    assert eventually(world, lambda: world.deployed("prod_web") == "a=3")


def test_a_long_description_three_thousand_files_and_names_that_turn_around_are_taken(world: Any) -> None:
    files: dict[str, str | None] = {f"docs/{number}.md": "x\n" for number in range(3000)}
    turned = "prod/web/\u202egpj.exe"
    body = "x" * (1_000_000 if world.kind == "gitlab" else 65_000)
    pull = world.pull({**files, turned: "x\n", "prod/web/wanted": "a=2\n"}, body=body)
    assert eventually(world, lambda: shown(world, pull))
    assert "\u202e" not in world.face(pull)
    world.approve(pull, "bo")
    world.merge(pull, "dee")
    assert eventually(world, lambda: world.deployed("prod_web") == "a=2")
    one_comment_and_one_deploy(world, pull)


def test_a_renamed_target_branch_is_looked_after_when_the_operator_lists_it(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.repo.push("trunk", world.repo.sha("main"), by="ann")
    pull.retarget("dee", "trunk")
    world.settle()
    assert world.gate(pull) != "success"

    world.config.write_text(world.config.read_text().replace("branches: [main]", "branches: [trunk]"))
    world.reload()
    assert eventually(world, lambda: "onto `trunk`" in world.face(pull) and shown(world, pull))
    world.hours.ahead += timedelta(minutes=1)  # nobody approves in the very second in which the comment changes
    world.approve(pull, "bo")
    world.merge(pull, "dee")
    assert eventually(world, lambda: world.deployed("prod_web") == "a=2")
    one_comment_and_one_deploy(world, pull)


def test_a_transferred_repositorys_changes_go_on_under_the_name_that_the_operator_lists(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.repo.move("acme/platform")
    assert not eventually(world, lambda: world.gate(pull) == "success", steps=3)

    world.config.write_text(world.config.read_text().replace("/acme/infra", "/acme/platform"))
    world.reload()
    world.repo_ref = RepoRef(world.kind, "acme/platform")
    world.push(pull, {"prod/web/wanted": "a=3\n"})
    assert eventually(world, lambda: shown(world, pull))
    world.approve(pull, "bo")
    world.merge(pull, "dee")
    assert eventually(world, lambda: world.deployed("prod_web") == "a=3")
    one_comment_and_one_deploy(world, pull)
