"""The chat is told once, never about drafts, and reminded while a stopped deploy is forgotten."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from bot.core.decide.telling import reminder_times, stopped, tell_effects
from bot.core.fold import fold
from bot.core.gate import judge
from bot.core.record import Verb
from bot.core.rules import Limits, Mode, RepoRules
from bot.core.runs import Failure, FailureKind, RunState

STEP = 12 * 3600


def told(snapshot: Any) -> list[Any]:
    return list(tell_effects(snapshot, judge(snapshot)))


def test_missing_approval_is_told_once_per_commit_with_who_could_give_it(build: SimpleNamespace) -> None:
    snapshot = build.a_snapshot()
    (tell,) = told(snapshot)
    assert (tell.kind, tell.environment) == ("waiting", "prod")
    assert tell.body == "prod needs 1 approval and has 0. Could approve: bo, cy, mel"
    assert tell.title == "acme/infra#12 Add logs"
    again = replace(snapshot, memory=fold(snapshot, (tell,)).memory)
    assert told(again) == []


def test_nobody_is_named_when_nobody_is_known(build: SimpleNamespace) -> None:
    snapshot = build.a_snapshot(people={"ann": build.PEOPLE["ann"]})
    assert told(snapshot)[0].body.endswith("nobody we know of could give it")


def test_drafts_approved_and_observed_changes_are_silent(build: SimpleNamespace) -> None:
    assert told(build.a_snapshot(change=build.a_change(draft=True))) == []
    assert told(build.an_approved()) == []
    assert told(build.a_snapshot(plans=(build.a_plan_run(state=RunState.RUNNING),))) == []
    assert told(build.a_snapshot(rules=RepoRules("x", mode=Mode.OBSERVE))) == []


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (RunState.QUEUED, []),
        (RunState.RUNNING, ["deploying app"]),
        (RunState.SUCCEEDED, ["deploying app", "app is deployed"]),
        (RunState.FAILED, ["deploying app", "app failed: it broke"]),
        (
            RunState.DIFFERS,
            ["deploying app", "app was not deployed: it would now do something that nobody reviewed"],
        ),
        (
            RunState.SUSPECT,
            ["deploying app", "nobody knows whether the deploy of app still runs; its lock stays"],
        ),
        (RunState.LOST, ["deploying app"]),
    ],
)
def test_each_turn_of_a_deploy_is_told(build: SimpleNamespace, state: RunState, expected: list[str]) -> None:
    failure = Failure(FailureKind.TOOL, "it broke") if state is RunState.FAILED else None
    snapshot = build.a_merged(deploys=(build.a_deploy_run(state=state, failure=failure),))
    assert [tell.body for tell in told(snapshot)] == expected


def test_a_failure_without_words_and_a_run_that_never_started_are_told_too(build: SimpleNamespace) -> None:
    snapshot = build.a_merged(deploys=(build.a_deploy_run(state=RunState.FAILED, started_at=None),))
    assert [tell.body for tell in told(snapshot)] == ["app failed: it stopped"]


def test_a_merge_past_the_gate_is_told(build: SimpleNamespace) -> None:
    past = build.a_merge_record(admitted="", why_not="the gate was never open", by="")
    (tell,) = told(build.a_merged(merged=past))
    assert tell.kind == "stray"
    assert tell.body == "merged by somebody although the gate was never open; nothing was deployed"
    assert told(build.a_merged(merged=past, intents=())) == []


def failed(build: SimpleNamespace, hours: float, **fields: Any) -> Any:
    run = build.a_deploy_run(state=RunState.FAILED, started_at=None, finished_at=build.ago(hours * 3600))
    keys = (f"tell:failed:{run.id}",)
    return build.a_merged(deploys=(run,), said=keys, limits=Limits(reminder=STEP), **fields)


@pytest.mark.parametrize(("hours", "count"), [(1, 0), (11.9, 0), (12, 1), (23, 1), (25, 1)])
def test_a_stopped_deploy_is_reminded_of_in_steps(build: SimpleNamespace, hours: float, count: int) -> None:
    snapshot = failed(build, hours)
    assert len(told(snapshot)) == count
    (next_time,) = reminder_times(snapshot)
    assert 0 < (next_time - build.NOW).total_seconds() <= STEP


def test_every_reminder_has_its_own_key(build: SimpleNamespace) -> None:
    assert told(failed(build, 13))[0].key != told(failed(build, 25))[0].key


def test_any_newer_command_acknowledges(build: SimpleNamespace) -> None:
    assert stopped(failed(build, 13))
    acknowledged = failed(build, 13, requests=(build.granted(Verb.EXPLAIN),))
    assert not stopped(acknowledged)
    assert told(acknowledged) == []
    assert reminder_times(acknowledged) == ()


def test_a_suspect_deploy_counts_from_when_its_lease_ended(build: SimpleNamespace) -> None:
    run = build.a_deploy_run(state=RunState.SUSPECT, lease_until=build.ago(STEP))
    snapshot = build.a_merged(deploys=(run,), limits=Limits(reminder=STEP))
    assert any(tell.key.startswith("reminder:") for tell in told(snapshot))


def test_a_title_is_no_markup_in_any_chat(build: SimpleNamespace) -> None:
    change = build.a_change(title="<!channel> @here [x](https://evil.example)\u202e")
    (tell,) = told(build.a_snapshot(change=change))
    assert tell.title.startswith("acme/infra#12 ")
    assert not any(word in tell.title for word in ("<!", "@here", "](", "https:", "\u202e"))
