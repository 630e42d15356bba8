"""Webhook payloads as GitLab sends them; the shapes follow the documented examples of its webhook events."""

from __future__ import annotations

from datetime import datetime

from bot.forge import approving, gitread
from bot.forge.courier import Letter
from bot.forge.gitlab import standing
from bot.forge.gitlab.shapes import merge_request as shapes
from bot.forge.gitlab.shapes.commit import at, commit_url
from bot.forge.gitlab.shapes.note import thread_id
from bot.forge.gitlab.shapes.people import Json, basic, moment, username
from bot.forge.gitstore import ZERO, CommitInfo
from bot.forge.happening import Happening
from bot.forge.model import Comment, Label, Pull, Repo, ReviewState
from bot.forge.state import State

_COMMITS_SHOWN = 20


def spaced(when: datetime | None) -> str | None:
    """A time as notes and pipelines write it in webhooks, with a space and the name of the zone."""
    return when.strftime("%Y-%m-%d %H:%M:%S UTC") if when is not None else None


def who(state: State, login: str) -> Json:
    """The user of a payload; without a public address GitLab redacts the mail."""
    short = basic(state, login) or {}
    return {key: short.get(key) for key in ("id", "name", "username", "avatar_url")} | {"email": "[REDACTED]"}


def project(state: State, repo: Repo) -> Json:
    """The project of a payload."""
    web = f"{state.root}/{repo.full_name}"
    ssh = f"git@{state.root.partition('://')[2].partition(':')[0]}:{repo.full_name}.git"
    return {
        "id": repo.id,
        "name": repo.name,
        "description": repo.description,
        "web_url": web,
        "avatar_url": None,
        "git_ssh_url": ssh,
        "git_http_url": f"{web}.git",
        "namespace": state.accounts[repo.owner].name,
        "visibility_level": 0 if repo.private else 20,
        "path_with_namespace": repo.full_name,
        "default_branch": repo.default_branch,
        "ci_config_path": "",
        "homepage": web,
        "url": ssh,
        "ssh_url": ssh,
        "http_url": f"{web}.git",
    }


def repository(state: State, repo: Repo) -> Json:
    """The short form that stands next to the project."""
    shape = project(state, repo)
    return {
        "name": repo.name,
        "url": shape["ssh_url"],
        "description": repo.description,
        "homepage": shape["homepage"],
    }


def commit(state: State, repo: Repo, info: CommitInfo) -> Json:
    """A commit of a payload."""
    return {
        "id": info.sha,
        "message": f"{info.message}\n",
        "title": info.message.partition("\n")[0],
        "timestamp": at(info.committer),
        "url": commit_url(state, repo, info.sha),
        "author": {"name": info.author.name, "email": info.author.email},
    }


def label(repo: Repo, which: Label) -> Json:
    """A label of a payload."""
    made = moment(repo.created_at)
    return {
        "id": which.id,
        "title": which.name,
        "color": f"#{which.color}",
        "project_id": repo.id,
        "created_at": made,
        "updated_at": made,
        "template": False,
        "description": which.description,
        "type": "ProjectLabel",
        "group_id": None,
    }


def labels(state: State, repo: Repo, names: list[str]) -> list[Json]:
    """Labels of a payload by name."""
    return [label(repo, state.label(repo, name)) for name in names]


def attributes(state: State, repo: Repo, pull: Pull) -> Json:
    """A merge request as payloads hold it."""
    source = state.repos.get(pull.head_repo, repo)
    detailed = standing.detailed_merge_status(state, repo, pull)
    number = [state.accounts[login].id for login in pull.assignees]
    return {
        "id": pull.id,
        "iid": pull.number,
        "target_branch": pull.base_ref,
        "source_branch": pull.head_ref,
        "source_project_id": shapes.source_id(state, pull),
        "target_project_id": repo.id,
        "author_id": state.accounts[pull.author].id,
        "assignee_ids": number,
        "assignee_id": number[0] if number else None,
        "reviewer_ids": [state.accounts[login].id for login in shapes.reviewers(pull)],
        "title": shapes.title(pull),
        "description": pull.body,
        "created_at": moment(pull.created_at),
        "updated_at": moment(pull.updated_at),
        "last_edited_at": None,
        "last_edited_by_id": None,
        "milestone_id": None,
        "state_id": {"opened": 1, "closed": 2, "merged": 3}[shapes.state_word(pull)],
        "state": shapes.state_word(pull),
        "blocking_discussions_resolved": not standing.unresolved(pull),
        "work_in_progress": pull.draft,
        "draft": pull.draft,
        "first_contribution": False,
        "merge_status": shapes.old_merge_status(pull, detailed),
        "detailed_merge_status": detailed,
        "merge_commit_sha": shapes.landed(pull)["merge_commit_sha"],
        "merge_when_pipeline_succeeds": pull.waiting_merge is not None,
        "merge_user_id": state.accounts[pull.merged_by].id if pull.merged_by else None,
        "head_pipeline_id": None,
        "prepared_at": moment(pull.created_at),
        "time_estimate": 0,
        "total_time_spent": 0,
        "time_change": 0,
        "human_total_time_spent": None,
        "human_time_change": None,
        "human_time_estimate": None,
        "url": shapes.web_url(state, repo, pull),
        "source": project(state, source),
        "target": project(state, repo),
        "last_commit": commit(state, repo, gitread.commit(state.git(repo), pull.head_sha)),
        "labels": labels(state, repo, pull.labels),
    }


def _merge_request(state: State, happening: Happening, action: str, changes: Json, more: Json) -> Letter:
    repo, pull = happening.repo, happening.subject
    return "Merge Request Hook", {
        "object_kind": "merge_request",
        "event_type": "merge_request",
        "user": who(state, happening.actor.login),
        "project": project(state, repo),
        "repository": repository(state, repo),
        "object_attributes": attributes(state, repo, pull) | {"action": action} | more,
        "labels": labels(state, repo, pull.labels),
        "changes": changes,
        "assignees": [who(state, login) for login in pull.assignees],
        "reviewers": [who(state, login) for login in shapes.reviewers(pull)],
    }


def _changed(previous: object, current: object) -> Json:
    return {"previous": previous, "current": current}


def pull(state: State, happening: Happening) -> Letter | None:
    """A merge request was opened, closed, merged, or something about it changed."""
    subject: Pull = happening.subject
    repo, details = happening.repo, happening.details
    more: Json = {}
    changes: Json = {"updated_at": _changed(None, spaced(subject.updated_at))}
    match happening.action:
        case "opened":
            action = "open"
        case "reopened":
            action = "reopen"
        case "closed":
            action = "merge" if subject.merged_at is not None else "close"
        case "synchronize":
            action, more = "update", {"oldrev": details["before"]}
        case "labeled" | "unlabeled":
            which: Label = details["label"]
            others = [name for name in subject.labels if name != which.name]
            before = others if happening.action == "labeled" else [*others, which.name]
            pair = _changed(labels(state, repo, before), labels(state, repo, subject.labels))
            action, changes = "update", changes | {"labels": pair}
        case "converted_to_draft" | "ready_for_review":
            draft = subject.draft
            titles = (subject.title, f"Draft: {subject.title}")
            changes |= {"draft": _changed(not draft, draft), "title": _changed(titles[not draft], titles[draft])}
            action = "update"
        case "edited":
            action, changes = "update", changes | _edits(subject, details["changes"])
        case _:
            action = "update"
    if action in ("open", "close", "reopen", "merge"):
        words = {"open": (None, 1), "close": (1, 2), "reopen": (2, 1), "merge": (4, 3)}[action]
        changes |= {"state_id": _changed(*words)}
    return _merge_request(state, happening, action, changes, more)


def _edits(subject: Pull, edits: Json) -> Json:
    found: Json = {}
    if "title" in edits:
        found["title"] = _changed(edits["title"]["from"], shapes.title(subject))
    if "body" in edits:
        found["description"] = _changed(edits["body"]["from"], subject.body)
    if "base" in edits:
        found["target_branch"] = _changed(edits["base"]["ref"]["from"], subject.base_ref)
    return found


def review(state: State, happening: Happening) -> Letter | None:
    """An approval was given or taken back; other reviews are no event of their own."""
    which = happening.details["review"]
    repo, subject = happening.repo, happening.subject
    match happening.action, which.state:
        case "submitted", ReviewState.APPROVED:
            full = approving.approved(state, repo, subject)
            action = "approved" if full else "approval"
        case "dismissed", _:
            before = approving.approved(state, repo, subject, also=which.author)
            action = "unapproved" if before else "unapproval"
        case "submitted", ReviewState.CHANGES_REQUESTED:
            action = "update"
        case _:
            return None
    by_push = bool(happening.details.get("by_push"))
    more: Json = {"system": by_push}
    if by_push:
        more["system_action"] = "approvals_reset_on_push"
    return _merge_request(state, happening, action, {}, more)


def comment(state: State, happening: Happening) -> Letter | None:
    """Somebody said something or changed what they said; deletions are no event."""
    actions = {"created": "create", "edited": "update"}
    said: Comment = happening.details["comment"]
    if happening.action not in actions or said.system:
        return None
    repo, issue = happening.repo, happening.subject
    merge = isinstance(issue, Pull)
    page = f"{state.root}/{repo.full_name}/-/{'merge_requests' if merge else 'issues'}/{issue.number}"
    body: Json = {
        "object_kind": "note",
        "event_type": "note",
        "user": who(state, happening.actor.login),
        "project_id": repo.id,
        "project": project(state, repo),
        "repository": repository(state, repo),
        "object_attributes": {
            "id": said.id,
            "note": said.body,
            "noteable_type": "MergeRequest" if merge else "Issue",
            "author_id": state.accounts[said.author].id,
            "created_at": spaced(said.created_at),
            "updated_at": spaced(said.updated_at),
            "project_id": repo.id,
            "attachment": None,
            "line_code": None,
            "commit_id": "",
            "noteable_id": issue.id,
            "system": False,
            "st_diff": None,
            "action": actions[happening.action or ""],
            "updated_by_id": state.accounts[said.editor].id if said.editor else None,
            "discussion_id": thread_id(said),
            "change_position": None,
            "original_position": None,
            "position": None,
            "resolved_at": spaced(said.resolved_at),
            "resolved_by_id": state.accounts[said.resolved_by].id if said.resolved_by else None,
            "resolved_by_push": None,
            "description": said.body,
            "type": "DiscussionNote" if said.thread else None,
            "url": f"{page}#note_{said.id}",
        },
    }
    if merge:
        body["merge_request"] = attributes(state, repo, issue)
    else:
        body["issue"] = {"id": issue.id, "iid": issue.number, "title": issue.title, "project_id": repo.id}
    return "Note Hook", body


def push(state: State, happening: Happening) -> Letter | None:
    """A branch or tag moved."""
    repo, details = happening.repo, happening.details
    before, after, ref = details["before"], details["after"], details["ref"]
    tag = ref.startswith("refs/tags/")
    infos = _pushed(state, repo, before, after)
    user = who(state, happening.actor.login)
    kind = "tag_push" if tag else "push"
    shown = [_with_files(state, repo, info) for info in infos[-_COMMITS_SHOWN:]]
    return "Tag Push Hook" if tag else "Push Hook", {
        "object_kind": kind,
        "event_name": kind,
        "before": before,
        "after": after,
        "ref": ref,
        "ref_protected": ref.removeprefix("refs/heads/") in repo.protections,
        "checkout_sha": after if after != ZERO else None,
        "message": None,
        "user_id": user["id"],
        "user_name": user["name"],
        "user_username": username(happening.actor.login),
        "user_email": "",
        "user_avatar": user["avatar_url"],
        "project_id": repo.id,
        "project": project(state, repo),
        "commits": shown,
        "total_commits_count": len(infos),
        "push_options": {},
        "repository": repository(state, repo)
        | {
            "git_http_url": f"{state.root}/{repo.full_name}.git",
            "git_ssh_url": project(state, repo)["ssh_url"],
            "visibility_level": 0 if repo.private else 20,
        },
    }


def _pushed(state: State, repo: Repo, before: str, after: str) -> list[CommitInfo]:
    git = state.git(repo)
    if after == ZERO:
        return []
    if before == ZERO:
        tip = git.resolve(repo.default_branch)
        span = [after] if tip in (None, after) else [after, f"^{tip}"]
    else:
        span = [f"{before}..{after}"]
    return gitread.commits(git, "--reverse", "--max-count=2000", *span)


def _with_files(state: State, repo: Repo, info: CommitInfo) -> Json:
    git = state.git(repo)
    files = gitread.changed_files(
        git, info.parents[0] if info.parents else gitread.EMPTY_TREE, info.sha, patches=False
    )
    return commit(state, repo, info) | {
        "added": [f.path for f in files if f.status in ("added", "copied")],
        "modified": [f.path for f in files if f.status in ("modified", "changed", "renamed")],
        "removed": [f.path for f in files if f.status == "removed"],
    }
