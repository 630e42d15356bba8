"""Plan rules: what they look at, what they find, what that comes to, and exceptions from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
import yaml
from core.policy.conftest import a_policy

from bot.core.effectset import ABSENT, UNKNOWN, Action, Leaf, ResourceEffect, Value, effect_set
from bot.core.face.plan_rules import plan_notices
from bot.core.policy.cases import facts_of
from bot.core.policy.compose import edges
from bot.core.policy.evaluate import judge_policy
from bot.core.policy.facts import Facts, Found, ProjectFact
from bot.core.policy.model import Policy
from bot.core.policy.plan_rules import Level, PlanRule, Plans, summary
from bot.core.policy.read import parse_policy
from bot.core.verdict import Reason, Status

DELETE = {"address": "aws_db_instance.main", "action": "delete"}
CREATE = {"address": "aws_s3_bucket.logs", "action": "create", "after": {"acl": "public-read"}}
DB = {"name": "db", "plan": {"resources": [DELETE, CREATE]}}
DEV = {"name": "dev-db", "environments": ["dev"], "plan": {"resources": [DELETE]}}
RULE: dict[str, Any] = {"name": "stateful", "types": ["aws_db_*"], "actions": ["destroy"]}
DBA = {"approval": {"people": {"users": ["bo"]}}}


def some(*projects: dict[str, Any], **more: Any) -> Facts:
    return facts_of({"projects": projects or [DB], "head": "h", "commits": [{"sha": "h"}], **more})


def found_in(policy: Policy, facts: Facts) -> list[Found]:
    return [replace(each, policy=policy.file) for each in Plans(facts.projects).found_outright(policy.plans)]


def judged(rule: dict[str, Any], facts: Facts, more: Iterable[Found] = (), **words: Any) -> Reason:
    policy = a_policy(plans=[rule], **words)
    return judge_policy(policy, replace(facts, found=(*found_in(policy, facts), *more)))


def reason(tree: Reason) -> Reason:
    (found,) = [child for child in tree.children if child.rule.startswith("plan-rule.")]
    return found


@pytest.mark.parametrize("words", [{"types": ["aws_db_*"], "when": "size(after) > 0"}, {"plan": "counts.total > 1"}])
def test_the_expression_that_is_asked_is_the_one_that_is_written(words: dict[str, Any]) -> None:
    policy = a_policy(plans=[{"name": "a", **words}])
    (question,) = Plans(some().projects).questions(policy.plans)
    assert question.expression == words.get("when", words.get("plan")) and not found_in(policy, some())


@pytest.mark.parametrize(
    ("words", "found"),
    [({"types": ["aws_db_*"]}, ["aws_db_instance.main"]), ({"actions": ["create"]}, ["aws_s3_bucket.logs"]),
     ({"addresses": ["*.main"]}, ["aws_db_instance.main"]), ({"actions": ["destroy"], "types": ["aws_s3_*"]}, []),
     ({"types": ["*"], "environments": ["dev"]}, []),
     ({"types": ["*"], "environments": ["prod"]}, ["aws_db_instance.main", "aws_s3_bucket.logs"])],
)  # fmt: skip
def test_a_rule_looks_at_types_actions_addresses_and_environments(words: dict[str, Any], found: list[str]) -> None:
    policy = a_policy(plans=[{"name": "a", **words}])
    assert [each.address for each in found_in(policy, some())] == found


def test_any_type_is_the_one_of_a_tool_without_types_too() -> None:
    policy = a_policy(plans=[{"name": "a", "types": ["*"]}])
    bare = some({"name": "p", "plan": {"resources": [{"address": "size", "type": "", "action": "update"}]}})
    assert [each.address for each in found_in(policy, bare)] == ["size"]


def test_a_denial_names_what_it_found_and_how_to_do_it_right() -> None:
    tree = judged({**RULE, "description": "A database is destroyed", "fix": "take a snapshot first"}, some())
    assert (tree.status, tree.text) == (Status.DENIED, "stateful: A database is destroyed (`aws_db_instance.main`)")
    assert (reason(tree).how, reason(tree).values) == (
        "take a snapshot first",
        (("db aws_db_instance.main", "delete"),),
    )
    assert "have an exception to stateful merged" in reason(judged(RULE, some())).how


def test_what_denies_a_plan_is_not_outvoted_by_approvals() -> None:
    assert judged(RULE, some(), rules=[{"name": "met"}]).status is Status.DENIED


def test_a_rule_that_finds_nothing_is_met() -> None:
    tree = judged({**RULE, "types": ["x"]}, some())
    assert tree.status is Status.APPROVED and reason(tree).text == "stateful finds nothing"


@pytest.mark.parametrize(
    ("words", "projects", "status"),
    [({"level": "warn"}, [DB], Status.APPROVED), ({"advisory": True}, [DB], Status.APPROVED),
     ({"levels": {"dev": "warn"}}, [DEV], Status.APPROVED), ({"levels": {"dev": "warn"}}, [DEV, DB], Status.DENIED),
     ({"level": "warn", "levels": {"dev": "deny"}}, [DEV], Status.DENIED)],
)  # fmt: skip
def test_levels_are_those_of_the_environment_and_an_advisory_rule_only_warns(
    words: dict[str, Any], projects: list[dict[str, Any]], status: Status
) -> None:
    tree = judged({**RULE, **words}, some(*projects))
    assert tree.status is status
    if status is Status.APPROVED:
        assert reason(tree).text.startswith("Warning: stateful")


def test_certain_people_must_agree_having_seen_it() -> None:
    rule = {**RULE, "level": "require", **DBA}
    waiting = judged(rule, some())
    assert waiting.status is Status.PENDING and waiting.blockers()[0].who == ("bo",)
    assert judged(rule, some(reviews=[{"by": "bo", "head": "h"}])).status is Status.APPROVED
    unseen = some(reviews=[{"by": "bo", "head": "h", "uncovered": {"db": "does more"}}])
    assert judged(rule, unseen).status is Status.PENDING
    elsewhere = some(
        DB, {**DEV, "plan": {}}, reviews=[{"by": "bo", "head": "h", "uncovered": {"dev-db": "does more"}}]
    )
    assert judged(rule, elsewhere).status is Status.APPROVED


def test_an_error_denies_whatever_the_level() -> None:
    broken = Found("stateful", "db", "aws_x.y", error="it divides by zero", policy="policy.yaml")
    tree = judged({**RULE, "types": ["x"], "level": "warn"}, some(), [broken])
    assert tree.status is Status.DENIED and "could not be evaluated for aws_x.y: it divides by zero" in tree.text


def exception(**more: Any) -> dict[str, Any]:
    return {"rule": "stateful", "owner": "ann", "reason": "moved away", "until": "2026-02-01", **more}


@pytest.mark.parametrize(
    ("words", "status"),
    [({}, Status.APPROVED), ({"resources": ["*.main"]}, Status.APPROVED), ({"resources": ["*.other"]}, Status.DENIED),
     ({"projects": ["db"]}, Status.APPROVED), ({"projects": ["web"]}, Status.DENIED),
     ({"until": "2025-12-31"}, Status.DENIED), ({"until": "2026-01-01T00:59+00:00"}, Status.DENIED),
     ({"until": "2026-01-01T01:01+00:00"}, Status.APPROVED)],
)  # fmt: skip
def test_an_exception_covers_what_it_says_until_it_ends(words: dict[str, Any], status: Status) -> None:
    tree = judged(RULE, some(), exceptions=[exception(**words)])
    assert tree.status is status
    if status is Status.APPROVED:
        assert reason(tree).values[0][0] == "excepted by ann" and "moved away" in reason(tree).values[0][1]


def test_an_exception_never_covers_an_error_nor_another_files_rule() -> None:
    broken = Found("stateful", "db", error="no", policy="policy.yaml")
    assert judged({**RULE, "types": ["x"]}, some(), [broken], exceptions=[exception()]).status is Status.DENIED
    foreign = Found("stateful", "db", "a", policy="other.yaml")
    assert judged({**RULE, "types": ["x"]}, some(), [foreign]).status is Status.APPROVED


def test_questions_carry_what_is_known_and_name_what_is_not() -> None:
    leaves = (
        Leaf("acl", Value.known("private"), Value.known("public-read")),
        Leaf("id", ABSENT, UNKNOWN),
        Leaf("password", Value.sensitive(b"k", "a"), Value.sensitive(b"k", "b")),
    )
    effect = ResourceEffect("aws_s3_bucket.a", Action.UPDATE, "aws_s3_bucket", leaves=leaves)
    project = ProjectFact("p", ("prod",), "terraform", effect_set([effect]))
    rules = [PlanRule("r", when="x"), PlanRule("s", when="y"), PlanRule("n", plan="z")]
    one, two, three = Plans([project, ProjectFact("q", (), "t")]).questions(rules)
    assert one.variables is two.variables
    assert one.variables["after"] == {"acl": '"public-read"'} and one.variables["unknown"] == ["id"]
    assert one.variables["sensitive"] == ["password"]
    assert three.variables["counts"]["update"] == 1 and three.variables["types"] == {"aws_s3_bucket": 1}  # type: ignore[index]
    elsewhere = PlanRule(
        "n", plan="z", environments=a_policy(plans=[{**RULE, "environments": ["dev"]}]).plans[0].environments
    )
    assert list(Plans([project]).questions([elsewhere])) == []
    other = a_policy(plans=[{**RULE, "when": "true"}]).plans
    assert list(Plans([project]).questions(other)) == []
    assert list(Plans([project]).questions(a_policy(plans=[RULE]).plans)) == []
    assert list(Plans([project]).found_outright(rules)) == []


def test_a_summary_is_short_and_shows_nothing_sensitive() -> None:
    leaves = [Leaf(f"a{n}", Value.known("x" * 100), Value.sensitive(b"k", "hidden")) for n in range(5)]
    text = summary(ResourceEffect("a.b", Action.UPDATE, leaves=tuple(leaves)))
    assert "hidden" not in text and "(sensitive)" in text and text.endswith("and 2 more") and len(text) < 250
    other = ResourceEffect("a.b", Action.UPDATE, leaves=(Leaf("x", ABSENT, UNKNOWN),))
    assert summary(other) == "update: x nothing → known later"


def problems(plans: list[dict[str, Any]], **more: Any) -> str:
    found = parse_policy(yaml.safe_dump({"version": 1, "plans": plans, **more}), "p.yaml")
    return "" if isinstance(found, Policy) else "\n".join(f"{each.path} {each.message}" for each in found)


@pytest.mark.parametrize(
    "expression",
    ['values(after, "a[*]").exists(each, each == 1)', '["x"].all(a, ["y"].exists_one( b, (a + b) in after))',
     "unknown.filter(path, true).map(path, path) == []"],
)  # fmt: skip
def test_names_that_an_expression_gives_itself_are_not_asked_for(expression: str) -> None:
    assert problems([{"name": "a", "when": expression}]) == ""
    assert "asks for `other`" in problems([{"name": "a", "when": f"({expression}) && other"}])


@pytest.mark.parametrize(
    ("rule", "says"),
    [({"name": "a"}, "looks at nothing"), ({"name": "a", "when": "1 +"}, "plans[0].when is no expression of CEL"),
     ({"name": "a", "when": "counts.delete > 1"}, "asks for `counts`; there are after, before"),
     ({"name": "a", "when": "true", "plan": "true"}, "has either `when`"),
     ({**RULE, "level": "require"}, "`require` needs `approval`"), ({**RULE, "types": ["a//b"]}, "plans[0].types[0]"),
     ({**RULE, "level": "block"}, "is not one of 3 possible words")],
)  # fmt: skip
def test_a_plan_rule_that_cannot_be_is_told(rule: dict[str, Any], says: str) -> None:
    assert says in problems([rule])


def test_doubled_rules_and_exceptions_from_nothing_are_told() -> None:
    assert "is another plan rule's name, too" in problems([RULE, RULE])
    assert "is no plan rule of this file" in problems([RULE], exceptions=[exception(rule="x")])
    assert "is not a date" in problems([RULE], exceptions=[exception(until="soon")])
    assert "`owner` is missing" in problems([RULE], exceptions=[{"rule": "stateful"}])
    assert "is longer than" in problems([{"name": "a", "when": "1" * 3000}])


def test_who_must_agree_may_be_more_than_one() -> None:
    policy = a_policy(plans=[{**RULE, "level": "require", "approval": {"count": 2, "people": {"users": ["a", "b"]}}}])
    assert policy.agreeing["stateful"].require.count == 2
    assert policy.plans[0].level is Level.REQUIRE and policy.plans[0].canonical()


def test_the_comment_tells_what_was_found_denials_first_and_not_for_ever() -> None:
    rules = [{"name": f"warned {n}", "types": ["aws_*"], "level": "warn"} for n in range(20)]
    policy = a_policy(plans=[*rules, RULE, {**RULE, "name": "asked", "level": "require", **DBA}])
    facts = some()
    tree = judge_policy(policy, replace(facts, found=tuple(found_in(policy, facts))))
    (box,) = plan_notices(tree)
    lines = box.splitlines()
    assert lines[0].startswith("> ⛔ stateful") and lines[1].startswith("> ⚠ warned 0")
    assert lines[-1].startswith("> … and 7 more plan rules")
    assert list(plan_notices(judge_policy(a_policy(plans=[{**RULE, "types": ["x"]}]), facts))) == []


def test_an_exceptions_end_is_looked_at_again() -> None:
    policy = a_policy(plans=[RULE], exceptions=[exception()])
    assert [f"{each:%F}" for each in edges((policy,), some().now)] == ["2026-02-01"]
