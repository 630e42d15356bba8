"""External status checks of a project, and the answers of the services."""

from __future__ import annotations

from functools import partial

from bot.forge.external_checks import applying, word_for
from bot.forge.gitlab import status_checks as deeds
from bot.forge.gitlab.call import Answer, Call, Declined, Page, Result, Route
from bot.forge.gitlab.shapes.people import Json
from bot.forge.gitlab.shapes.project import branch_id, protected_branch
from bot.forge.model import Pull, Refusal, Refused, Role
from bot.forge.report_model import ExternalCheck

_WORDS = ("pending", "passed", "failed")


def _check(call: Call, check: ExternalCheck) -> Json:
    return {
        "id": check.id,
        "name": check.name,
        "project_id": call.repo.id,
        "external_url": check.url,
        "hmac": bool(call.repo.hooks[check.hook_id].secret),
        "protected_branches": [
            protected_branch(call.state, call.repo, name, call.repo.protections[name])
            for name in sorted(check.branches & call.repo.protections.keys())
        ],
    }


def _find(call: Call, check_id: int) -> ExternalCheck:
    found = call.repo.external_checks.get(check_id)
    if found is None:
        raise Refused("Not Found", Refusal.NOT_FOUND)
    return found


def list_checks(call: Call) -> Result:
    """``GET /projects/:id/external_status_checks``."""
    return Page(list(call.repo.external_checks.values()), lambda check: _check(call, check))


def create_check(call: Call) -> Result:
    """``POST /projects/:id/external_status_checks``; name and address are taken once."""
    name, url = call.need("name"), call.need("external_url")
    if any(name == one.name or url == one.url for one in call.repo.external_checks.values()):
        raise Declined(400, {"name": ["has already been taken"]})
    secret = call.text("shared_secret") or ""
    made = deeds.add(call.state, call.repo, name, url, secret, _branches(call) or frozenset())
    return Answer(_check(call, made), 201)


def _branches(call: Call) -> frozenset[str] | None:
    """The protected branches that are named by their numbers; None when nothing is said of them."""
    wanted = call.params.get("protected_branch_ids")
    if not isinstance(wanted, list):
        return None
    rules = {branch_id(call.repo, name): name for name in call.repo.protections}
    if unknown := [number for number in wanted if number not in rules]:
        raise Declined(404, f"no such protected branch: {unknown[0]}")
    return frozenset(rules[number] for number in wanted)


def edit_check(call: Call, check_id: int) -> Result:
    """``PUT /projects/:id/external_status_checks/:check_id``."""
    check = _find(call, check_id)
    hook = call.repo.hooks[check.hook_id]
    check.name, check.url = call.text("name") or check.name, call.text("external_url") or check.url
    hook.url, hook.secret = check.url, call.text("shared_secret") or hook.secret
    branches = _branches(call)
    check.branches = check.branches if branches is None else branches
    call.state.version += 1
    return _check(call, check)


def delete_check(call: Call, check_id: int) -> Result:
    """``DELETE /projects/:id/external_status_checks/:check_id``."""
    check = _find(call, check_id)
    del call.repo.external_checks[check.id], call.repo.hooks[check.hook_id]
    return Answer(None, 204)


def _shown(call: Call, pull: Pull, check: ExternalCheck) -> Json:
    word = word_for(call.state, pull, check)
    return {"id": check.id, "name": check.name, "external_url": check.url, "status": word}


def of_change(call: Call, iid: int) -> Result:
    """``GET …/status_checks``."""
    pull = call.pull(iid)
    return Page(applying(call.repo, pull.base_ref), lambda check: _shown(call, pull, check))


def respond(call: Call, iid: int) -> Result:
    """``POST …/status_check_responses``: 409 for anything but the head."""
    pull = call.pull(iid)
    sha, number = call.need("sha"), call.number("external_status_check_id")
    check = _find(call, number or 0)
    if sha != pull.head_sha:
        raise Declined(409, "Conflict: sha does not match HEAD of source branch")
    word = call.one_of("status", *_WORDS) or "passed"
    check.answers[pull.number] = (sha, word, call.state.now())
    call.state.version += 1
    call.state.settle_waiting()
    return Answer({"id": check.id, "external_status_check": _shown(call, pull, check)}, 201)


def retry(call: Call, iid: int, check_id: int) -> Result:
    """``POST …/status_checks/:id/retry``: only what has failed; the service is asked again."""
    try:
        deeds.retry(call.state, call.repo, call.actor, call.pull(iid), _find(call, check_id))
    except deeds.NotFailed as error:
        raise Declined(422, str(error)) from None
    return Answer({"message": "202 Accepted"}, 202)


_ALL = "projects/<id>/external_status_checks"
_ONE = "projects/<id>/merge_requests/<int:iid>"
_PAID = partial(Route, paid=True, unlicensed=401)
ROUTES = (
    _PAID("GET", _ALL, list_checks),
    _PAID("POST", _ALL, create_check, Role.MAINTAIN),
    _PAID("PUT", f"{_ALL}/<int:check_id>", edit_check, Role.MAINTAIN),
    _PAID("DELETE", f"{_ALL}/<int:check_id>", delete_check, Role.MAINTAIN),
    _PAID("GET", f"{_ONE}/status_checks", of_change),
    _PAID("POST", f"{_ONE}/status_check_responses", respond, Role.WRITE),
    _PAID("POST", f"{_ONE}/status_checks/<int:check_id>/retry", retry, Role.WRITE),
)
