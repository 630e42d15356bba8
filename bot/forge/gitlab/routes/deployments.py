"""Environments and deployments."""

from __future__ import annotations

from bot.forge import reports
from bot.forge.gitlab.call import Answer, Call, Declined, Page, Result, Route
from bot.forge.gitlab.shapes import report as shapes
from bot.forge.model import Refusal, Refused, Role
from bot.forge.report_model import Deployment, DeploymentStatus

_WORDS = {"running": "in_progress", "success": "success", "failed": "failure", "canceled": "error"}
_TIERS = ("production", "staging", "testing", "development", "other")


def list_environments(call: Call) -> Result:
    """``GET /projects/:id/environments``."""
    name, search = call.text("name"), call.text("search") or ""
    rows = [one for one in call.repo.environments if name in (None, one) and search in one]
    return Page(rows, lambda one: shapes.environment(call.state, call.repo, one))


def _name(call: Call, environment_id: int) -> str:
    for name, made in call.repo.environments.items():
        if made.id == environment_id:
            return name
    raise Refused("Not Found", Refusal.NOT_FOUND)


def get_environment(call: Call, environment_id: int) -> Result:
    """``GET /projects/:id/environments/:environment_id``."""
    return shapes.environment(call.state, call.repo, _name(call, environment_id))


def create_environment(call: Call) -> Result:
    """``POST /projects/:id/environments``."""
    name = call.need("name")
    if name in call.repo.environments:
        raise Declined(400, {"name": ["has already been taken"]})
    _fill(call, name)
    return Answer(shapes.environment(call.state, call.repo, name), 201)


def _fill(call: Call, name: str) -> None:
    made = reports.place(call.state, call.repo, name)
    made.url = call.text("external_url") or made.url
    made.tier = call.one_of("tier", *_TIERS) or made.tier


def edit_environment(call: Call, environment_id: int) -> Result:
    """``PUT /projects/:id/environments/:environment_id``."""
    name = _name(call, environment_id)
    _fill(call, name)
    return shapes.environment(call.state, call.repo, name)


def stop_environment(call: Call, environment_id: int) -> Result:
    """``POST /projects/:id/environments/:environment_id/stop``."""
    name = _name(call, environment_id)
    call.repo.environments[name].available = False
    return shapes.environment(call.state, call.repo, name)


def delete_environment(call: Call, environment_id: int) -> Result:
    """``DELETE /projects/:id/environments/:environment_id``: only a stopped one."""
    name = _name(call, environment_id)
    if call.repo.environments[name].available:
        raise Refused("Forbidden", Refusal.FORBIDDEN)
    call.repo.environments.pop(name)
    return Answer(None, 204)


def list_deployments(call: Call) -> Result:
    """``GET /projects/:id/deployments``."""
    place, word = call.text("environment"), call.text("status")
    rows = [
        one
        for one in call.repo.deployments.values()
        if place in (None, one.environment) and word in (None, shapes.deployment_word(one))
    ]
    if call.one_of("sort", "asc", "desc") == "desc":
        rows.reverse()
    return Page(rows, lambda one: shapes.deployment(call.state, call.repo, one))


def get_deployment(call: Call, deployment_id: int) -> Result:
    """``GET /projects/:id/deployments/:deployment_id``."""
    return shapes.deployment(call.state, call.repo, reports.find_deployment(call.repo, deployment_id))


def create_deployment(call: Call) -> Result:
    """``POST /projects/:id/deployments``."""
    place, sha, ref = call.need("environment"), call.need("sha"), call.need("ref")
    call.need("tag")
    word = _word(call)
    now = call.state.now()
    wish = Deployment(call.state.new_id(), sha, sha, "deploy", place, call.actor.login, None, {}, now, now)
    made = reports.create_deployment(call.state, call.repo, call.actor, wish)
    made.ref = ref
    _step(call, made, word)
    return Answer(shapes.deployment(call.state, call.repo, made), 201)


def _word(call: Call) -> str:
    word = call.need("status")
    if word not in _WORDS:
        raise Declined(400, "status does not have a valid value", "error")
    return word


def _step(call: Call, made: Deployment, word: str) -> None:
    place = call.repo.environments[made.environment]
    place.available = True
    step = DeploymentStatus(
        call.state.new_id(),
        _WORDS[word],
        call.actor.login,
        "",
        made.environment,
        place.url or "",
        "",
        call.state.now(),
    )
    reports.add_deployment_status(call.state, call.repo, call.actor, made, step)


def edit_deployment(call: Call, deployment_id: int) -> Result:
    """``PUT /projects/:id/deployments/:deployment_id``: what is finished stays."""
    made = reports.find_deployment(call.repo, deployment_id)
    word = _word(call)
    if shapes.deployment_word(made) not in ("created", "running"):
        raise Declined(400, {"status": ['cannot transition via "run"']})
    _step(call, made, word)
    return shapes.deployment(call.state, call.repo, made)


_PLACE = "projects/<id>/environments/<int:environment_id>"
_ONE = "projects/<id>/deployments/<int:deployment_id>"
ROUTES = (
    Route("GET", "projects/<id>/environments", list_environments),
    Route("POST", "projects/<id>/environments", create_environment, Role.WRITE),
    Route("GET", _PLACE, get_environment),
    Route("PUT", _PLACE, edit_environment, Role.WRITE),
    Route("DELETE", _PLACE, delete_environment, Role.WRITE),
    Route("POST", f"{_PLACE}/stop", stop_environment, Role.WRITE),
    Route("GET", "projects/<id>/deployments", list_deployments),
    Route("POST", "projects/<id>/deployments", create_deployment, Role.WRITE),
    Route("GET", _ONE, get_deployment),
    Route("PUT", _ONE, edit_deployment, Role.WRITE),
)
