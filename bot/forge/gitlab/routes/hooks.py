"""Webhooks of projects, groups and the instance, and the record of what they were sent."""

from __future__ import annotations

import json
from dataclasses import dataclass

from bot.forge import courier
from bot.forge.gitlab import hooks as deeds
from bot.forge.gitlab.call import Answer, Call, Declined, Page, Result, Route
from bot.forge.gitlab.shapes.people import Json, moment
from bot.forge.gitlab.shapes.project import HOOK_EVENTS, hook
from bot.forge.groups import all_members, find_group
from bot.forge.model import Delivery, Hook, Refusal, Refused, Role

_MOST = 100


@dataclass(frozen=True, slots=True)
class _Home:
    """Where hooks are kept: a project, a group, or the instance (an empty path)."""

    path: str
    shelf: dict[int, Hook]
    owner: Json

    @property
    def face(self) -> str:
        return "gitlab" if self.path else "gitlab-system"

    @property
    def hooks(self) -> list[Hook]:
        return [one for one in self.shelf.values() if one.face == self.face]

    def find(self, hook_id: int) -> Hook:
        found = self.shelf.get(hook_id)
        if found is None or found.face != self.face:
            raise Refused("Not Found", Refusal.NOT_FOUND)
        return found


def _home(call: Call, group: str | None) -> _Home:
    """The home that the path names; groups take their owners, the instance its administrators."""
    if call.target is not None:
        return _Home(call.repo.full_name, call.repo.hooks, {"project_id": call.repo.id})
    if group is None:
        if call.actor.login not in call.state.admins:
            raise Refused("Forbidden", Refusal.FORBIDDEN)
        return _Home("", call.state.shared_hooks.setdefault("", {}), {})
    number, path, _ = find_group(call.state, group)
    if all_members(call.state, path).get(call.actor.login, Role.NONE) < Role.ADMIN:
        raise Refused("Forbidden", Refusal.FORBIDDEN)
    return _Home(path, call.state.shared_hooks.setdefault(path, {}), {"group_id": number})


def list_hooks(call: Call, group: str | None = None) -> Result:
    """``GET /projects/:id/hooks``, ``GET /groups/:id/hooks``, ``GET /hooks``."""
    home = _home(call, group)
    return Page(home.hooks, lambda one: hook(call.state, one) | home.owner)


def get_hook(call: Call, hook_id: int, group: str | None = None) -> Result:
    """``GET …/hooks/:hook_id``."""
    home = _home(call, group)
    return hook(call.state, home.find(hook_id)) | home.owner


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


def create_hook(call: Call, group: str | None = None) -> Result:
    """``POST …/hooks``; pushes are on unless refused. Secrets are taken, never shown."""
    home = _home(call, group)
    url = call.need("url")
    if not url.startswith(("http://", "https://")):
        raise Declined(422, {"url": ["is blocked: Only allowed schemes are http, https"]})
    if len(home.hooks) >= _MOST:
        raise Declined(422, {"base": ["Maximum number of project hooks (100) exceeded"]})
    events = _events(call, ("Push Hook",)) if home.path else ("System Hook",)
    made = courier.place_hook(call.state, home.shelf, home.path, url, "", events, face=home.face)
    _secrets(call, made)
    return Answer(hook(call.state, made) | home.owner, 201)


def edit_hook(call: Call, hook_id: int, group: str | None = None) -> Result:
    """``PUT …/hooks/:hook_id``."""
    home = _home(call, group)
    which = home.find(hook_id)
    which.url = call.text("url") or which.url
    which.events = _events(call, which.events) if home.path else which.events
    which.updated_at = call.state.now()
    _secrets(call, which)
    return hook(call.state, which) | home.owner


def delete_hook(call: Call, hook_id: int, group: str | None = None) -> Result:
    """``DELETE …/hooks/:hook_id``."""
    home = _home(call, group)
    del home.shelf[home.find(hook_id).id]
    return Answer(None, 204)


def test_hook(call: Call, hook_id: int, trigger: str) -> Result:
    """``POST /projects/:id/hooks/:hook_id/test/:trigger``: also a way to switch a hook on again."""
    which = _home(call, None).find(hook_id)
    if trigger not in deeds.TEST_TRIGGERS:
        raise Declined(400, "trigger does not have a valid value", "error")
    courier.ping(call.state, call.repo, call.actor, which, trigger)
    return Answer({"message": "201 Created"}, 201)


def list_deliveries(call: Call, hook_id: int, group: str | None = None) -> Result:
    """``GET …/hooks/:hook_id/events``, newest first."""
    wanted = call.words("status")
    rows = [one for one in reversed(_home(call, group).find(hook_id).deliveries) if _has_status(one, wanted)]
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


def resend(call: Call, hook_id: int, event_id: int, group: str | None = None) -> Result:
    """``POST …/hooks/:hook_id/events/:event_id/resend``."""
    which = _home(call, group).find(hook_id)
    courier.redeliver(call.state, which, event_id)
    return Answer({"response_status": 200}, 201)


def _routes(prefix: str, paid: bool = False) -> tuple[Route, ...]:
    one = f"{prefix}/<int:hook_id>"
    return (
        Route("GET", prefix, list_hooks, Role.MAINTAIN, paid),
        Route("POST", prefix, create_hook, Role.MAINTAIN, paid),
        Route("GET", one, get_hook, Role.MAINTAIN, paid),
        Route("PUT", one, edit_hook, Role.MAINTAIN, paid),
        Route("DELETE", one, delete_hook, Role.MAINTAIN, paid),
        Route("GET", f"{one}/events", list_deliveries, Role.MAINTAIN, paid),
        Route("POST", f"{one}/events/<int:event_id>/resend", resend, Role.MAINTAIN, paid),
    )


ROUTES = (
    *_routes("projects/<id>/hooks"),
    *_routes("groups/<group>/hooks", paid=True),
    *_routes("hooks"),
    Route("POST", "projects/<id>/hooks/<int:hook_id>/test/<trigger>", test_hook, Role.MAINTAIN),
)
