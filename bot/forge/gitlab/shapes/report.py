"""Commit statuses, pipelines, environments and deployments as GitLab's JSON."""

from __future__ import annotations

import re

from bot.forge import gitread
from bot.forge.gitlab.shapes.commit import commit_short
from bot.forge.gitlab.shapes.people import Json, basic, moment
from bot.forge.model import Repo
from bot.forge.pipelines import fine_word, statuses_of, word_of
from bot.forge.report_model import Deployment, Pipeline, Status
from bot.forge.state import State

DEPLOYMENT_WORDS = {
    "queued": "created",
    "pending": "created",
    "in_progress": "running",
    "success": "success",
    "failure": "failed",
    "error": "failed",
    "inactive": "success",
}


def status(state: State, which: Status) -> Json:
    """A commit status."""
    return {
        "id": which.id,
        "sha": which.sha,
        "ref": which.ref,
        "status": fine_word(which),
        "name": which.context,
        "target_url": which.target_url,
        "description": which.description,
        "created_at": moment(which.created_at),
        "started_at": moment(which.started_at),
        "finished_at": moment(which.finished_at),
        "allow_failure": which.allow_failure,
        "coverage": which.coverage,
        "pipeline_id": which.pipeline_id,
        "author": basic(state, which.creator),
    }


def pipeline(state: State, repo: Repo, which: Pipeline) -> Json:
    """A pipeline as lists show it."""
    return {
        "id": which.id,
        "iid": which.iid,
        "project_id": repo.id,
        "sha": which.sha,
        "ref": which.ref,
        "status": word_of(statuses_of(repo, which)),
        "source": which.source,
        "created_at": moment(which.created_at),
        "updated_at": moment(which.updated_at),
        "web_url": f"{state.root}/{repo.full_name}/-/pipelines/{which.id}",
        "name": None,
    }


def pipeline_full(state: State, repo: Repo, which: Pipeline) -> Json:
    """A pipeline by itself."""
    word = word_of(statuses_of(repo, which))
    done = word in ("success", "failed", "canceled", "skipped")
    return pipeline(state, repo, which) | {
        "before_sha": "0" * 40,
        "tag": False,
        "yaml_errors": None,
        "user": basic(state, which.creator),
        "started_at": moment(which.created_at),
        "finished_at": moment(which.updated_at) if done else None,
        "committed_at": None,
        "duration": None,
        "queued_duration": None,
        "coverage": None,
        "archived": False,
        "detailed_status": {
            "icon": f"status_{word}",
            "text": word.capitalize(),
            "label": word,
            "group": word,
            "tooltip": word,
            "has_details": False,
            "details_path": f"/{repo.full_name}/-/pipelines/{which.id}",
            "illustration": None,
            "favicon": f"/assets/ci_favicons/favicon_status_{word}.png",
        },
    }


def deployment_word(which: Deployment) -> str:
    """How a deployment stands, in GitLab's words."""
    return DEPLOYMENT_WORDS[which.statuses[-1].state] if which.statuses else "created"


def deployment(state: State, repo: Repo, which: Deployment) -> Json:
    """A deployment."""
    numbers = sorted(repo.deployments)
    return {
        "id": which.id,
        "iid": numbers.index(which.id) + 1,
        "ref": which.ref,
        "sha": which.sha,
        "created_at": moment(which.created_at),
        "updated_at": moment(which.updated_at),
        "user": basic(state, which.creator),
        "environment": environment_short(repo, which.environment),
        "deployable": None,
        "status": deployment_word(which),
    }


def environment_short(repo: Repo, name: str) -> Json:
    """An environment as deployments refer to it."""
    made = repo.environments[name]
    return {
        "id": made.id,
        "name": name,
        "slug": re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:24],
        "external_url": made.url,
        "created_at": moment(made.created_at),
        "updated_at": moment(made.created_at),
    }


def environment(state: State, repo: Repo, name: str) -> Json:
    """An environment by itself, with what was deployed there last."""
    made = repo.environments[name]
    there = [item for item in repo.deployments.values() if item.environment == name]
    last = deployment(state, repo, there[-1]) if there else None
    if last is not None:
        last["commit"] = commit_short(state, repo, gitread.commit(state.git(repo), there[-1].sha))
    return environment_short(repo, name) | {
        "description": None,
        "state": "available" if made.available else "stopped",
        "tier": made.tier,
        "auto_stop_at": None,
        "last_deployment": last,
    }
