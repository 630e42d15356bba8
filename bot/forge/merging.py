"""The merge: what stands against it, by which method it lands, and that nobody merges around the rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bot.forge import gitread
from bot.forge.gitstore import GitStore
from bot.forge.model import Actor, MergeMethod, Pull, Refusal, Refused, Repo, Role
from bot.forge.pulls import pull_commits, refresh
from bot.forge.pushes import close, heads_and_tags, land
from bot.forge.repos import signature
from bot.forge.rules import bypasses, may_merge, merge_blockers
from bot.forge.rulesets import binds, in_force
from bot.forge.state import State


@dataclass(frozen=True, slots=True)
class MergeWish:
    """How to merge: only when the head still is ``sha``; ``bypass`` uses an administrator's right.

    ``joined`` puts a merge commit on top of a squashed one, as hosts do that want a merge commit in any case.
    """

    method: MergeMethod = MergeMethod.MERGE
    sha: str | None = None
    title: str | None = None
    message: str | None = None
    bypass: bool = False
    joined: bool = False


Blockers = Callable[[State, Repo, Pull], list[str]]


def obstacles(state: State, repo: Repo, pull: Pull) -> list[str]:
    """What stands against merging at all, rules of the branch aside."""
    if pull.merged_at is not None:
        return ["Pull Request is already merged"]
    if not pull.open:
        return ["Pull Request is closed"]
    refresh(state, repo, pull)
    reasons = ["Pull Request is still a draft"] if pull.draft else []
    if pull.conflicted:
        reasons.append("Merge conflicts must be resolved")
    return reasons


def can_bypass(state: State, repo: Repo, actor: Actor, pull: Pull) -> bool:
    """Whether the actor may merge although the rules of the branch are not met."""
    rule = in_force(repo, pull.base_ref)
    bound = rule is None or not bypasses(state, repo, actor, rule) or binds(state, repo, actor, pull.base_ref)
    return not bound


def merge(
    state: State, repo: Repo, actor: Actor, pull: Pull, wish: MergeWish, blockers: Blockers = merge_blockers
) -> str:
    """Merge and give the new tip of the base. Raises Refused when the host would refuse.

    ``blockers`` are the rules of the face through which the merge was asked for.
    """
    bypass = wish.bypass and can_bypass(state, repo, actor, pull)
    if not bypass and not may_merge(state, repo, actor, pull.base_ref):
        raise Refused(f"{actor.login} may not merge into {pull.base_ref}", Refusal.FORBIDDEN)
    reasons = obstacles(state, repo, pull)
    if reasons:
        raise Refused(reasons[0], Refusal.NOT_MERGEABLE)
    if wish.sha is not None and wish.sha != pull.head_sha:
        raise Refused("Head branch was modified. Review and try the merge again.", Refusal.CONFLICT)
    blocked = blockers(state, repo, pull)
    if blocked and not bypass:
        raise Refused(" ".join(blocked), Refusal.NOT_MERGEABLE)
    base = heads_and_tags(state, repo)[f"refs/heads/{pull.base_ref}"]
    landed = _land_commit(state, repo, actor, pull, wish, base)
    pull.landed_as, pull.waiting_merge = wish.method, None
    put_on_base(state, repo, actor, pull, landed, "pr_merge")
    return landed


def put_on_base(state: State, repo: Repo, actor: Actor, pull: Pull, sha: str, kind: str) -> None:
    """Move the base to the commit that merges the change, and let everything follow. ``kind`` is the activity's."""
    before = heads_and_tags(state, repo)
    pull.merged_at, pull.merged_by, pull.merge_sha = state.now(), actor.login, sha
    pull.base_sha = before[f"refs/heads/{pull.base_ref}"]
    state.git(repo).set_ref(f"refs/heads/{pull.base_ref}", sha)
    close(state, repo, pull, actor)
    land(state, repo, actor, before, kind=kind)


def commit_onto(state: State, repo: Repo, actor: Actor, pull: Pull, base: str, wish: MergeWish) -> str:
    """What the change would land as on top of ``base``, which no branch has yet. Raises Refused for a conflict."""
    if state.git(repo).merge_tree(base, pull.head_sha) is None:
        raise Refused("Merge conflicts must be resolved", Refusal.NOT_MERGEABLE)
    return _land_commit(state, repo, actor, pull, wish, base)


def _land_commit(state: State, repo: Repo, actor: Actor, pull: Pull, wish: MergeWish, base: str) -> str:
    git = state.git(repo)
    who = signature(state, actor.login)
    if wish.method is MergeMethod.REBASE:
        return _rebase(state, repo, actor, pull, base)
    if wish.method is MergeMethod.FAST_FORWARD:
        if not git.is_ancestor(base, pull.head_sha):
            raise Refused("The head branch is not up to date with the base branch.", Refusal.NOT_MERGEABLE)
        return pull.head_sha
    tree = git.merge_tree(base, pull.head_sha)
    assert tree is not None, "a conflict was an obstacle before"
    tip = pull.head_sha
    if wish.method is MergeMethod.SQUASH:
        title = wish.title or f"{pull.title} (#{pull.number})"
        author = signature(state, pull.author)
        tip = git.commit_tree(tree, (base,), f"{title}\n\n{wish.message or ''}".strip(), author, who)
        pull.squash_sha = tip
        if not wish.joined:
            return tip
    title = wish.title or f"Merge pull request #{pull.number} from {pull.head_repo.split('/')[0]}/{pull.head_ref}"
    message = f"{title}\n\n{wish.message or pull.title}"
    return git.commit_tree(tree, (base, tip), message, who)


def _rebase(state: State, repo: Repo, actor: Actor, pull: Pull, base: str) -> str:
    git = state.git(repo)
    tip = base
    who = signature(state, actor.login)
    for commit in pull_commits(state, repo, pull):
        if len(commit.parents) != 1:
            raise Refused("This branch can't be rebased", Refusal.NOT_MERGEABLE)
        tree = _picked(git, commit.sha, commit.parents[0], tip)
        if tree is None:
            raise Refused("This branch can't be rebased due to conflicts", Refusal.NOT_MERGEABLE)
        tip = git.commit_tree(tree, (tip,), commit.message, commit.author, who)
    return tip


def _picked(git: GitStore, sha: str, parent: str, onto: str) -> str | None:
    # A stand-in with the tree of `onto` and the picked commit's parent makes that parent the merge base,
    # which is what a cherry-pick is; merge-tree takes no base of our choice before git 2.40.
    info = gitread.commit(git, sha)
    stand_in = git.commit_tree(git.tree_of(onto), (parent,), "stand-in", info.committer)
    return git.merge_tree(stand_in, sha)


def rebase_source(state: State, repo: Repo, actor: Actor, pull: Pull) -> str:
    """Replay the head's commits on the base and force-push the head branch to them, as the actor."""
    source = state.repo(pull.head_repo)
    state.require(source, actor, Role.WRITE)
    git = state.git(repo)
    base = git.refs(f"refs/heads/{pull.base_ref}")[f"refs/heads/{pull.base_ref}"]
    tip = _rebase(state, repo, actor, pull, base)
    before = heads_and_tags(state, source)
    state.git(source).fetch_from(git, tip, f"refs/heads/{pull.head_ref}")
    land(state, source, actor, before)
    return tip


def update_branch(state: State, repo: Repo, actor: Actor, pull: Pull, expected: str | None) -> str:
    """Merge the base into the head branch and push that as the actor. Raises Refused on a moved head or conflict."""
    if expected is not None and expected != pull.head_sha:
        raise Refused("expected head sha didn't match current head ref.")
    source = state.repo(pull.head_repo)
    state.require(source, actor, Role.WRITE)
    refresh(state, repo, pull)
    git = state.git(repo)
    base = git.refs(f"refs/heads/{pull.base_ref}")[f"refs/heads/{pull.base_ref}"]
    if pull.conflicted:
        raise Refused("merge conflict between base and head")
    if git.is_ancestor(base, pull.head_sha):
        raise Refused("There are no new commits on the base branch.")
    tree = git.merge_tree(pull.head_sha, base)
    assert tree is not None, "a conflict was refused before"
    message = f"Merge branch '{pull.base_ref}' into {pull.head_ref}"
    merged = git.commit_tree(tree, (pull.head_sha, base), message, signature(state, actor.login))
    before = heads_and_tags(state, source)
    state.git(source).fetch_from(git, merged, f"refs/heads/{pull.head_ref}")
    land(state, source, actor, before)
    return merged
