"""Approving and taking it back, as GitLab does it: without a commit, once per person, refused with 401."""

from __future__ import annotations

from bot.forge import approving, talk
from bot.forge.model import Actor, Pull, Refusal, Refused, Repo, ReviewState, Role
from bot.forge.rules import standing_reviews
from bot.forge.state import State


def approve(state: State, repo: Repo, actor: Actor, pull: Pull, sha: str | None = None) -> None:
    """Approve. Raises Refused for a head that is not ``sha`` and for somebody whose approval is not taken."""
    if sha is not None and sha != pull.head_sha:
        raise Refused(f"SHA does not match HEAD of source branch: {pull.head_sha}", Refusal.CONFLICT)
    if not approving.may_approve(state, repo, pull, actor.login):
        raise Refused("You cannot approve this merge request.", Refusal.FORBIDDEN)
    talk.submit_review(state, repo, actor, pull, ReviewState.APPROVED, own=True)
    state.settle_waiting()


def unapprove(state: State, repo: Repo, actor: Actor, pull: Pull) -> None:
    """Take one's approval back. Raises Refused when there is none."""
    review = standing_reviews(pull).get(actor.login)
    if review is None or review.state is not ReviewState.APPROVED:
        raise Refused("Not Found", Refusal.NOT_FOUND)
    talk.withdraw_review(state, repo, actor, pull, review)


def reset(state: State, repo: Repo, actor: Actor, pull: Pull) -> None:
    """Take everybody's approval back."""
    state.require(repo, actor, Role.WRITE)
    for review in list(standing_reviews(pull).values()):
        if review.state is ReviewState.APPROVED:
            talk.withdraw_review(state, repo, actor, pull, review)
