"""The two checks: green only on a standing record of this very commit; one line that fits a status."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from bot.core.errors import Problem
from bot.core.face.checks import SUMMARY_LIMIT, gate_check, group_check, plan_check
from bot.core.gate import judge
from bot.core.group import Group
from bot.core.record import CheckConclusion as C
from bot.core.record import Verb
from bot.core.runs import Failure, FailureKind, RunState
from bot.core.snapshot import TargetFact


def gate(snapshot: Any) -> tuple[C, str]:
    return gate_check(snapshot, judge(snapshot))[:2]


def plan(snapshot: Any) -> tuple[C, str]:
    return plan_check(snapshot, judge(snapshot))[:2]


def test_green_needs_the_record_of_this_commit(build: SimpleNamespace) -> None:
    assert gate(build.an_approved()) == (C.SUCCESS, "Open: approved by bo")
    for records in ((), (build.an_open_record(head="e" * 40),), (build.an_open_record(closed_at=build.ago(1)),)):
        assert gate(build.an_approved(records=records)) == (C.PENDING, "Looking at what changed")


def test_a_merge_queue_is_answered_green_or_red_and_never_kept_waiting_for_people(build: SimpleNamespace) -> None:
    def answered(snapshot: Any, **fields: Any) -> tuple[C, str]:
        chosen = snapshot.selection
        same = {"affected": chosen.affected, "rules_digest": chosen.rules_digest, "mechanical": True}
        return group_check(snapshot, Group("g" * 40, "b" * 40, **{**same, **fields}), judge(snapshot))[:2]

    assert answered(build.an_approved()) == (C.SUCCESS, "Open: approved by bo")
    conclusion, line = answered(build.an_approved(), affected=())
    assert (conclusion, "planned from something else" in line) == (C.FAILURE, True)
    waits = (C.PENDING, "Waits for what goes before it in the queue to land")
    assert answered(build.an_approved(), affected=(), landed=False) == waits
    assert answered(build.an_approved(), rules_digest="other", landed=False) == waits
    assert answered(build.an_approved(), landed=False)[0] is C.SUCCESS, "what goes before it changes nothing of it"
    assert answered(build.an_approved(), mechanical=False, landed=False)[0] is C.FAILURE
    assert answered(build.a_snapshot())[0] is C.FAILURE, "it waits for an approval, which no queue waits for"
    assert answered(build.a_snapshot(), landed=False)[0] is C.FAILURE
    assert answered(build.a_snapshot(plans=()))[0] is C.PENDING, "a plan comes to an end by itself"
    target = build.a_snapshot().selection.affected[0].project.target
    for fact in (TargetFact(target, ahead=(build.an_intent(),)), TargetFact(target, deploying=True)):
        assert answered(build.a_snapshot(targets={target: fact}))[0] is C.PENDING, "so does a deploy"
    failed = build.a_plan_run(state=RunState.FAILED, failure=Failure(FailureKind.TOOL, "no"))
    assert answered(build.a_snapshot(plans=(failed,)), landed=False)[0] is C.FAILURE


def test_green_without_people_says_so(build: SimpleNamespace) -> None:
    assert gate(build.a_snapshot(environments={}, records=(build.a_record(),))) == (C.SUCCESS, "Open: may be merged")
    nothing = build.a_snapshot(affected=(), records=(build.a_record(),))
    assert gate(nothing) == (C.SUCCESS, "Nothing that Headgate manages is affected")


def test_a_denial_is_red_and_waiting_is_pending(build: SimpleNamespace) -> None:
    failed = build.a_plan_run(state=RunState.FAILED, failure=Failure(FailureKind.TOOL, "word " * 60))
    conclusion, line = gate(build.a_snapshot(plans=(failed,)))
    assert conclusion is C.FAILURE
    assert len(line) <= SUMMARY_LIMIT
    assert line.endswith("word …")
    assert gate(build.a_snapshot()) == (C.PENDING, "prod needs 1 approval and has 0")


def test_while_plans_run_the_line_stays_the_same_so_that_it_is_written_once(build: SimpleNamespace) -> None:
    running = (build.a_plan_run(state=RunState.RUNNING),)
    assert gate(build.a_snapshot(plans=running)) == (C.PENDING, "Planning")
    held = build.a_snapshot(plans=running, requests=(build.granted(Verb.HOLD),))
    assert gate(held) == (C.PENDING, "Planning")
    planned = build.a_snapshot(requests=(build.granted(Verb.HOLD),))
    assert gate(planned) == (C.PENDING, "bo holds it (and 1 more)")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"complete": False}, (C.PENDING, "Finding out what is affected")),
        ({"problems": (Problem("f", 1, "", "x"),)}, (C.FAILURE, "The configuration has 1 problem")),
        ({"conflicts": ("f",)}, (C.FAILURE, "It does not merge with main")),
        ({}, (C.SUCCESS, "Nothing that Headgate manages is affected")),
    ],
)
def test_the_plan_check_says_how_far_it_is(build: SimpleNamespace, fields: Any, expected: Any) -> None:
    assert plan(build.a_snapshot(selection=build.a_selection(**fields))) == expected


def test_the_plan_check_counts(build: SimpleNamespace) -> None:
    both = (build.an_affected("app"), build.an_affected("net"))
    assert plan(build.a_snapshot(affected=both)) == (C.SUCCESS, "2 create in 2 projects")
    half = (build.a_plan_run("app"), build.a_plan_run("net", state=RunState.RUNNING))
    assert plan(build.a_snapshot(affected=both, plans=half)) == (C.PENDING, "1 of 2 projects planned")
    broken = (build.a_plan_run("app"), build.a_plan_run("net", state=RunState.FAILED))
    assert plan(build.a_snapshot(affected=both, plans=broken)) == (C.FAILURE, "Failed: net")


def test_nothing_hides_in_a_checks_line(build: SimpleNamespace) -> None:
    failed = build.a_plan_run(state=RunState.FAILED, failure=Failure(FailureKind.TOOL, "a\u202eb\x1b[31m"))
    _, line = gate(build.a_snapshot(plans=(failed,)))
    assert line == "The plan of app failed: a\\u202eb\\u001b[31m"
