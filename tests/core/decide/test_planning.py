"""Which plans are started, cancelled, tried again, and what has to be said before foreign code is run."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from bot.core.decide.planning import (
    CROWD,
    MAX_ATTEMPTS,
    all_planned,
    needs_permission_to_plan,
    outdated,
    plan_effects,
    planned_fingerprints,
    planned_sets,
    stranger,
    too_many,
    unplanned,
)
from bot.core.effects import CancelRun, NotePlanning, StartRun
from bot.core.errors import Problem
from bot.core.model import ChangeRef, ChangeState, RepoRef
from bot.core.project import Standing
from bot.core.record import Judgement, Verb
from bot.core.rules import RepoRules
from bot.core.runs import Run, RunKind, RunState
from bot.core.snapshot import TargetFact


def started(snapshot: Any) -> list[Run]:
    return [effect.run for effect in plan_effects(snapshot) if isinstance(effect, StartRun)]


def test_each_affected_project_is_planned_once(build: SimpleNamespace) -> None:
    both = (build.an_affected("app"), build.an_affected("net"))
    fresh = build.a_snapshot(affected=both, plans=())
    runs = started(fresh)
    assert [run.project.name for run in runs] == ["app", "net"]
    assert {(run.commit, run.base, run.head) for run in runs} == {("d" * 40, build.BASE, build.HEAD)}
    assert NotePlanning(build.NOW) in plan_effects(fresh)
    assert started(build.a_snapshot(affected=both)) == []


def test_the_same_inputs_give_the_same_run(build: SimpleNamespace) -> None:
    fresh = build.a_snapshot(plans=())
    later = replace(fresh, now=build.ago(-60))
    assert started(fresh)[0].id == started(later)[0].id


def test_what_a_removed_project_owns_is_counted_with_the_target_branchs_own_code(build: SimpleNamespace) -> None:
    removed = build.an_affected(standing=Standing.REMOVED)
    for author in ("ann", "ro"):  # for a stranger's change it waits for leave, and then runs nothing of theirs
        change, allowed = build.a_change(author=author), build.granted(Verb.OK_TO_PLAN, "bo", build.HEAD)
        (run,) = started(build.a_snapshot(change=change, requests=(allowed,), affected=(removed,), plans=()))
        assert (run.counts, run.commit, run.base, run.head, run.stranger) == (True, build.BASE, "", "", False)
    (planned,) = started(build.a_snapshot(plans=()))
    assert not planned.counts


@pytest.mark.parametrize("state", [RunState.LOST, RunState.CANCELLED])
@pytest.mark.parametrize(("attempt", "again"), [(1, True), (MAX_ATTEMPTS - 1, True), (MAX_ATTEMPTS, False)])
def test_a_plan_whose_process_died_is_tried_again_a_few_times(
    build: SimpleNamespace, state: RunState, attempt: int, again: bool
) -> None:
    died = tuple(build.a_plan_run(state=state, attempt=number) for number in range(1, attempt + 1))
    snapshot = build.a_snapshot(plans=died)
    assert [run.attempt for run in started(snapshot)] == ([attempt + 1] if again else [])


@pytest.mark.parametrize("state", [RunState.FAILED, RunState.LOST, RunState.SUCCEEDED])
@pytest.mark.parametrize(("words", "again"), [((), True), (("app",), True), (("net",), False)])
def test_plan_plans_again_what_it_names(
    build: SimpleNamespace, state: RunState, words: tuple[str, ...], again: bool
) -> None:
    asked = build.granted(Verb.PLAN, "bo", *words)
    plans = tuple(build.a_plan_run(state=state, attempt=number) for number in range(1, MAX_ATTEMPTS + 1))
    snapshot = build.a_snapshot(plans=plans, requests=(asked,))
    assert bool(started(snapshot)) is again


def test_only_deaths_one_after_the_other_give_a_plan_up(build: SimpleNamespace) -> None:
    states = (RunState.LOST, RunState.LOST, RunState.FAILED, RunState.LOST)
    plans = tuple(build.a_plan_run(state=state, attempt=number) for number, state in enumerate(states, 1))
    assert [run.attempt for run in started(build.a_snapshot(plans=plans))] == [5]


# ------------------------------------------------------------------- deploys on the same target


def moved(build: SimpleNamespace, **fields: Any) -> dict[str, TargetFact]:
    return {"state/app": TargetFact("state/app", **{"moved_at": build.ago(10), **fields})}


@pytest.mark.parametrize("state", [RunState.SUCCEEDED, RunState.FAILED])
def test_a_plan_that_began_before_a_deploy_ended_there_is_made_again(build: SimpleNamespace, state: RunState) -> None:
    plans = (build.a_plan_run(state=state, started_at=build.ago(11)),)
    snapshot = build.a_snapshot(plans=plans, targets=moved(build))
    assert [run.attempt for run in started(snapshot)] == [2]
    assert not all_planned(snapshot)


def test_a_plan_that_began_after_the_last_deploy_stands(build: SimpleNamespace) -> None:
    plans = (build.a_plan_run(started_at=build.ago(9)),)
    assert started(build.a_snapshot(plans=plans, targets=moved(build))) == []


def test_while_a_deploy_runs_there_nothing_is_planned_and_nobody_is_told_it_were(build: SimpleNamespace) -> None:
    running = build.a_snapshot(plans=(), targets=moved(build, deploying=True))
    assert started(running) == []
    assert not all_planned(running)
    assert NotePlanning(build.NOW) in plan_effects(running)
    ended = build.a_snapshot(plans=(), targets=moved(build))
    assert [run.project.name for run in started(ended)] == ["app"]


def test_a_plan_that_is_still_true_is_not_put_off_by_a_deploy_that_runs(build: SimpleNamespace) -> None:
    plans = (build.a_plan_run(started_at=build.ago(9)),)
    assert all_planned(build.a_snapshot(plans=plans, targets=moved(build, deploying=True)))


def test_an_outdated_plan_in_a_crowd_waits_until_somebody_approves(build: SimpleNamespace) -> None:
    crowd = tuple(ChangeRef(build.REPO, number) for number in range(20, 20 + CROWD + 1))
    plans = (build.a_plan_run(started_at=build.ago(11)),)
    given = {"plans": plans, "targets": moved(build), "rivals": {"app": crowd}, "faces": (build.a_face(),)}
    assert started(build.a_snapshot(**given)) == []
    assert len(started(build.a_snapshot(**given, reviews=(build.a_review(),)))) == 1


def test_a_changes_own_deploys_do_not_outdate_its_plan(build: SimpleNamespace) -> None:
    merged = build.a_merged(deploys=(build.a_deploy_run(state=RunState.DIFFERS),), targets=moved(build))
    assert not any(outdated(merged, run) for run in merged.runs if run.kind is RunKind.PLAN)


def test_a_request_older_than_the_plan_does_not_plan_again(build: SimpleNamespace) -> None:
    asked = build.granted(Verb.PLAN, at=build.ago(4000))
    assert started(build.a_snapshot(requests=(asked,))) == []


def test_a_failed_plan_is_not_tried_again_by_itself(build: SimpleNamespace) -> None:
    assert started(build.a_snapshot(plans=(build.a_plan_run(state=RunState.FAILED),))) == []


def test_a_running_plan_is_waited_for(build: SimpleNamespace) -> None:
    asked = build.granted(Verb.PLAN)
    assert started(build.a_snapshot(plans=(build.a_plan_run(state=RunState.RUNNING),), requests=(asked,))) == []


def test_a_plan_of_older_inputs_is_cancelled(build: SimpleNamespace) -> None:
    stale = build.a_plan_run(state=RunState.RUNNING, digest="old")
    effects = plan_effects(build.a_snapshot(plans=(stale,)))
    assert CancelRun(stale.id, "newer inputs, or no longer wanted") in effects


def test_plans_of_a_closed_change_are_cancelled(build: SimpleNamespace) -> None:
    running = build.a_plan_run(state=RunState.RUNNING)
    snapshot = build.a_snapshot(change=build.a_change(state=ChangeState.CLOSED), plans=(running,))
    assert [type(effect) for effect in plan_effects(snapshot)] == [CancelRun, NotePlanning]


def test_that_people_wait_is_forgotten_when_all_is_planned(build: SimpleNamespace) -> None:
    assert plan_effects(build.a_snapshot(planning_since=build.ago(60))) == (NotePlanning(None),)
    running = build.a_snapshot(plans=(build.a_plan_run(state=RunState.RUNNING),), planning_since=build.ago(60))
    assert plan_effects(running) == ()


@pytest.mark.parametrize(
    "broken",
    [
        {"problems": (Problem("headgate.yaml", 1, "projects", "bad"),)},
        {"conflicts": ("main.tf",)},
        {"complete": False},
    ],
)
def test_nothing_is_planned_from_a_broken_or_unfinished_selection(build: SimpleNamespace, broken: Any) -> None:
    chosen = build.a_selection(build.an_affected(), **broken)
    assert plan_effects(build.a_snapshot(selection=chosen, plans=())) == ()


def test_more_projects_than_the_limit_wait_for_a_word(build: SimpleNamespace) -> None:
    both = (build.an_affected("app"), build.an_affected("net"))
    few = RepoRules("acme/infra", max_projects=1)
    snapshot = build.a_snapshot(affected=both, plans=(), rules=few)
    reason = too_many(snapshot)
    assert reason is not None
    assert reason.how == "`/plan --all`"
    assert started(snapshot) == []
    for words, head, enough in (
        ({"all": True}, build.HEAD, True),
        ({}, build.HEAD, False),
        ({"all": True}, "e", False),
    ):
        asked = build.granted(Verb.PLAN, **words, head=head)
        assert (too_many(build.remembering(snapshot, requests=(asked,))) is None) is enough


def test_a_strangers_code_waits_for_somebody_who_looked_at_this_commit(build: SimpleNamespace) -> None:
    for change in (
        build.a_change(head_repo=RepoRef("github", "evil/infra")),
        build.a_change(head_repo=None),
        build.a_change(author="ro"),
    ):
        snapshot = build.a_snapshot(change=change, plans=())
        assert stranger(snapshot)
        assert started(snapshot) == []
        reason = needs_permission_to_plan(snapshot)
        assert reason is not None
        assert ("fork" in reason.text) is change.from_fork
        vouched = build.granted(Verb.OK_TO_PLAN, "bo", build.HEAD[:12].upper())
        assert started(build.remembering(snapshot, requests=(vouched,)))
        for wrong in (
            replace(vouched, head="e" * 40),
            replace(vouched, judgement=Judgement.REFUSED),
            build.granted(Verb.OK_TO_PLAN, "bo"),
            build.granted(Verb.OK_TO_PLAN, "bo", "eeeeeeeeeeee"),
            build.granted(Verb.PLAN, "bo", build.HEAD[:12]),
            build.a_request(None),
        ):
            assert started(build.remembering(snapshot, requests=(wrong,))) == []


def crowded(build: SimpleNamespace, **fields: Any) -> Any:
    rivals = {"app": tuple(ChangeRef(build.REPO, number) for number in range(20, 21 + CROWD))}
    old = build.a_plan_run(digest="before the base moved")
    return build.a_snapshot(**{"plans": (old,), "rivals": rivals, "faces": (build.a_face(),), **fields})


def test_in_a_crowd_a_moved_base_replans_only_what_somebody_waits_for(build: SimpleNamespace) -> None:
    assert started(crowded(build)) == []
    assert started(crowded(build, reviews=(build.a_review(),)))
    assert started(crowded(build, requests=(build.a_request(Verb.MERGE),)))
    assert started(crowded(build, requests=(build.granted(Verb.PLAN),)))
    refused = build.a_request(Verb.MERGE, judgement=Judgement.REFUSED)
    assert started(crowded(build, requests=(refused, build.a_request(Verb.HOLD)))) == []


def test_without_a_crowd_or_before_anything_was_shown_it_is_planned_at_once(build: SimpleNamespace) -> None:
    assert started(crowded(build, rivals={}))
    assert started(crowded(build, faces=()))
    assert started(crowded(build, plans=()))


def test_what_is_planned_is_known_by_its_fingerprint(build: SimpleNamespace) -> None:
    both = (build.an_affected("app"), build.an_affected("net"))
    snapshot = build.a_snapshot(affected=both, plans=(build.a_plan_run("app"),))
    assert planned_fingerprints(snapshot) == {"app": build.printed(build.an_effect_set())}
    assert planned_sets(snapshot) == {"app": build.an_effect_set()}
    assert planned_sets(replace(snapshot, sets={})) == {}
    assert unplanned(snapshot) == ("net",)


def test_a_merge_past_the_gate_is_planned_to_show_what_it_does(build: SimpleNamespace) -> None:
    assert started(build.a_merged(merged=build.a_merge_record(admitted=""), plans=()))
    assert started(build.a_merged(plans=())) == []
