"""What plan rules come to, as reasons of the gate; what they found is told with the values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bot.core.face.words import both, plural
from bot.core.policy.approving import judge_rule
from bot.core.policy.facts import Facts, Found
from bot.core.policy.model import Policy, Rule
from bot.core.policy.plan_rules import Exempt, Level, PlanRule
from bot.core.verdict import Reason, Status

SHOWN = 20
"""Things found that a reason names."""


def judge_plans(policy: Policy, facts: Facts) -> tuple[Reason, ...]:
    """A reason for each plan rule that found something, or that was looked at and found nothing."""
    return tuple(_judged(rule, policy, facts) for rule in policy.plans)


def standing_found(rule: PlanRule, policy: Policy, facts: Facts) -> tuple[tuple[Found, ...], tuple[Exempt, ...]]:
    """What a rule found and no exception covers; and the exceptions that cover the rest."""
    found = [each for each in facts.found if each.rule == rule.name and each.policy == policy.file]
    kept, used = [], []
    for each in found:
        exempt = next((one for one in policy.exceptions if not each.error and one.covers(each, facts.now)), None)
        if exempt is None:
            kept.append(each)
        else:
            used.append(exempt)
    return tuple(kept), tuple(dict.fromkeys(used))


def _judged(rule: PlanRule, policy: Policy, facts: Facts) -> Reason:
    name = f"plan-rule.{rule.name}"
    found, exceptions = standing_found(rule, policy, facts)
    excused = tuple((f"excepted by {each.owner}", f"{each.reason} (until {each.until:%F})") for each in exceptions)
    if not found:
        left = " that is not excepted" if excused else ""
        return Reason(name, Status.APPROVED, f"{rule.name} finds nothing{left}", excused)
    told = ((f"{each.project} {each.address}".strip(), each.error or each.what) for each in found[:SHOWN])
    values = (*told, *excused)
    text = f"{rule.name}: {rule.description or plural(len(found), 'resource')} ({_where(found)})"
    if any(each.error for each in found):
        broken = next(each for each in found if each.error)
        text = f"{rule.name} could not be evaluated for {broken.address or broken.project}: {broken.error}"
        return Reason(name, Status.DENIED, text, values, how="mend the rule on the target branch")
    level = Level.WARN if rule.advisory else _strictest(rule, found, facts)
    if level is Level.WARN:
        return Reason(name, Status.APPROVED, f"Warning: {text}", values)
    if level is Level.DENY:
        how = rule.fix or f"change it, or have an exception to {rule.name} merged"
        return Reason(name, Status.DENIED, text, values, (facts.author,), how)
    return _required(rule, policy, facts, found, text, values)


def _strictest(rule: PlanRule, found: Iterable[Found], facts: Facts) -> Level:
    environments = {project.name: project.environments for project in facts.projects}
    levels = [rule.level_in(environments.get(each.project, ())) for each in found]
    return min(levels, key=list(Level).index)


def _required(
    rule: PlanRule,
    policy: Policy,
    facts: Facts,
    found: tuple[Found, ...],
    text: str,
    values: tuple[tuple[str, str], ...],
) -> Reason:
    """Certain people agree to it, having seen the effects of the projects that it is in."""
    agreeing = policy.agreeing.get(rule.name, Rule(rule.name))
    projects = {each.project for each in found}
    narrowed = replace(facts, projects=tuple(each for each in facts.projects if each.name in projects))
    inner = judge_rule(agreeing, narrowed)
    return replace(inner, rule=f"plan-rule.{rule.name}", text=text, values=values)


def _where(found: tuple[Found, ...]) -> str:
    names = [f"`{each.address}`" if each.address else each.project for each in found]
    return both(list(dict.fromkeys(names))[:5])
