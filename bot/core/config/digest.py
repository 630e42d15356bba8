"""The digest of rules: everything that decides a gate, nothing that is a credential.

A gate record stands only under the rules it was written under, so what is in here must be exactly what a person
would call "the rules": changing any of it closes the gate and opens it anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace

from bot.core.rules import Environment, RepoRules

FORMAT = 1
"""Changed only together with the meaning of what is digested; doing so closes every open gate once."""


def with_digest(rules: RepoRules, environments: Mapping[str, Environment]) -> RepoRules:
    """The rules, with the digest of themselves and of the environments they reach."""
    return replace(rules, digest=rules_digest(rules, environments))


def rules_digest(rules: RepoRules, environments: Mapping[str, Environment]) -> str:
    """SHA-256 over canonical JSON. The order of granted environments counts (the first match wins)."""
    reached = _reached(rules.environments, environments)
    value: dict[str, object] = {
        "format": FORMAT,
        "mode": rules.mode.value,
        "branches": list(rules.branches),
        "grants": [[name, list(globs)] for name, globs in rules.environments.items()],
        "merge_method": rules.merge_method,
        "auto_merge": rules.auto_merge,
        "max_projects": rules.max_projects,
        "guard": rules.guard.canonical(),
        "environments": {name: _gate(environments.get(name) or Environment(name)) for name in reached},
    }
    if rules.policies:
        value["policies"] = [[policy.file, policy.digest] for policy in rules.policies]
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _gate(environment: Environment) -> dict[str, object]:
    return {
        "approvals": environment.approvals,
        "required_checks": sorted(map(str, environment.required_checks)),
        "after": sorted(environment.after),
        "survive": environment.survive.value,
        "deploy": environment.deploy.value,
        "volatile": sorted(environment.volatile),
        "guard": environment.guard.canonical() if environment.guard else None,
        **_frozen(environment),
    }


def _frozen(environment: Environment) -> dict[str, object]:
    """Freezes that hold merges decide a gate; windows of deploys do not."""
    if not environment.freeze_merges:
        return {}
    return {"freezes": [dict(each) for each in environment.freezes], "freeze_label": environment.freeze_label}


def _reached(granted: Mapping[str, object], environments: Mapping[str, Environment]) -> list[str]:
    """The granted environments, and those that go before them; without any grant, the one without a name."""
    found: list[str] = []
    waiting = list(granted)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.append(name)
            waiting.extend(environments[name].after if name in environments else ())
    return sorted(found)
