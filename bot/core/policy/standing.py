"""What the policies in force make of a snapshot: for the gate, its record, and the people who are asked again."""

from __future__ import annotations

from collections.abc import Iterator

from bot.core.model import Review
from bot.core.policy.approving import narrowed
from bot.core.policy.evaluate import judge_policies
from bot.core.policy.facts import Facts
from bot.core.policy.model import Policy
from bot.core.policy.of_snapshot import facts_of
from bot.core.policy.words import Sorted, approvals
from bot.core.record import Covered
from bot.core.snapshot import Snapshot
from bot.core.verdict import Reason, Status


def policy_reasons(snapshot: Snapshot) -> tuple[Reason, ...]:
    """A reason for each file of policies, as it was last judged where what it compares with was not read."""
    if snapshot.ground is None:
        return snapshot.memory.reasons
    policies = snapshot.rules.policies
    return judge_policies(policies, facts_of(snapshot)) if policies else ()


def policy_approvals(snapshot: Snapshot) -> tuple[Covered, ...]:
    """Every approval that counts for a rule; once per person."""
    found: dict[str, Covered] = {}
    for _, sorted_ in _looked_at(snapshot):
        for word in sorted_.counted:
            found.setdefault(word.author.lower(), Covered(word.author, word.at, word.head))
    return tuple(found.values())


def policy_dropped(snapshot: Snapshot) -> tuple[Review, ...]:
    """Reviews that new effects alone took back, for a rule that now waits; once per person."""
    reviews = {review.id: review for review in snapshot.host.reviews}
    found: dict[str, Review] = {}
    for status, sorted_ in _looked_at(snapshot):
        if status is Status.PENDING:
            for word in sorted_.dropped:
                if word.id in reviews:
                    found.setdefault(word.author.lower(), reviews[word.id])
    return tuple(found.values())


def _looked_at(snapshot: Snapshot) -> Iterator[tuple[Status, Sorted]]:
    """Each rule that concerns the change and wants people, with its verdict and the words it sorted."""
    policies = snapshot.rules.policies
    if not policies or snapshot.ground is None:
        return
    facts = facts_of(snapshot)
    for policy, tree in zip(policies, judge_policies(policies, facts), strict=True):
        yield from _of_policy(policy, tree, facts)


def _of_policy(policy: Policy, tree: Reason, facts: Facts) -> Iterator[tuple[Status, Sorted]]:
    verdicts = dict(_verdicts(tree))
    for rule in policy.rules:
        status = verdicts.get(f"policy.{rule.name}", Status.SKIPPED)
        if status is not Status.SKIPPED and (
            rule.require.count or rule.require.distinct_teams or rule.require.owners
        ):
            yield status, approvals(rule, facts, narrowed(rule, facts.projects))


def _verdicts(tree: Reason) -> Iterator[tuple[str, Status]]:
    yield tree.rule, tree.status
    for child in tree.children:
        yield from _verdicts(child)
