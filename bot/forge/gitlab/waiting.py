"""Merges that are ordered now and happen later: auto-merge, and with merge trains on, the place on one."""

from __future__ import annotations

from bot.forge import merging
from bot.forge.gitlab import standing, trains
from bot.forge.gitlab.landing import tidy, wish_for
from bot.forge.model import Actor, Pull, Refused, Repo, WaitingMerge
from bot.forge.state import State


def merge_now(state: State, repo: Repo, actor: Actor, pull: Pull, wish: merging.MergeWish) -> None:
    """Merge, and delete the source branch where that was wanted. Raises Refused as a merge does."""
    merging.merge(state, repo, actor, pull, wish, standing.merge_blockers)
    tidy(state, repo, actor, pull)


def order(state: State, actor: Actor, pull: Pull, wish: merging.MergeWish) -> None:
    """Order the merge for the moment in which nothing stands against it; a new head cancels the order."""
    pull.waiting_merge = ordered(actor, pull, wish)
    pull.updated_at = state.now()
    state.version += 1


def ordered(actor: Actor, pull: Pull, wish: merging.MergeWish) -> WaitingMerge:
    """The order as it is kept."""
    return WaitingMerge(actor.login, pull.head_sha, wish.method, wish.title)


def cancel(state: State, repo: Repo, actor: Actor, pull: Pull) -> None:
    """Take the order back, and the change off its train."""
    if not trains.alight(state, repo, actor, pull):
        pull.waiting_merge = None
    pull.updated_at = state.now()
    state.version += 1


def settle(state: State) -> None:
    """Carry out the orders whose time has come; an order that cannot be is dropped."""
    for repo in list(state.repos.values()):
        if repo.settings.trains:
            trains.settle(state, repo)
            continue
        for pull in repo.pulls:
            waiting = pull.waiting_merge
            if waiting is None or not pull.open or standing.reasons(state, repo, pull):
                continue
            try:
                merge_now(state, repo, Actor(waiting.by), pull, wish_for(repo, pull, waiting.title))
            except Refused:
                cancel(state, repo, Actor(waiting.by), pull)
