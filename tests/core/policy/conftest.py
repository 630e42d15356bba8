"""Policies from YAML, and facts as cases write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.core.policy.cases import facts_of
from bot.core.policy.evaluate import judge_policy
from bot.core.policy.facts import Facts
from bot.core.policy.model import Policy
from bot.core.policy.read import parse_policy
from bot.core.verdict import Reason

CASES = Path(__file__).parent / "cases"
PUBLIC: Mapping[str, Any] = yaml.safe_load((CASES / "public.yaml").read_text())["facts"]
"""The change that the public cases are about: three commits of three people, comments and reviews of others."""


def a_policy(*rules: Mapping[str, Any], **more: Any) -> Policy:
    """A policy of these rules; each gets a name unless it has one."""
    named = [{"name": f"rule-{number}", **rule} for number, rule in enumerate(rules, start=1)]
    found = parse_policy(yaml.safe_dump({"version": 1, "rules": named, **more}), "policy.yaml")
    assert isinstance(found, Policy), found
    return found


def public(**more: Any) -> Facts:
    """The public cases' change, with some of it otherwise."""
    return facts_of({**PUBLIC, **more})


@pytest.fixture
def judge() -> Callable[..., Reason]:
    """What rules come to on facts."""
    return lambda facts, *rules, **more: judge_policy(a_policy(*rules, **more), facts)
