"""The cases that the best public bot's own tests decide, in our words; and after importing its file, the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import yaml
from core.policy.conftest import PUBLIC, a_policy, public

from bot.core.policy.evaluate import judge_policy
from bot.core.policy.model import Policy
from bot.core.policy.policy_bot import ImportedPolicy, imported
from bot.core.policy.read import parse_policy
from bot.core.verdict import Reason, Status

EVERYONE = {"organizations": ["everyone"]}
BOTH = ["comment-approver", "review-approver"]
OTHERS = ["contributor-author", "contributor-committer"]
HEAD_AT_25 = [{"sha": "97d5e", "parents": ["outside"], "author": "mhaypenny", "pushed_at": 25}]
HEAD_AT_85 = [{"sha": "97d5e", "parents": ["outside"], "author": "mhaypenny", "pushed_at": 85}]
HEAD_AT_80 = [{"sha": "97d5e", "parents": ["outside"], "author": "mhaypenny", "pushed_at": 80}]
UPDATED = [
    {
        "sha": "97d5e",
        "parents": ["c6ade", "elsewhere"],
        "author": "merge-committer",
        "via_web": True,
        "pushed_at": 25,
    },
    {"sha": "c6ade", "parents": ["outside"], "author": "mhaypenny", "pushed_at": 5},
]
PRESSED = [{**UPDATED[0], "author": "comment-approver"}, UPDATED[1]]
COMMENTER, REVIEWER = {"users": ["comment-approver"]}, {"users": ["review-approver"]}
EDITS = {"ignore_edited_comments": True}
PUSH = {"invalidate_on_push": True}


def theirs(rule: Mapping[str, Any], **more: Any) -> Policy:
    """A policy of one rule, written as policy-bot has it and imported."""
    file = {"policy": {"approval": ["r"], **more}, "approval_rules": [{"name": "r", **rule}]}
    found = imported(yaml.safe_dump(file), ".policy.yml")
    assert isinstance(found, ImportedPolicy), found
    policy = parse_policy(found.text, "imported.yaml")
    assert isinstance(policy, Policy), (policy, found.text)
    return policy


def leaf(tree: Reason, rule: str = "policy.r") -> Reason:
    (found,) = [child for child in tree.children if child.rule == rule]
    return found


TABLE: list[tuple[str, dict[str, Any], dict[str, Any], Status, list[str]]] = [
    ("1 nothing required", {}, {}, Status.APPROVED, []),
    ("2 nobody named", {"requires": {"count": 1}}, {}, Status.PENDING, []),
    ("3 an organisation", {"requires": {"count": 1, **EVERYONE}}, {}, Status.APPROVED, BOTH),
    ("4 the author, too", {"requires": {"count": 1, **EVERYONE}, "options": {"allow_author": True}}, {},
     Status.APPROVED, [*BOTH, "mhaypenny"]),
    ("5 contributors", {"requires": {"count": 1, **EVERYONE}, "options": {"allow_contributor": True}}, {},
     Status.APPROVED, [*BOTH, *OTHERS, "mhaypenny"]),
    ("6 contributors but not the author",
     {"requires": {"count": 1, **EVERYONE}, "options": {"allow_non_author_contributor": True}}, {},
     Status.APPROVED, [*BOTH, *OTHERS]),
    ("7 the author and the others",
     {"requires": {"count": 1, **EVERYONE},
      "options": {"allow_author": True, "allow_non_author_contributor": True}}, {},
     Status.APPROVED, [*BOTH, *OTHERS, "mhaypenny"]),
    ("8 all of them",
     {"requires": {"count": 1, **EVERYONE},
      "options": {"allow_contributor": True, "allow_non_author_contributor": True}}, {},
     Status.APPROVED, [*BOTH, *OTHERS, "mhaypenny"]),
    ("9 a user", {"requires": {"count": 1, **COMMENTER}}, {}, Status.APPROVED, ["comment-approver"]),
    ("9 a user who is not there", {"requires": {"count": 1, "users": ["does-not-exist"]}}, {}, Status.PENDING, []),
    ("10 another organisation", {"requires": {"count": 1, "organizations": ["cool-org"]}}, {},
     Status.APPROVED, ["comment-approver"]),
    ("11 a user or an organisation", {"requires": {"count": 2, "organizations": ["cool-org"], **REVIEWER}}, {},
     Status.APPROVED, BOTH),
    ("12 a push", {"requires": {"count": 1, **COMMENTER}}, {"commits": HEAD_AT_25}, Status.APPROVED,
     ["comment-approver"]),
    ("12 a push that drops", {"requires": {"count": 1, **COMMENTER}, "options": PUSH}, {"commits": HEAD_AT_25},
     Status.PENDING, []),
    ("13 a review before the push", {"requires": {"count": 1, **REVIEWER}, "options": PUSH},
     {"commits": HEAD_AT_85}, Status.PENDING, []),
    ("13b at the very moment", {"requires": {"count": 1, **REVIEWER}, "options": PUSH}, {"commits": HEAD_AT_80},
     Status.PENDING, []),
    ("14 the branch updated", {"requires": {"count": 1, **COMMENTER}, "options": PUSH}, {"commits": UPDATED},
     Status.PENDING, []),
    ("14 which may be ignored",
     {"requires": {"count": 1, **COMMENTER}, "options": {**PUSH, "ignore_update_merges": True}},
     {"commits": UPDATED}, Status.APPROVED, ["comment-approver"]),
    ("15 by who approves", {"requires": {"count": 1, **COMMENTER}}, {"commits": PRESSED}, Status.PENDING, []),
    ("15 which may be ignored",
     {"requires": {"count": 1, **COMMENTER}, "options": {"ignore_update_merges": True}}, {"commits": PRESSED},
     Status.APPROVED, ["comment-approver"]),
    ("20 an edited review", {"requires": {"count": 1, "users": ["review-comment-editor"]}}, {}, Status.APPROVED,
     ["review-comment-editor"]),
    ("20 which is ignored",
     {"requires": {"count": 1, "users": ["review-comment-editor"]}, "options": {"ignore_edited_comments": True}}, {},
     Status.PENDING, []),
    ("21 an edited comment", {"requires": {"count": 1, "users": ["comment-editor"]}}, {}, Status.APPROVED,
     ["comment-editor"]),
    ("21 which is ignored",
     {"requires": {"count": 1, "users": ["comment-editor"]}, "options": {"ignore_edited_comments": True}}, {},
     Status.PENDING, []),
    ("22 the description",
     {"requires": {"count": 1, "users": ["body-editor"]},
      "options": {"methods": {"body_patterns": ["/no-platform"]}}},
     {}, Status.APPROVED, ["body-editor"]),
    ("22 edited and ignored",
     {"requires": {"count": 1, "users": ["body-editor"]},
      "options": {"methods": {"body_patterns": ["/no-platform"]}, "ignore_edited_comments": True}},
     {}, Status.PENDING, []),
    ("23 a condition that waits", {"requires": {"conditions": {"has_status": {"statuses": ["deploy"]}}}}, {},
     Status.PENDING, []),
    ("24 a condition that holds", {"requires": {"conditions": {"has_status": {"statuses": ["build"]}}}}, {},
     Status.APPROVED, []),
    ("25 a condition and nobody",
     {"requires": {"count": 1, "conditions": {"has_status": {"statuses": ["build"]}}}}, {}, Status.PENDING, []),
    ("26 a condition and people",
     {"requires": {"count": 1, **EVERYONE, "conditions": {"has_status": {"statuses": ["build"]}}}}, {},
     Status.APPROVED, BOTH),
    ("27 twice by one person",
     {"requires": {"count": 2, **COMMENTER}},
     {"reviews": [*PUBLIC["reviews"], {"by": "comment-approver", "at": 95}]}, Status.PENDING, ["comment-approver"]),
    ("28 a pattern at the beginning",
     {"requires": {"count": 1, "users": ["a"]},
      "options": {"methods": {"comments": [], "comment_patterns": ["^(?i:looks good to me)"]}}},
     {"comments": [{"by": "a", "text": "Looks Good to me, thanks"}]}, Status.APPROVED, ["a"]),
    ("28 and not further on",
     {"requires": {"count": 1, "users": ["a"]},
      "options": {"methods": {"comments": [], "comment_patterns": ["^(?i:looks good to me)"]}}},
     {"comments": [{"by": "a", "text": "It looks good to me"}]}, Status.PENDING, []),
    ("48 no files are not only such files",
     {"if": {"only_changed_files": {"paths": [".*"]}}, "requires": {"count": 1, **EVERYONE}}, {}, Status.SKIPPED, []),
    ("50 a chain without its head", {"requires": {"count": 1, **COMMENTER}}, {"head": "another"}, Status.PENDING, []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "facts", "status", "counted"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE]
)
def test_an_imported_rule_decides_the_public_cases_the_same(
    rule: dict[str, Any], facts: dict[str, Any], status: Status, counted: list[str]
) -> None:
    found = leaf(judge_policy(theirs(rule), public(**facts)))
    assert found.status is status
    assert sorted(found.counted) == sorted(counted)


@pytest.mark.parametrize(
    ("rule", "ignored"),
    [({"requires": {"count": 1}}, 7), ({"requires": {"count": 1, "users": ["does-not-exist"]}}, 7),
     ({"requires": {"count": 1, "users": ["review-comment-editor"]}, "options": EDITS}, 7)],
)  # fmt: skip
def test_every_approval_that_does_not_count_is_told_with_why(rule: dict[str, Any], ignored: int) -> None:
    found = leaf(judge_policy(theirs(rule), public()))
    assert len(found.ignored) == ignored
    assert all(why for _, why in found.ignored)


WAITS = {"require": {"count": 1, "people": {"users": ["x"]}}}


@pytest.mark.parametrize(
    ("approval", "status"),
    [([{"all": ["met", "waits"]}], Status.PENDING), ([{"all": ["met", "met2"]}], Status.APPROVED),
     ([{"all": ["met", "skips"]}], Status.APPROVED), ([{"all": ["skips"]}], Status.SKIPPED),
     ([{"any": ["skips"]}], Status.SKIPPED), ([{"any": ["waits", "skips", "met"]}], Status.APPROVED),
     ([{"any": ["met", "skips"]}], Status.APPROVED), ([{"any": ["waits", "skips"]}], Status.PENDING),
     ([{"all": ["met", "unsure"]}], Status.PENDING), ([{"any": ["met", "unsure"]}], Status.APPROVED),
     ([{"any": ["waits", "unsure"]}], Status.PENDING)],
)  # fmt: skip
def test_rules_are_joined(approval: list[Any], status: Status) -> None:
    """Cases 29 to 35."""
    rules: dict[str, dict[str, Any]] = {
        "met": {"if": {"target_branch": "main"}}, "met2": {}, "waits": WAITS,
        "skips": {"if": {"target_branch": "never"}}, "unsure": {"if": {"signed": True}},
    }  # fmt: skip
    members = str(approval)
    used = [{"name": name, **rule} for name, rule in rules.items() if f"'{name}'" in members]
    policy = a_policy(*used, approval=approval)
    assert judge_policy(policy, public()).status is status


AGAINST = {"organizations": ["everyone", "critics"]}


@pytest.mark.parametrize(
    ("disapproval", "comments", "status", "text"),
    [(None, [], Status.APPROVED, ""),
     ({"requires": {"users": ["a"]}}, [], Status.APPROVED, "Nobody disapproves it"),
     ({"requires": {"users": ["a"]}}, [("a", ":-1:")], Status.DENIED, "a disapproves"),
     ({"requires": {"users": ["a"]}}, [("b", ":-1:")], Status.APPROVED, "Nobody disapproves it"),
     ({"requires": {"users": ["a"]}}, [("a", ":-1:"), ("a", ":+1:")], Status.APPROVED, "a took back what a had"),
     ({"requires": {"users": ["a", "b"]}}, [("a", ":-1:"), ("b", ":+1:")], Status.APPROVED, "b took back what a"),
     ({"requires": {"users": ["a", "b"]}}, [("b", ":+1:"), ("a", ":-1:")], Status.DENIED, "a disapproves"),
     ({"if": {"title": {"not_matches": ["^(fix|feat): "]}}}, [], Status.DENIED, "Disapproved: the title"),
     ({"if": {"title": {"matches": ["^WIP"]}}}, [], Status.APPROVED, "Nothing disapproves it")],
)  # fmt: skip
def test_disapproval_closes_until_somebody_allowed_takes_it_back(
    disapproval: dict[str, Any] | None, comments: list[tuple[str, str]], status: Status, text: str
) -> None:
    """Cases 37 to 47."""
    policy = theirs({}, **({"disapproval": disapproval} if disapproval else {}))
    said = [{"by": who, "text": words, "at": at} for at, (who, words) in enumerate(comments)]
    tree = judge_policy(policy, public(comments=said, reviews=[]))
    assert tree.status is status
    assert text in "\n".join(child.text for child in tree.children)


def test_a_disapproval_that_does_not_apply_opens_nothing() -> None:
    """Case 38."""
    policy = theirs({"requires": {"count": 1}}, disapproval={"requires": {"users": ["a"]}})
    assert judge_policy(policy, public()).status is Status.PENDING


def test_no_rule_about_approval_asks_for_none() -> None:
    """Case 40."""
    assert judge_policy(a_policy(), public()).status is Status.APPROVED


def test_where_no_rule_of_an_imported_file_concerns_a_change_it_waits() -> None:
    policy = theirs({"if": {"targets_branch": {"pattern": "^never$"}}})
    tree = judge_policy(policy, public())
    assert (tree.status, tree.text) == (Status.PENDING, "No rule of imported.yaml concerns this change")
    assert judge_policy(replace(policy, otherwise_pending=False), public()).status is Status.SKIPPED
