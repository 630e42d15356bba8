"""Webhooks of a project and the record of what they were sent."""

from __future__ import annotations

import json

from bot.forge import courier
from bot.forge.gitlab import hooks as deeds
from bot.forge.gitlab.call import Answer, Call, Declined, Page, Result, Route
from bot.forge.gitlab.shapes.people import Json, moment
from bot.forge.gitlab.shapes.project import HOOK_EVENTS, hook
from bot.forge.model import Delivery, Hook, Role

_MOST = 100


def _hooks(call: Call) -> list[Hook]:
    return [one for one in call.repo.hooks.values() if one.face == "gitlab"]


def _find(call: Call, hook_id: int) -> Hook:
    return courier.find_hook(call.repo, hook_id)


def list_hooks(call: Call) -> Result:
    """``GET /projects/:id/hooks``."""
    return Page(_hooks(call), lambda one: hook(call.state, call.repo, one))


def get_hook(call: Call, hook_id: int) -> Result:
    """``GET /projects/:id/hooks/:hook_id``."""
    return hook(call.state, call.repo, _find(call, hook_id))


def _events(call: Call, before: tuple[str, ...]) -> tuple[str, ...]:
    chosen = []
    for flag, event in HOOK_EVENTS.items():
        wanted = call.flag(flag)
        if wanted or (wanted is None and event in before):
            chosen.append(event)
    return tuple(chosen)


def _secrets(call: Call, which: Hook) -> None:
    token, signing = call.text("token"), call.text("signing_token")
    which.secret = which.secret if token is None else token
    if signing:
        deeds.signing_key(signing)
    which.signing_token = which.signing_token if signing is None else signing


def create_hook(call: Call) -> Result:
    """``POST /projects/:id/hooks``; pushes are on unless refused. Secrets are taken, never shown."""
    url = call.need("url")
    if not url.startswith(("http://", "https://")):
        raise Declined(422, {"url": ["is blocked: Only allowed schemes are http, https"]})
    if len(_hooks(call)) >= _MOST:
        raise Declined(422, {"base": ["Maximum number of project hooks (100) exceeded"]})
    events = _events(call, ("Push Hook",))
    made = courier.add_hook(call.state, call.repo, call.actor, url, "", events, face="gitlab", role=Role.MAINTAIN)
    _secrets(call, made)
    return Answer(hook(call.state, call.repo, made), 201)


def edit_hook(call: Call, hook_id: int) -> Result:
    """``PUT /projects/:id/hooks/:hook_id``."""
    which = _find(call, hook_id)
    which.url = call.text("url") or which.url
    which.events = _events(call, which.events)
    which.updated_at = call.state.now()
    _secrets(call, which)
    return hook(call.state, call.repo, which)


def delete_hook(call: Call, hook_id: int) -> Result:
    """``DELETE /projects/:id/hooks/:hook_id``."""
    del call.repo.hooks[_find(call, hook_id).id]
    return Answer(None, 204)


def test_hook(call: Call, hook_id: int, trigger: str) -> Result:
    """``POST /projects/:id/hooks/:hook_id/test/:trigger``: also a way to switch a hook on again."""
    which = _find(call, hook_id)
    if trigger not in deeds.TEST_TRIGGERS:
        raise Declined(400, "trigger does not have a valid value", "error")
    courier.ping(call.state, call.repo, call.actor, which, trigger)
    return Answer({"message": "201 Created"}, 201)


def list_deliveries(call: Call, hook_id: int) -> Result:
    """``GET /projects/:id/hooks/:hook_id/events``, newest first."""
    wanted = call.words("status")
    rows = [one for one in reversed(_find(call, hook_id).deliveries) if _has_status(one, wanted)]
    return Page(rows, _delivery)


def _has_status(delivery: Delivery, wanted: list[str] | None) -> bool:
    if wanted is None:
        return True
    code = delivery.status_code
    words = {200: "successful", 300: "successful", 400: "client_failure", 500: "server_failure"}
    return str(code) in wanted or words.get(code // 100 * 100, "server_failure") in wanted


def _delivery(one: Delivery) -> Json:
    return {
        "id": one.id,
        "url": "",
        "trigger": one.event.lower().replace(" ", "_") + "s",
        "request_headers": {k: v if k != "X-Gitlab-Token" else "[REDACTED]" for k, v in one.request_headers.items()},
        "request_data": json.loads(one.body),
        "response_headers": one.response_headers,
        "response_body": one.response_body,
        "execution_duration": one.duration,
        "response_status": str(one.status_code) if one.status_code else "internal error",
        "created_at": moment(one.delivered_at),
    }


def resend(call: Call, hook_id: int, event_id: int) -> Result:
    """``POST /projects/:id/hooks/:hook_id/events/:event_id/resend``."""
    which = _find(call, hook_id)
    courier.redeliver(call.state, which, event_id)
    return Answer({"response_status": 200}, 201)


_ONE = "projects/<id>/hooks/<int:hook_id>"
ROUTES = (
    Route("GET", "projects/<id>/hooks", list_hooks, Role.MAINTAIN),
    Route("POST", "projects/<id>/hooks", create_hook, Role.MAINTAIN),
    Route("GET", _ONE, get_hook, Role.MAINTAIN),
    Route("PUT", _ONE, edit_hook, Role.MAINTAIN),
    Route("DELETE", _ONE, delete_hook, Role.MAINTAIN),
    Route("POST", f"{_ONE}/test/<trigger>", test_hook, Role.MAINTAIN),
    Route("GET", f"{_ONE}/events", list_deliveries, Role.MAINTAIN),
    Route("POST", f"{_ONE}/events/<int:event_id>/resend", resend, Role.MAINTAIN),
)
