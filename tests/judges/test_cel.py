"""Expressions are evaluated apart: what holds, what cannot be evaluated, and what takes too long or too much."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from bot.core.policy.facts import Found
from bot.core.policy.plan_rules import Question
from bot.judges.cel import CelJudge

AFTER = {"acl": '"public-read"', "ingress[0].cidr[0]": '"0.0.0.0/0"', "size": "5", "tags.owner": '"ann"'}
KNOWN: dict[str, Any] = {
    "resource": {"address": "a.b", "type": "a", "action": "create"}, "before": {}, "after": AFTER,
    "unknown": ["id"], "sensitive": [], "project": {"name": "p", "tool": "terraform", "environments": ["prod"]},
}  # fmt: skip


def ask(*expressions: str, seconds: float = 20.0) -> tuple[Found, ...]:
    asked = [Question(f"r{n}", "p", "a.b", "create", text, KNOWN, "f.yaml") for n, text in enumerate(expressions)]
    return CelJudge(seconds).judge(asked)


@pytest.mark.parametrize(
    "expression",
    ['after["acl"] == "public-read"', "after.size > 4", '"id" in unknown', '!("tags.team" in after)',
     'resource.type.startsWith("a")', 'values(after, "ingress[*].cidr[*]").exists(c, c == "0.0.0.0/0")',
     '"prod" in project.environments', 'after.exists(k, k.startsWith("tags."))',
     'blocks(after, "ingress").exists(b, "cidr[0]" in b && b["cidr[0]"] == "0.0.0.0/0")',
     'size(blocks(after, "in")) == 0', 'json("[{\\"a\\": 1}]").all(each, each.a == 1)',
     'resource.address.matches("^a[.]b$")', "size(before) == 0"],
)  # fmt: skip
def test_what_holds_is_found(expression: str) -> None:
    assert ask(expression, "false") == (Found("r0", "p", "a.b", "create", policy="f.yaml"),)


@pytest.mark.parametrize(
    ("expression", "why"),
    [('after["acl_"] == "x"', "ask for it with `in` first"), ("1 / 0 == 1", "division by zero"), ("5", "came to int"),
     ('"a"', "came to str"), ("nope == 1", "nope"), ("1 +", "parse"), ('values(after, 1) == 1', "")],
)  # fmt: skip
def test_what_cannot_be_evaluated_is_an_error_and_hides_nothing_else(expression: str, why: str) -> None:
    broken, fine = ask(expression, "true")
    assert broken.error and why.lower() in broken.error.lower() and len(broken.error) <= 250
    assert fine == Found("r1", "p", "a.b", "create", policy="f.yaml")


OPEN = '{"Version": "2012-10-17", "Statement": {"effect": "Allow", "Principal": {"AWS": ["*"]}, "Action": "S3:*"}}'
SHUT = '{"Statement": [{"Effect": "Deny", "Principal": "*", "NotAction": "s3:Get*", "Condition": {"Bool": {}}}]}'


@pytest.mark.parametrize(
    "expression",
    ['statements(after["open"]).exists(s, s.allow && "*" in s.principals && "s3:*" in s.actions && !s.conditions)',
     'statements(after["shut"]).all(s, !s.allow && "*" in s.principals && s.conditions && size(s.actions) == 0)',
     'statements(after["shut"])[0].not_actions == ["s3:Get*"] && size(statements(after["open"])) == 1'],
)  # fmt: skip
def test_statements_of_a_policy_document_are_told_apart(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(AFTER, "open", json.dumps(OPEN))
    monkeypatch.setitem(AFTER, "shut", json.dumps(SHUT))
    assert [each.error for each in ask(expression)] == [""]


@pytest.mark.parametrize("document", ["", "nonsense", "[]", "{}", '{"Statement": ["x"]}'])
def test_a_document_that_nobody_can_read_denies(document: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(AFTER, "policy", json.dumps(document))
    (found,) = ask('statements(after["policy"]).exists(s, s.allow)')
    assert found.error


def test_nothing_asked_starts_nothing() -> None:
    assert CelJudge(0.0).judge(()) == ()


def test_what_takes_too_long_is_an_error_of_each_rule() -> None:
    many = "[" + ",".join(["1"] * 300) + "]"
    slow = f"{many}.all(a, {many}.all(b, {many}.all(c, a + b + c > 0)))"
    began = time.monotonic()
    found = ask(slow, "true", seconds=2.0)
    assert time.monotonic() - began < 30
    assert [(each.rule, bool(each.error)) for each in found] == [("r0", True), ("r1", True)]


def test_a_judge_that_cannot_be_started_denies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    (found,) = ask("true")
    assert "more memory or time" in found.error
