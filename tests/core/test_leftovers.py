"""What a removed project leaves behind, and whether that is in the way."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from bot.core import leftovers
from bot.core.decide.planning import MAX_ATTEMPTS
from bot.core.effectset import Action
from bot.core.project import Standing
from bot.core.runs import Failure, FailureKind, PlanResult, RunState
from bot.core.snapshot import TargetFact
from bot.core.verdict import Status


def seen(build: SimpleNamespace, owned: int | None = None, **fields: Any) -> tuple[Any, Any]:
    """A snapshot of a change that removes ``app``, and that project."""
    removed = build.an_affected(standing=Standing.REMOVED)
    run = replace(build.a_plan_run(), **{"plan": PlanResult("empty", owned=owned), **fields})
    return build.a_snapshot(affected=(removed, build.an_affected("other")), plans=(run,)), removed


@pytest.mark.parametrize(
    ("owned", "status", "words"),
    [
        (7, Status.DENIED, "app is removed, but 7 things it owns would stay behind unmanaged"),
        (1, Status.DENIED, "app is removed, but 1 thing it owns would stay behind unmanaged"),
        (0, Status.APPROVED, "app is removed and owns nothing any more"),
        (None, Status.SKIPPED, "app is removed; terraform cannot tell what it owns"),
    ],
)
def test_it_is_blocked_with_the_count(build: SimpleNamespace, owned: int | None, status: Status, words: str) -> None:
    snapshot, removed = seen(build, owned)
    (found,) = leftovers.reasons(snapshot)
    assert (found.rule, found.status, found.text) == ("removed.app", status, words)
    assert leftovers.owned(snapshot, removed) == owned
    assert leftovers.uncountable(snapshot, removed) is (owned is None)
    if owned:
        assert found.values == (("owned", str(owned)),)
        assert found.how.startswith("first empty the project")


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.RUNNING, RunState.LOST])
def test_until_it_is_counted_it_waits(build: SimpleNamespace, state: RunState) -> None:
    snapshot, removed = seen(build, state=state, plan=None)
    for each in (snapshot, replace(snapshot, runs=())):
        (found,) = leftovers.reasons(each)
        assert (found.status, "being counted" in found.text) == (Status.PENDING, True)
        assert not leftovers.uncountable(each, removed)
        assert leftovers.sentence(each, removed).endswith("nothing destroys what it owns")


def test_what_could_not_be_counted_denies_and_says_how_to_count_again(build: SimpleNamespace) -> None:
    failed = Failure(FailureKind.TOOL, "no credentials")
    snapshot, _ = seen(build, state=RunState.FAILED, plan=None, failure=failed)
    (found,) = leftovers.reasons(snapshot)
    assert (found.status, found.how) == (Status.DENIED, "`/plan app` to count again")
    assert found.text.endswith("could not be counted: no credentials")
    lost, _ = seen(build, state=RunState.LOST, plan=None)
    (found,) = leftovers.reasons(replace(lost, runs=lost.runs * MAX_ATTEMPTS))
    assert (found.status, found.text.endswith("could not be counted")) == (Status.DENIED, True)


def test_a_count_is_old_once_something_was_deployed_there(build: SimpleNamespace) -> None:
    """What was empty when it was counted may own something since."""
    snapshot, removed = seen(build, 0)
    moved = replace(snapshot, targets={"state/app": TargetFact("state/app", moved_at=build.ago(1))})
    assert (leftovers.owned(snapshot, removed), leftovers.owned(moved, removed)) == (0, None)
    assert not leftovers.uncountable(moved, removed)
    (found,) = leftovers.reasons(moved)
    assert found.status is Status.PENDING


def test_only_removed_projects_leave_anything(build: SimpleNamespace) -> None:
    assert list(leftovers.reasons(build.a_snapshot())) == []


def test_what_cannot_be_counted_is_an_effect_that_people_review(build: SimpleNamespace) -> None:
    project = build.a_project()
    assert leftovers.effects(project, 0).empty and leftovers.effects(project, 5).empty
    (effect,) = leftovers.effects(project, None).resources
    assert (effect.address, effect.action) == ("app", Action.FORGET)
