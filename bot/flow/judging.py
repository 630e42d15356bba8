"""Plan rules over the plans of a change: evaluated once for each plan and each set of rules, and remembered."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

from bot.core.decide.planning import planned_fingerprints
from bot.core.policy.cases import Case
from bot.core.policy.facts import Facts, Found, ProjectFact
from bot.core.policy.model import Policy
from bot.core.policy.of_snapshot import projects_of
from bot.core.policy.plan_rules import Plans
from bot.core.policy.standing import policy_reasons
from bot.core.snapshot import Snapshot
from bot.ports import PlanJudge

MOST_FOUND = 500
"""Things found that are remembered for one plan; one with more keeps the first, which deny as well."""


def with_policies_judged(judge: PlanJudge, snapshot: Snapshot) -> Snapshot:
    """The snapshot with what its policies come to, for those who see it without what policies compare with."""
    if snapshot.ground is None:
        return snapshot
    judged = with_plans_judged(judge, snapshot)
    reasons = policy_reasons(judged)
    if reasons == judged.memory.reasons:
        return judged
    return replace(judged, memory=replace(judged.memory, reasons=reasons))


def with_plans_judged(judge: PlanJudge, snapshot: Snapshot) -> Snapshot:
    """The snapshot with what plan rules found in its present plans."""
    policies = [policy for policy in snapshot.rules.policies if policy.plans]
    if not policies or snapshot.memory.merge is not None:
        return snapshot
    prints = planned_fingerprints(snapshot)
    rules = _rules_key(policies)
    wanted = {
        f"{each.name}:{prints[each.name]}:{rules}": each for each in projects_of(snapshot) if each.name in prints
    }
    known = {key: found for key, found in snapshot.memory.judged.items() if key in wanted}
    new = {key: project for key, project in wanted.items() if key not in known}
    if new:
        found = list(found_in(judge, policies, tuple(new.values())))
        for key, project in new.items():
            known[key] = tuple(each for each in found if each.project == project.name)[:MOST_FOUND]
    if known == snapshot.memory.judged:
        return snapshot
    return replace(snapshot, memory=replace(snapshot.memory, judged=known))


def found_in(judge: PlanJudge, policies: Iterable[Policy], projects: tuple[ProjectFact, ...]) -> Iterator[Found]:
    """What the plan rules of these policies find in these projects' plans."""
    plans, asked = Plans(projects), []
    for policy in policies:
        yield from (replace(each, policy=policy.file) for each in plans.found_outright(policy.plans))
        asked += [replace(each, policy=policy.file) for each in plans.questions(policy.plans)]
    yield from judge.judge(asked)


def with_found(judge: PlanJudge, policy: Policy, cases: Iterable[Case]) -> tuple[Case, ...]:
    """Cases whose facts hold what a policy's plan rules find in their plans."""
    if not policy.plans:
        return tuple(cases)
    return tuple(replace(case, facts=_found(judge, policy, case.facts)) for case in cases)


def _found(judge: PlanJudge, policy: Policy, facts: Facts) -> Facts:
    return replace(facts, found=tuple(found_in(judge, [policy], facts.projects)))


def _rules_key(policies: Iterable[Policy]) -> str:
    text = repr([(policy.file, [rule.canonical() for rule in policy.plans]) for policy in policies])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
