"""Webhook payloads as GitHub sends them, and the headers that go with them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Any

from bot.forge import gitread
from bot.forge.courier import Letter
from bot.forge.github.shapes import commit, people, pull, report, repository
from bot.forge.github.shapes.people import Json
from bot.forge.gitstore import ZERO, CommitInfo
from bot.forge.happening import Happening, Topic
from bot.forge.model import AccountKind, Delivery, Hook, Label, Pull, Team
from bot.forge.state import State

_COMMITS_SHOWN = 2048


def headers(state: State, hook: Hook, delivery: Delivery) -> dict[str, str]:
    """The headers of one delivery; the signature is over the very bytes that are sent."""
    if hook.repo in state.repos:
        return _headers(hook, delivery, "repository", state.repos[hook.repo].id)
    return _headers(hook, delivery, "organization", state.accounts[hook.repo].id)


def app_headers(state: State, hook: Hook, delivery: Delivery) -> dict[str, str]:
    """The same of a delivery to an application's own hook."""
    return _headers(hook, delivery, "integration", next(app.id for app in state.apps.values() if app.hook is hook))


def _headers(hook: Hook, delivery: Delivery, target: str, target_id: int) -> dict[str, str]:
    shown = {
        "User-Agent": "GitHub-Hookshot/headgate",
        "Accept": "*/*",
        "Content-Type": "application/json",
        "X-GitHub-Delivery": delivery.guid,
        "X-GitHub-Event": delivery.event,
        "X-GitHub-Hook-ID": str(hook.id),
        "X-GitHub-Hook-Installation-Target-Type": target,
        "X-GitHub-Hook-Installation-Target-ID": str(target_id),
    }
    if hook.secret:
        key = hook.secret.encode()
        shown["X-Hub-Signature"] = "sha1=" + hmac.new(key, delivery.body, hashlib.sha1).hexdigest()
        shown["X-Hub-Signature-256"] = "sha256=" + hmac.new(key, delivery.body, hashlib.sha256).hexdigest()
    return shown


def render(state: State, happening: Happening) -> Letter | None:
    """The event's name and payload; None when GitHub would send nothing."""
    write = _BODIES.get(happening.topic)
    if write is None:
        return None
    name, body = write(state, happening)
    repo = happening.repo
    payload: Json = {} if happening.action is None else {"action": happening.action}
    payload |= body
    payload.setdefault("repository", repository.repository(state, repo))
    payload["sender"] = people.user(state, happening.actor.login)
    owner = repository.repository(state, repo)["owner"]
    if owner["type"] == "Organization":
        payload["organization"] = people.organization(state, state.accounts[repo.owner])
    return name, payload


def _ping(state: State, happening: Happening) -> Letter:
    hook: Hook = happening.subject
    url = f"{repository.repo_url(state, happening.repo)}/hooks/{hook.id}"
    shape = repository.hook(url, hook, of_repository=True)
    return "ping", {"zen": "Nothing flows in but through the gate.", "hook_id": hook.id, "hook": shape}


def _push(state: State, happening: Happening) -> Letter:
    repo, details = happening.repo, happening.details
    before, after, ref = details["before"], details["after"], details["ref"]
    infos = _pushed(state, happening)
    who = state.account(happening.actor.login)
    shape = repository.repository(state, repo)
    stamps = {"created_at": int(repo.created_at.timestamp()), "pushed_at": int(repo.pushed_at.timestamp())}
    # In this one payload GitHub writes the repository's times as numbers and its owner with a name.
    shape |= stamps | {"master_branch": repo.default_branch, "stargazers": 0}
    shape["owner"] |= {"name": repo.owner, "email": None}
    commits = [_push_commit(state, happening, info) for info in infos]
    head = _push_commit(state, happening, gitread.commit(state.git(repo), after)) if after != ZERO else None
    return "push", {
        "ref": ref,
        "before": before,
        "after": after,
        "repository": shape,
        "pusher": {"name": who.login, "email": who.email},
        "created": before == ZERO,
        "deleted": after == ZERO,
        "forced": details["forced"],
        "base_ref": None,
        "compare": f"{state.root}/{repo.full_name}/compare/{before[:12]}...{after[:12]}",
        "commits": commits,
        "head_commit": head,
    }


def _pushed(state: State, happening: Happening) -> list[CommitInfo]:
    before, after = happening.details["before"], happening.details["after"]
    if after == ZERO:
        return []
    if before != ZERO:
        span = [f"{before}..{after}"]
    else:
        tip = state.git(happening.repo).resolve(happening.repo.default_branch)
        span = [after] if tip in (None, after) else [after, f"^{tip}"]
    return gitread.commits(state.git(happening.repo), "--reverse", f"--max-count={_COMMITS_SHOWN}", *span)


def _push_commit(state: State, happening: Happening, info: CommitInfo) -> Json:
    git = state.git(happening.repo)
    since = info.parents[0] if info.parents else gitread.EMPTY_TREE
    changes = gitread.changed_files(git, since, info.sha, patches=False)

    def person(shape: Json) -> Json:
        found = next((a for a in state.accounts.values() if a.email == shape["email"]), None)
        return {"name": shape["name"], "email": shape["email"]} | ({"username": found.login} if found else {})

    inner = commit.commit_info(state, happening.repo, info)["commit"]
    removed = [c.previous if c.previous else c.path for c in changes if c.status in ("removed", "renamed")]
    return {
        "id": info.sha,
        "tree_id": info.tree,
        "distinct": True,
        "message": info.message,
        "timestamp": inner["committer"]["date"],
        "url": f"{state.root}/{happening.repo.full_name}/commit/{info.sha}",
        "author": person(inner["author"]),
        "committer": person(inner["committer"]),
        "added": [c.path for c in changes if c.status in ("added", "renamed", "copied")],
        "removed": removed,
        "modified": [c.path for c in changes if c.status in ("modified", "changed")],
    }


def _pull(state: State, happening: Happening) -> Letter:
    subject: Pull = happening.subject
    shape = pull.pull_full(state, happening.repo, subject, counted_read=False)
    body: Json = {"number": subject.number, "pull_request": shape}
    match happening.action:
        case "synchronize":
            body |= {"before": happening.details["before"], "after": happening.details["after"]}
        case "edited":
            body["changes"] = happening.details["changes"]
        case "labeled" | "unlabeled":
            which: Label = happening.details["label"]
            body["label"] = pull.label(state, happening.repo, which)
        case "review_requested" if "team" in happening.details:
            team: Team = happening.details["team"]
            body["requested_team"] = people.team(state, team)
        case "review_requested":
            body["requested_reviewer"] = people.account(state, happening.details["reviewer"])
        case _:
            pass
    return "pull_request", body


def _review(state: State, happening: Happening) -> Letter:
    shape = pull.review(state, happening.repo, happening.subject, happening.details["review"])
    # Webhooks write the state in lower case, the API in upper case.
    body = {
        "review": shape | {"state": shape["state"].lower()},
        "pull_request": pull.pull_simple(state, happening.repo, happening.subject),
    }
    if happening.action == "edited":
        body["changes"] = happening.details["changes"]
    return "pull_request_review", body


def _comment(state: State, happening: Happening) -> Letter:
    body = {
        "issue": pull.issue(state, happening.repo, happening.subject),
        "comment": pull.comment(state, happening.repo, happening.subject, happening.details["comment"]),
    }
    if "changes" in happening.details:
        body["changes"] = happening.details["changes"]
    return "issue_comment", body


def _status(state: State, happening: Happening) -> Letter:
    repo, which = happening.repo, happening.subject
    shape = report.status(state, repo, which)
    names = ("id", "state", "description", "target_url", "context", "created_at", "updated_at", "avatar_url")
    heads = state.git(repo).refs("refs/heads")
    branches = [
        {
            key: repository.short_branch(state, repo, ref.removeprefix("refs/heads/"), sha)[key]
            for key in ("name", "commit", "protected")
        }
        for ref, sha in heads.items()
        if sha == which.sha
    ]
    body = {name: shape[name] for name in names}
    body |= {"sha": which.sha, "name": repo.full_name, "branches": branches}
    return "status", body | {"commit": commit.commit(state, repo, which.sha)}


def _check_run(state: State, happening: Happening) -> Letter:
    repo, which = happening.repo, happening.subject
    shape = report.check_run(state, repo, which)
    suite: Json = {
        "id": which.suite_id,
        "node_id": people.node_id("CS", which.suite_id),
        "head_branch": next((p.head_ref for p in repo.pulls if p.head_sha == which.sha), None),
        "head_sha": which.sha,
        "status": which.status,
        "conclusion": which.conclusion,
        "url": f"{repository.repo_url(state, repo)}/check-suites/{which.suite_id}",
        "before": None,
        "after": which.sha,
        "pull_requests": shape["pull_requests"],
        "app": shape["app"],
        "created_at": shape["started_at"],
        "updated_at": shape["started_at"],
    }
    button = happening.details.get("button")
    pressed: Json = {"requested_action": {"identifier": button}} if button else {}
    return "check_run", {"check_run": shape | {"check_suite": suite}} | pressed


def _head_commit(state: State, happening: Happening, sha: str) -> Json:
    whole = _push_commit(state, happening, gitread.commit(state.git(happening.repo), sha))
    return {name: whole[name] for name in ("id", "tree_id", "message", "timestamp", "author", "committer")}


def _merge_group(state: State, happening: Happening) -> Letter:
    entry, reason = happening.subject, happening.details["reason"]
    shape: Json = {
        "head_sha": entry.sha,
        "head_ref": happening.details["ref"],
        "base_sha": entry.base,
        "base_ref": f"refs/heads/{entry.pull.base_ref}",
        "head_commit": _head_commit(state, happening, entry.sha),
    }
    return "merge_group", {"merge_group": shape} | ({"reason": reason} if reason else {})


def _deployment(state: State, happening: Happening) -> Letter:
    return "deployment", {
        "deployment": report.deployment(state, happening.repo, happening.subject),
        "workflow": None,
        "workflow_run": None,
    }


def _deployment_status(state: State, happening: Happening) -> Letter:
    repo, of = happening.repo, happening.subject
    status = report.deployment_status(state, repo, of, happening.details["status"])
    return "deployment_status", {
        "deployment_status": status,
        "deployment": report.deployment(state, repo, of),
        "check_run": None,
        "workflow": None,
        "workflow_run": None,
    }


def _repository(state: State, happening: Happening) -> Letter:
    owner, _, name = str(happening.details["old"]).rpartition("/")
    if happening.action == "renamed":
        return "repository", {"changes": {"repository": {"name": {"from": name}}}}
    old = state.account(owner)
    kind = "organization" if old.kind is AccountKind.ORGANIZATION else "user"
    shape = people.organization(state, old) if kind == "organization" else people.user(state, old.login)
    return "repository", {"changes": {"owner": {"from": {kind: shape}}}}


_BODIES: dict[Topic, Callable[[State, Happening], tuple[str, dict[str, Any]]]] = {
    Topic.PING: _ping,
    Topic.PUSH: _push,
    Topic.PULL: _pull,
    Topic.REVIEW: _review,
    Topic.COMMENT: _comment,
    Topic.STATUS: _status,
    Topic.CHECK_RUN: _check_run,
    Topic.MERGE_GROUP: _merge_group,
    Topic.REPOSITORY: _repository,
    Topic.DEPLOYMENT: _deployment,
    Topic.DEPLOYMENT_STATUS: _deployment_status,
}
