"""A pull request from its opening to its closing, except for the merge itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.forge import gitread
from bot.forge.gitstore import CommitInfo, FileChange, GitFailed
from bot.forge.happening import Happening, Topic
from bot.forge.model import Actor, Issue, Pull, Refusal, Refused, Repo, Role
from bot.forge.pushes import close, follow_head
from bot.forge.repos import signature
from bot.forge.state import State


@dataclass(frozen=True, slots=True)
class Opening:
    """What somebody proposes; ``head`` is a branch, or ``owner:branch`` (or ``owner/name:branch``) of a fork."""

    title: str
    head: str
    base: str
    body: str = ""
    draft: bool = False


def open_pull(state: State, repo: Repo, actor: Actor, wish: Opening) -> Pull:
    """Open a pull request. Raises Refused when a branch is missing, nothing differs, or one is open already."""
    state.require(repo, actor, Role.READ)
    source, branch = _source(state, repo, wish.head)
    state.require(source, actor, Role.WRITE if source is repo else Role.READ)
    head = state.git(source).refs(f"refs/heads/{branch}").get(f"refs/heads/{branch}")
    base = state.git(repo).refs(f"refs/heads/{wish.base}").get(f"refs/heads/{wish.base}")
    if head is None or base is None:
        raise Refused(f"{'head' if head is None else 'base'} does not name a branch")
    if any(
        p.open and (p.head_repo, p.head_ref, p.base_ref) == (source.full_name, branch, wish.base) for p in repo.pulls
    ):
        raise Refused(f"A pull request already exists for {source.owner}:{branch}.")
    if source is repo and state.git(repo).is_ancestor(head, base):
        raise Refused(f"No commits between {wish.base} and {branch}")
    now = state.now()
    pull = Pull(
        id=state.new_id(),
        number=state.next_number(repo),
        author=actor.login,
        title=wish.title,
        body=wish.body,
        created_at=now,
        updated_at=now,
        base_ref=wish.base,
        base_sha=base,
        head_repo=source.full_name,
        head_ref=branch,
        head_sha=head,
        draft=wish.draft,
    )
    follow_head(state, repo, pull)
    repo.issues[pull.number] = pull
    state.tell(Happening(Topic.PULL, "opened", repo, actor, pull))
    return pull


def _source(state: State, repo: Repo, head: str) -> tuple[Repo, str]:
    owner, colon, branch = head.partition(":")
    if not colon:
        return repo, head
    if owner == repo.owner:
        return repo, branch
    if owner in state.repos:
        return state.repos[owner], branch
    for candidate in state.repos.values():
        if candidate.owner == owner and candidate.parent == repo.full_name:
            return candidate, branch
    raise Refused(f"{owner} has no fork of {repo.full_name}")


def find_pull(repo: Repo, number: int) -> Pull:
    """A pull request by number. Raises Refused when there is none."""
    found = repo.issues.get(number)
    if not isinstance(found, Pull):
        raise Refused("Not Found", Refusal.NOT_FOUND)
    return found


def find_issue(repo: Repo, number: int) -> Issue:
    """An issue or pull request by number. Raises Refused when there is none."""
    found = repo.issues.get(number)
    if found is None:
        raise Refused("Not Found", Refusal.NOT_FOUND)
    return found


def may_edit(state: State, repo: Repo, actor: Actor, issue: Issue) -> None:
    """Raise Refused unless the actor wrote it or may write."""
    if actor.login != issue.author:
        state.require(repo, actor, Role.TRIAGE)


def edit(
    state: State, repo: Repo, actor: Actor, pull: Pull, title: str | None = None, body: str | None = None
) -> None:
    """Change title or body, and tell what they were."""
    may_edit(state, repo, actor, pull)
    changes: dict[str, object] = {}
    if title is not None and title != pull.title:
        changes["title"] = {"from": pull.title}
        pull.title = title
    if body is not None and body != pull.body:
        changes["body"] = {"from": pull.body}
        pull.body = body
    if changes:
        pull.updated_at = state.now()
        state.tell(Happening(Topic.PULL, "edited", repo, actor, pull, {"changes": changes}))


def retarget(state: State, repo: Repo, actor: Actor, pull: Pull, base: str) -> None:
    """Point a pull request at another base branch. Raises Refused when there is no such branch."""
    may_edit(state, repo, actor, pull)
    tip = state.git(repo).refs(f"refs/heads/{base}").get(f"refs/heads/{base}")
    if tip is None:
        raise Refused("base does not name a branch")
    if base == pull.base_ref:
        return
    changes = {"base": {"ref": {"from": pull.base_ref}, "sha": {"from": pull.base_sha}}}
    pull.base_ref, pull.base_sha, pull.merged_of = base, tip, ("", "")
    pull.updated_at = state.now()
    state.tell(Happening(Topic.PULL, "edited", repo, actor, pull, {"changes": changes}))


def close_pull(state: State, repo: Repo, actor: Actor, pull: Pull) -> None:
    """Close without merging; closing twice is nothing."""
    may_edit(state, repo, actor, pull)
    if pull.open:
        close(state, repo, pull, actor)


def reopen(state: State, repo: Repo, actor: Actor, pull: Pull) -> None:
    """Open a closed pull request again. Raises Refused when it is merged or its branch is gone."""
    may_edit(state, repo, actor, pull)
    if pull.open:
        return
    head = (
        state.git(state.repo(pull.head_repo)).refs(f"refs/heads/{pull.head_ref}").get(f"refs/heads/{pull.head_ref}")
    )
    if pull.merged_at is not None or head is None:
        raise Refused("state cannot be changed. The pull request is merged or its branch was deleted.")
    pull.open, pull.closed_at, pull.closed_by = True, None, None
    pull.head_sha, pull.updated_at = head, state.now()
    follow_head(state, repo, pull)
    state.tell(Happening(Topic.PULL, "reopened", repo, actor, pull))


def set_draft(state: State, repo: Repo, actor: Actor, pull: Pull, draft: bool) -> None:
    """Turn a pull request into a draft, or mark it ready for review."""
    may_edit(state, repo, actor, pull)
    if pull.draft != draft:
        pull.draft, pull.updated_at = draft, state.now()
        action = "converted_to_draft" if draft else "ready_for_review"
        state.tell(Happening(Topic.PULL, action, repo, actor, pull))


def add_labels(state: State, repo: Repo, actor: Actor, issue: Issue, names: Sequence[str]) -> None:
    """Put labels on an issue or pull request; unknown ones are made."""
    state.require(repo, actor, Role.TRIAGE)
    for name in names:
        label = state.label(repo, name)
        if name not in issue.labels:
            issue.labels.append(name)
            _label_event(state, repo, actor, issue, "labeled", label)


def remove_label(state: State, repo: Repo, actor: Actor, issue: Issue, name: str) -> None:
    """Take a label off. Raises Refused when it is not there."""
    state.require(repo, actor, Role.TRIAGE)
    if name not in issue.labels:
        raise Refused("Label does not exist", Refusal.NOT_FOUND)
    issue.labels.remove(name)
    _label_event(state, repo, actor, issue, "unlabeled", state.label(repo, name))


def _label_event(state: State, repo: Repo, actor: Actor, issue: Issue, action: str, label: object) -> None:
    issue.updated_at = state.now()
    if isinstance(issue, Pull):
        state.tell(Happening(Topic.PULL, action, repo, actor, issue, {"label": label}))


def request_reviewers(
    state: State, repo: Repo, actor: Actor, pull: Pull, people: Sequence[str], teams: Sequence[str] = ()
) -> None:
    """Ask people and teams for a review. Raises Refused for the author and for people who cannot read."""
    state.require(repo, actor, Role.TRIAGE)
    if pull.author in people:
        raise Refused("Review cannot be requested from pull request author.")
    if any(state.role(repo, Actor(login)) < Role.READ for login in people):
        raise Refused("Reviews may only be requested from collaborators.")
    for login in people:
        if login not in pull.requested_reviewers:
            pull.requested_reviewers.append(state.account(login).login)
            details = {"reviewer": state.account(login)}
            state.tell(Happening(Topic.PULL, "review_requested", repo, actor, pull, details))
    for slug in teams:
        team = state.team(repo.owner, slug)
        if slug not in pull.requested_teams:
            pull.requested_teams.append(slug)
            state.tell(Happening(Topic.PULL, "review_requested", repo, actor, pull, {"team": team}))


def refresh(state: State, repo: Repo, pull: Pull) -> None:
    """Bring ``refs/pull/N/merge`` and the mergeability up to date with both branches."""
    git = state.git(repo)
    base_ref = f"refs/heads/{pull.base_ref}"
    base = git.refs(base_ref).get(base_ref)
    if not pull.open or base is None or pull.merged_of == (base, pull.head_sha):
        return
    ref = f"refs/pull/{pull.number}/merge"
    try:
        tree = git.merge_tree(base, pull.head_sha)
    except GitFailed:  # unrelated histories: the host calls that a conflict too
        tree = None
    pull.conflicted = tree is None
    pull.merged_of = (base, pull.head_sha)
    if tree is not None:
        message = f"Merge {pull.head_sha} into {base}"
        pull.merge_sha = git.commit_tree(tree, (base, pull.head_sha), message, signature(state, pull.author))
        git.set_ref(ref, pull.merge_sha)
        git.set_ref(f"refs/merge-requests/{pull.number}/merge", pull.merge_sha)
    else:
        pull.merge_sha = None
        if ref in git.refs(ref):
            git.set_ref(ref, None)


def merge_point(state: State, repo: Repo, pull: Pull) -> str:
    """The commit from which the head's own work starts."""
    if pull.merged_at is not None:
        return pull.base_sha
    base = f"refs/heads/{pull.base_ref}"
    tip = state.git(repo).refs(base).get(base, pull.base_sha)
    return state.git(repo).merge_base(tip, pull.head_sha) or gitread.EMPTY_TREE


def pull_commits(state: State, repo: Repo, pull: Pull) -> list[CommitInfo]:
    """The commits that the head brings, oldest first."""
    since = merge_point(state, repo, pull)
    span = pull.head_sha if since == gitread.EMPTY_TREE else f"{since}..{pull.head_sha}"
    return gitread.commits(state.git(repo), "--topo-order", "--reverse", span)


def pull_files(state: State, repo: Repo, pull: Pull) -> list[FileChange]:
    """The files that the head changes since it left the base."""
    return gitread.changed_files(state.git(repo), merge_point(state, repo, pull), pull.head_sha)
