"""Approval rules of a repository: who counts for which, and what is still missing."""

from __future__ import annotations

from dataclasses import dataclass

from bot.forge.groups import all_members
from bot.forge.model import Actor, ApprovalRule, Pull, Repo, ReviewState, Role
from bot.forge.pulls import pull_commits
from bot.forge.rules import standing_reviews
from bot.forge.state import State

ANY_APPROVER = "All Members"


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """One rule, who may satisfy it (nobody named: whoever may write), and who has."""

    rule: ApprovalRule
    eligible: tuple[str, ...]
    by: tuple[str, ...]

    @property
    def missing(self) -> int:
        """How many approvals are still needed."""
        return max(0, self.rule.needed - len(self.by))


def rules_of(state: State, repo: Repo, pull: Pull) -> list[ApprovalRule]:
    """The rules that bind a change; what the branch itself asks for is a rule without names. Rules are paid for."""
    if not state.paid:
        return []
    found = [rule for rule in repo.approval_rules.values() if not rule.branches or pull.base_ref in rule.branches]
    branch = repo.protections.get(pull.base_ref)
    if branch is not None and branch.approvals is not None and not any(_anybody(rule) for rule in found):
        found.insert(0, ApprovalRule(repo.id, ANY_APPROVER, branch.approvals))
    return found


def _anybody(rule: ApprovalRule) -> bool:
    return not rule.people and not rule.groups


def approvers(pull: Pull) -> list[str]:
    """Who has approved and not taken it back, in the order in which they did."""
    standing = standing_reviews(pull).values()
    return [review.author for review in standing if review.state is ReviewState.APPROVED]


def eligible(state: State, repo: Repo, rule: ApprovalRule) -> tuple[str, ...]:
    """The people that a rule names, or everybody who may write."""
    if _anybody(rule):
        return tuple(login for login in sorted(state.accounts) if state.role(repo, Actor(login)) >= Role.WRITE)
    named = set(rule.people)
    for path in rule.groups:
        named |= set(all_members(state, path))
    return tuple(sorted(named))


def barred(state: State, repo: Repo, pull: Pull) -> set[str]:
    """Who may not approve this change: its author, and its committers where the repository wants that."""
    out = set() if repo.settings.author_approval else {pull.author}
    if not repo.settings.committers_approval:
        mails = {commit.committer.email for commit in pull_commits(state, repo, pull)}
        out |= {account.login for account in state.accounts.values() if account.email in mails}
    return out


def judge(state: State, repo: Repo, pull: Pull, also: str | None = None) -> list[RuleVerdict]:
    """How every rule stands, or would with the approval of ``also``."""
    out = barred(state, repo, pull)
    given = [login for login in [*approvers(pull), *([also] if also else [])] if login not in out]
    verdicts = []
    for rule in rules_of(state, repo, pull):
        fit = eligible(state, repo, rule)
        verdicts.append(RuleVerdict(rule, fit, tuple(login for login in given if login in fit)))
    return verdicts


def approved(state: State, repo: Repo, pull: Pull, also: str | None = None) -> bool:
    """Whether no rule misses anybody, or would with the approval of ``also``."""
    return all(verdict.missing == 0 for verdict in judge(state, repo, pull, also))


def may_approve(state: State, repo: Repo, pull: Pull, login: str) -> bool:
    """Whether somebody's approval would be taken."""
    if login in barred(state, repo, pull) or login in approvers(pull) or not pull.open:
        return False
    named = any(login in eligible(state, repo, rule) for rule in rules_of(state, repo, pull))
    return named or state.role(repo, Actor(login)) >= Role.WRITE
