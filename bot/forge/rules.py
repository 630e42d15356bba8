"""What a protected branch forbids: the reasons against a merge and against a push, in words for people."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.forge.gitstore import ZERO
from bot.forge.model import Access, Actor, Protection, Pull, Repo, RequiredCheck, Review, ReviewState, Role
from bot.forge.report_model import CheckRun, Status
from bot.forge.rulesets import binds, in_force
from bot.forge.state import State

_GREEN_CONCLUSIONS = frozenset({"success", "neutral", "skipped"})


class CheckOutcome(StrEnum):
    """How a check stands; EXPECTED means nobody has said anything yet."""

    SUCCESS = "success"
    PENDING = "pending"
    FAILURE = "failure"
    EXPECTED = "expected"


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a commit, a status or a check run, as a person sees it."""

    name: str
    outcome: CheckOutcome
    description: str
    url: str | None
    source: str
    app_id: int | None
    required: bool
    raw: str


def newest_statuses(repo: Repo, sha: str) -> list[Status]:
    """The last status of each context of a commit, newest first."""
    newest: dict[str, Status] = {}
    for status in repo.statuses:
        if status.sha == sha:
            newest[status.context] = status
    return sorted(newest.values(), key=lambda status: -status.id)


def newest_check_runs(repo: Repo, sha: str) -> list[CheckRun]:
    """The last run of each name and application of a commit, newest first."""
    newest: dict[tuple[str, int], CheckRun] = {}
    for run in repo.check_runs.values():
        if run.sha == sha:
            newest[(run.name, run.app_id)] = run
    return sorted(newest.values(), key=lambda run: -run.id)


def checks_of(state: State, repo: Repo, sha: str, rule: Protection | None) -> list[Check]:
    """Every check of a commit, required ones first, the expected ones that nobody reported included."""
    required = (rule.checks or ()) if rule else ()
    found = [_of_status(status, required) for status in newest_statuses(repo, sha)]
    found += [_of_run(state, run, required) for run in newest_check_runs(repo, sha)]
    for need in required:
        if not any(_answers(check, need) for check in found):
            found.append(
                Check(
                    need.context,
                    CheckOutcome.EXPECTED,
                    "Expected — waiting for status to be reported",
                    None,
                    "",
                    need.app_id,
                    True,
                    "expected",
                )
            )
    return sorted(found, key=lambda check: (not check.required, check.name))


def _answers(check: Check, need: RequiredCheck) -> bool:
    return check.name == need.context and need.app_id in (None, check.app_id)


def _of_status(status: Status, required: tuple[RequiredCheck, ...]) -> Check:
    match status.state:
        case "success":
            outcome = CheckOutcome.SUCCESS
        case "pending":
            outcome = CheckOutcome.PENDING
        case _:
            outcome = CheckOutcome.FAILURE
    needed = any(need.context == status.context and need.app_id in (None, status.app_id) for need in required)
    return Check(
        status.context,
        outcome,
        status.description or "",
        status.target_url,
        status.creator,
        status.app_id,
        needed,
        status.state,
    )


def _of_run(state: State, run: CheckRun, required: tuple[RequiredCheck, ...]) -> Check:
    if run.status != "completed":
        outcome = CheckOutcome.PENDING
    elif run.conclusion in _GREEN_CONCLUSIONS:
        outcome = CheckOutcome.SUCCESS
    else:
        outcome = CheckOutcome.FAILURE
    needed = any(need.context == run.name and need.app_id in (None, run.app_id) for need in required)
    source = state.apps[run.app_id].bot
    return Check(
        run.name,
        outcome,
        run.title or "",
        run.details_url,
        source,
        run.app_id,
        needed,
        run.conclusion or run.status,
    )


def standing_reviews(pull: Pull) -> dict[str, Review]:
    """The review that counts of each person: the last one that was not a mere comment."""
    standing: dict[str, Review] = {}
    for review in pull.reviews:
        if review.state is not ReviewState.COMMENTED:
            standing[review.author] = review
    return {login: review for login, review in standing.items() if review.state is not ReviewState.DISMISSED}


def unmet_checks(state: State, repo: Repo, sha: str, rule: Protection) -> list[str]:
    """Why the required checks of a branch are not satisfied by a commit."""
    waiting = [c for c in checks_of(state, repo, sha, rule) if c.required and c.outcome is not CheckOutcome.SUCCESS]
    return [f'Required status check "{check.name}" is {_word(check.outcome)}.' for check in waiting]


def _word(outcome: CheckOutcome) -> str:
    return "failing" if outcome is CheckOutcome.FAILURE else outcome.value


def merge_blockers(state: State, repo: Repo, pull: Pull) -> list[str]:
    """Why the rules of the base branch forbid this merge; empty when they do not."""
    rule = in_force(repo, pull.base_ref)
    if rule is None:
        return []
    reasons = unmet_checks(state, repo, pull.head_sha, rule)
    if rule.approvals is not None:
        reasons += _review_blockers(state, repo, pull, rule.approvals)
    if rule.strict and rule.checks and not state.git(repo).is_ancestor(_tip(state, repo, pull), pull.head_sha):
        reasons.append("The head branch is not up to date with the base branch.")
    return reasons


def _tip(state: State, repo: Repo, pull: Pull) -> str:
    return state.git(repo).refs(f"refs/heads/{pull.base_ref}").get(f"refs/heads/{pull.base_ref}", pull.base_sha)


def _review_blockers(state: State, repo: Repo, pull: Pull, needed: int) -> list[str]:
    counted = {
        login: review
        for login, review in standing_reviews(pull).items()
        if state.role(repo, Actor(login)) >= Role.WRITE
    }
    against = sorted(login for login, review in counted.items() if review.state is ReviewState.CHANGES_REQUESTED)
    approvals = sum(review.state is ReviewState.APPROVED for review in counted.values())
    reasons = [f"Changes were requested by {', '.join(against)}."] if against else []
    if approvals < needed:
        plural = "review is" if needed == 1 else "reviews are"
        reasons.append(f"At least {needed} approving {plural} required by reviewers with write access.")
    return reasons


def bypasses(state: State, repo: Repo, actor: Actor, rule: Protection) -> bool:
    """Whether the rules of a branch do not bind this actor."""
    return state.role(repo, actor) >= Role.ADMIN and not rule.enforce_admins


def push_refusal(state: State, repo: Repo, actor: Actor, ref: str, old: str, new: str) -> str | None:
    """Why a ref may not move from old to new by a push; None when it may. Rewrites are judged elsewhere."""
    for kept in ("refs/pull", "refs/merge-requests"):
        if ref.startswith(f"{kept}/"):
            return f"{kept} is kept by the host"
    if state.role(repo, actor) < Role.WRITE:
        return f"{actor.login} may not push to {repo.full_name}"
    branch = ref.removeprefix("refs/heads/")
    rule = in_force(repo, branch)
    if rule is None:
        return None
    if rule.push is not None and not admits(state, repo, actor, rule.push):
        return "You are not allowed to push code to protected branches on this project."
    if new == ZERO:
        return None if rule.allow_deletions else "Cannot delete this branch"
    if old == ZERO or (bypasses(state, repo, actor, rule) and not binds(state, repo, actor, branch)):
        return None
    reasons = ["Changes must be made through a pull request."] if rule.approvals is not None else []
    if rule.checks:
        reasons += unmet_checks(state, repo, new, rule)
    return " ".join(reasons) or None


def admits(state: State, repo: Repo, actor: Actor, access: Access) -> bool:
    """Whether somebody is among those who may."""
    by_role = access.role is not None and state.role(repo, actor) >= access.role
    return by_role or actor.login in access.people


def who_merges(repo: Repo, branch: str) -> str:
    """Who alone may merge into a branch, in words; empty where everybody who may write does."""
    rule = repo.protections.get(branch)
    if rule is None or rule.merge is None:
        return ""
    named = [f"{rule.merge.role.word}s"] if rule.merge.role is not None else []
    return " and ".join([*named, *sorted(rule.merge.people)]) or "nobody"


def may_merge(state: State, repo: Repo, actor: Actor, branch: str) -> bool:
    """Whether somebody may merge into a branch at all: it takes the right to write and the branch's own leave."""
    rule = repo.protections.get(branch)
    if rule is not None and rule.merge is not None:
        return admits(state, repo, actor, rule.merge)
    return state.role(repo, actor) >= Role.WRITE


def must_move_forward(repo: Repo, ref: str) -> bool:
    """Whether rewriting a branch is refused to everybody."""
    rule = repo.protections.get(ref.removeprefix("refs/heads/"))
    return rule is not None and not rule.allow_force_pushes
