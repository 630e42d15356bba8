"""A branch's protection as the server shows it, and as it is asked to be: nothing that is there gets lost.

https://docs.gitea.com/usage/protected-branches
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.hosts.fields import some


def required(shown: Mapping[str, Any]) -> tuple[str, ...]:
    """The statuses that a branch or a rule requires: names, or patterns; none while requiring is switched off."""
    contexts = shown.get("status_check_contexts")
    if shown.get("enable_status_check") is not True or not isinstance(contexts, list):
        return ()
    return tuple(str(each) for each in contexts)


def absent(names: Sequence[str], shown: Mapping[str, Any]) -> tuple[str, ...]:
    """Which names are not required. A pattern requires that something fits it, which need not be ours."""
    return tuple(name for name in names if name not in required(shown))


def with_checks(shown: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The body of ``PATCH …/branch_protections/{name}``, where what is not said stays."""
    return {
        "enable_status_check": True,
        "status_check_contexts": [*(each for each in required(shown) if each not in names), *names],
    }


def new_rule(branch: str, names: Sequence[str]) -> dict[str, Any]:
    """The body of ``POST …/branch_protections`` for a branch that has no rule."""
    return {"rule_name": branch, "enable_push": False, **with_checks({}, names)}


def rule_of(branch: Mapping[str, Any]) -> str:
    """The name of the rule that holds for a branch; empty when none does."""
    return str(some(branch).get("effective_branch_protection_name") or "")
