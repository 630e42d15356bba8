"""The faces over one memory: what each calls its API, sends to hooks, and holds against a merge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from bot.forge import merging, pipelines, reports, rules, talk
from bot.forge.courier import Habit, Headers, Renderer
from bot.forge.github import installing
from bot.forge.github import payloads as github_payloads
from bot.forge.gitlab import approvals, hooks, quick_actions, standing, status_checks
from bot.forge.gitlab.gate import PREFIX
from bot.forge.gitlab.shapes.project import HOOK_EVENTS
from bot.forge.model import Actor, Comment, Pull, Repo, Review, ReviewState
from bot.forge.report_model import Status
from bot.forge.state import State


@dataclass(frozen=True, slots=True)
class Face:
    """One way of being seen. ``page`` is the path of a change's page, ``events`` what a hook wants by default,
    ``noun`` and ``mark`` how people there call a change and its number."""

    name: str
    api: str
    page: str
    events: tuple[str, ...]
    render: Renderer
    headers: Headers
    blockers: merging.Blockers
    say: Callable[[State, Repo, Actor, Pull, str], Comment]
    approve: Callable[[State, Repo, Actor, Pull, str, str | None], Review]
    report: Callable[[State, Repo, Actor, str, str, str, str, str | None], Status]
    habit: Habit | None = None
    joined_squash: bool = False
    noun: str = "pull request"
    mark: str = "#"


def _approve_commit(state: State, repo: Repo, actor: Actor, pull: Pull, body: str, sha: str | None) -> Review:
    return talk.submit_review(state, repo, actor, pull, ReviewState.APPROVED, body, sha)


def _approve_change(state: State, repo: Repo, actor: Actor, pull: Pull, body: str, sha: str | None) -> Review:
    """GitLab's approval carries no words: they become a note; with a commit named, it must be the head."""
    approvals.approve(state, repo, actor, pull, sha)
    if body.strip():
        talk.add_comment(state, repo, actor, pull, body)
    return rules.standing_reviews(pull)[actor.login]


def _report_step(
    state: State, repo: Repo, actor: Actor, sha: str, context: str, word: str, description: str, url: str | None
) -> Status:
    """A report joins the pipeline of the change whose head it is about; one that says nothing new is no error."""
    full = reports.commit_of(state, repo, sha)
    ref = next((pull.head_ref for pull in repo.pulls if pull.open and pull.head_sha == full), None)
    fine = {"failure": "failed", "error": "failed"}.get(word, word)
    for status in repo.statuses:
        if (status.sha, status.context, status.creator, status.fine) == (full, context, actor.login, fine):
            return status
    return pipelines.report(
        state, repo, actor, full, pipelines.Report(fine, context, ref, description=description, url=url)
    )


def _say_orders(state: State, repo: Repo, actor: Actor, pull: Pull, text: str) -> Comment:
    """A note of nothing but quick actions is not kept: what is given back then stands nowhere."""
    said = quick_actions.say(state, repo, actor, pull, text)
    now = state.now()
    return said.comment or Comment(state.new_id(), actor.login, text, now, now)


_GITHUB_EVENTS = (
    "push",
    "pull_request",
    "pull_request_review",
    "issue_comment",
    "status",
    "check_run",
    "deployment_status",
)
_GITHUB = Face(
    name="github",
    api="/api/v3",
    page="pull",
    events=_GITHUB_EVENTS,
    render=github_payloads.render,
    headers=github_payloads.headers,
    blockers=rules.merge_blockers,
    say=talk.add_comment,
    approve=_approve_commit,
    report=reports.set_status,
)
_GITLAB = Face(
    name="gitlab",
    api=PREFIX,
    page="-/merge_requests",
    events=tuple(HOOK_EVENTS.values()),
    render=hooks.render,
    headers=hooks.headers,
    blockers=standing.merge_blockers,
    say=_say_orders,
    approve=_approve_change,
    report=_report_step,
    habit=hooks.Habit(),
    joined_squash=True,
    noun="merge request",
    mark="!",
)
_APP = replace(_GITHUB, name=installing.FACE, headers=github_payloads.app_headers)
_SYSTEM = replace(_GITLAB, name="gitlab-system", events=("System Hook",), render=hooks.render_system)
_ASKED = replace(
    _GITLAB,
    name=status_checks.FACE,
    events=(),
    render=status_checks.nothing,
    headers=status_checks.headers,
    habit=None,
)
FACES: Mapping[str, Face] = MappingProxyType({face.name: face for face in (_GITHUB, _GITLAB)})
SENDERS: tuple[Face, ...] = (_APP, *FACES.values(), _SYSTEM, _ASKED)
"""Everything that writes to hooks; the hooks of a whole GitLab instance hear less, and in another envelope, and the
services behind status checks are asked by themselves. A GitHub App's hook is its own, and not a repository's."""
