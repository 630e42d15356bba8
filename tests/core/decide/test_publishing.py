"""What people are told: when, once, held back after a refusal, and the merge only when green was shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from bot.core.decide.publishing import comment_due, held_until, host_effects
from bot.core.effects import MergeChange, PublishCheck, PublishComment, PublishDeployment, Say
from bot.core.effectset import Action
from bot.core.face.render import body_digest
from bot.core.gate import judge
from bot.core.group import Group
from bot.core.model import ChangeState
from bot.core.record import CheckConclusion, Judgement, Published, Refusal, Verb
from bot.core.rules import Mode, RepoRules
from bot.core.runs import RunState


def effects(snapshot: Any, kind: type | None = None) -> list[Any]:
    return [each for each in host_effects(snapshot, judge(snapshot)) if kind is None or isinstance(each, kind)]


def says(snapshot: Any) -> list[str]:
    return [each.key for each in effects(snapshot, Say)]


def test_a_planned_change_gets_both_checks_and_its_comment(build: SimpleNamespace) -> None:
    found = effects(build.a_snapshot())
    assert [type(each) for each in found] == [PublishCheck, PublishCheck, PublishComment]
    assert [each.name for each in found[:2]] == ["headgate/gate", "headgate/plan"]
    assert found[2].shown.effects == {"app": build.printed(build.an_effect_set())}


def test_while_a_queue_asks_its_commit_gets_the_gates_check_too_and_it_stands(build: SimpleNamespace) -> None:
    asked = replace(build.a_snapshot(), group=Group("g" * 40, "b" * 40, mechanical=True))
    found = effects(asked, PublishCheck)
    assert [(each.name, each.sha) for each in found if each.sha == "g" * 40] == [("headgate/gate", "g" * 40)]
    shown = tuple(
        build.a_check_shown(each.conclusion, name=each.name, summary=each.summary, sha=each.sha) for each in found
    )
    assert effects(build.remembering(asked, published=Published(checks=shown)), PublishCheck) == []


def test_observing_says_nothing_and_commenting_does_not_gate(build: SimpleNamespace) -> None:
    assert effects(build.a_snapshot(rules=RepoRules("x", mode=Mode.OBSERVE))) == []
    comment = effects(build.a_snapshot(rules=RepoRules("x", mode=Mode.COMMENT)), PublishCheck)
    assert [each.name for each in comment] == ["headgate/plan"]


def settled(build: SimpleNamespace, snapshot: Any) -> Any:
    """The same change once everything was published."""
    pages = [page for each in effects(snapshot, PublishComment) for page in each.pages]
    checks = tuple(
        build.a_check_shown(each.conclusion, name=each.name, summary=each.summary)
        for each in effects(snapshot, PublishCheck)
    )
    published = Published(tuple((str(n), body_digest(page)) for n, page in enumerate(pages)), checks)
    return build.remembering(snapshot, published=published, faces=(*snapshot.memory.faces, build.a_face()))


def test_what_stands_is_not_written_again(build: SimpleNamespace) -> None:
    assert effects(settled(build, build.a_snapshot())) == []


def test_the_same_words_for_other_effects_are_a_new_face(build: SimpleNamespace) -> None:
    again = settled(build, build.a_snapshot())
    other = build.a_face({"app": build.an_effect_set(unpredictable=1)})
    assert effects(build.remembering(again, faces=(other,)), PublishComment)
    assert effects(build.remembering(again, faces=(replace(build.a_face(), head="e" * 40),)), PublishComment)
    assert not effects(build.remembering(again, faces=()), PublishComment)


def test_a_refused_write_is_held_back_until_its_time(build: SimpleNamespace) -> None:
    soon, late = build.NOW + timedelta(seconds=9), build.ago(1)
    snapshot = build.a_snapshot(refusals={"comment": Refusal(1, soon, "busy"), "say:x": Refusal(1, late, "busy")})
    assert effects(snapshot, PublishComment) == []
    assert held_until(snapshot) == (soon,)
    assert effects(build.a_snapshot(refusals={"comment": Refusal(1, late, "busy")}), PublishComment)


@pytest.mark.parametrize(("waited", "said"), [(0, False), (19, False), (20, True)])
def test_that_planning_goes_on_is_said_only_when_it_is_slow(
    build: SimpleNamespace, waited: float, said: bool
) -> None:
    running = (build.a_plan_run(state=RunState.RUNNING),)
    snapshot = build.a_snapshot(plans=running, planning_since=build.ago(waited))
    assert bool(effects(snapshot, PublishComment)) is said
    assert ("headgate/plan" in [each.name for each in effects(snapshot, PublishCheck)]) is said


def test_a_change_of_nothing_gets_no_comment_unless_one_stands(build: SimpleNamespace) -> None:
    assert effects(build.a_snapshot(affected=()), PublishComment) == []
    stands = Published(pages=(("1", "old"),))
    assert effects(build.a_snapshot(affected=(), published=stands), PublishComment)


def test_nothing_is_said_of_a_closed_unrecorded_or_unknown_change(build: SimpleNamespace) -> None:
    closed = build.a_change(state=ChangeState.CLOSED)
    assert effects(build.a_snapshot(change=closed)) == []
    assert effects(build.a_snapshot(change=closed, published=Published(pages=(("1", "x"),))), PublishComment)
    assert effects(build.a_merged(merged=None), PublishComment) == []
    assert effects(build.a_snapshot(selection=build.a_selection(complete=False)), PublishComment) == []


def test_answers_are_given_once(build: SimpleNamespace) -> None:
    refused = build.a_request(Verb.PLAN, judgement=Judgement.REFUSED, answer="no")
    assert says(build.a_snapshot(requests=(refused, build.granted(Verb.PLAN)))) == [f"answer:{refused.id}"]
    assert says(build.a_snapshot(requests=(refused,), said=(f"answer:{refused.id}",))) == []


def test_a_waiting_merge_is_told_why_once_all_is_planned(build: SimpleNamespace) -> None:
    asked = build.a_request(Verb.MERGE)
    assert says(build.a_snapshot(requests=(asked,))) == [f"waits:{asked.id}"]
    assert says(build.a_snapshot(requests=(asked,), plans=(build.a_plan_run(state=RunState.RUNNING),))) == []
    assert says(build.an_approved(requests=(asked,))) == []


def test_whose_approval_was_dropped_is_told_but_not_on_a_draft(build: SimpleNamespace) -> None:
    worse = build.an_effect_set(build.an_effect(action=Action.DELETE))
    given: dict[str, Any] = {"faces": (build.a_face(),), "reviews": (build.a_review(),)}
    known = (build.an_effect_set(),)
    (key,) = says(build.a_snapshot(worse, known=known, **given))
    assert key == f"dropped:review-bo:{build.printed(worse)[:12]}"
    assert says(build.a_snapshot(worse, known=known, change=build.a_change(draft=True), **given)) == []


def test_stopped_deploys_and_bypasses_are_said(build: SimpleNamespace) -> None:
    for state, key in ((RunState.FAILED, "failed"), (RunState.DIFFERS, "differs")):
        assert says(build.a_merged(deploys=(build.a_deploy_run(state=state),))) == [f"{key}:deploy-app-1"]
    assert says(build.a_merged(deploys=(build.a_deploy_run(state=RunState.RUNNING),))) == []
    past = build.a_merge_record(admitted="", why_not="x")
    assert says(build.a_merged(merged=past)) == [f"bypass:{build.MERGED}"]
    assert says(build.a_merged(merged=past, intents=())) == []


def test_the_host_is_told_how_each_deploy_stands_once(build: SimpleNamespace) -> None:
    run = build.a_deploy_run(state=RunState.RUNNING)
    snapshot = build.a_merged(deploys=(run, build.a_deploy_run("net", state=RunState.QUEUED)))
    (told,) = effects(snapshot, PublishDeployment)
    assert (told.key, told.environment, told.state) == (run.id, "prod", "in_progress")
    assert told.url == f"https://headgate.example/c/12/runs/{run.id}"
    known = build.remembering(snapshot, published=Published(deployments={run.id: "17:in_progress"}))
    assert effects(known, PublishDeployment) == []
    nowhere = build.a_deploy_run(build.a_project(environment=""))
    (bare,) = effects(build.a_merged(deploys=(nowhere,), link=""), PublishDeployment)
    assert (bare.environment, bare.url) == ("app", "")


def merging(build: SimpleNamespace, **fields: Any) -> list[Any]:
    shown = Published(checks=(build.a_check_shown(),))
    given = {"requests": (build.a_request(Verb.MERGE),), "published": shown, **fields}
    return effects(build.an_approved(**given), MergeChange)


def test_merge_happens_when_asked_open_and_shown_green(build: SimpleNamespace) -> None:
    assert merging(build) == [MergeChange(build.HEAD, "merge", "bo")]


@pytest.mark.parametrize(
    "missing",
    [
        {"records": ()},
        {"published": Published()},
        {"requests": ()},
        {"rules": RepoRules("x", mode=Mode.COMMENT)},
    ],
)
def test_merge_waits_while_anything_is_missing(build: SimpleNamespace, missing: Any) -> None:
    assert merging(build, **missing) == []


def test_merge_is_not_for_drafts_older_commits_or_red_checks(build: SimpleNamespace) -> None:
    assert merging(build, change=build.a_change(draft=True)) == []
    assert merging(build, requests=(build.a_request(Verb.MERGE, head="e" * 40),)) == []
    for other in ({"conclusion": CheckConclusion.PENDING}, {"sha": "e" * 40}, {"name": "headgate/plan"}):
        assert merging(build, published=Published(checks=(build.a_check_shown(**other),))) == []


def test_rules_may_merge_by_themselves_but_only_what_is_managed(build: SimpleNamespace) -> None:
    auto = RepoRules("x", auto_merge=True, merge_method="squash")
    assert merging(build, requests=(), rules=auto) == [MergeChange(build.HEAD, "squash", "")]
    nothing = build.a_snapshot(
        affected=(), rules=auto, records=(build.a_record(),), published=Published(checks=(build.a_check_shown(),))
    )
    assert effects(nothing, MergeChange) == []


def planning(build: SimpleNamespace, *shown: float, since: float = 1000, **fields: Any) -> Any:
    """Plans have been running for ``since`` seconds; the comment told so this many seconds ago."""
    faces = tuple(build.a_face({}, at=build.ago(each)) for each in shown)
    running = (build.a_plan_run(state=RunState.RUNNING),)
    return build.a_snapshot(plans=running, faces=faces, planning_since=build.ago(since), **fields)


@pytest.mark.parametrize(
    ("shown", "due"),
    [((), 980), ((980,), 940), ((980, 940), 860), ((980, 940, 860), 700), ((2000,), 980)],
)
def test_while_plans_run_the_comment_tells_of_it_ever_more_rarely(
    build: SimpleNamespace, shown: tuple[float, ...], due: float
) -> None:
    assert comment_due(planning(build, *shown)) == build.ago(due)


def test_what_was_told_of_an_older_commit_does_not_delay_the_new_one(build: SimpleNamespace) -> None:
    snapshot = planning(build, 5)
    older = tuple(replace(face, head="0" * 40) for face in snapshot.memory.faces)
    assert comment_due(build.remembering(snapshot, faces=older)) == build.ago(980)


@pytest.mark.parametrize("due", [True, False])
def test_while_plans_run_the_plan_check_goes_along_with_the_comment(build: SimpleNamespace, due: bool) -> None:
    snapshot = planning(build, *(() if due else (5,)))
    written = {type(effect) for effect in host_effects(snapshot, judge(snapshot))}
    names = {effect.name for effect in host_effects(snapshot, judge(snapshot)) if isinstance(effect, PublishCheck)}
    assert ("headgate/plan" in names) is due
    assert (PublishComment in written) is due
