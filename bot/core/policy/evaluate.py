"""A change against policies: the tree of reasons. Pure; it never raises, and asks nobody anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bot.core.face.words import plural
from bot.core.model import ReviewState
from bot.core.policy.approving import judge_rule, newest
from bot.core.policy.facts import Facts, Saying, Word
from bot.core.policy.model import Disapproval, Group, Join, Methods, Policy, Rule, Scope
from bot.core.policy.people import among, described
from bot.core.policy.plan_judging import judge_plans
from bot.core.policy.words import spoken
from bot.core.verdict import Reason, Status, all_of


def judge_policies(policies: Iterable[Policy], facts: Facts) -> tuple[Reason, ...]:
    """One reason for each file of policies, in order: each must be met."""
    return tuple(judge_policy(policy, facts) for policy in policies)


def judge_policy(policy: Policy, facts: Facts) -> Reason:
    """What one file comes to: disapproved, else as its rules are joined."""
    rules = {rule.name: rule for rule in policy.rules}
    name = f"policy:{policy.file}"
    disapproved = _disapproved(policy.disapproval, facts) if policy.disapproval is not None else None
    found = _group(policy.approval, rules, facts, name)
    if disapproved is not None and disapproved.status is Status.DENIED:
        return Reason(name, Status.DENIED, disapproved.text, children=(disapproved, *found.children))
    plans = judge_plans(policy, facts)
    children = (*((disapproved,) if disapproved else ()), *plans, *found.children)
    if disapproved is not None and disapproved.status is Status.PENDING:
        return Reason(name, Status.PENDING, disapproved.text, children=children)
    against = all_of(name, found.text, plans)
    if against.status in (Status.DENIED, Status.PENDING):
        # What denies a plan is not outvoted by what people approve.
        text = against.blockers()[0].text
        return Reason(name, against.status, text, children=children)
    if not policy.approval.members:
        return Reason(name, Status.APPROVED, f"{policy.file} has no rule about approval", children=children)
    if found.status is Status.SKIPPED and policy.otherwise_pending:
        none = Reason(f"{name}.otherwise", Status.PENDING, f"No rule of {policy.file} concerns this change")
        return Reason(name, Status.PENDING, none.text, children=(*children, none))
    return Reason(name, found.status, f"{policy.file}: {found.text}", children=children)


def _group(group: Group, rules: Mapping[str, Rule], facts: Facts, name: str) -> Reason:
    children = tuple(
        judge_rule(rules[each], facts) if isinstance(each, str) else _group(each, rules, facts, f"{name}.{number}")
        for number, each in enumerate(group.members, start=1)
    )
    return joined(group.join, name, children)


def joined(join: Join, name: str, children: tuple[Reason, ...]) -> Reason:
    """``all``: approved when each is approved or skipped. ``any``: approved when one is. All skipped: skipped.

    In an ``any`` that waits, what would unblock it is every way at once: so its members stand in its place.
    """
    states = [child.status for child in children]
    concerned = [state for state in states if state is not Status.SKIPPED]
    met = sum(state is Status.APPROVED for state in states)
    if not concerned:
        return Reason(name, Status.SKIPPED, "None of these rules concerns it", children=children)
    if join is Join.ANY:
        status = Status.APPROVED if met else Status.PENDING
        text = "One of these rules is met" if met else "None of these rules is met: one is enough"
        return Reason(name, status, text, children=children)
    if met == len(concerned):
        return Reason(name, Status.APPROVED, f"{plural(met, 'rule')} met", children=children)
    status = Status.DENIED if Status.DENIED in states else Status.PENDING
    return Reason(name, status, f"{met} of {plural(len(concerned), 'rule')} met", children=children)


def _disapproved(disapproval: Disapproval, facts: Facts) -> Reason:
    """Denied by a condition that holds, or by somebody's word that nobody allowed took back."""
    scope, name = Scope(facts, facts.projects), "policy.disapproval"
    for condition in disapproval.when:
        outcome = condition.test(scope)
        if outcome.holds is None:
            return Reason(name, Status.PENDING, f"nobody can tell whether it is disapproved, as {outcome.text}")
        if outcome.holds:
            return Reason(name, Status.DENIED, f"Disapproved: {outcome.text}", ((condition.name, outcome.text),))
    if disapproval.people.nobody:
        return Reason(name, Status.SKIPPED, "Nothing disapproves it")
    against = newest(_by_them(disapproval, disapproval.disapprove, facts, ReviewState.CHANGES_REQUESTED))
    if against is None:
        return Reason(name, Status.SKIPPED, "Nobody disapproves it")
    words = _by_them(disapproval, disapproval.revoke, facts, ReviewState.APPROVED)
    back = newest(word for word in words if _may_take_back(word, against, facts))
    if back is not None and (back.at, back.id) > (against.at, against.id):
        return Reason(name, Status.SKIPPED, f"{back.author} took back what {against.author} had against it")
    who = (against.author, *(f"one of {each}" for each in described(disapproval.people)))
    how = "approve, or take it back in a comment"
    return Reason(name, Status.DENIED, f"{against.author} disapproves", who=who, how=how)


def _may_take_back(word: Word, against: Word, facts: Facts) -> bool:
    """A bot that approves whatever is green takes nothing back, nor does the author what others have against it."""
    who = word.author.lower()
    return not word.by_bot and (who != facts.author.lower() or who == against.author.lower())


def _by_them(disapproval: Disapproval, methods: Methods, facts: Facts, state: ReviewState) -> list[Word]:
    return [
        word
        for word in facts.words
        if among(facts.people, word.author, disapproval.people) is True and _says(word, methods, state)
    ]


def _says(word: Word, methods: Methods, state: ReviewState) -> bool:
    if word.kind is Saying.REVIEW:
        return methods.reviews and word.state is state
    return spoken(word, methods)
