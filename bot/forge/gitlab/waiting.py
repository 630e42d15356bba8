"""Merges that are ordered now and happen later: auto-merge and merge trains, the latter one after the other."""

from __future__ import annotations

from bot.forge import merging, repos
from bot.forge.gitlab import standing
from bot.forge.gitlab.shapes.merge_request import identified, web_url
from bot.forge.gitlab.shapes.people import Json, basic, moment
from bot.forge.model import Actor, MergeMethod, Pull, Refused, Repo, WaitingMerge
from bot.forge.state import State


def wish_for(repo: Repo, pull: Pull, message: str | None = None) -> merging.MergeWish:
    """How this project merges this change."""
    first, _, rest = (message or "").partition("\n")
    method = MergeMethod.SQUASH if pull.squash else repo.settings.method
    joined = pull.squash and repo.settings.method is MergeMethod.MERGE
    return merging.MergeWish(method, pull.head_sha, first or None, rest.strip() or None, joined=joined)


def merge_now(state: State, repo: Repo, actor: Actor, pull: Pull, wish: merging.MergeWish) -> None:
    """Merge, and delete the source branch where that was wanted. Raises Refused as a merge does."""
    merging.merge(state, repo, actor, pull, wish, standing.merge_blockers)
    if (pull.remove_source or repo.settings.remove_source) and pull.head_repo == repo.full_name:
        repos.delete_branch(state, repo, actor, pull.head_ref)


def order(state: State, actor: Actor, pull: Pull, wish: merging.MergeWish) -> None:
    """Order the merge for the moment in which nothing stands against it; a new head cancels the order."""
    pull.waiting_merge = WaitingMerge(actor.login, pull.head_sha, wish.method, wish.title)
    pull.updated_at = state.now()
    state.version += 1


def cancel(state: State, pull: Pull) -> None:
    """Take the order back."""
    pull.waiting_merge = None
    pull.updated_at = state.now()
    state.version += 1


def settle(state: State) -> None:
    """Carry out the orders whose time has come; an order that cannot be is dropped."""
    for repo in list(state.repos.values()):
        for pull in repo.pulls:
            waiting = pull.waiting_merge
            if waiting is None or not pull.open or standing.reasons(state, repo, pull):
                continue
            try:
                merge_now(state, repo, Actor(waiting.by), pull, wish_for(repo, pull, waiting.title))
            except Refused:
                cancel(state, pull)


def car(state: State, repo: Repo, pull: Pull) -> Json:
    """A merge request on a merge train."""
    merged = pull.merged_at is not None
    return {
        "id": pull.id,
        "merge_request": {
            **identified(repo, pull),
            "web_url": web_url(state, repo, pull),
        },
        "user": basic(state, pull.waiting_merge.by if pull.waiting_merge else pull.merged_by),
        "pipeline": None,
        "created_at": moment(pull.updated_at),
        "updated_at": moment(pull.updated_at),
        "target_branch": pull.base_ref,
        "status": "merged" if merged else "fresh",
        "merged_at": moment(pull.merged_at),
        "duration": 0 if merged else None,
    }
