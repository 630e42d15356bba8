"""GitHub's JSON, however odd, becomes values and never an exception."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.model import Change, ChangeRef, CheckState, Permission, RepoRef
from bot.hosts.github import parse

REF = ChangeRef(RepoRef("gh", "acme/infra"), 7)
ODD = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just([]) | st.just([None, {"name": None}])
KEYS = (
    "head base user state merged_at labels mergeable repo sha id full_name login author committer commit permissions"
)
OBJECTS = st.recursive(
    ODD, lambda inner: st.dictionaries(st.sampled_from(KEYS.split()), inner, max_size=6), max_leaves=12
).filter(lambda value: isinstance(value, dict))


@given(OBJECTS)
def test_no_object_is_too_odd(data: dict[str, Any]) -> None:
    assert isinstance(parse.change(REF, data), Change)
    for read in (parse.review, parse.commit, parse.status, parse.check_run, parse.permission):
        read(data)
    parse.comment(data, "hg")


def test_deleted_accounts_and_forks_are_nobody_and_nowhere() -> None:
    change = parse.change(REF, {"user": None, "head": {"sha": "a", "ref": "x", "repo": None}, "state": "closed"})
    assert (change.author, change.head_repo, change.from_fork) == ("", None, True)
    assert parse.comment({"user": None, "body": None}, "").ours is False


def test_a_pending_review_is_nobodys_yet() -> None:
    assert parse.review({"state": "PENDING", "submitted_at": None, "user": {"login": "bo"}}) is None


@pytest.mark.parametrize(
    ("data", "permission"),
    [
        ({"role_name": "maintain", "permission": "write"}, Permission.MAINTAIN),
        ({"role_name": "triage", "permission": "read"}, Permission.TRIAGE),
        ({"role_name": "our-own-role", "permission": "write"}, Permission.WRITE),
        (
            {"role_name": "our-own-role", "permissions": {"pull": True, "push": True, "admin": False}},
            Permission.WRITE,
        ),
        ({"role_name": "none", "permission": "none"}, Permission.NONE),
        ({}, Permission.NONE),
    ],
)
def test_a_permission_is_the_finest_that_is_told(data: dict[str, Any], permission: Permission) -> None:
    assert parse.permission(data) is permission


@pytest.mark.parametrize(
    ("run", "state"),
    [
        ({"status": "queued", "conclusion": None}, CheckState.PENDING),
        ({"status": "in_progress", "conclusion": "success"}, CheckState.PENDING),
        ({"status": "completed", "conclusion": "success"}, CheckState.SUCCESS),
        ({"status": "completed", "conclusion": "skipped"}, CheckState.NEUTRAL),
        ({"status": "completed", "conclusion": "timed_out"}, CheckState.FAILURE),
        ({"status": "completed", "conclusion": "stale"}, CheckState.PENDING),
        ({"status": "completed", "conclusion": "invented"}, CheckState.PENDING),
    ],
)
def test_a_check_run_is_what_it_ended_as(run: dict[str, Any], state: CheckState) -> None:
    assert parse.check_run(run).state is state


def test_who_writes_the_web_editors_name_is_not_the_web_editor() -> None:
    shape = {"sha": "a", "author": {"login": "dee"}, "committer": {"login": "web-flow"}}
    assert not parse.commit(shape).via_web
    assert not parse.commit(shape | {"commit": {"verification": {"verified": False}}}).via_web
    assert parse.commit(shape | {"commit": {"verification": {"verified": True}}}).via_web


def test_times_are_aware() -> None:
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    assert parse.moment("2030-01-01T12:00:00Z") == parse.moment("2030-01-01T12:00:00") == noon
    assert parse.moment("soon") is parse.moment(12) is parse.moment(None) is None
    assert parse.moment("0001-01-01T00:00:00+14:00") is parse.moment("9999-12-31T23:59:59-01:00") is None


def a_commit(message: object, kind: str = "Bot") -> dict[str, Any]:
    author = {"login": "Copilot", "type": kind}
    return {"sha": "a", "author": author, "committer": author, "commit": {"message": message}}


@pytest.mark.parametrize(
    ("message", "asked_by"),
    [
        ("Fix\n\nCo-authored-by: Bo <12345+bo-acme@users.noreply.github.com>", ("bo-acme",)),
        (
            "co-authored-by: B <bo@users.noreply.ghes.example>\r\nCo-Authored-By: C <1+cy@users.noreply.github.com> ",
            ("bo", "cy"),
        ),
        ("Fix\n\nCo-authored-by: Bo <bo@acme.example>", ()),
        ("Fix\n\nsays Co-authored-by: Bo <1+bo@users.noreply.github.com>", ()),
        ("Co-authored-by: Bo\n<1+bo@users.noreply.github.com>", ()),
        ("Co-authored-by: " + "<" * 50000, ()),
        (None, ()),
        (7, ()),
    ],
)
def test_who_asked_a_bot_is_read_from_the_bots_commits(message: object, asked_by: tuple[str, ...]) -> None:
    assert parse.commit(a_commit(message)).asked_by == asked_by


def test_a_persons_coauthors_asked_nobody() -> None:
    """Whoever's suggestion was taken is named like that too, and may still review."""
    message = "Take it\n\nCo-authored-by: Bo <1+bo@users.noreply.github.com>"
    assert parse.commit(a_commit(message, "User")).asked_by == ()


@pytest.mark.parametrize(("kind", "bot"), [("Bot", True), ("User", False), ("Mannequin", False), (None, False)])
def test_a_bot_is_who_the_host_calls_one(kind: str | None, bot: bool) -> None:
    user = {"login": "renovate[bot]", "type": kind}
    at = "2030-01-01T00:00:00Z"
    review = parse.review({"id": 1, "user": user, "state": "APPROVED", "submitted_at": at, "commit_id": "a"})
    assert review is not None
    assert (review.by_bot, parse.change(REF, {"user": user}).author_is_bot) == (bot, bot)
