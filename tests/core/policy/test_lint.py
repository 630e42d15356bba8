"""What is allowed and still a mistake; what if; when something turns over; the page."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from core.policy.conftest import a_policy

from bot.core.decide.decision import decide
from bot.core.gate import judge
from bot.core.policy.compose import edges
from bot.core.policy.lint import lint
from bot.core.policy.page import page
from bot.core.policy.predicates import PREDICATES
from bot.core.policy.supposing import Supposed, supposing
from bot.core.verdict import Status

USERS = {"users": ["ann"]}


@pytest.mark.parametrize(
    ("rule", "says"),
    [({"require": {"count": 2, "people": USERS}}, "nobody can meet it: it needs 2 approvals and `people` names 1"),
     ({"require": {"count": 1, "people": {"users": ["-"]}}}, "names nobody"), ({"require": {"count": 1}}, "nobody"),
     ({"require": {"owners": True}}, "`owners` counts among `people`, which names nobody"),
     ({}, "asks for nothing, so it is always met"), ({"if": {"labels": "x"}, "require": {"count": 1}},
     "`labels` may turn over"), ({"require": {"people": USERS, "conditions": {"draft": False}}}, "says nothing"),
     ({"if": {"environment": ["prud", "p*", "/x/"]}, "require": {"count": 1, "people": USERS}},
      "no environment is called `prud`")],
)  # fmt: skip
def test_a_rule_that_is_a_mistake_is_told_with_its_place(rule: dict[str, Any], says: str) -> None:
    found = lint((a_policy(rule),), ("prod",))
    assert any(says in sentence and sentence.startswith("policy.yaml:") for sentence in found), found
    if "environment" in says:
        assert len(found) == 1 and lint((a_policy(rule),)) == () and lint((a_policy(rule),), ("prud",)) == ()


def test_a_sound_policy_has_nothing_to_be_said_of() -> None:
    for people in ({"teams": ["a/b"]}, {"organisations": ["a"]}, {"permission": "write"}, {"users": ["a", "b"]}):
        assert lint((a_policy({"require": {"count": 2, "people": people}}, disapproval={"people": USERS}),)) == ()


def test_a_rule_that_asks_for_nothing_under_a_condition_is_another_way_and_no_mistake() -> None:
    ways = ({"name": "a", "require": {"count": 1, "people": USERS}}, {"name": "b", "if": {"plan_empty": True}})
    assert lint((a_policy(*ways, approval=[{"any": ["a", "b"]}]),)) == ()


def test_a_disapproval_of_nothing_and_what_never_matters_are_told() -> None:
    other = {"name": "b", "require": {"count": 1, "people": USERS}}
    policy = a_policy({"name": "a"}, other, approval=[{"any": ["a", "b"]}], disapproval={"revoke": {"reviews": True}})
    found = "\n".join(lint((policy,)))
    assert "a is always met, so b beside it in `any` never matters" in found
    assert "nothing disapproves" in found


def test_plan_rules_and_exceptions_are_looked_at_too() -> None:
    plans = [
        {"name": "a", "types": ["x"], "environments": ["prud", "p*"], "levels": {"dav": "warn"}},
        {"name": "b", "types": ["x"], "level": "require", "approval": {"count": 2, "people": USERS}},
    ]
    exceptions = [{"rule": "a", "owner": "ann", "reason": "x", "until": "2026-01-01"}]
    policy = a_policy(plans=plans, exceptions=exceptions)
    found = "\n".join(lint((policy,), ("prod", "dev"), datetime(2026, 1, 1, tzinfo=UTC)))
    for said in ("`prud`", "`dav`", "b: nobody can meet it", "exception from a by ann: ended on 2026-01-01"):
        assert said in found
    assert len(found.splitlines()) == 4
    assert len(lint((policy,))) == 1 and len(lint((policy,), None, datetime(2025, 1, 1, tzinfo=UTC))) == 1


def test_a_second_rule_of_a_locked_ones_name_is_told() -> None:
    rule = {"name": "a", "require": {"count": 1, "people": USERS}}
    assert "has this name and is locked, so both hold" in str(lint((a_policy(rule), a_policy(rule))))
    assert lint((a_policy({**rule, "locked": False}), a_policy(rule))) == ()


def test_what_is_supposed_is_judged_and_nothing_of_it_stays(build: SimpleNamespace) -> None:
    snapshot = build.an_approved()
    assert judge(supposing(snapshot, Supposed(without=("BO",)))).status is Status.PENDING
    waiting = build.a_snapshot(faces=(build.a_face(),))
    assert judge(waiting).status is Status.PENDING
    assert judge(supposing(waiting, Supposed(approve=("bo",)))).status is Status.APPROVED
    assert judge(supposing(waiting, Supposed(approve=("ann",)))).status is Status.PENDING
    elsewhere = supposing(snapshot, Supposed(base="release"))
    assert elsewhere.change.base_ref == "release" and judge(elsewhere).status is Status.APPROVED
    assert judge(waiting).status is Status.PENDING


def test_another_time_is_another_answer_and_a_change_is_looked_at_again_then(build: SimpleNamespace) -> None:
    noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    window = {"from": "2026-01-05T13:00", "until": "2026-01-05T14:00"}
    rule = {"if": {"within": [window]}, "require": {"count": 1, "people": {"users": ["mel"]}}}
    policy = a_policy(rule, disapproval={"if": {"within": [{"cron": "30 12 * * *", "duration": "5m"}]}})
    snapshot = build.an_approved()
    snapshot = replace(snapshot, now=noon, rules=replace(snapshot.rules, policies=(policy,)))
    assert sorted(edges((policy,), noon)) == [noon + timedelta(minutes=30), noon + timedelta(hours=1)]
    assert decide(snapshot).wake_at == noon + timedelta(minutes=30)
    assert judge(snapshot).status is Status.APPROVED
    assert judge(supposing(snapshot, Supposed(at=noon + timedelta(hours=1)))).status is Status.PENDING
    assert judge(supposing(snapshot, Supposed(at=noon + timedelta(minutes=31)))).status is Status.DENIED
    assert edges((policy, a_policy()), datetime(2027, 1, 1, tzinfo=UTC))
    assert edges((a_policy(rule),), datetime(2027, 1, 1, tzinfo=UTC)) == ()


def test_the_page_has_every_predicate() -> None:
    text = page()
    assert all(f"| `{name}` |" in text for name in PREDICATES)
