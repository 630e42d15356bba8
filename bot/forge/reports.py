"""What programs say of a commit: statuses, check runs, deployments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.forge.happening import Happening, Topic
from bot.forge.model import Actor, Refusal, Refused, Repo, Role
from bot.forge.report_model import Annotation, CheckRun, Deployment, DeploymentStatus, Environment, Status
from bot.forge.state import State

STATES = ("error", "failure", "pending", "success")
DEPLOYMENT_STATES = ("error", "failure", "inactive", "in_progress", "queued", "pending", "success")
RUN_STATES = ("queued", "in_progress", "completed", "waiting", "requested", "pending")
CONCLUSIONS = ("action_required", "cancelled", "failure", "neutral", "success", "skipped", "stale", "timed_out")
_STATUSES_PER_CONTEXT = 1000
_DESCRIPTION_LIMIT = 140
_TIERS = {"prod": "production", "live": "production", "stag": "staging", "test": "testing", "dev": "development"}
_TEXT_LIMIT = 65_535
_ANNOTATIONS_PER_CALL = 50


@dataclass(frozen=True, slots=True)
class RunReport:
    """What an application says of a check run; None leaves what was said before."""

    status: str | None = None
    conclusion: str | None = None
    details_url: str | None = None
    external_id: str | None = None
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    annotations: Sequence[Annotation] = ()
    actions: tuple[str, ...] = ()


def commit_of(state: State, repo: Repo, name: str) -> str:
    """The commit a name means. Raises Refused when there is none."""
    sha = state.git(repo).resolve(name)
    if sha is None:
        raise Refused(f"No commit found for SHA: {name}", Refusal.INVALID)
    return sha


def set_status(
    state: State,
    repo: Repo,
    actor: Actor,
    sha: str,
    context: str,
    word: str,
    description: str | None,
    url: str | None,
) -> Status:
    """Report on a commit. Raises Refused for unknown words and commits, long descriptions and too many reports."""
    state.require(repo, actor, Role.WRITE)
    sha = commit_of(state, repo, sha)
    if word not in STATES:
        raise Refused("state is not included in the list")
    if description is not None and len(description) > _DESCRIPTION_LIMIT:
        raise Refused(f"description is too long (maximum is {_DESCRIPTION_LIMIT} characters)")
    same = sum(status.sha == sha and status.context == context for status in repo.statuses)
    if same >= _STATUSES_PER_CONTEXT:
        raise Refused("This SHA and context has reached the maximum number of statuses.")
    status = Status(state.new_id(), sha, context, word, description, url, actor.login, actor.app_id, state.now())
    repo.statuses.append(status)
    state.tell(Happening(Topic.STATUS, None, repo, actor, status))
    return status


def create_check_run(state: State, repo: Repo, actor: Actor, sha: str, name: str, report: RunReport) -> CheckRun:
    """Start a check run. Raises Refused for anybody but an application."""
    state.require(repo, actor, Role.WRITE)
    if actor.app_id is None:
        raise Refused("You must authenticate via a GitHub App.", Refusal.FORBIDDEN)
    sha = commit_of(state, repo, sha)
    suite = repo.suites.setdefault((sha, actor.app_id), state.new_id())
    run = CheckRun(state.new_id(), suite, sha, name, actor.app_id, "queued", None, state.now(), None)
    _apply(state, run, report)
    repo.check_runs[run.id] = run
    state.tell(Happening(Topic.CHECK_RUN, "created", repo, actor, run))
    if run.status == "completed":
        state.tell(Happening(Topic.CHECK_RUN, "completed", repo, actor, run))
    return run


def find_check_run(repo: Repo, run_id: int) -> CheckRun:
    """A check run by id. Raises Refused when there is none."""
    found = repo.check_runs.get(run_id)
    if found is None:
        raise Refused("Not Found", Refusal.NOT_FOUND)
    return found


def update_check_run(state: State, repo: Repo, actor: Actor, run_id: int, report: RunReport) -> CheckRun:
    """Go on with a check run. Raises Refused for anybody but the application that made it."""
    state.require(repo, actor, Role.WRITE)
    run = find_check_run(repo, run_id)
    if actor.app_id != run.app_id:
        raise Refused("Invalid app_id: the check run belongs to another app", Refusal.FORBIDDEN)
    was = run.status
    _apply(state, run, report)
    if run.status == "completed" and was != "completed":
        state.tell(Happening(Topic.CHECK_RUN, "completed", repo, actor, run))
    else:
        state.version += 1
    return run


def _apply(state: State, run: CheckRun, report: RunReport) -> None:
    if report.status is not None and report.status not in RUN_STATES:
        raise Refused("status is not included in the list")
    if report.conclusion is not None and report.conclusion not in CONCLUSIONS:
        raise Refused("conclusion is not included in the list")
    if any(text is not None and len(text) > _TEXT_LIMIT for text in (report.summary, report.text)):
        raise Refused(f"output is too long (maximum is {_TEXT_LIMIT} characters)")
    if len(report.annotations) > _ANNOTATIONS_PER_CALL:
        raise Refused(f"No more than {_ANNOTATIONS_PER_CALL} annotations per request")
    if report.status == "completed" and report.conclusion is None:
        raise Refused("conclusion is required when status is completed")
    for name in ("details_url", "external_id", "title", "summary", "text"):
        value = getattr(report, name)
        if value is not None:
            setattr(run, name, value)
    run.annotations.extend(report.annotations)
    run.actions = report.actions
    if report.conclusion is not None:
        run.conclusion, run.status, run.completed_at = report.conclusion, "completed", state.now()
    elif report.status is not None:
        run.conclusion, run.status, run.completed_at = None, report.status, None


def press(state: State, repo: Repo, actor: Actor, run: CheckRun, button: str = "") -> None:
    """Press one of a run's buttons, or "Re-run". Raises Refused for who may not write, and for no such button."""
    state.require(repo, actor, Role.WRITE)
    if button and button not in run.actions:
        raise Refused("Not Found", Refusal.NOT_FOUND)
    action = "requested_action" if button else "rerequested"
    state.tell(Happening(Topic.CHECK_RUN, action, repo, actor, run, {"button": button}))


def create_deployment(state: State, repo: Repo, actor: Actor, wish: Deployment) -> Deployment:
    """Announce a deployment, given as a filled form whose id and times are set here."""
    state.require(repo, actor, Role.WRITE)
    wish.sha = commit_of(state, repo, wish.ref)
    repo.deployments[wish.id] = wish
    place(state, repo, wish.environment)
    state.tell(Happening(Topic.DEPLOYMENT, "created", repo, actor, wish))
    return wish


def place(state: State, repo: Repo, name: str) -> Environment:
    """An environment by name, made when it is new; its tier is guessed from the name, as hosts do."""
    found = repo.environments.get(name)
    if found is None:
        tier = next((tier for word, tier in _TIERS.items() if word in name.lower()), "other")
        found = repo.environments[name] = Environment(state.new_id(), name, state.now(), tier)
    return found


def find_deployment(repo: Repo, deployment_id: int) -> Deployment:
    """A deployment by id. Raises Refused when there is none."""
    found = repo.deployments.get(deployment_id)
    if found is None:
        raise Refused("Not Found", Refusal.NOT_FOUND)
    return found


def add_deployment_status(
    state: State, repo: Repo, actor: Actor, deployment: Deployment, status: DeploymentStatus
) -> DeploymentStatus:
    """Say how a deployment goes. Raises Refused for unknown words. A success makes older ones inactive."""
    state.require(repo, actor, Role.WRITE)
    if status.state not in DEPLOYMENT_STATES:
        raise Refused("state is not included in the list")
    deployment.statuses.append(status)
    deployment.updated_at = state.now()
    details = {"status": status}
    state.tell(Happening(Topic.DEPLOYMENT_STATUS, "created", repo, actor, deployment, details))
    return status
