"""Webhook payloads about what programs say, and about reactions: pipelines, deployments, emoji."""

from __future__ import annotations

from bot.forge import gitread
from bot.forge.courier import Letter
from bot.forge.gitlab.payloads import attributes, commit, project, spaced, who
from bot.forge.gitlab.shapes import merge_request as shapes
from bot.forge.gitlab.shapes.commit import commit_url
from bot.forge.gitlab.shapes.people import Json
from bot.forge.gitlab.shapes.report import deployment_word
from bot.forge.gitstore import ZERO
from bot.forge.happening import Happening
from bot.forge.model import Award, Pull, Repo
from bot.forge.pipelines import fine_word, statuses_of, train_ref
from bot.forge.report_model import Pipeline, Status
from bot.forge.state import State


def pipeline(state: State, happening: Happening) -> Letter | None:
    """The state of a pipeline changed."""
    repo = happening.repo
    which: Pipeline = happening.subject
    change = next((p for p in repo.pulls if p.open and _is_of(which, p)), None)
    return "Pipeline Hook", {
        "object_kind": "pipeline",
        "object_attributes": {
            "id": which.id,
            "iid": which.iid,
            "name": None,
            "ref": which.ref,
            "tag": False,
            "sha": which.sha,
            "before_sha": ZERO,
            "source": which.source,
            "status": happening.action,
            "detailed_status": happening.action,
            "stages": ["external"],
            "created_at": spaced(which.created_at),
            "finished_at": spaced(which.updated_at),
            "duration": None,
            "queued_duration": None,
            "variables": [],
            "url": f"{state.root}/{repo.full_name}/-/pipelines/{which.id}",
        },
        "merge_request": _pipeline_change(state, repo, change) if change is not None else None,
        "user": who(state, happening.actor.login),
        "project": project(state, repo),
        "commit": commit(state, repo, gitread.commit(state.git(repo), which.sha)),
        "builds": [_build(state, status) for status in statuses_of(repo, which)],
    }


def _is_of(which: Pipeline, pull: Pull) -> bool:
    return (pull.head_sha, pull.head_ref) == (which.sha, which.ref) or which.ref == train_ref(pull.number)


def _pipeline_change(state: State, repo: Repo, change: Pull) -> Json:
    whole = attributes(state, repo, change)
    names = "id iid title source_branch source_project_id target_branch target_project_id state merge_status url"
    return {name: whole[name] for name in (*names.split(), "detailed_merge_status")}


def _build(state: State, status: Status) -> Json:
    return {
        "id": status.id,
        "stage": "external",
        "name": status.context,
        "status": fine_word(status),
        "created_at": spaced(status.created_at),
        "started_at": spaced(status.started_at),
        "finished_at": spaced(status.finished_at),
        "duration": None,
        "queued_duration": None,
        "failure_reason": None,
        "when": None,
        "manual": False,
        "allow_failure": status.allow_failure,
        "user": who(state, status.creator),
        "runner": None,
        "artifacts_file": {"filename": None, "size": None},
        "environment": None,
    }


def deployment(state: State, happening: Happening) -> Letter | None:
    """A deployment went a step further."""
    repo, which = happening.repo, happening.subject
    info = gitread.commit(state.git(repo), which.sha)
    return "Deployment Hook", {
        "object_kind": "deployment",
        "status": deployment_word(which),
        "status_changed_at": which.updated_at.strftime("%Y-%m-%d %H:%M:%S +0000"),
        "deployment_id": which.id,
        "deployable_id": None,
        "deployable_url": None,
        "environment": which.environment,
        "environment_tier": repo.environments[which.environment].tier,
        "environment_slug": which.environment,
        "environment_external_url": repo.environments[which.environment].url,
        "project": project(state, repo),
        "short_sha": which.sha[:8],
        "user": who(state, happening.actor.login),
        "user_url": f"{state.root}/{happening.actor.login}",
        "commit_url": commit_url(state, repo, which.sha),
        "commit_title": info.message.partition("\n")[0],
        "ref": which.ref,
    }


def award(state: State, happening: Happening) -> Letter | None:
    """Somebody reacted, or took it back."""
    which: Award = happening.details["award"]
    repo, subject = happening.repo, happening.subject
    on = happening.details["on"]
    action = happening.action or "award"
    return "Emoji Hook", {
        "object_kind": "emoji",
        "event_type": action,
        "user": who(state, happening.actor.login),
        "project_id": repo.id,
        "project": project(state, repo),
        "object_attributes": {
            "user_id": state.accounts[which.author].id,
            "created_at": spaced(which.at),
            "updated_at": spaced(which.at),
            "id": which.id,
            "name": which.name,
            "awardable_type": on[0],
            "awardable_id": on[1],
            "action": action,
            "awarded_on_url": shapes.web_url(state, repo, subject),
        },
        "merge_request": attributes(state, repo, subject),
    }
