"""Webhooks: registering, pinging, the record of deliveries, and delivering again."""

from __future__ import annotations

import json

from bot.forge import courier
from bot.forge.github.call import Answer, Call, Page, Result, Route
from bot.forge.github.shapes import repository as shapes
from bot.forge.model import Refused, Role


def list_hooks(call: Call) -> Result:
    """``GET /repos/{owner}/{name}/hooks``."""
    own = [hook for hook in call.repo.hooks.values() if hook.face == "github"]
    return Page(own, lambda hook: shapes.hook(call.state, call.repo, hook))


def create_hook(call: Call) -> Result:
    """``POST /repos/{owner}/{name}/hooks``."""
    config = call.body.get("config") or {}
    if not isinstance(config, dict) or not isinstance(config.get("url"), str):
        raise Refused("Validation Failed: config.url is missing")
    if config.get("content_type", "form") != "json":
        raise Refused("this host delivers JSON only: set config.content_type to json")
    events = tuple(call.texts("events")) or ("push",)
    secret = str(config.get("secret") or "")
    hook = courier.add_hook(
        call.state, call.repo, call.actor, config["url"], secret, events, call.flag("active", True)
    )
    return Answer(shapes.hook(call.state, call.repo, hook), 201)


def get_hook(call: Call, number: int) -> Result:
    """``GET /repos/{owner}/{name}/hooks/{number}``."""
    return shapes.hook(call.state, call.repo, courier.find_hook(call.repo, number))


def update_hook(call: Call, number: int) -> Result:
    """``PATCH /repos/{owner}/{name}/hooks/{number}``."""
    hook = courier.find_hook(call.repo, number)
    config = call.body.get("config") or {}
    hook.url = config.get("url", hook.url)
    if config.get("secret") != "********":
        hook.secret = str(config.get("secret", hook.secret) or "")
    events = set(hook.events) | set(call.texts("add_events"))
    wanted = tuple(call.texts("events")) or tuple(sorted(events - set(call.texts("remove_events"))))
    hook.events, hook.active = wanted, call.flag("active", hook.active)
    hook.updated_at = call.state.now()
    return shapes.hook(call.state, call.repo, hook)


def delete_hook(call: Call, number: int) -> Result:
    """``DELETE /repos/{owner}/{name}/hooks/{number}``."""
    del call.repo.hooks[courier.find_hook(call.repo, number).id]
    return Answer(None, 204)


def ping(call: Call, number: int) -> Result:
    """``POST /repos/{owner}/{name}/hooks/{number}/pings``."""
    courier.ping(call.state, call.repo, call.actor, courier.find_hook(call.repo, number))
    return Answer(None, 204)


def list_deliveries(call: Call, number: int) -> Result:
    """``GET /repos/{owner}/{name}/hooks/{number}/deliveries``."""
    hook = courier.find_hook(call.repo, number)
    return Page(hook.deliveries[::-1], lambda item: shapes.delivery(item, call.repo.id), cursor="cursor")


def get_delivery(call: Call, number: int, delivery: int) -> Result:
    """``GET /repos/{owner}/{name}/hooks/{number}/deliveries/{delivery}``."""
    hook = courier.find_hook(call.repo, number)
    found = courier.find_delivery(hook, delivery)
    request = {"headers": found.request_headers or None, "payload": json.loads(found.body)}
    response = {"headers": found.response_headers or None, "payload": found.response_body}
    return shapes.delivery(found, call.repo.id) | {"url": hook.url, "request": request, "response": response}


def redeliver(call: Call, number: int, delivery: int) -> Result:
    """``POST /repos/{owner}/{name}/hooks/{number}/deliveries/{delivery}/attempts``."""
    hook = courier.find_hook(call.repo, number)
    courier.redeliver(call.state, hook, delivery)
    return Answer({}, 202)


_HOOKS = "/repos/<owner>/<name>/hooks"
_HOOK = f"{_HOOKS}/<int:number>"
ROUTES = (
    Route("GET", _HOOKS, list_hooks, Role.ADMIN),
    Route("POST", _HOOKS, create_hook, Role.ADMIN),
    Route("GET", _HOOK, get_hook, Role.ADMIN),
    Route("PATCH", _HOOK, update_hook, Role.ADMIN),
    Route("DELETE", _HOOK, delete_hook, Role.ADMIN),
    Route("POST", f"{_HOOK}/pings", ping, Role.ADMIN),
    Route("GET", f"{_HOOK}/deliveries", list_deliveries, Role.ADMIN),
    Route("GET", f"{_HOOK}/deliveries/<int:delivery>", get_delivery, Role.ADMIN),
    Route("POST", f"{_HOOK}/deliveries/<int:delivery>/attempts", redeliver, Role.ADMIN),
)
