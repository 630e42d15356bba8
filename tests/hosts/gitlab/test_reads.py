"""What we read on GitLab: approvals without a commit, who wants changes, whose commits, and for how many calls."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hosts.gitlab.conftest import Lab

from bot.core.model import ChangeRef, ChangeState, CheckState, Mergeable, Permission, RepoRef, ReviewState
from bot.hosts.fields import EPOCH
from bot.hosts.gitlab import parse

DEE = {"username": "dee"}
AT = "2026-01-02T03:04:05.000Z"


def test_a_settled_change_costs_three_calls(lab: Lab) -> None:
    pull = lab.open()
    known = lab.host.change(lab.ref(pull), known=None, checks=False)
    before = sum(lab.host.calls().values())
    assert lab.host.change(lab.ref(pull), known=known, checks=False) == known
    assert sum(lab.host.calls().values()) - before == 3


def test_a_change_names_its_hands_and_an_approval_no_commit(lab: Lab) -> None:
    pull = lab.open()
    pull.approve("bo")
    facts = lab.host.change(lab.ref(pull), known=None, checks=True)
    assert [(each.author, each.committer) for each in facts.commits] == [("dee", "dee")]
    assert facts.pushers == {pull.head_sha: "dee"}
    (review,) = facts.reviews
    assert (review.sha, review.by_bot) == ("", False)
    assert abs((review.submitted_at - datetime.now(UTC)).total_seconds()) < 60
    assert (facts.permission_of("eve"), facts.permission_of("mae")) == (Permission.TRIAGE, Permission.MAINTAIN)


def test_who_wants_changes_does_not_approve(lab: Lab) -> None:
    pull = lab.open()
    pull.approve("bo")
    pull.request_changes("bo")
    states = [each.state for each in lab.host.change(lab.ref(pull), known=None, checks=False).reviews]
    assert states == [ReviewState.CHANGES_REQUESTED]


def test_an_older_servers_approval_has_the_time_of_its_own_note_and_else_none() -> None:
    given: dict[str, Any] = {"approved_by": [{"user": DEE}]}
    note = {"system": True, "body": parse.APPROVED, "author": DEE, "created_at": AT}
    (told,) = parse.reviews(given, (), [note])
    assert told.submitted_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    (forged,) = parse.reviews(given, (), [{**note, "system": False}])
    assert forged.submitted_at == EPOCH


@pytest.mark.parametrize(
    ("level", "held"),
    [(0, 0), (5, 0), (10, 10), (15, 10), (20, 20), (25, 10), (30, 30), (40, 40), (50, 50), (None, 0), ("50", 0)],
)
def test_levels_are_permissions(level: object, held: int) -> None:
    assert parse.permission({"access_level": level}) == held
    assert parse.permission({"access_level": level, "state": "blocked"}) == Permission.NONE


@pytest.mark.parametrize(
    ("name", "bot"),
    [("project_15_bot_0a1b", True), ("group_3_bot", True), ("service_account_x", True), ("projects_bot", False)],
)
def test_accounts_of_tokens_are_no_people(name: str, bot: bool) -> None:
    assert parse.is_bot(name) is bot


@pytest.mark.parametrize(
    ("word", "can"),
    [("mergeable", Mergeable.YES), ("not_approved", Mergeable.YES), ("conflict", Mergeable.NO),
     ("checking", Mergeable.UNKNOWN), ("unchecked", Mergeable.UNKNOWN), (None, Mergeable.UNKNOWN)],
)  # fmt: skip
def test_whether_it_merges_is_said_of_conflicts_alone(word: str | None, can: Mergeable) -> None:
    ref = ChangeRef(RepoRef("lab", "acme/infra"), 1)
    assert parse.change(ref, {"state": "opened", "detailed_merge_status": word}, None).mergeable is can
    assert parse.change(ref, {"state": "locked"}, None).state is ChangeState.OPEN


def test_a_status_that_may_fail_fails_nothing() -> None:
    assert parse.status({"status": "failed", "name": "x"}).state is CheckState.FAILURE
    assert parse.status({"status": "failed", "allow_failure": True}).state is CheckState.NEUTRAL
    assert parse.status({"status": "manual"}).state is CheckState.PENDING


@pytest.mark.parametrize(
    ("word", "said"),
    [("discussions_not_resolved", "GitLab wants every thread resolved"),
     ("not_approved", "GitLab's own approval rules are not met"), ("merge_time", "It is not to be merged yet"),
     ("ci_must_pass", None), ("status_checks_must_pass", None), ("draft_status", None), ("mergeable", None),
     ("never heard of", None), (None, None)],
)  # fmt: skip
def test_rules_of_the_projects_own_hold_a_change_but_never_a_check_that_may_be_ours(
    word: str | None, said: str | None
) -> None:
    ref = ChangeRef(RepoRef("lab", "acme/infra"), 1)
    held = parse.change(ref, {"state": "opened", "detailed_merge_status": word}, None).held
    assert [each.text for each in held] == ([said] if said else [])
