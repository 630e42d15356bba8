"""Rulesets: what they require of a branch, beside its own rules, and whom they let pass.

https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/managing-rulesets/about-rulesets
"""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from bot.forge.model import Actor, Protection, Repo, RequiredCheck, Role
from bot.forge.ruleset_model import Ruleset
from bot.forge.state import State

CHECKS = "required_status_checks"
ROLES = {2: Role.MAINTAIN, 4: Role.WRITE, 5: Role.ADMIN}
"""Roles as bypass actors are numbered."""


def of_branch(repo: Repo, branch: str) -> list[Ruleset]:
    """Those in force for a branch, oldest first."""
    return [each for each in repo.rulesets.values() if _applies(each, repo, branch)]


def _applies(ruleset: Ruleset, repo: Repo, branch: str) -> bool:
    here = (ruleset.target, ruleset.enforcement) == ("branch", "active")
    return here and _named(ruleset.include, repo, branch) and not _named(ruleset.exclude, repo, branch)


def _named(patterns: tuple[str, ...], repo: Repo, branch: str) -> bool:
    special = {"~ALL": True, "~DEFAULT_BRANCH": branch == repo.default_branch}
    return any(special.get(each) or fnmatchcase(f"refs/heads/{branch}", each) for each in patterns)


def _checks(ruleset: Ruleset) -> tuple[RequiredCheck, ...]:
    wanted = [each for rule in ruleset.rules if rule["type"] == CHECKS for each in rule["parameters"][CHECKS]]
    return tuple(RequiredCheck(each["context"], each.get("integration_id")) for each in wanted)


def in_force(repo: Repo, branch: str) -> Protection | None:
    """The rules of a branch, its own and what rulesets require; None when there are none."""
    own = repo.protections.get(branch)
    checks = tuple(check for each in of_branch(repo, branch) for check in _checks(each))
    if not checks:
        return own
    rule = own or Protection(allow_force_pushes=True, allow_deletions=True)
    return replace(rule, checks=tuple(dict.fromkeys((*(rule.checks or ()), *checks))))


def binds(state: State, repo: Repo, actor: Actor, branch: str) -> bool:
    """Whether a ruleset that requires checks binds somebody, whatever else they may pass by."""
    return any(_checks(each) and not _lets_pass(each, state, repo, actor) for each in of_branch(repo, branch))


def _lets_pass(ruleset: Ruleset, state: State, repo: Repo, actor: Actor) -> bool:
    return any(_is(state, repo, actor, each) for each in ruleset.bypass)


def _is(state: State, repo: Repo, actor: Actor, named: dict[str, Any]) -> bool:
    match named.get("actor_type"):
        case "RepositoryRole":
            return state.role(repo, actor) >= ROLES.get(int(named.get("actor_id") or 0), Role.ADMIN)
        case "Integration":
            return actor.app_id is not None and actor.app_id == named.get("actor_id")
        case "User":
            return state.account(actor.login).id == named.get("actor_id")
        case _:
            return False
