"""What follows from refs having moved: who pushed is recorded, pull requests follow, everybody is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bot.forge.gitstore import ZERO
from bot.forge.happening import Happening, Topic
from bot.forge.model import Actor, Pull, Refusal, Refused, Repo, ReviewState
from bot.forge.report_model import Activity
from bot.forge.rules import must_move_forward, push_refusal
from bot.forge.state import State


def heads_and_tags(state: State, repo: Repo) -> dict[str, str]:
    """The refs whose movement is an event."""
    git = state.git(repo)
    return {**git.refs("refs/heads"), **git.refs("refs/tags")}


def push(state: State, repo: Repo, actor: Actor, ref: str, new: str, force: bool = False) -> None:
    """Move a ref as a push by the actor would. Raises Refused as the host would refuse that push."""
    git = state.git(repo)
    before = heads_and_tags(state, repo)
    old = before.get(ref, ZERO)
    reason = push_refusal(state, repo, actor, ref, old, new)
    if reason is None and ZERO not in (old, new) and not git.is_ancestor(old, new):
        if must_move_forward(repo, ref):
            reason = "Cannot force-push to this branch"
        elif not force:
            reason = "Updates were rejected because the tip of your current branch is behind"
    if reason is not None:
        raise Refused(reason, Refusal.FORBIDDEN)
    git.set_ref(ref, None if new == ZERO else new)
    land(state, repo, actor, before)


def land(state: State, repo: Repo, actor: Actor, before: Mapping[str, str], kind: str | None = None) -> None:
    """Compare the refs with how they were, and let everything follow that follows from a push."""
    after = heads_and_tags(state, repo)
    moved = [(ref, before.get(ref, ZERO), after.get(ref, ZERO)) for ref in sorted({*before, *after})]
    for ref, old, new in moved:
        if old != new:
            _moved(state, repo, actor, ref, old, new, kind)
    state.settle_waiting()


def _moved(state: State, repo: Repo, actor: Actor, ref: str, old: str, new: str, kind: str | None) -> None:
    git = state.git(repo)
    forced = ZERO not in (old, new) and not git.is_ancestor(old, new)
    word = kind or _kind(old, new, forced)
    repo.activity.append(Activity(state.new_id(), word, ref, old, new, actor.login, state.now()))
    repo.pushed_at = state.now()
    details = {"ref": ref, "before": old, "after": new, "forced": forced}
    state.tell(Happening(Topic.PUSH, None, repo, actor, ref, details))
    branch = ref.removeprefix("refs/heads/")
    if branch == ref:
        return
    for other in list(state.repos.values()):
        for pull in other.pulls:
            if not pull.open:
                continue
            if pull.head_repo == repo.full_name and pull.head_ref == branch:
                _head_moved(state, other, pull, actor, new)
            if other is repo and pull.base_ref == branch and pull.open:
                _base_moved(state, repo, pull, actor, new)


def _kind(old: str, new: str, forced: bool) -> str:
    if old == ZERO:
        return "branch_creation"
    if new == ZERO:
        return "branch_deletion"
    return "force_push" if forced else "push"


def _head_moved(state: State, repo: Repo, pull: Pull, actor: Actor, new: str) -> None:
    if new == ZERO:
        close(state, repo, pull, actor)
        return
    old, pull.head_sha = pull.head_sha, new
    follow_head(state, repo, pull)
    pull.updated_at = state.now()
    rule = repo.protections.get(pull.base_ref)
    state.tell(Happening(Topic.PULL, "synchronize", repo, actor, pull, {"before": old, "after": new}))
    pull.waiting_merge = None
    if (rule is not None and rule.dismiss_stale) or repo.settings.reset_approvals_on_push:
        for at, review in enumerate(pull.reviews):
            if review.state is ReviewState.APPROVED:
                pull.reviews[at] = replace(review, state=ReviewState.DISMISSED)
                details = {"review": pull.reviews[at], "by_push": True}
                state.tell(Happening(Topic.REVIEW, "dismissed", repo, actor, pull, details))


def _base_moved(state: State, repo: Repo, pull: Pull, actor: Actor, new: str) -> None:
    if new == ZERO:
        close(state, repo, pull, actor)
        return
    pull.null_reads = state.trouble.null_mergeable_reads
    if state.git(repo).is_ancestor(pull.head_sha, new):
        pull.merged_at, pull.merged_by, pull.merge_sha = state.now(), actor.login, new
        close(state, repo, pull, actor)


def follow_head(state: State, repo: Repo, pull: Pull) -> None:
    """Bring the head commit into the base repository under its ``refs/pull`` name."""
    source = state.repo(pull.head_repo)
    git = state.git(repo)
    git.fetch_from(state.git(source), pull.head_sha, f"refs/pull/{pull.number}/head")
    git.set_ref(f"refs/merge-requests/{pull.number}/head", pull.head_sha)
    base = f"refs/heads/{pull.base_ref}"
    # As on the real hosts, base_sha is the base as it was when the head last moved, not its tip now.
    pull.base_sha = git.refs(base).get(base, pull.base_sha)
    pull.merged_of = ("", "")
    pull.null_reads = state.trouble.null_mergeable_reads


def close(state: State, repo: Repo, pull: Pull, actor: Actor) -> None:
    """Close a pull request, merged or not, and tell."""
    pull.open = False
    pull.closed_at = pull.updated_at = state.now()
    pull.closed_by = actor.login
    state.tell(Happening(Topic.PULL, "closed", repo, actor, pull))
