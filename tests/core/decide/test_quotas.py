"""Shares of planning: what waits, until when, and what people are told of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from bot.core.decide.decision import decide
from bot.core.decide.planning import all_planned, held_by_quota, over_quota, plan_effects
from bot.core.decide.quotas import quota_reason, room, spent
from bot.core.effects import NotePlanning, PublishComment, StartRun
from bot.core.face.compose import compose
from bot.core.gate import judge
from bot.core.runs import RunState
from bot.core.snapshot import Quota
from bot.core.verdict import Status


def used(build: SimpleNamespace, plans: int, limit: int = 3, **fields: Any) -> Quota:
    given = {"setting": "plans_per_author", "whose": "ann", "next_at": build.NOW + timedelta(minutes=5)}
    return Quota(**{**given, "used": plans, "limit": limit, **fields})


def two_missing(build: SimpleNamespace, *quotas: Quota) -> Any:
    both = (build.an_affected("app"), build.an_affected("net"))
    return build.a_snapshot(affected=both, plans=(), quotas=quotas)


@pytest.mark.parametrize(("plans", "starts"), [(0, 2), (1, 2), (2, 1), (3, 0), (4, 0)])
def test_only_so_many_plans_start_as_the_share_has_room_for(build: SimpleNamespace, plans: int, starts: int) -> None:
    snapshot = two_missing(build, used(build, plans))
    assert sum(isinstance(effect, StartRun) for effect in plan_effects(snapshot)) == starts
    assert over_quota(snapshot) == 2 - starts


def test_the_narrower_of_two_shares_holds(build: SimpleNamespace) -> None:
    quotas = (used(build, 1), used(build, 2, setting="plans_per_repository"))
    assert room(build.a_snapshot(quotas=quotas), 9) == 1


def test_what_waits_for_a_share_is_not_planned_and_goes_on_by_itself(build: SimpleNamespace) -> None:
    snapshot = two_missing(build, used(build, 3))
    assert not all_planned(snapshot)
    assert plan_effects(snapshot) == (NotePlanning(build.NOW),)
    waiting = replace(snapshot, memory=replace(snapshot.memory, planning_since=build.ago(4000)))
    assert decide(waiting).wake_at == build.NOW + timedelta(minutes=5)


def test_of_two_shares_the_one_that_is_spent_for_longest_is_told(build: SimpleNamespace) -> None:
    later = used(build, 3, setting="plans_per_repository", next_at=build.NOW + timedelta(minutes=9))
    snapshot = two_missing(build, used(build, 3), later)
    assert spent(snapshot) == later
    assert quota_reason(snapshot, 0) is None


def test_the_comment_says_whose_share_it_is_until_when_and_what_may_be_done(build: SimpleNamespace) -> None:
    snapshot = two_missing(build, used(build, 3))
    verdict = judge(snapshot)
    (reason,) = (each for each in verdict.blockers() if each.rule == "quota")
    assert (reason.status, reason.who) == (Status.PENDING, ("the operator",))
    assert reason.how == "wait, or raise `limits.plans_per_author`"
    assert "2 plans wait: ann had 3 within an hour, which is the limit; it goes on at" in reason.text
    assert "**⏸ 2 plans wait: ann had 3 within an hour" in compose(snapshot, verdict).headline
    assert "net is planned when its turn comes" in [each.text for each in verdict.blockers()]


def test_people_are_told_at_once_when_nothing_else_is_on_its_way(build: SimpleNamespace) -> None:
    snapshot = two_missing(build, used(build, 3))
    running = replace(snapshot, runs=(build.a_plan_run(state=RunState.RUNNING),))
    assert (held_by_quota(snapshot), held_by_quota(running)) == (True, False)
    told = decide(replace(snapshot, memory=replace(snapshot.memory, planning_since=build.NOW))).host
    assert [effect for effect in told if isinstance(effect, PublishComment)]


def test_a_change_whose_plans_are_all_there_does_not_care_about_shares(build: SimpleNamespace) -> None:
    snapshot = build.a_snapshot(quotas=(used(build, 3),))
    assert all_planned(snapshot)
    assert not [each for each in judge(snapshot).blockers() if each.rule == "quota"]
