"""Files of policies and of cases: what is wrong is told with its line, all at once; what is right is read."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from core.policy.conftest import CASES, a_policy, public
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from bot.core.errors import Problem
from bot.core.model import Permission
from bot.core.policy import case_schema
from bot.core.policy.cases import Case, facts_of, parse_cases, run_cases
from bot.core.policy.compose import asked_groups, broken, in_force, is_policy_file, wants_owners
from bot.core.policy.evaluate import judge_policies
from bot.core.policy.model import Actors, Policy
from bot.core.policy.policy_bot import ImportedPolicy, imported, owners_imported
from bot.core.policy.read import DEEPEST, parse_policy
from bot.core.policy.schema import schema
from bot.core.verdict import Status


def problems(text: str) -> list[tuple[int, str, str]]:
    found = parse_policy(text, "p.yaml")
    assert not isinstance(found, Policy)
    return [(each.line, each.path, each.message) for each in found]


def wrong(text: str) -> str:
    ((_, _, message),) = problems(text)
    return message


RULE = "version: 1\nrules:\n  - name: a\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [("rules: []", "`version` is missing"), (RULE + "    iff: {}", "Did you mean `if`?"),
     (RULE + "    if: {labelz: x}", "Did you mean `labels`?"), (RULE + "    if: {}", "must not be empty"),
     (RULE + "    if: {changed_lines: {total: lots}}", "must be a comparison"),
     (RULE + "    if: {title: {matches: /(/}}", "is no regular expression of RE2"),
     (RULE + "    if: {title: {matches: [ok, /(/]}}", "is no regular expression of RE2"),
     (RULE + "    if: {changed_files: {paths: a//b}}", "must not contain"),
     (RULE + "    if: {checks: {states: [success]}}", "must have `all_of` or `any_of`"),
     (RULE + "    if: {workflows: {conclusions: [success]}}", "must have `all_of` or `any_of`"),
     (RULE + "    if: {plan_counts: {delete: '> 5 %'}}", "belongs into a plan rule"),
     (RULE + "    if: {within: [{cron: x, duration: 1h}]}", "is not a cron expression"),
     (RULE + "    require: {people: {permission: owner}}", "is not one of 5 possible words"),
     (RULE + "    require: {distinct_teams: 2, people: {teams: [a/b]}}", "is more than `people.teams` names"),
     (RULE + "approval: [b]", "no rule is called `b`. There are: a."),
     (RULE + "  - name: a\n", "is another rule's name, too"), (RULE + "  - name: b\napproval: [a]", "stands nowhere"),
     (RULE + "approval: [{xor: [a]}]", "must be a rule's name"), (RULE + "approval: [{any: []}]", "must be a rule's"),
     (RULE + "approval: [{any: [a], all: [a]}]", "must be a rule's name"), ("[", "is not YAML")],
)  # fmt: skip
def test_a_policy_that_cannot_be_read_says_what_where_and_what_instead(text: str, says: str) -> None:
    assert any(says in message for _, _, message in problems(text))


def test_problems_have_their_lines() -> None:
    assert problems(RULE + "  - name: b\n    if:\n      title: {matches: /(/}\n")[0][:2] == (
        6,
        "rules[1].if.title.matches",
    )


def test_groups_within_groups_have_an_end() -> None:
    nested: Any = ["a"]
    for _ in range(DEEPEST):
        nested = [{"all": nested}]
    text = yaml.safe_dump({"version": 1, "rules": [{"name": "a"}], "approval": nested})
    assert f"is nested more than {DEEPEST} deep" in str(problems(text))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda each: st.lists(each) |
                    st.dictionaries(st.sampled_from(["version", "rules", "approval", "name", "if", "require", "any"])
                                    | st.text(), each), max_leaves=20))  # fmt: skip
def test_no_file_whatever_is_in_it_raises(value: object) -> None:
    parse_policy(yaml.safe_dump(value), "p.yaml")
    parse_cases(yaml.safe_dump(value), "p.yaml")
    imported(yaml.safe_dump(value), "p.yaml")


def test_both_schemas_are_sound() -> None:
    Draft202012Validator.check_schema(schema())
    Draft202012Validator.check_schema(case_schema.schema())


def test_a_policy_tells_whose_members_it_needs() -> None:
    people = {"teams": ["a/b"], "organisations": ["c"]}
    policy = a_policy({"if": {"author": people}, "require": {"count": 1, "people": {"users": ["x"]}}})
    other = a_policy(
        {"options": {"ignore_commits_by": {"teams": ["d/e"]}}}, disapproval={"people": {"teams": ["f/g"]}}
    )
    assert asked_groups((policy, other)) == ({"a/b", "d/e", "f/g"}, {"c"})
    assert policy.actors == (Actors(teams=frozenset({"a/b"}), organisations=frozenset({"c"})),)
    assert not wants_owners((policy,)) and wants_owners((a_policy({"require": {"owners": True}}),))


def test_what_is_a_policy_of_a_repository() -> None:
    assert is_policy_file(".headgate/policies/a.yaml")
    for path in (
        ".headgate/policies/a.cases.yaml",
        ".headgate/policies/x/a.yaml",
        "a.yaml",
        ".headgate/policies/a.md",
    ):
        assert not is_policy_file(path)


def test_a_repositorys_rule_takes_the_place_only_of_one_that_is_not_locked() -> None:
    strict = {"require": {"count": 1, "people": {"users": ["x"]}}}
    operator = a_policy({"name": "a", "locked": False, **strict}, {"name": "b", **strict})
    own = a_policy({"name": "a"}, {"name": "b"})
    replaced, kept = in_force((operator,), (own,))
    assert [rule.require.count for rule in replaced.rules] == [0, 1] and kept is own
    assert in_force((operator,), ()) == (operator,)


def test_in_the_place_of_a_broken_one_a_maintainer_must_agree() -> None:
    policy = broken("p.yaml", (Problem("p.yaml", 3, "", "is wrong"),))
    (found,) = judge_policies((policy, broken("q.yaml", ())), public())[:1]
    assert found.status is Status.PENDING and "`p.yaml:3` is wrong" in found.children[0].text
    assert policy.rules[0].require.people.permission is Permission.MAINTAIN


@pytest.mark.parametrize(
    ("text", "says"),
    [("version: 1\ncases: [{name: a}]", "`expect` is missing"),
     ("version: 1\ncases: [{name: a, expect: approved, facts: {now: then}}]", "Invalid isoformat"),
     ("version: 1\ncases: [{name: a, expect: approved, facts: {now: 1e99}}]", ""),
     ("version: 1\ncases: [{name: a, expect: approved, facts: {authr: x}}]", "mean `author`?"), ("[", "YAML")],
)  # fmt: skip
def test_cases_that_cannot_be_read_say_so(text: str, says: str) -> None:
    found = parse_cases(text, "c.yaml")
    assert found and all(isinstance(each, Problem) and says in each.message for each in found)


def case(**more: Any) -> Case:
    given = {"name": "a", "expect": "approved", **more}
    (found,) = parse_cases(yaml.safe_dump({"version": 1, "facts": {"author": "ann"}, "cases": [given]}), "c.yaml")
    assert isinstance(found, Case)
    return found


@pytest.mark.parametrize(
    ("given", "wanted"),
    [({}, None), ({"expect": "denied"}, "denied"), ({"rule": "rule-1"}, None), ({"rule": "x"}, "a rule x"),
     ({"reasons": ["rule-1 needs no"]}, None), ({"reasons": ["zzz"]}, "a reason with “zzz”"),
     ({"counted": ["bo"]}, "approved by bo"), ({"counted": []}, None), ({"facts": {"author": "bo"}}, "approved")],
)  # fmt: skip
def test_a_case_is_held_against_what_it_comes_to(given: dict[str, Any], wanted: str | None) -> None:
    policy = a_policy({"if": {"author": {"users": ["ann"]}}})
    failed = list(run_cases(policy, (case(**given),)))
    assert [each.wanted for each in failed] == ([wanted] if wanted else [])


def test_the_public_cases_facts_are_what_the_schema_allows() -> None:
    assert parse_cases((CASES / "public.yaml").read_text(), "public.yaml") == ()


FULL = """\
remote: acme/policies
approval_defaults: {options: {allow_author: true}}
policy:
  approval: [{or: [a, {and: [b]}]}]
  disapproval:
    options: {methods: {disapprove: {comments: [no]}, revoke: {comment_patterns: [yes]}}}
approval_rules:
  - name: a
    description: words
    if:
      modified_lines: {additions: "> 5", total: "< 9"}
      has_successful_status: [x]
      has_labels: [l]
      has_topics: [t]
      commit_count: "< 3"
      changed_files_count: "< 3"
      has_valid_signatures_by_keys: {key_ids: [K]}
      has_valid_signatures: true
      repository: {matches: [a], not_matches: [b]}
      from_branch: {pattern: x}
      no_changed_files: {paths: [a], ignore: [b]}
      has_author_in: {users: [x]}
    requires: {count: 1, admins: true}
    options:
      request_review: {enabled: true}
      ignore_commits_by: {users: [x]}
      methods: {github_review: false, github_review_comment_patterns: [x], comments: []}
  - name: b
    if: {has_workflow_result: {workflows: [w]}, has_status: {statuses: [x], conclusions: [success, stale]}}
    requires: {count: 1, permissions: [admin, write], conditions: {unheard_of: 1}}
  - name: unused
"""


def test_everything_of_an_imported_file_is_taken_or_told() -> None:
    found = imported(FULL, ".policy.yml")
    assert isinstance(found, ImportedPolicy)
    policy = parse_policy(found.text, "p.yaml")
    assert isinstance(policy, Policy), policy
    assert [rule.name for rule in policy.rules] == ["a", "b"]
    a, b = policy.rules
    assert a.options.author and not a.options.methods.reviews
    assert b.require.people.permission is Permission.WRITE and a.require.people.permission is Permission.ADMIN
    for word in ("remote:", "a.options.request_review:", "b.unheard_of:", "a.if: checks, labels may change"):
        assert any(note.startswith(word) for note in found.notes), (word, found.notes)


def test_a_file_that_is_none_of_theirs_is_told() -> None:
    for text in (
        "a: 1",
        "[",
        "policy: {approval: [{or: 1}]}",
        "approval_rules: [{if: {}}]",
        "policy: {approval: [1]}",
    ):
        found = imported(text, "p.yml")
        assert not isinstance(found, ImportedPolicy) and found[0].message


def test_an_empty_imported_policy_approves_as_it_did() -> None:
    found = imported("policy: {}", "p.yml")
    assert isinstance(found, ImportedPolicy) and found.notes
    policy = parse_policy(found.text, "p.yaml")
    assert isinstance(policy, Policy)
    assert judge_policies((policy,), public())[0].status is Status.APPROVED


def test_code_owners_become_a_rule_that_reads_them_where_they_are() -> None:
    found = owners_imported("* @a\n^[Docs]\ndocs/ @b\n", "CODEOWNERS")
    assert isinstance(found, ImportedPolicy) and found.notes == ("[Docs]: optional, so nobody has to agree to it",)
    policy = parse_policy(found.text, "p.yaml")
    assert isinstance(policy, Policy) and policy.rules[0].require.owners
    assert not isinstance(owners_imported("* nobody", "CODEOWNERS"), ImportedPolicy)


def test_a_case_may_say_what_a_plan_changes() -> None:
    resource = {"address": "a.b.c", "action": "update", "before": {"x": 1}, "after": {"x": 2, "y": 3}}
    facts = facts_of({"projects": [{"name": "p", "plan": {"resources": [resource]}}], "properties": {"a": ["b"]}})
    (project,) = facts.projects
    assert project.effects is not None and facts.found == () and facts.properties == {"a": ("b",)}
    (effect,) = project.effects.resources
    assert effect.type == "b" and [leaf.path for leaf in effect.leaves] == ["x", "y"]
