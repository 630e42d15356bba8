"""Statuses, check runs and deployments as GitHub's JSON."""

from __future__ import annotations

from bot.forge.github.shapes.people import Json, api, app, moment, node_id, user
from bot.forge.github.shapes.repository import repo_url, repository
from bot.forge.model import Pull, Repo
from bot.forge.report_model import Annotation, CheckRun, Deployment, DeploymentStatus, Status
from bot.forge.rules import newest_statuses
from bot.forge.state import State


def status(state: State, repo: Repo, which: Status) -> Json:
    """A status with who said it."""
    shape = status_simple(state, repo, which)
    return {**shape, "creator": user(state, which.creator)}


def status_simple(state: State, repo: Repo, which: Status) -> Json:
    """A status."""
    creator = state.accounts[which.creator]
    return {
        "url": f"{repo_url(state, repo)}/statuses/{which.sha}",
        "avatar_url": f"{state.root}/-/avatar/{creator.id}",
        "id": which.id,
        "node_id": node_id("SC", which.id),
        "state": which.state,
        "description": which.description,
        "target_url": which.target_url,
        "context": which.context,
        "created_at": moment(which.created_at),
        "updated_at": moment(which.created_at),
    }


def combined(state: State, repo: Repo, sha: str) -> Json:
    """The newest status of each context, and the worst of them."""
    newest = newest_statuses(repo, sha)
    words = {found.state for found in newest}
    worst = "failure" if words & {"error", "failure"} else "success" if words == {"success"} else "pending"
    url = repo_url(state, repo)
    return {
        "state": worst,
        "sha": sha,
        "total_count": len(newest),
        "statuses": [status_simple(state, repo, found) for found in newest],
        "repository": repository(state, repo),
        "commit_url": f"{url}/commits/{sha}",
        "url": f"{url}/commits/{sha}/status",
    }


def pull_minimal(state: State, repo: Repo, pull: Pull) -> Json:
    """A pull request as check runs name it."""

    def side(of: Repo, ref: str, sha: str) -> Json:
        short = {"id": of.id, "url": f"{api(state)}/repos/{of.full_name}", "name": of.name}
        return {"ref": ref, "sha": sha, "repo": short}

    head = state.repos.get(pull.head_repo, repo)
    return {
        "id": pull.id,
        "number": pull.number,
        "url": f"{repo_url(state, repo)}/pulls/{pull.number}",
        "head": side(head, pull.head_ref, pull.head_sha),
        "base": side(repo, pull.base_ref, pull.base_sha),
    }


def check_run(state: State, repo: Repo, which: CheckRun) -> Json:
    """A check run; pull requests from forks are not named, as on the real host."""
    url = f"{repo_url(state, repo)}/check-runs/{which.id}"
    own = [p for p in repo.pulls if p.open and p.head_sha == which.sha and p.head_repo == repo.full_name]
    return {
        "id": which.id,
        "head_sha": which.sha,
        "node_id": node_id("CR", which.id),
        "external_id": which.external_id,
        "url": url,
        "html_url": f"{state.root}/{repo.full_name}/runs/{which.id}",
        "details_url": which.details_url or f"{state.root}/{repo.full_name}/runs/{which.id}",
        "status": which.status,
        "conclusion": which.conclusion,
        "started_at": moment(which.started_at),
        "completed_at": moment(which.completed_at),
        "output": {
            "title": which.title,
            "summary": which.summary,
            "text": which.text,
            "annotations_count": len(which.annotations),
            "annotations_url": f"{url}/annotations",
        },
        "name": which.name,
        "check_suite": {"id": which.suite_id},
        "app": app(state, state.apps[which.app_id]),
        "pull_requests": [pull_minimal(state, repo, pull) for pull in own],
    }


def annotation(state: State, repo: Repo, sha: str, which: Annotation) -> Json:
    """A remark on lines of a file."""
    return {
        "path": which.path,
        "blob_href": f"{state.root}/{repo.full_name}/blob/{sha}/{which.path}",
        "start_line": which.start_line,
        "end_line": which.end_line,
        "start_column": which.start_column,
        "end_column": which.end_column,
        "annotation_level": which.level,
        "title": which.title,
        "message": which.message,
        "raw_details": which.raw_details,
    }


def deployment(state: State, repo: Repo, which: Deployment) -> Json:
    """A deployment."""
    url = f"{repo_url(state, repo)}/deployments/{which.id}"
    return {
        "url": url,
        "id": which.id,
        "node_id": node_id("DE", which.id),
        "sha": which.sha,
        "ref": which.ref,
        "task": which.task,
        "payload": which.payload,
        "original_environment": which.environment,
        "environment": which.environment,
        "description": which.description,
        "creator": user(state, which.creator),
        "created_at": moment(which.created_at),
        "updated_at": moment(which.updated_at),
        "statuses_url": f"{url}/statuses",
        "repository_url": repo_url(state, repo),
        "transient_environment": which.transient,
        "production_environment": which.production,
        "performed_via_github_app": None,
    }


def deployment_status(state: State, repo: Repo, of: Deployment, which: DeploymentStatus) -> Json:
    """One step of a deployment."""
    url = f"{repo_url(state, repo)}/deployments/{of.id}"
    shape = {
        "url": f"{url}/statuses/{which.id}",
        "id": which.id,
        "node_id": node_id("DES", which.id),
        "state": which.state,
        "creator": user(state, which.creator),
        "description": which.description,
        "environment": which.environment,
        "target_url": which.log_url or f"{state.root}/{repo.full_name}",
        "created_at": moment(which.created_at),
        "updated_at": moment(which.created_at),
        "deployment_url": url,
        "repository_url": repo_url(state, repo),
        "performed_via_github_app": None,
    }
    links = {"log_url": which.log_url, "environment_url": which.environment_url}
    return shape | {name: link for name, link in links.items() if link}
