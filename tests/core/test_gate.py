"""Every rule of the gate: what it waits for, who can change it, and how."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from bot.core import leftovers
from bot.core.ci import CheckRule, NamedCheck
from bot.core.effectset import Action, EffectSet
from bot.core.errors import Problem
from bot.core.gate import concerned, counted_approvals, dropped_reviews, judge, maintainers, standing_holds
from bot.core.model import ChangeRef, ChangeState, CheckState, Commit, HostCheck, HostHold, RepoRef, ReviewState
from bot.core.project import Standing
from bot.core.record import IntentState, Verb
from bot.core.rules import Environment, RepoRules
from bot.core.runs import Failure, FailureKind, PlanResult, RunState
from bot.core.snapshot import TargetFact
from bot.core.verdict import Reason, Status


def rule(snapshot: Any, name: str) -> Reason:
    (found,) = [leaf for leaf in judge(snapshot).leaves() if leaf.rule == name]
    return found


def test_approved_and_planned_opens_the_gate(build: SimpleNamespace) -> None:
    verdict = judge(build.an_approved())
    assert verdict.status is Status.APPROVED
    assert verdict.blockers() == ()
    assert rule(build.an_approved(), "approvals.prod").text == "prod is approved by bo"


def test_until_discovery_is_done_and_the_facts_are_whole_nothing_is_green(build: SimpleNamespace) -> None:
    stale = build.an_approved(selection=build.a_selection(head="e" * 40))
    assert judge(stale).blockers()[0].rule == "discovery"
    assert judge(build.an_approved(complete=False)).blockers()[0].rule == "facts"
    assert judge(build.remembering(build.an_approved(), selection=None)).status is Status.PENDING


def test_a_broken_configuration_and_conflicts_deny(build: SimpleNamespace) -> None:
    problems = (Problem("headgate.yaml", 3, "projects[0]", "no such tool"), Problem("headgate.yaml", 4, "", "x"))
    broken = build.an_approved(selection=build.a_selection(problems=problems, conflicts=("main.tf",)))
    assert [leaf.rule for leaf in judge(broken).blockers()] == ["configuration", "conflicts"]
    assert rule(broken, "configuration").values[0] == ("headgate.yaml:3", "no such tool")
    assert "2 problems" in rule(broken, "configuration").text
    one = build.an_approved(selection=build.a_selection(problems=problems[:1]))
    assert "1 problem," in rule(one, "configuration").text


def test_a_change_of_nothing_passes_unless_it_is_held(build: SimpleNamespace) -> None:
    assert judge(build.a_snapshot(affected=())).status is Status.APPROVED
    held = build.a_snapshot(affected=(), requests=(build.granted(Verb.HOLD),))
    assert judge(held).status is Status.PENDING


def test_strangers_and_crowds_of_projects_wait_for_a_word(build: SimpleNamespace) -> None:
    fork = build.an_approved(change=build.a_change(head_repo=RepoRef("github", "x/y"), draft=True))
    assert [leaf.rule for leaf in judge(fork).blockers()] == ["stranger", "draft"]
    many = build.an_approved(rules=RepoRules("x", max_projects=0))
    assert [leaf.rule for leaf in judge(many).blockers()] == ["too-many"]


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (RunState.QUEUED, Status.PENDING),
        (RunState.RUNNING, Status.PENDING),
        (RunState.LOST, Status.PENDING),
        (RunState.CANCELLED, Status.PENDING),
        (RunState.FAILED, Status.DENIED),
        (RunState.SUCCEEDED, Status.APPROVED),
    ],
)
def test_every_project_must_be_planned(build: SimpleNamespace, state: RunState, status: Status) -> None:
    snapshot = build.an_approved(plans=(build.a_plan_run(state=state),))
    assert rule(snapshot, "plan.app").status is status
    assert rule(build.an_approved(plans=()), "plan.app").status is Status.PENDING


def test_a_failed_plan_says_why_and_how_to_try_again(build: SimpleNamespace) -> None:
    run = build.a_plan_run(state=RunState.FAILED, failure=Failure(FailureKind.TOOL, "no credentials"))
    found = rule(build.a_snapshot(plans=(run,)), "plan.app")
    assert found.text == "The plan of app failed: no credentials"
    assert found.how == "push a fix, or `/plan app` to try again"


@pytest.mark.parametrize("state", [RunState.LOST, RunState.CANCELLED])
def test_a_plan_that_was_given_up_says_who_can_ask_for_it_again(build: SimpleNamespace, state: RunState) -> None:
    died = tuple(build.a_plan_run(state=state, attempt=number) for number in (1, 2, 3))
    found = rule(build.a_snapshot(plans=died), "plan.app")
    assert found.status is Status.DENIED
    assert (found.who, found.how) == (("anyone with write permission",), "`/plan app`")


def test_an_outdated_plan_closes_the_gate_until_it_is_made_again(build: SimpleNamespace) -> None:
    fact = TargetFact("state/app", moved_at=build.ago(1))
    found = rule(build.an_approved(targets={"state/app": fact}), "plan.app")
    assert found.status is Status.PENDING
    assert "planned again" in found.text


def test_a_plan_that_waits_for_a_deploy_says_so(build: SimpleNamespace) -> None:
    fact = TargetFact("state/app", deploying=True)
    found = rule(build.a_snapshot(plans=(), targets={"state/app": fact}), "plan.app")
    assert (found.status, found.text) == (
        Status.PENDING,
        "app is planned when the deploy on its target has ended",
    )


def test_the_gate_waits_for_the_deploys_of_earlier_merges_on_the_same_target(build: SimpleNamespace) -> None:
    earlier = build.an_intent("app", change=ChangeRef(build.REPO, 9))
    facts = {"state/app": TargetFact("state/app", ahead=(earlier,))}
    found = rule(build.an_approved(targets=facts), "order.app")
    assert found.status is Status.PENDING
    assert found.text == "#9 was merged before and its deploy of app has not ended"
    merged = judge(build.a_merged(targets=facts))
    assert not [leaf for leaf in merged.blockers() if leaf.rule == "order.app"]


def test_a_removed_project_denies_while_it_owns_something(build: SimpleNamespace) -> None:
    removed = build.an_affected(standing=Standing.REMOVED)
    owning = replace(build.a_plan_run(), plan=PlanResult("empty", owned=3))
    found = judge(build.a_snapshot(affected=(removed,), plans=(owning,), environments={}))
    assert [(leaf.rule, leaf.status) for leaf in found.blockers()] == [("removed.app", Status.DENIED)]


def test_what_cannot_be_counted_needs_somebodys_approval_even_where_nothing_else_does(build: SimpleNamespace) -> None:
    removed = build.an_affected(standing=Standing.REMOVED)
    left = leftovers.effects(removed.project, None)
    free = {"prod": Environment("prod", approvals=0)}
    given = {
        "affected": (removed,),
        "plans": (build.a_plan_run("app", left),),
        "known": (left,),
        "environments": free,
    }
    waiting = build.a_snapshot(**given)
    assert [leaf.rule for leaf in judge(waiting).blockers()] == ["approvals.prod"]
    review = (build.a_review(),)
    unseen = build.a_snapshot(**given, faces=(build.a_face(),), reviews=review)
    assert judge(unseen).status is Status.PENDING
    seen = build.a_snapshot(**given, faces=(build.a_face({"app": left}),), reviews=review)
    assert judge(seen).status is Status.APPROVED
    assert judge(build.a_snapshot(environments=free)).status is Status.APPROVED


def test_a_draft_waits(build: SimpleNamespace) -> None:
    assert rule(build.an_approved(change=build.a_change(draft=True)), "draft").status is Status.PENDING


def test_holds_stand_until_somebody_releases_them(build: SimpleNamespace) -> None:
    first, second = build.granted(Verb.HOLD, "bo", reason="friday"), build.granted(Verb.HOLD, "cy")
    asked = (build.a_request(None), build.a_request(Verb.HOLD, "mel"), first, build.granted(Verb.PLAN), second)
    assert standing_holds(asked) == (first, second)
    assert standing_holds((*asked, build.granted(Verb.UNHOLD))) == ()
    texts = [leaf.text for leaf in judge(build.an_approved(requests=asked)).blockers()]
    assert texts == ["bo holds it: friday", "cy holds it"]


def test_a_request_for_changes_denies(build: SimpleNamespace) -> None:
    against = build.a_review("cy", ReviewState.CHANGES_REQUESTED)
    found = rule(build.an_approved(reviews=(build.a_review(), against)), "changes-requested")
    assert (found.status, found.who) == (Status.DENIED, ("cy",))


def test_what_is_missing_names_who_could_approve(build: SimpleNamespace) -> None:
    two = {"prod": Environment("prod", approvals=2)}
    found = rule(build.an_approved(environments=two), "approvals.prod")
    assert found.text == "prod needs 2 approvals and has 1"
    assert found.who == ("cy", "mel")
    assert dict(found.values) == {"approvals": "1 of 2", "projects": "app"}


def test_a_push_by_somebody_the_host_does_not_name_blocks_where_people_must_approve(build: SimpleNamespace) -> None:
    found = rule(build.an_approved(commits=(Commit("f" * 40, "", ""),)), "approvals.prod")
    assert found.status is Status.PENDING
    assert "the host does not say the author of `fffffff`" in found.text


def test_an_environment_without_approvals_skips_the_rule(build: SimpleNamespace) -> None:
    assert rule(build.a_snapshot(environments={}), "approvals.prod").status is Status.SKIPPED
    nowhere = build.a_snapshot(affected=(build.an_affected(build.a_project(environment="")),))
    assert rule(nowhere, "approvals.").text == "no environment needs no approval"


def test_effects_that_do_nothing_concern_nobody(build: SimpleNamespace) -> None:
    assert concerned(build.a_snapshot(EffectSet())) == {}
    assert judge(build.a_snapshot(EffectSet())).status is Status.APPROVED


def test_a_rebound_project_needs_the_gates_of_both_bindings(build: SimpleNamespace) -> None:
    stage = build.a_project(environment="stage")
    for effects in (build.an_effect_set(), EffectSet()):
        rebound = build.an_affected(stage, Standing.REBOUND, wanted=build.a_project())
        assert set(concerned(build.a_snapshot(effects, affected=(rebound,)))) == {"stage", "prod"}
    same = build.an_affected(stage, Standing.REBOUND, wanted=stage)
    assert set(concerned(build.a_snapshot(affected=(same,)))) == {"stage"}


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (CheckState.SUCCESS, Status.APPROVED),
        (CheckState.NEUTRAL, Status.APPROVED),
        (CheckState.FAILURE, Status.DENIED),
        (CheckState.ERROR, Status.DENIED),
        (CheckState.PENDING, Status.PENDING),
        (None, Status.PENDING),
    ],
)
def test_required_checks_must_be_green(build: SimpleNamespace, state: CheckState | None, status: Status) -> None:
    needs = {"prod": Environment("prod", approvals=1, required_checks=(CheckRule((NamedCheck("lint"),)),))}
    checks = () if state is None else (HostCheck("lint", state),)
    assert rule(build.an_approved(environments=needs, checks=checks), "check.`lint`").status is status


def test_our_own_checks_are_never_read_back(build: SimpleNamespace) -> None:
    needs = {"prod": Environment("prod", required_checks=(CheckRule((NamedCheck("headgate/gate"),)),))}
    checks = (HostCheck("headgate/gate", CheckState.SUCCESS),)
    found = rule(build.a_snapshot(environments=needs, checks=checks), "check.`headgate/gate`")
    assert found.status is Status.PENDING


def test_a_frozen_branch_denies_and_names_maintainers(build: SimpleNamespace) -> None:
    found = rule(build.an_approved(frozen="it was rewritten"), "frozen")
    assert (found.status, found.who) == (Status.DENIED, ("mel",))
    assert rule(build.an_approved(frozen="x", people={}, permissions=build.PEOPLE), "frozen").who == ("mel",)
    assert maintainers(build.a_snapshot(people={})) == ()


def test_an_approval_older_than_inherited_work_does_not_count(build: SimpleNamespace) -> None:
    left = build.an_intent("app", IntentState.STOPPED, since=build.ago(100))
    snapshot = build.an_approved(targets={"state/app": TargetFact("state/app", inherited=(left,))})
    why = "given before an earlier change left its work undeployed here"
    assert rule(snapshot, "approvals.prod").ignored == (("bo", why),)
    assert counted_approvals(snapshot) == ()


def test_dropped_reviews_are_only_those_that_an_environment_asked_for(build: SimpleNamespace) -> None:
    worse = build.an_effect_set(build.an_effect(action=Action.DELETE))
    given = {"faces": (build.a_face(),), "reviews": (build.a_review(),), "known": (build.an_effect_set(),)}
    assert [each.author for each in dropped_reviews(build.a_snapshot(worse, **given))] == ["bo"]
    assert dropped_reviews(build.a_snapshot(worse, environments={}, **given)) == ()


def test_more_destroyed_things_than_the_comment_can_name_are_denied(build: SimpleNamespace) -> None:
    made = build.an_effect_set(*(build.an_effect(f"aws_bucket.b{n:05d}", Action.DELETE) for n in range(9000)))
    denied = [reason for reason in judge(build.a_snapshot(made)).leaves() if reason.rule == "unlistable"]

    assert [reason.status for reason in denied] == [Status.DENIED]
    assert denied[0].values[0] == ("destroyed", "9000")


def test_a_rule_of_the_hosts_own_holds_the_change_while_it_is_open(build: SimpleNamespace) -> None:
    change = build.an_approved().change
    held = replace(change, held=(HostHold("Threads are open", "resolve them"),))
    found = rule(build.an_approved(change=held), "host.1")
    assert (found.status, found.text, found.how) == (Status.PENDING, "Threads are open", "resolve them")
    merged = replace(held, state=ChangeState.MERGED)
    assert [leaf for leaf in judge(build.an_approved(change=merged)).leaves() if leaf.rule == "host.1"] == []
