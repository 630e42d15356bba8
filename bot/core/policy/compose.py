"""Which policies are in force: the operator's, and what a repository's target branch adds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from bot.core.errors import Problem
from bot.core.model import Permission
from bot.core.policy.model import Actors, Condition, Group, Join, Policy, Require, Rule

FOLDER = ".headgate/policies/"
"""Where a repository keeps its own."""

MOST_FILES = 50


def is_policy_file(path: str) -> bool:
    """Whether a path of a repository is a policy of its own (cases stand beside them and are none)."""
    name = path.removeprefix(FOLDER)
    return path.startswith(FOLDER) and "/" not in name and name.endswith(".yaml") and not name.endswith(".cases.yaml")


def in_force(operator: Iterable[Policy], own: Iterable[Policy]) -> tuple[Policy, ...]:
    """All of them. A repository's rule takes the place of the operator's of the same name only where that is not
    locked; every file must be met, so whatever else it writes can only ask for more."""
    own = tuple(own)
    replacing = {rule.name: rule for policy in own for rule in policy.rules}
    return (*(_replaced(policy, replacing) for policy in operator), *own)


def _replaced(policy: Policy, replacing: dict[str, Rule]) -> Policy:
    rules = tuple(rule if rule.locked else replacing.get(rule.name, rule) for rule in policy.rules)
    return policy if rules == policy.rules else replace(policy, rules=rules)


def broken(file: str, problems: tuple[Problem, ...]) -> Policy:
    """In the place of a file on the target branch that cannot be read: a maintainer must agree until it is mended.

    Nothing at all would loosen what it said; nothing ever passing would lock out its own repair.
    """
    first = f": `{problems[0].file}:{problems[0].line}` {problems[0].message}" if problems else ""
    rule = Rule(
        name=f"{file} cannot be read",
        description=f"{file} on the target branch cannot be read{first}",
        require=Require(count=1, people=Actors(permission=Permission.MAINTAIN)),
    )
    return Policy(file, (rule,), Group(Join.ALL, (rule.name,)), digest="broken")


def asked_groups(policies: Iterable[Policy]) -> tuple[frozenset[str], frozenset[str]]:
    """Teams and organisations whose members rules need to know."""
    actors = [each for policy in policies for each in policy.actors]
    teams = frozenset[str]().union(*(each.teams for each in actors))
    return teams, frozenset[str]().union(*(each.organisations for each in actors))


def wants_owners(policies: Iterable[Policy]) -> bool:
    """Whether a rule asks for code owners."""
    return any(rule.require.owners for policy in policies for rule in policy.rules)


def edges(policies: Iterable[Policy], now: datetime) -> tuple[datetime, ...]:
    """When conditions about time turn over next, and exceptions end (law 14)."""
    policies = tuple(policies)
    found = (edge(now) for policy in policies for each in _conditions(policy) for edge in each.edges)
    ends = (each.until for policy in policies for each in policy.exceptions if each.until > now)
    return (*(each for each in found if each is not None), *ends)


def _conditions(policy: Policy) -> Iterator[Condition]:
    for rule in policy.rules:
        yield from (*rule.when, *rule.require.conditions)
    yield from policy.disapproval.when if policy.disapproval is not None else ()
