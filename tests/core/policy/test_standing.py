"""Policies against a snapshot: the gate, its record, and who is asked again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from core.policy.conftest import a_policy

from bot.core.config.digest import rules_digest
from bot.core.decide.decision import decide
from bot.core.effectset import Action
from bot.core.gate import counted_approvals, dropped_reviews, judge
from bot.core.model import Comment, RepoRef, ReviewState
from bot.core.policy.facts import FileFact, Saying
from bot.core.policy.ground import GitCommit, Ground
from bot.core.policy.of_snapshot import facts_of
from bot.core.policy.standing import policy_dropped
from bot.core.project import Standing
from bot.core.record import seen_heads
from bot.core.rules import RepoRules
from bot.core.snapshot import Snapshot
from bot.core.verdict import Status

RULE = {"name": "databases", "require": {"count": 1, "people": {"users": ["bo"]}}}


def under(snapshot: Snapshot, *rules: Any) -> Snapshot:
    return replace(snapshot, rules=replace(snapshot.rules, policies=(a_policy(*rules),)))


@pytest.fixture
def approved(build: SimpleNamespace) -> Snapshot:
    found: Snapshot = build.an_approved()
    return found


def test_a_policy_must_be_met_as_well(approved: Snapshot) -> None:
    assert judge(under(approved, RULE)).status is Status.APPROVED
    other = {**RULE, "require": {"count": 1, "people": {"users": ["cy"]}}}
    verdict = judge(under(approved, other))
    assert verdict.status is Status.PENDING
    assert [leaf.rule for leaf in verdict.blockers()] == ["policy.databases.count"]


def test_a_policy_holds_where_nothing_is_affected(build: SimpleNamespace) -> None:
    assert judge(under(build.a_snapshot(affected=()), RULE)).status is Status.PENDING


def test_the_record_names_every_approval_that_counted_for_a_rule(build: SimpleNamespace) -> None:
    mel = {"name": "m", "require": {"count": 1, "people": {"users": ["mel"]}}}
    snapshot = build.an_approved(affected=(), reviews=(build.a_review("mel"), build.a_review()))
    assert [each.login for each in counted_approvals(under(snapshot, mel, RULE))] == ["mel", "bo"]
    assert [each.login for each in counted_approvals(under(snapshot, {"if": {"target_branch": "x"}, **RULE}))] == []


def test_who_approved_what_has_other_effects_now_is_asked_again(build: SimpleNamespace) -> None:
    new = build.an_effect_set(build.an_effect("aws_s3_bucket.x", Action.DELETE))
    snapshot = build.an_approved(environments={})
    changed = replace(under(snapshot, RULE), runs=(build.a_plan_run("app", new),))
    changed = replace(changed, sets={**changed.sets, build.printed(new): new})
    assert [review.author for review in dropped_reviews(changed)] == ["bo"]
    comment = Comment("c", "bo", ":+1:", build.a_review().submitted_at)
    spoken = build.remembering(
        changed, host=replace(changed.host, reviews=(), comments=(comment,)), heads=((build.HEAD, build.ago(5000)),)
    )
    by_comment = {**RULE, "options": {"methods": {"comments": [":+1:"]}}}
    told = judge(under(spoken, by_comment)).blockers()[0]
    assert told.status is Status.PENDING
    assert dropped_reviews(under(spoken, by_comment)) == ()
    assert policy_dropped(build.an_approved()) == ()


def test_a_snapshot_is_seen_whole(build: SimpleNamespace) -> None:
    ours, theirs = Comment("1", "headgate", "x", build.ago(9), ours=True), Comment("2", "Bo[bot]", "y", build.ago(9))
    change = build.a_change(head_repo=RepoRef("github", "eve/infra"), body="words", labels=("db",))
    snapshot = build.a_snapshot(
        change=change,
        comments=(ours, theirs),
        reviews=(build.a_review(state=ReviewState.CHANGES_REQUESTED),),
        ground=Ground((FileFact("a"),), {build.HEAD: GitCommit(("p",), "Fix")}, {"a/b": frozenset({"bo"})}),
        pushers={build.HEAD: "ann"},
        heads=((build.HEAD, build.ago(10)),),
    )
    facts = facts_of(snapshot)
    assert (facts.source_branch, facts.labels, facts.bot) == ("eve:logs", ("db",), "headgate")
    assert [(word.kind, word.author, word.by_bot) for word in facts.words] == [
        (Saying.REVIEW, "bo", False), (Saying.COMMENT, "Bo[bot]", True), (Saying.DESCRIPTION, "ann", False),
    ]  # fmt: skip
    assert facts.words[1].head == build.HEAD and facts.commits
    assert (facts.commits[0].parents, facts.commits[0].message, facts.commits[0].pushed_by) == (("p",), "Fix", "ann")
    assert facts.people.teams == {"a/b": frozenset({"bo"})} and facts.files == (FileFact("a"),)
    cut = build.a_snapshot(complete=False, change=build.a_change(head_repo=None))
    assert facts_of(cut).commits is None and facts_of(cut).source_branch == "logs"


def test_a_project_that_does_nothing_concerns_no_rule_unless_its_binding_changes(build: SimpleNamespace) -> None:
    empty = build.an_effect_set()
    nothing = replace(empty, resources=())
    wanted = build.a_project(environment="dev")
    for standing, environments in ((Standing.EXISTING, []), (Standing.REBOUND, [("prod", "dev")])):
        affected = replace(build.an_affected(), standing=standing, wanted=wanted if environments else None)
        snapshot = build.a_snapshot(nothing, affected=(affected,))
        assert [project.environments for project in facts_of(snapshot).projects] == environments
    unplanned = facts_of(build.a_snapshot(plans=()))
    assert [project.effects for project in unplanned.projects] == [None]


def test_other_policies_are_other_rules(build: SimpleNamespace) -> None:
    plain = RepoRules("x")
    one = replace(plain, policies=(a_policy(RULE),))
    other = replace(plain, policies=(a_policy({**RULE, "name": "else"}),))
    assert len({rules_digest(each, {}) for each in (plain, one, other)}) == 3


def test_a_head_is_seen_once_and_again_when_it_comes_back(build: SimpleNamespace) -> None:
    now = build.NOW
    seen = seen_heads((), "a", now)
    assert seen == (("a", now),) == seen_heads(seen, "a", now + timedelta(1)) and seen_heads(seen, "", now) == seen
    back = seen_heads(seen_heads(seen, "b", now), "a", now + timedelta(2))
    assert [sha for sha, _ in back] == ["a", "b", "a"]


def test_with_policies_a_decision_is_a_fixpoint_too(approved: Snapshot) -> None:
    assert decide(under(approved, RULE)) is not None


def test_where_what_policies_compare_with_was_not_read_what_they_came_to_last_is_told(approved: Snapshot) -> None:
    last = judge(under(approved, {**RULE, "require": {"count": 1, "people": {"users": ["cy"]}}})).blockers()
    there = replace(approved, ground=None, memory=replace(approved.memory, reasons=last))
    assert judge(there).blockers() == last
    assert policy_dropped(replace(under(approved, RULE), ground=None)) == ()
    assert facts_of(replace(approved, ground=None)).files == ()
