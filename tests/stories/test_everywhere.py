"""One day of a change, told on every host alike: same verdicts, same deploys, the same in the comment.

Hosts differ in how people do a thing (a command's first words, who merges, how an approval is taken back): that is
the worlds' affair. What Headgate makes of it is asserted here, once for all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hosts.gitea.swagger import problems
from hosts.gitea.world import GiteaWorld
from worlds import World

from bot.cli import cli
from bot.core.runs import RunKind
from bot.work.roster import Roster
from bot.work.sweeps import allowance_of, poll_all, sweep

THOROUGH = pytest.mark.thorough

FACE = """\
> **⏸ Waiting for 1 approval** · 1 update · nothing destroyed
> `COMMIT` onto `main` `COMMIT` (planned on the merge result) · 1 project

| project | environment | result | rules |
|---|---|---|---|
| **prod-web** | prod | 1 update | ⏸ 1 approval |

<details open><summary><b>prod-web</b> · command · 1 update</summary>

<sub>Affected because prod/web/wanted changed in its directory · [log](LINK)</sub>

```diff
 ~ a
      ~ value  "1" → "2"
```

</details>

**Next:** one approval by ann, bo or cy (not dee, who wrote it). Then """


def substance(face: str) -> str:
    """What the comment says, up to how a merge is asked for on this host: without times, commits and links."""
    text = face.partition("\n")[2]
    for pattern, word in (
        (r"`[0-9a-f]{7}`", "`COMMIT`"),
        (r"\(http[^)]*\)", "(LINK)"),
        (r" · \d+ s</summary>", "</summary>"),
    ):
        text = re.sub(pattern, word, text)
    return re.split(r"(?<=Then )", text)[0]


@pytest.fixture(params=["github", "gitlab", "gitea"])
def open_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Makes the world of a story; on Gitea every request of ours must be as the server describes it."""
    made: list[Any] = []
    gitea = request.param == "gitea"
    server, judge = (request.getfixturevalue(f"gitea_{name}") if gitea else None for name in ("server", "judge"))

    def make(**words: Any) -> Any:
        world = GiteaWorld(server, tmp_path, **words) if gitea else World(tmp_path, host=request.param, **words)
        made.append(world)
        return world

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
    assert substance(world.face(pull)) == FACE
    assert world.refuses(pull, "dee")

    world.approve(pull, "bo")
    assert world.gate(pull) == "success"

    world.merge(pull, "dee")
    assert world.deployed("prod_web") == "a=2"
    assert "Deployed by merge" in world.face(pull)
    assert len([each for each in pull.comments if "story:page:" in each.body]) == 1
    assert world.room.said("waiting", "prod") and world.room.said("succeeded", "prod-web")


def test_a_readers_and_a_pushers_approval_do_not_count(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.push(pull, {"prod/web/wanted": "a=3\n"}, by="bo")
    world.approve(pull, "eve")
    world.approve(pull, "bo")
    assert world.gate(pull) == "pending"

    world.approve(pull, "cy")
    assert world.gate(pull) == "success"


def test_a_forced_push_with_new_effects_drops_the_approval(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.approve(pull, "bo")
    assert world.gate(pull) == "success"
    world.force_push(pull, {"prod/web/wanted": "b=1\n"}, by="dee")

    assert world.gate(pull) == "pending"
    assert "no longer counts" in world.face(pull)


def test_a_dismissed_approval_and_a_request_for_changes_close_the_gate(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.approve(pull, "bo")
    assert world.gate(pull) == "success"
    world.dismiss(pull, "bo")
    assert world.gate(pull) == "pending"

    world.approve(pull, "cy")
    assert world.gate(pull) == "success"
    pull.request_changes("cy")
    world.settle()
    assert world.gate(pull) == "failure"


def test_a_forks_code_waits_for_somebodys_word_for_that_commit(world: Any) -> None:
    world.config.write_text(world.config.read_text().replace("plan: {env:", "plan: {strangers: true, env:"))
    world.reload()
    pull = world.from_fork({"prod/web/wanted": "a=2\n"}, by="eve")
    assert world.run_states(pull, RunKind.PLAN) == []
    assert "ok-to-plan" in world.face(pull)

    word = world.command(f"ok-to-plan {pull.head_sha}")
    world.say(pull, "eve", word)
    assert world.run_states(pull, RunKind.PLAN) == []
    world.say(pull, "bo", word)
    assert world.run_states(pull, RunKind.PLAN) == [("prod-web", "succeeded")]


def test_what_was_merged_past_the_gate_is_not_deployed(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.bypass(pull, "ann")

    assert world.deployed("prod_web") == "a=1"
    assert world.run_states(pull, RunKind.DEPLOY) == []
    assert "Merged past the gate" in world.face(pull)
    offered = world.face(pull).partition("--accept ")[2][:8]
    world.say(pull, "bo", world.command(f"deploy prod-web --accept {offered}"))
    assert world.deployed("prod_web") == "a=2"


@pytest.mark.parametrize(
    "method", [pytest.param("merge", marks=THOROUGH), "squash", pytest.param("rebase", marks=THOROUGH)]
)
def test_a_change_is_merged_by_command_and_deployed(open_world: Callable[..., Any], method: str) -> None:
    world = open_world(rules=f", merge_method: {method}")
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.push(pull, {"docs/readme.md": "a second commit\n"})
    world.approve(pull, "bo")
    world.say(pull, "bo", world.command("merge"))

    assert world.deployed("prod_web") == "a=2"
    assert world.room.said("succeeded", "prod-web")
    assert not world.room.said("stray", "")


def test_an_earlier_change_is_no_part_of_a_squashed_one(open_world: Callable[..., Any]) -> None:
    world = open_world(rules=", merge_method: squash")
    first = world.pull({"dev/web/wanted": "a=2\n"})
    world.merge(first, "dee", "squash")
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.push(pull, {"docs/readme.md": "a second commit\n"})
    world.approve(pull, "bo")
    world.say(pull, "bo", world.command("merge"))
    assert world.deployed("prod_web") == "a=2"
    assert world.run_states(pull, RunKind.DEPLOY) == [("prod-web", "succeeded")]


def test_a_draft_waits_and_a_closed_change_is_planned_again_when_it_is_reopened(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    pull.set_draft("dee")
    world.settle()
    world.approve(pull, "bo")
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
    world.approve(pull, "bo")
    pull.retarget("dee", "release")
    world.settle()
    pull.merge("dee")
    world.settle()
    assert world.deployed("prod_web") == "a=1"


def test_a_hold_and_a_label_change_nothing_but_what_they_say(world: Any) -> None:
    pull = world.pull({"dev/web/wanted": "a=2\n"})
    assert world.gate(pull) == "success"
    world.say(pull, "bo", world.command("hold not today"))
    assert world.gate(pull) == "pending"
    pull.label("dee", "urgent")
    world.settle()
    assert world.gate(pull) == "pending"
    assert "not today" in world.face(pull)

    world.say(pull, "bo", world.command("unhold"))
    assert world.gate(pull) == "success"
    world.merge(pull, "dee")
    assert world.deployed("dev_web") == "a=2"
    assert [state for _, state in world.run_states(pull, RunKind.PLAN)] == ["succeeded"]


def test_polling_alone_ends_where_webhooks_do(world: Any) -> None:
    world.without_webhooks()
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.poll()
    assert substance(world.face(pull)) == FACE
    world.approve(pull, "bo")
    world.poll()
    assert world.gate(pull) == "success"
    world.say(pull, "cy", world.command("hold wait"))
    world.poll()
    assert world.gate(pull) == "pending"
    world.say(pull, "cy", world.command("unhold"))
    world.poll()
    world.say(pull, "dee", world.command("merge"))
    for _ in range(2):  # the word, and what it did
        world.poll()
    assert world.deployed("prod_web") == "a=2"
    assert "Deployed by merge" in world.face(pull)


def test_a_repository_that_only_a_pattern_names_is_found_by_polling_and_its_change_planned(world: Any) -> None:
    name, text = str(world.repo_ref), world.config.read_text()
    # A pattern that fits this one only: others share the server of the story.
    text = text.replace(f"match: {name}", f'match: "{name[:-1]}[{name[-1]}]"')
    world.without_webhooks()
    pull = world.opened({"prod/web/wanted": "a=2\n"})

    def polled() -> int:
        world.reload()
        roster, allowance = Roster(world.services, world.kind), allowance_of(world.services, world.kind)
        found = poll_all(world.services, roster, allowance, lambda _: False)
        for _ in range(4):
            sweep(world.services)
            world.work()
        return found

    world.config.write_text(f"{text}deny: ['{name}']\n")
    assert polled() == 0
    assert world.run_states(pull, RunKind.PLAN) == []
    world.config.write_text(text)
    assert polled() == 1
    assert world.run_states(pull, RunKind.PLAN) == [("prod-web", "succeeded")]
    assert substance(world.face(pull)) == FACE


def test_setup_shows_what_it_would_change_changes_just_that_and_nothing_the_second_time(world: Any) -> None:
    there = world.config.read_text().replace("pages:", 'public_url: "http://headgate.example", pages:')
    world.config.write_text(there)
    words = ["setup", world.repo_ref.host, world.repo_ref.path, "--config", str(world.config)]

    def said(*more: str) -> list[str]:
        result = CliRunner().invoke(cli, [*words, *more])
        assert result.exit_code == 0, result.output
        return list(result.output.splitlines())

    before = world.writes()
    shown = said("--dry-run")
    assert world.writes() == before, "nothing was done"
    (change,) = (each for each in shown if each.startswith("+"))
    assert "webhook to http://headgate.example/webhooks/" in change
    assert said("--yes")[: len(shown) - 1] == shown[:-1], "what is done is what was shown"
    assert world.writes() > before

    done = world.writes()
    assert said("--yes")[-1] == "everything is set up; nothing to change"
    assert world.writes() == done


def test_one_webhook_of_a_group_is_set_up_once_and_tells_of_its_repositories(open_world: Callable[..., Any]) -> None:
    world = open_world(own_group=True)
    if world.kind != "gitea":
        world.forge.state.repo(world.repo_ref.path).hooks.clear()
    public = f"http://127.0.0.1:{world._web.server_port}"
    world.config.write_text(world.config.read_text().replace("pages:", f'public_url: "{public}", pages:'))
    group = world.repo_ref.path.partition("/")[0]
    words = ["setup", world.repo_ref.host, "--group", group, "--config", str(world.config)]

    def said(*more: str) -> list[str]:
        result = CliRunner().invoke(cli, [*words, *more])
        assert result.exit_code == 0, result.output
        return list(result.output.splitlines())

    before = world.writes()
    shown = said("--dry-run")
    assert world.writes() == before, "nothing was done"
    (change,) = (each for each in shown if each.startswith("+"))
    assert re.fullmatch(rf"\+ webhook of the (group|organisation) {group} to {public}/webhooks/{world.kind}", change)
    assert any(each.startswith(f"= {world.repo_ref.path}: main") for each in shown)
    assert said("--yes")[: len(shown) - 1] == shown[:-1], "what is done is what was shown"
    done = world.writes()
    assert done > before
    assert said("--yes")[-1] == "everything is set up; nothing to change"
    alone = CliRunner().invoke(cli, ["setup", world.repo_ref.host, world.repo_ref.path, *words[4:], "--yes"])
    assert "everything is set up; nothing to change" in alone.output, "its repositories need none of their own"
    assert world.writes() == done

    pull = world.opened({"prod/web/wanted": "a=2\n"})
    assert world.comes(lambda: world.gate(pull) == "pending")
