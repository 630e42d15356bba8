"""A project with merge trains: Headgate puts changes on, sees them land, takes them off, and notices who fell off."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bot.core.model import ChangeRef
from bot.core.record import Judgement
from bot.core.runs import RunKind


@pytest.fixture
def yard(make_world: Callable[..., Any]) -> Any:
    """The world of a GitLab project with merge trains on."""
    world = make_world(host="gitlab")
    world.repo.settings.trains = True
    return world


def approved(world: Any, files: dict[str, str | None]) -> Any:
    """A change that bo approved, and that dee asked to merge."""
    pull = world.pull(files)
    world.approve(pull, "bo")
    world.merge(pull, "dee")
    return pull


def tried(world: Any, pull: Any, word: str) -> None:
    """The pipeline of its car ends so."""
    pull.tried("ann", word)
    world.settle()


def on_record(world: Any, pull: Any) -> list[str]:
    """What the record says of the train."""
    rows = world.store.audit_rows(subject=str(ChangeRef(world.repo_ref, pull.number)))
    return [row.entry.action for row in rows if row.entry.action.startswith("line.")]


def later(world: Any, wanted: Callable[[], bool]) -> bool:
    return bool(world.until(wanted, steps=20))


def test_what_is_asked_to_merge_goes_on_the_train_and_is_deployed_when_it_has_landed(yard: Any) -> None:
    pull = approved(yard, {"prod/web/wanted": "a=2\n"})
    assert (pull.state, yard.repo.train()) == ("open", [pull.number])
    assert "Approved by bo: on the merge train" in yard.face(pull)
    assert "nothing: it is merged when its turn on the merge train comes; `headgate hold`" in yard.face(pull)

    for _ in range(5):
        yard.until(lambda: False, seconds=70, steps=1)
    assert yard.repo.train() == [pull.number]
    assert (yard.memory(pull).refusals, yard.sayings(pull)) == ({}, [])

    tried(yard, pull, "success")
    assert (pull.state, yard.deployed("prod_web")) == ("merged", "a=2")
    assert "Deployed by merge" in yard.face(pull)
    assert yard.memory(pull).line is None
    assert "dee" in yard.face(pull), "who asked for the merge"


def test_two_changes_land_one_after_the_other_and_are_deployed(yard: Any) -> None:
    first = approved(yard, {"prod/web/wanted": "a=2\n"})
    second = approved(yard, {"prod/db/wanted": "size=2\n"})
    assert yard.repo.train() == [first.number, second.number]
    tried(yard, second, "success")
    assert (first.state, second.state) == ("open", "open")
    tried(yard, first, "success")
    assert (first.state, second.state) == ("merged", "merged")
    assert (yard.deployed("prod_web"), yard.deployed("prod_db")) == ("a=2", "size=2")
    assert len(yard.run_states(second, RunKind.PLAN)) == 1, "what went before it is none of its affair"


def test_who_falls_off_is_told_why_and_what_to_do_and_is_not_put_on_again_unasked(yard: Any) -> None:
    pull = approved(yard, {"prod/web/wanted": "a=2\n"})
    pull.tried("ann", "failed")
    assert later(yard, lambda: "It left the merge train" in yard.face(pull))
    assert "without being merged: the pipeline did not succeed**" in yard.face(pull)
    (said,) = yard.sayings(pull)
    assert "@dee: this left the merge train without being merged: the pipeline did not succeed." in said
    assert "`headgate merge` puts it on the merge train again" in said
    assert [each.judgement for each in yard.memory(pull).requests] == [Judgement.REFUSED]
    assert yard.room.said("waiting", "left the merge train")
    assert (yard.gate(pull), yard.deployed("prod_web")) == ("success", "a=1")
    assert on_record(yard, pull) == ["line.entered", "line.left"]

    yard.until(lambda: False, seconds=600, steps=6)
    assert (pull.state, yard.repo.train()) == ("open", [])
    yard.merge(pull, "dee")
    assert yard.repo.train() == [pull.number]
    assert "on the merge train" in yard.face(pull)
    tried(yard, pull, "success")
    assert yard.deployed("prod_web") == "a=2"


def test_who_takes_it_off_is_named(yard: Any) -> None:
    pull = approved(yard, {"prod/web/wanted": "a=2\n"})
    yard.services.hosts["gitlab"].leave_line(ChangeRef(yard.repo_ref, pull.number))
    assert later(yard, lambda: "It left the merge train" in yard.face(pull))
    assert "acme-bot took it off" in yard.face(pull)


def test_a_gate_that_closes_takes_it_off_and_one_that_opens_puts_it_on_again(yard: Any) -> None:
    pull = approved(yard, {"prod/web/wanted": "a=2\n"})
    yard.say(pull, "cy", "headgate hold not today")
    assert (yard.repo.train(), yard.gate(pull)) == ([], "pending")
    assert yard.memory(pull).line is None
    yard.say(pull, "cy", "headgate unhold")
    assert yard.repo.train() == [pull.number], "dee asked for the merge, and that stands"


def test_what_lands_although_the_gate_had_closed_is_not_deployed(yard: Any) -> None:
    pull = approved(yard, {"prod/web/wanted": "a=2\n"})
    yard.forge.trouble.fail_next(50, path_contains="cancel_merge_when_pipeline_succeeds")
    yard.dismiss(pull, "bo")
    assert (yard.repo.train(), yard.gate(pull)) == ([pull.number], "pending")
    yard.hours.ahead += timedelta(seconds=2)  # the host tells the time of a merge in whole seconds
    tried(yard, pull, "success")
    assert (pull.state, yard.deployed("prod_web")) == ("merged", "a=1")
    assert "Merged past the gate" in yard.face(pull)


def test_a_push_takes_it_off_and_what_is_pushed_is_judged_anew(yard: Any) -> None:
    pull = approved(yard, {"prod/web/wanted": "a=2\n"})
    yard.push(pull, {"prod/web/wanted": "a=3\n"})
    assert (yard.repo.train(), yard.memory(pull).line) == ([], None)
    assert yard.gate(pull) == "pending"


def test_what_went_before_it_on_its_target_makes_another_plan_so_it_gets_off_until_that_is_seen(yard: Any) -> None:
    first = approved(yard, {"prod/web/wanted": "a=2\n"})
    second = approved(yard, {"prod/web/more": "x\n"})
    assert yard.repo.train() == [first.number, second.number]
    tried(yard, first, "success")
    assert (yard.deployed("prod_web"), second.state) == ("a=2", "open")
    assert len(yard.run_states(second, RunKind.PLAN)) > 1
    assert on_record(yard, second) == ["line.entered", "line.taken_out", "line.entered"]
    tried(yard, second, "success")
    assert second.state == "merged"


def test_automatic_merges_go_on_the_train_too(make_world: Callable[..., Any]) -> None:
    world = make_world(host="gitlab", rules=", auto_merge: true")
    world.repo.settings.trains = True
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.approve(pull, "bo")
    assert world.repo.train() == [pull.number]
    pull.tried("ann", "failed")
    assert later(world, lambda: "It left the merge train" in world.face(pull))
    assert "@dee: this left the merge train" in world.sayings(pull)[-1]
    world.until(lambda: False, seconds=600, steps=4)
    assert world.repo.train() == []
