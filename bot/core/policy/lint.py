"""What is allowed to be written and still is a mistake: rules that nobody can meet, that never or always hold."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from bot.core.face.words import both
from bot.core.match import is_literal
from bot.core.policy.model import Actors, Group, Join, Policy, Rule


def lint(
    policies: Collection[Policy], environments: Collection[str] | None = None, now: datetime | None = None
) -> tuple[str, ...]:
    """Sentences, each with the place of the rule. ``environments`` are those that there are, where they are known;
    ``now`` tells which exceptions have ended."""
    said = [
        each for policy in policies for each in (*_policy(policy, environments), *_plans(policy, environments, now))
    ]
    return (*said, *_doubled(policies))


def _plans(policy: Policy, environments: Collection[str] | None, now: datetime | None) -> Iterator[str]:
    for rule in policy.plans:
        agreeing = policy.agreeing.get(rule.name)
        if agreeing is not None:
            for why in _rule(agreeing, None):
                yield f"{rule.place} {rule.name}: {why}"
        named = [each.pattern for each in rule.environments if is_literal(each.pattern)]
        for name in (*named, *(rule.levels or ())):
            if environments is not None and name not in environments:
                yield f"{rule.place} {rule.name}: no environment is called `{name}`"
    for exempt in policy.exceptions:
        if now is not None and exempt.until <= now:
            yield f"{policy.file} exception from {exempt.rule} by {exempt.owner}: ended on {exempt.until:%Y-%m-%d}"


def _policy(policy: Policy, environments: Collection[str] | None) -> Iterator[str]:
    for rule in policy.rules:
        for why in _rule(rule, environments):
            yield f"{rule.place} {rule.name}: {why}"
    disapproval = policy.disapproval
    if disapproval is not None and disapproval.people.nobody and not disapproval.when:
        yield f"{policy.file} disapproval: has neither `if` nor `people`, so nothing disapproves"
    for why in _shadowed(policy):
        yield f"{policy.file} approval: {why}"


def _rule(rule: Rule, environments: Collection[str] | None) -> Iterator[str]:
    require = rule.require
    most = _most(require.people)
    if require.count and most is not None and most < require.count:
        yield f"nobody can meet it: it needs {require.count} approvals and `people` names {most or 'nobody'}"
    if require.owners and require.people.nobody:
        yield "nobody can meet it: `owners` counts among `people`, which names nobody"
    if _always(rule):
        yield "asks for nothing, so it is always met"
    for condition in rule.when:
        if condition.mutable:
            yield f"`{condition.name}` may turn over while nobody pushes: where it does not hold the rule waits"
    if require.people.permission is None and not require.wants_people and not require.people.nobody:
        yield "`people` without `count`, `distinct_teams` or `owners` says nothing"
    for name in _unknown_environments(rule, environments):
        yield f"no environment is called `{name}`, so it concerns no change"


def _most(people: Actors) -> int | None:
    """How many people could approve; None where only the host knows."""
    if people.teams or people.organisations or people.permission is not None:
        return None
    return len(people.users - {"-"})


def _unknown_environments(rule: Rule, environments: Collection[str] | None) -> Iterator[str]:
    if environments is None:
        return
    for condition in rule.when:
        for name in condition.literal:
            if name not in environments:
                yield name


def _shadowed(policy: Policy) -> Iterator[str]:
    """In an ``any`` a rule that is always met leaves the others nothing to say."""
    always = {rule.name for rule in policy.rules if _always(rule)}
    for group in _groups(policy.approval):
        met = [each for each in group.members if isinstance(each, str) and each in always]
        others = [each for each in group.members if isinstance(each, str) and each not in always]
        if group.join is Join.ANY and met and others:
            yield f"{both(met)} is always met, so {both(others)} beside it in `any` never matters"


def _always(rule: Rule) -> bool:
    return not rule.when and not rule.require.wants_people and not rule.require.conditions


def _groups(group: Group) -> Iterator[Group]:
    yield group
    for each in group.members:
        if isinstance(each, Group):
            yield from _groups(each)


def _doubled(policies: Collection[Policy]) -> Iterator[str]:
    """A rule of the same name in two files, of which the first is locked: both hold."""
    seen: dict[str, Rule] = {}
    for policy in policies:
        for rule in policy.rules:
            first = seen.setdefault(rule.name, rule)
            if first is not rule and first.locked:
                yield f"{rule.place} {rule.name}: {first.place} has this name and is locked, so both hold"
