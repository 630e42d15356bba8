"""After the merge: what was admitted, what may deploy now, and with which reviewed effects."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from bot.core.decide.deploying import (
    MAX_READBACKS,
    Stage,
    acceptances_needed,
    deploy_effects,
    earlier_environments,
    may_accept,
    merge_effects,
    offered_fingerprint,
    positions,
)
from bot.core.effects import RecordMerge
from bot.core.effectset import EffectSet
from bot.core.model import ChangeRef
from bot.core.project import DeployMode, Standing
from bot.core.record import IntentState, Verb
from bot.core.rules import Environment, Mode, RepoRules
from bot.core.runs import Holder, Run, RunState
from bot.core.snapshot import TargetFact


def landed(build: SimpleNamespace, **fields: Any) -> Any:
    """Merged on the host, not yet recorded."""
    return build.a_merged(**{"merged": None, "intents": (), "merge": build.a_merge_fact(), **fields})


def recorded(snapshot: Any) -> RecordMerge:
    (effect,) = merge_effects(snapshot)
    assert isinstance(effect, RecordMerge)
    return effect


# ------------------------------------------------------------------------------------- admission


def test_a_merge_under_a_standing_record_is_admitted(build: SimpleNamespace) -> None:
    found = recorded(landed(build))
    assert (found.merge.admitted, found.merge.why_not) == ("record", "")
    assert [(each.project, each.state) for each in found.intents] == [("app", IntentState.WAITING)]


@pytest.mark.parametrize(
    ("record", "fact", "why"),
    [
        (None, {}, "the gate was never open for `aaaaaaa`"),
        ({"head": "e" * 40}, {}, "the gate was never open for `aaaaaaa`"),
        ({"base_ref": "release"}, {}, "the gate was never open for `aaaaaaa`"),
        ({"closed": 61}, {}, "the gate was not open when it was merged"),
        ({"closed": 60}, {}, "the gate was not open when it was merged"),
        ({"opened": 59}, {}, "the gate was not open when it was merged"),
        ({}, {"mechanical": False}, "the merge contains something that is neither in the branch nor in its base"),
        ({}, {"rules_digest": "other"}, "the rules changed between the gate's opening and the merge"),
        ({"closed": 59}, {}, ""),
        ({"opened": 60}, {}, ""),
    ],
)
def test_a_merge_is_admitted_only_by_a_record_that_was_valid_then(
    build: SimpleNamespace, record: Any, fact: Any, why: str
) -> None:
    times = {"closed": "closed_at", "opened": "opened_at"}
    made = {
        times.get(name, name): build.ago(each) if name in times else each for name, each in (record or {}).items()
    }
    records = () if record is None else (build.an_open_record(**made),)
    found = recorded(landed(build, records=records, merge=build.a_merge_fact(**fact)))
    assert found.merge.why_not == why
    assert found.merge.admitted == ("" if why else "record")
    assert [each.state for each in found.intents] == [IntentState.STOPPED if why else IntentState.WAITING]


def test_the_newest_fitting_record_admits(build: SimpleNamespace) -> None:
    older = build.an_open_record(id="older", closed_at=build.ago(30))
    assert recorded(landed(build, records=(older, build.an_open_record()))).merge.admitted == "record"


def test_a_record_for_a_base_that_holds_the_merge_already_admits_nothing(build: SimpleNamespace) -> None:
    late = build.an_open_record(id="late", base=build.MERGED, effects={})
    records = (build.an_open_record(closed_at=build.ago(30)), late)
    fact = build.a_merge_fact(held_by=frozenset({build.MERGED}))
    found = recorded(landed(build, records=records, merge=fact))
    assert (found.merge.admitted, [each.project for each in found.intents]) == ("record", ["app"])


def test_a_merge_is_recorded_once_and_only_when_it_is_understood(build: SimpleNamespace) -> None:
    assert merge_effects(build.a_merged(merge=build.a_merge_fact())) == ()
    assert merge_effects(landed(build, merge=None)) == ()
    assert merge_effects(landed(build, merge=build.a_merge_fact(order=0))) == ()
    assert merge_effects(landed(build, change=build.a_change())) == ()
    assert merge_effects(landed(build, selection=build.a_selection(complete=False))) == ()
    assert merge_effects(landed(build, rules=RepoRules("x", mode=Mode.COMMENT))) == ()


def test_a_merge_whose_time_the_host_does_not_tell_is_judged_by_now(build: SimpleNamespace) -> None:
    assert recorded(landed(build, change=build.a_merged_change(merged_at=None))).merge.at == build.NOW


def test_what_does_nothing_and_what_is_removed_claims_no_target(build: SimpleNamespace) -> None:
    nothing = EffectSet()
    both = (build.an_affected("app"), build.an_affected("old", standing=Standing.REMOVED))
    record = build.an_open_record(effects={"app": build.printed(nothing)})
    assert recorded(landed(build, affected=both, records=(record,), known=(nothing,))).intents == ()


# ------------------------------------------------------------------------------------------ stages


def only(snapshot: Any) -> Any:
    (position,) = positions(snapshot)
    return position


def started(snapshot: Any) -> list[Run]:
    return [effect.run for effect in deploy_effects(snapshot)]


def test_an_admitted_project_deploys_what_was_reviewed(build: SimpleNamespace) -> None:
    (run,) = started(build.a_merged())
    assert (run.commit, run.order, run.attempt) == (build.MERGED, 7, 1)
    assert run.reviewed == build.printed(build.an_effect_set())
    assert (run.accepted_by, run.readback, run.unlock) == ((), False, "")


def test_without_a_recorded_merge_or_without_enforcing_nothing_deploys(build: SimpleNamespace) -> None:
    assert started(build.a_merged(merged=None)) == []
    assert started(build.a_merged(rules=RepoRules("x", mode=Mode.COMMENT))) == []


@pytest.mark.parametrize(
    ("state", "fields", "stage"),
    [
        (RunState.QUEUED, {}, Stage.ACTIVE),
        (RunState.RUNNING, {}, Stage.ACTIVE),
        (RunState.SUSPECT, {}, Stage.SUSPECT),
        (RunState.DIFFERS, {}, Stage.DIFFERS),
        (RunState.FAILED, {}, Stage.FAILED),
        (RunState.CANCELLED, {}, Stage.FAILED),
        (RunState.LOST, {"attempt": MAX_READBACKS}, Stage.FAILED),
        (RunState.LOST, {"attempt": MAX_READBACKS - 1}, Stage.WAITING),
    ],
)
def test_the_stage_follows_the_last_run(build: SimpleNamespace, state: RunState, fields: Any, stage: Stage) -> None:
    snapshot = build.a_merged(deploys=(build.a_deploy_run(state=state, **fields),))
    assert only(snapshot).stage is stage
    assert bool(started(snapshot)) is (stage is Stage.WAITING)


@pytest.mark.parametrize(
    ("state", "stage"), [(IntentState.DEPLOYED, Stage.DONE), (IntentState.SUPERSEDED, Stage.SUPERSEDED)]
)
def test_the_claim_says_what_is_settled(build: SimpleNamespace, state: IntentState, stage: Stage) -> None:
    assert only(build.a_merged(intents=(build.an_intent(state=state),))).stage is stage


def test_a_claim_of_a_project_nobody_knows_any_more_has_no_position(build: SimpleNamespace) -> None:
    gone = (build.an_intent("gone"),)
    assert positions(build.a_merged(intents=gone)) == ()
    ran = build.a_merged(intents=gone, deploys=(build.a_deploy_run("gone"),))
    assert [each.project.name for each in positions(ran)] == ["gone"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"paused": "maintenance"}, "the end of a pause: maintenance"),
        ({"frozen": "it was rewritten"}, "the end of the freeze of main: it was rewritten"),
    ],
)
def test_a_pause_and_a_freeze_hold_deploys(build: SimpleNamespace, fields: Any, words: str) -> None:
    snapshot = build.a_merged(**fields)
    assert only(snapshot).waits_for == words
    assert started(snapshot) == []


def test_an_earlier_merge_goes_first(build: SimpleNamespace) -> None:
    earlier = build.an_intent(change=ChangeRef(build.REPO, 9), order=3)
    snapshot = build.a_merged(targets={"state/app": TargetFact("state/app", ahead=(earlier,))})
    assert only(snapshot).waits_for == "#9, which was merged before it"
    assert started(snapshot) == []


def several(build: SimpleNamespace, *projects: Any, **fields: Any) -> Any:
    affected = tuple(build.an_affected(each) for each in projects)
    effects = {each.name: build.printed(build.an_effect_set()) for each in projects}
    given = {
        "affected": affected,
        "records": (build.an_open_record(effects=effects),),
        "intents": tuple(build.an_intent(each.name) for each in projects),
        "environments": {"stage": Environment("stage"), "prod": Environment("prod", approvals=1, after=("stage",))},
        **fields,
    }
    return build.a_merged(**given)


def test_a_project_waits_for_what_it_depends_on(build: SimpleNamespace) -> None:
    net, app = build.a_project("net"), build.a_project("app", depends_on=("net",))
    snapshot = several(build, app, net)
    assert [run.project.name for run in started(snapshot)] == ["net"]
    for done in (IntentState.DEPLOYED, IntentState.SUPERSEDED):
        later = replace(snapshot, intents=(build.an_intent("app"), build.an_intent("net", done)))
        assert [run.project.name for run in started(later)] == ["app"]
    stopped = replace(snapshot, intents=(build.an_intent("app"), build.an_intent("net", IntentState.STOPPED)))
    assert "app" not in [run.project.name for run in started(stopped)]


def test_what_went_first_was_deployed_over_so_this_waits_to_be_deployed_over_too(build: SimpleNamespace) -> None:
    net, app = build.a_project("net"), build.a_project("app", depends_on=("net",))
    later = build.an_intent("app", change=ChangeRef(build.REPO, 99), order=8)
    intents = (build.an_intent("app"), build.an_intent("net", IntentState.SUPERSEDED))
    facts = {"state/app": TargetFact("state/app", behind=(later,))}
    snapshot = several(build, app, net, intents=intents, targets=facts)
    assert started(snapshot) == []
    assert {each.waits_for for each in positions(snapshot)} == {
        "", "#99, which was merged after it and is deployed over it",
    }  # fmt: skip
    forced = remembering_request(build, snapshot)
    assert [run.project.name for run in started(forced)] == ["app"]


def remembering_request(build: SimpleNamespace, snapshot: Any) -> Any:
    return build.remembering(snapshot, requests=(build.granted(Verb.DEPLOY, "bo", "app"),))


def test_environments_go_one_after_the_other(build: SimpleNamespace) -> None:
    first, second = build.a_project("one", environment="stage"), build.a_project("two")
    snapshot = several(build, second, first)
    assert [run.project.name for run in started(snapshot)] == ["one"]
    waits = {each.project.name: each.waits_for for each in positions(snapshot)}
    assert waits == {"one": "its turn", "two": "one (stage goes first)"}


def test_the_order_of_environments_is_transitive_and_a_circle_ends(build: SimpleNamespace) -> None:
    ring = {
        "a": Environment("a", after=("c",)),
        "b": Environment("b", after=("a",)),
        "c": Environment("c", after=("b",)),
    }
    assert earlier_environments(build.a_snapshot(environments=ring), "a") == frozenset("bc")


def test_on_command_waits_for_deploy(build: SimpleNamespace) -> None:
    manual = build.a_project("app", deploy=DeployMode.ON_COMMAND)
    snapshot = several(build, manual)
    assert only(snapshot).stage is Stage.COMMAND
    assert started(snapshot) == []
    assert started(build.remembering(snapshot, requests=(build.granted(Verb.DEPLOY),)))
    assert started(build.remembering(snapshot, requests=(build.a_request(Verb.DEPLOY),))) == []
    other = build.granted(Verb.DEPLOY, "bo", "other")
    assert started(build.remembering(snapshot, requests=(other, build.a_request(None)))) == []


# ----------------------------------------------------------------------------------- trying again


def test_a_failed_deploy_is_tried_again_only_on_a_newer_word(build: SimpleNamespace) -> None:
    failed = build.a_merged(deploys=(build.a_deploy_run(state=RunState.FAILED, applying=True),))
    assert started(build.remembering(failed, requests=(build.granted(Verb.DEPLOY, at=build.ago(50)),))) == []
    (run,) = started(build.remembering(failed, requests=(build.granted(Verb.DEPLOY),)))
    assert (run.attempt, run.readback) == (2, True)
    assert run.reviewed == build.printed(build.an_effect_set())


def test_a_lost_deploy_is_read_back_and_may_release_its_own_lock(build: SimpleNamespace) -> None:
    lost = build.a_deploy_run(state=RunState.LOST, readback=True, holder=Holder("worker", "boot", 5, 1.0))
    (run,) = started(build.a_merged(deploys=(lost,)))
    assert (run.attempt, run.readback, run.unlock) == (2, True, lost.id)


OTHER = "aws_bucket.other"


def differing(build: SimpleNamespace, **fields: Any) -> Any:
    now = build.an_effect_set(build.an_effect(OTHER))
    plan = build.a_plan_run(effects=now).plan
    run = build.a_deploy_run(state=RunState.DIFFERS, plan=plan)
    given = {"deploys": (run,), "known": (now,), "intents": (build.an_intent(state=IntentState.STOPPED),), **fields}
    return build.a_merged(**given), build.printed(now)


def test_what_differs_is_deployed_only_when_exactly_that_is_accepted(build: SimpleNamespace) -> None:
    snapshot, offered = differing(build)
    assert offered_fingerprint(snapshot, "app", snapshot.deploys_of("app")[0]) == offered
    for request in (
        build.granted(Verb.DEPLOY),
        build.granted(Verb.DEPLOY, "cy", "app", accept="zzzz"),
        build.granted(Verb.DEPLOY, "cy", "net", accept=offered[:8]),
        build.granted(Verb.DEPLOY, "cy", accept=offered[:8]),
        build.granted(Verb.DEPLOY, "cy", "app", accept=offered[:8], at=build.ago(100)),
    ):
        assert started(build.remembering(snapshot, requests=(request,))) == []
    accepted = build.granted(Verb.DEPLOY, "cy", "app", accept=offered[:8])
    (run,) = started(build.remembering(snapshot, requests=(accepted,)))
    assert (run.reviewed, run.accepted_by) == (offered, ("cy",))


def test_as_many_different_people_accept_as_the_rule_wants(build: SimpleNamespace) -> None:
    two = {"prod": Environment("prod", approvals=2)}
    snapshot, offered = differing(build, environments=two)
    assert acceptances_needed(snapshot, "app") == 2
    assert acceptances_needed(snapshot, "gone") == 1

    def said(login: str) -> Any:
        return build.granted(Verb.DEPLOY, login, "app", accept=offered[:8])

    assert started(build.remembering(snapshot, requests=(said("cy"), said("CY")))) == []
    (run,) = started(build.remembering(snapshot, requests=(said("cy"), said("bo"))))
    assert run.accepted_by == ("bo", "cy")


def test_contributors_and_readers_cannot_accept(build: SimpleNamespace) -> None:
    snapshot = build.a_merged()
    assert may_accept(snapshot, "cy") == ""
    assert may_accept(snapshot, "ANN") == "who contributed to a change cannot accept its effects"
    assert may_accept(snapshot, "ro") == "only people with write permission can accept"


def test_a_bypassing_merge_offers_its_plan(build: SimpleNamespace) -> None:
    past = build.a_merged(merged=build.a_merge_record(admitted="", why_not="x"), records=(), plans=())
    assert only(past).stage is Stage.BYPASSED
    assert offered_fingerprint(past, "app", None) == ""
    planned = replace(past, runs=(build.a_plan_run(),))
    shown = offered_fingerprint(planned, "app", None)
    assert shown == build.printed(build.an_effect_set())
    assert started(build.remembering(planned, requests=(build.granted(Verb.DEPLOY, "cy"),))) == []
    accepted = build.granted(Verb.DEPLOY, "cy", "app", accept=shown[:4])
    assert [run.reviewed for run in started(build.remembering(planned, requests=(accepted,)))] == [shown]
