"""Webhooks of repositories and organizations: registering, pinging, the deliveries, and delivering again."""

from __future__ import annotations

import json
from dataclasses import dataclass

from bot.forge import courier
from bot.forge.github.call import Answer, Call, Page, Result, Route
from bot.forge.github.shapes import repository as shapes
from bot.forge.github.shapes.people import Json, api
from bot.forge.model import Hook, Refusal, Refused, Role


@dataclass(frozen=True, slots=True)
class _Home:
    """Where hooks are kept: a repository, or an organization (no number then)."""

    url: str
    shelf: dict[int, Hook]
    repo_id: int | None = None

    def find(self, number: int) -> Hook:
        found = self.shelf.get(number)
        if found is None or found.face != "github":
            raise Refused("Not Found", Refusal.NOT_FOUND)
        return found

    def show(self, hook: Hook) -> Json:
        return shapes.hook(f"{self.url}/{hook.id}", hook, of_repository=self.repo_id is not None)


def _home(call: Call, org: str | None) -> _Home:
    """The home that the path names. To who does not own an organization its hooks are not there."""
    if org is None:
        return _Home(f"{shapes.repo_url(call.state, call.repo)}/hooks", call.repo.hooks, call.repo.id)
    login = call.state.account(org).login
    if call.state.members.get(login, {}).get(call.actor.login) != "admin":
        raise Refused("Not Found", Refusal.NOT_FOUND)
    return _Home(f"{api(call.state)}/orgs/{login}/hooks", call.state.shared_hooks.setdefault(login, {}))


def list_hooks(call: Call, org: str | None = None) -> Result:
    """``GET …/hooks``."""
    home = _home(call, org)
    return Page([hook for hook in home.shelf.values() if hook.face == "github"], home.show)


def create_hook(call: Call, org: str | None = None) -> Result:
    """``POST …/hooks``."""
    home = _home(call, org)
    config = call.body.get("config") or {}
    if not isinstance(config, dict) or not isinstance(config.get("url"), str):
        raise Refused("Validation Failed: config.url is missing")
    if config.get("content_type", "form") != "json":
        raise Refused("this host delivers JSON only: set config.content_type to json")
    events = tuple(call.texts("events")) or ("push",)
    secret, active = str(config.get("secret") or ""), call.flag("active", True)
    if org is None:
        made = courier.add_hook(call.state, call.repo, call.actor, config["url"], secret, events, active)
    else:
        made = courier.place_hook(call.state, home.shelf, org, config["url"], secret, events, active)
    return Answer(home.show(made), 201)


def get_hook(call: Call, number: int, org: str | None = None) -> Result:
    """``GET …/hooks/{number}``."""
    home = _home(call, org)
    return home.show(home.find(number))


def update_hook(call: Call, number: int, org: str | None = None) -> Result:
    """``PATCH …/hooks/{number}``."""
    home = _home(call, org)
    hook = home.find(number)
    config = call.body.get("config") or {}
    hook.url = config.get("url", hook.url)
    if config.get("secret") != shapes.MASK:
        hook.secret = str(config.get("secret", hook.secret) or "")
    events = set(hook.events) | set(call.texts("add_events"))
    wanted = tuple(call.texts("events")) or tuple(sorted(events - set(call.texts("remove_events"))))
    hook.events, hook.active = wanted, call.flag("active", hook.active)
    hook.updated_at = call.state.now()
    return home.show(hook)


def delete_hook(call: Call, number: int, org: str | None = None) -> Result:
    """``DELETE …/hooks/{number}``."""
    home = _home(call, org)
    del home.shelf[home.find(number).id]
    return Answer(None, 204)


def ping(call: Call, number: int) -> Result:
    """``POST /repos/{owner}/{name}/hooks/{number}/pings``."""
    courier.ping(call.state, call.repo, call.actor, _home(call, None).find(number))
    return Answer(None, 204)


def list_deliveries(call: Call, number: int, org: str | None = None) -> Result:
    """``GET …/hooks/{number}/deliveries``."""
    home = _home(call, org)
    return Page(home.find(number).deliveries[::-1], lambda item: shapes.delivery(item, home.repo_id), cursor="cursor")


def get_delivery(call: Call, number: int, delivery: int, org: str | None = None) -> Result:
    """``GET …/hooks/{number}/deliveries/{delivery}``."""
    home = _home(call, org)
    hook = home.find(number)
    found = courier.find_delivery(hook, delivery)
    request = {"headers": found.request_headers or None, "payload": json.loads(found.body)}
    response = {"headers": found.response_headers or None, "payload": found.response_body}
    return shapes.delivery(found, home.repo_id) | {"url": hook.url, "request": request, "response": response}


def redeliver(call: Call, number: int, delivery: int, org: str | None = None) -> Result:
    """``POST …/hooks/{number}/deliveries/{delivery}/attempts``."""
    courier.redeliver(call.state, _home(call, org).find(number), delivery)
    return Answer({}, 202)


def _routes(hooks: str, role: Role | None) -> tuple[Route, ...]:
    hook = f"{hooks}/<int:number>"
    return (
        Route("GET", hooks, list_hooks, role),
        Route("POST", hooks, create_hook, role),
        Route("GET", hook, get_hook, role),
        Route("PATCH", hook, update_hook, role),
        Route("DELETE", hook, delete_hook, role),
        Route("GET", f"{hook}/deliveries", list_deliveries, role),
        Route("GET", f"{hook}/deliveries/<int:delivery>", get_delivery, role),
        Route("POST", f"{hook}/deliveries/<int:delivery>/attempts", redeliver, role),
    )


_REPO = "/repos/<owner>/<name>/hooks"
ROUTES = (
    *_routes(_REPO, Role.ADMIN),
    Route("POST", f"{_REPO}/<int:number>/pings", ping, Role.ADMIN),
    *_routes("/orgs/<org>/hooks", None),
)
