"""What people say: comments and reviews, by whom they may be written, changed and withdrawn."""

from __future__ import annotations

from dataclasses import replace

from bot.forge.happening import Happening, Topic
from bot.forge.model import Actor, Comment, Issue, Pull, Refusal, Refused, Repo, Review, ReviewState, Role
from bot.forge.state import State

COMMENT_LIMIT = 65_536


def _check_body(body: str, limit: int) -> None:
    if not body.strip():
        raise Refused("Body can't be blank")
    if len(body) > limit:
        raise Refused(f"Body is too long (maximum is {limit} characters)")


def add_comment(
    state: State,
    repo: Repo,
    actor: Actor,
    issue: Issue,
    body: str,
    limit: int = COMMENT_LIMIT,
    thread: str | None = None,
) -> Comment:
    """Say something. Raises Refused for a blank or overlong body, and in a locked conversation."""
    state.require(repo, actor, Role.READ)
    _check_body(body, limit)
    if issue.locked and state.role(repo, actor) < Role.WRITE:
        raise Refused("Issue is locked", Refusal.FORBIDDEN)
    now = state.now()
    comment = Comment(state.new_id(), actor.login, body, now, now, app_id=actor.app_id, thread=thread)
    comment.resolvable = thread is not None
    issue.comments.append(comment)
    issue.updated_at = now
    state.tell(Happening(Topic.COMMENT, "created", repo, actor, issue, {"comment": comment}))
    return comment


def resolve_thread(state: State, repo: Repo, actor: Actor, pull: Pull, thread: list[Comment], done: bool) -> None:
    """Say that a thread is settled, or that it is not: for the change's author and those who may write."""
    if actor.login != pull.author:
        state.require(repo, actor, Role.WRITE)
    for comment in thread:
        if comment.resolvable:
            comment.resolved_by = actor.login if done else None
            comment.resolved_at = state.now() if done else None
    pull.updated_at = state.now()
    state.tell(Happening(Topic.THREAD, "resolved" if done else "unresolved", repo, actor, pull))


def find_comment(repo: Repo, comment_id: int) -> tuple[Issue, Comment]:
    """A comment by id, and where it stands. Raises Refused when there is none."""
    for issue in repo.issues.values():
        for comment in issue.comments:
            if comment.id == comment_id:
                return issue, comment
    raise Refused("Not Found", Refusal.NOT_FOUND)


def edit_comment(
    state: State, repo: Repo, actor: Actor, comment_id: int, body: str, limit: int = COMMENT_LIMIT
) -> Comment:
    """Change a comment: one's own, or anybody's with the right to write."""
    issue, comment = find_comment(repo, comment_id)
    if actor.login != comment.author:
        state.require(repo, actor, Role.WRITE)
    _check_body(body, limit)
    before, comment.body = comment.body, body
    comment.editor, comment.updated_at = actor.login, state.now()
    issue.updated_at = comment.updated_at
    details = {"comment": comment, "changes": {"body": {"from": before}}}
    state.tell(Happening(Topic.COMMENT, "edited", repo, actor, issue, details))
    return comment


def delete_comment(state: State, repo: Repo, actor: Actor, comment_id: int) -> None:
    """Withdraw a comment: one's own, or anybody's with the right to write."""
    issue, comment = find_comment(repo, comment_id)
    if actor.login != comment.author:
        state.require(repo, actor, Role.WRITE)
    issue.comments.remove(comment)
    state.tell(Happening(Topic.COMMENT, "deleted", repo, actor, issue, {"comment": comment}))


def submit_review(
    state: State,
    repo: Repo,
    actor: Actor,
    pull: Pull,
    verdict: ReviewState,
    body: str = "",
    sha: str | None = None,
    own: bool = False,
) -> Review:
    """Judge a commit (the head when none is named). Raises Refused for one's own work unless ``own``."""
    state.require(repo, actor, Role.READ)
    if not own and actor.login == pull.author and verdict is not ReviewState.COMMENTED:
        word = "approve" if verdict is ReviewState.APPROVED else "request changes on"
        raise Refused(f"Can not {word} your own pull request")
    if verdict is not ReviewState.APPROVED and not body.strip():
        raise Refused("Body can't be blank")
    review = Review(state.new_id(), actor.login, body, verdict, sha or pull.head_sha, state.now())
    pull.reviews.append(review)
    if actor.login in pull.requested_reviewers:
        pull.requested_reviewers.remove(actor.login)
    pull.updated_at = state.now()
    state.tell(Happening(Topic.REVIEW, "submitted", repo, actor, pull, {"review": review}))
    return review


def find_review(pull: Pull, review_id: int) -> Review:
    """A review by id. Raises Refused when there is none."""
    for review in pull.reviews:
        if review.id == review_id:
            return review
    raise Refused("Not Found", Refusal.NOT_FOUND)


def dismiss_review(state: State, repo: Repo, actor: Actor, pull: Pull, review_id: int) -> Review:
    """Make an approval or a request for changes not count any more. Raises Refused for mere comments."""
    state.require(repo, actor, Role.WRITE)
    review = find_review(pull, review_id)
    if review.state not in (ReviewState.APPROVED, ReviewState.CHANGES_REQUESTED):
        raise Refused("Can not dismiss a commented pull request review")
    return withdraw_review(state, repo, actor, pull, review)


def withdraw_review(state: State, repo: Repo, actor: Actor, pull: Pull, review: Review) -> Review:
    """Let a review not count any more, and tell; whoever calls has judged whether the actor may."""
    dismissed = replace(review, state=ReviewState.DISMISSED)
    pull.reviews[pull.reviews.index(review)] = dismissed
    pull.updated_at = state.now()
    state.tell(Happening(Topic.REVIEW, "dismissed", repo, actor, pull, {"review": dismissed}))
    return dismissed


def edit_review(state: State, repo: Repo, actor: Actor, pull: Pull, review_id: int, body: str) -> Review:
    """Change the words of one's review; what it says stays."""
    review = find_review(pull, review_id)
    if actor.login != review.author:
        raise Refused("Must be the author of the review", Refusal.FORBIDDEN)
    before = review.body
    edited = replace(review, body=body)
    pull.reviews[pull.reviews.index(review)] = edited
    details = {"review": edited, "changes": {"body": {"from": before}}}
    state.tell(Happening(Topic.REVIEW, "edited", repo, actor, pull, details))
    return edited
