"""Deployments and how they go."""

from __future__ import annotations

from bot.forge import reports
from bot.forge.github.call import Answer, Call, Page, Result, Route
from bot.forge.github.shapes import report as shapes
from bot.forge.model import Role
from bot.forge.report_model import Deployment, DeploymentStatus


def create_deployment(call: Call) -> Result:
    """``POST /repos/{owner}/{name}/deployments``."""
    now = call.state.now()
    payload = call.body.get("payload") or {}
    wish = Deployment(
        id=call.state.new_id(),
        sha="",
        ref=call.need("ref"),
        task=call.text("task") or "deploy",
        environment=call.text("environment") or "production",
        creator=call.actor.login,
        description=call.text("description"),
        payload=payload,
        created_at=now,
        updated_at=now,
        transient=call.flag("transient_environment"),
        production=call.flag("production_environment"),
    )
    made = reports.create_deployment(call.state, call.repo, call.actor, wish)
    return Answer(shapes.deployment(call.state, call.repo, made), 201)


def list_deployments(call: Call) -> Result:
    """``GET /repos/{owner}/{name}/deployments``."""

    def keep(item: Deployment) -> bool:
        fields = {"sha": item.sha, "ref": item.ref, "task": item.task, "environment": item.environment}
        return all(call.query.get(name) in (None, value) for name, value in fields.items())

    found = [item for item in reversed(call.repo.deployments.values()) if keep(item)]
    return Page(found, lambda item: shapes.deployment(call.state, call.repo, item))


def get_deployment(call: Call, number: int) -> Result:
    """``GET /repos/{owner}/{name}/deployments/{number}``."""
    return shapes.deployment(call.state, call.repo, reports.find_deployment(call.repo, number))


def create_status(call: Call, number: int) -> Result:
    """``POST /repos/{owner}/{name}/deployments/{number}/statuses``."""
    of = reports.find_deployment(call.repo, number)
    status = DeploymentStatus(
        id=call.state.new_id(),
        state=call.need("state"),
        creator=call.actor.login,
        description=call.text("description") or "",
        environment=call.text("environment") or of.environment,
        environment_url=call.text("environment_url") or "",
        log_url=call.text("log_url") or call.text("target_url") or "",
        created_at=call.state.now(),
    )
    reports.add_deployment_status(call.state, call.repo, call.actor, of, status)
    return Answer(shapes.deployment_status(call.state, call.repo, of, status), 201)


def list_statuses(call: Call, number: int) -> Result:
    """``GET /repos/{owner}/{name}/deployments/{number}/statuses``."""
    of = reports.find_deployment(call.repo, number)
    return Page(of.statuses[::-1], lambda item: shapes.deployment_status(call.state, call.repo, of, item))


_REPO = "/repos/<owner>/<name>"
ROUTES = (
    Route("GET", f"{_REPO}/deployments", list_deployments, Role.READ),
    Route("POST", f"{_REPO}/deployments", create_deployment, Role.READ),
    Route("GET", f"{_REPO}/deployments/<int:number>", get_deployment, Role.READ),
    Route("GET", f"{_REPO}/deployments/<int:number>/statuses", list_statuses, Role.READ),
    Route("POST", f"{_REPO}/deployments/<int:number>/statuses", create_status, Role.READ),
)
