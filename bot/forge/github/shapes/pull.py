"""Pull requests, issues, labels, comments and reviews as GitHub's JSON."""

from __future__ import annotations

from bot.forge.github.shapes.people import Json, account, moment, node_id, team_simple, user
from bot.forge.github.shapes.repository import repo_url, repository
from bot.forge.model import Actor, Comment, Issue, Label, Pull, Repo, Review, Role
from bot.forge.pulls import pull_commits, pull_files, refresh
from bot.forge.rules import merge_blockers
from bot.forge.state import State


def association(state: State, repo: Repo, login: str) -> str:
    """How an account stands to a repository."""
    if login == repo.owner:
        return "OWNER"
    if login in state.members.get(repo.owner, {}):
        return "MEMBER"
    return "COLLABORATOR" if state.role(repo, Actor(login)) >= Role.TRIAGE else "NONE"


def label(state: State, repo: Repo, which: Label) -> Json:
    """A label."""
    return {
        "id": which.id,
        "node_id": node_id("LA", which.id),
        "url": f"{repo_url(state, repo)}/labels/{which.name}",
        "name": which.name,
        "description": which.description or "",
        "color": which.color,
        "default": False,
    }


def _side(state: State, repo: Repo, ref: str, sha: str) -> Json:
    return {
        "label": f"{repo.owner}:{ref}",
        "ref": ref,
        "sha": sha,
        "user": account(state, state.accounts[repo.owner]),
        "repo": repository(state, repo),
    }


def _links(state: State, repo: Repo, pull: Pull) -> dict[str, str]:
    url = repo_url(state, repo)
    html = f"{state.root}/{repo.full_name}/pull/{pull.number}"
    return {
        "url": f"{url}/pulls/{pull.number}",
        "html_url": html,
        "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch",
        "issue_url": f"{url}/issues/{pull.number}",
        "commits_url": f"{url}/pulls/{pull.number}/commits",
        "review_comments_url": f"{url}/pulls/{pull.number}/comments",
        "review_comment_url": f"{url}/pulls/comments{{/number}}",
        "comments_url": f"{url}/issues/{pull.number}/comments",
        "statuses_url": f"{url}/statuses/{pull.head_sha}",
    }


def pull_simple(state: State, repo: Repo, pull: Pull) -> Json:
    """A pull request as lists show it."""
    links = _links(state, repo, pull)
    names = ("commits", "statuses", "comments", "review_comments", "review_comment")
    hrefs = {name: {"href": links[f"{name}_url"]} for name in names}
    hrefs |= {
        name: {"href": links[key]} for name, key in (("self", "url"), ("html", "html_url"), ("issue", "issue_url"))
    }
    head = state.repos.get(pull.head_repo, repo)
    return {
        **links,
        "id": pull.id,
        "node_id": node_id("PR", pull.id),
        "number": pull.number,
        "state": "open" if pull.open else "closed",
        "locked": pull.locked,
        "active_lock_reason": None,
        "title": pull.title,
        "user": user(state, pull.author),
        "body": pull.body or None,
        "created_at": moment(pull.created_at),
        "updated_at": moment(pull.updated_at),
        "closed_at": moment(pull.closed_at),
        "merged_at": moment(pull.merged_at),
        "merge_commit_sha": pull.merge_sha,
        "assignee": None,
        "assignees": [],
        "requested_reviewers": [user(state, login) for login in pull.requested_reviewers],
        "requested_teams": [
            {**team_simple(state, state.teams[(repo.owner, slug)]), "parent": None} for slug in pull.requested_teams
        ],
        "labels": [label(state, repo, state.label(repo, name)) for name in pull.labels],
        "milestone": None,
        "draft": pull.draft,
        "head": _side(state, head, pull.head_ref, pull.head_sha),
        "base": _side(state, repo, pull.base_ref, pull.base_sha),
        "_links": hrefs,
        "author_association": association(state, repo, pull.author),
        "auto_merge": None,
    }


def mergeable_state(state: State, repo: Repo, pull: Pull) -> str:
    """GitHub's word for how a merge would go."""
    if pull.conflicted:
        return "dirty"
    if pull.draft:
        return "draft"
    return "blocked" if merge_blockers(state, repo, pull) else "clean"


def pull_full(state: State, repo: Repo, pull: Pull, counted_read: bool = True) -> Json:
    """A pull request with its mergeability; right after a push that may be null, as on the real host."""
    unknown = not pull.open
    if pull.open and pull.null_reads > 0:
        pull.null_reads -= 1 if counted_read else 0
        unknown = True
    elif pull.open:
        refresh(state, repo, pull)
    files = pull_files(state, repo, pull)
    return {
        **pull_simple(state, repo, pull),
        "merged": pull.merged_at is not None,
        "merged_by": user(state, pull.merged_by),
        "mergeable": None if unknown else not pull.conflicted,
        "rebaseable": None if unknown else not pull.conflicted,
        "mergeable_state": "unknown" if unknown else mergeable_state(state, repo, pull),
        "maintainer_can_modify": pull.head_repo != repo.full_name,
        "comments": len(pull.comments),
        "review_comments": 0,
        "commits": len(pull_commits(state, repo, pull)),
        "additions": sum(change.additions for change in files),
        "deletions": sum(change.deletions for change in files),
        "changed_files": len(files),
    }


def issue(state: State, repo: Repo, which: Issue) -> Json:
    """An issue, or a pull request seen as one."""
    url = f"{repo_url(state, repo)}/issues/{which.number}"
    word = "pull" if isinstance(which, Pull) else "issues"
    shape: Json = {
        "url": url,
        "repository_url": repo_url(state, repo),
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "timeline_url": f"{url}/timeline",
        "html_url": f"{state.root}/{repo.full_name}/{word}/{which.number}",
        "id": which.id,
        "node_id": node_id("I", which.id),
        "number": which.number,
        "title": which.title,
        "user": user(state, which.author),
        "labels": [label(state, repo, state.label(repo, name)) for name in which.labels],
        "state": "open" if which.open else "closed",
        "state_reason": None,
        "locked": which.locked,
        "active_lock_reason": None,
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "comments": len(which.comments),
        "created_at": moment(which.created_at),
        "updated_at": moment(which.updated_at),
        "closed_at": moment(which.closed_at),
        "closed_by": user(state, which.closed_by),
        "author_association": association(state, repo, which.author),
        "body": which.body or None,
        "reactions": reactions(url),
        "performed_via_github_app": None,
    }
    if isinstance(which, Pull):
        links = _links(state, repo, which)
        names = ("url", "html_url", "diff_url", "patch_url")
        shape["pull_request"] = {name: links[name] for name in names} | {"merged_at": moment(which.merged_at)}
        shape["draft"] = which.draft
    return shape


def reactions(url: str) -> Json:
    """No reactions; this host knows none."""
    words = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes", "total_count")
    return {"url": f"{url}/reactions", **dict.fromkeys(words, 0)}


def comment(state: State, repo: Repo, on: Issue, which: Comment) -> Json:
    """A comment."""
    url = f"{repo_url(state, repo)}/issues/comments/{which.id}"
    word = "pull" if isinstance(on, Pull) else "issues"
    return {
        "url": url,
        "html_url": f"{state.root}/{repo.full_name}/{word}/{on.number}#issuecomment-{which.id}",
        "issue_url": f"{repo_url(state, repo)}/issues/{on.number}",
        "id": which.id,
        "node_id": node_id("IC", which.id),
        "user": user(state, which.author),
        "created_at": moment(which.created_at),
        "updated_at": moment(which.updated_at),
        "author_association": association(state, repo, which.author),
        "body": which.body,
        "reactions": reactions(url),
        "performed_via_github_app": None,
    }


def review(state: State, repo: Repo, pull: Pull, which: Review) -> Json:
    """A review with the commit it judged."""
    links = _links(state, repo, pull)
    html = f"{links['html_url']}#pullrequestreview-{which.id}"
    return {
        "id": which.id,
        "node_id": node_id("PRR", which.id),
        "user": user(state, which.author),
        "body": which.body,
        "state": which.state.value,
        "html_url": html,
        "pull_request_url": links["url"],
        "author_association": association(state, repo, which.author),
        "_links": {"html": {"href": html}, "pull_request": {"href": links["url"]}},
        "submitted_at": moment(which.submitted_at),
        "commit_id": which.commit_id,
    }
