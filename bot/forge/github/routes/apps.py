"""Applications: what they are, where they are installed, and tokens that last an hour."""

from __future__ import annotations

import json
from datetime import timedelta

from bot.forge import courier
from bot.forge.github.call import Answer, Call, Page, Result, Route
from bot.forge.github.shapes import people, repository
from bot.forge.github.shapes.people import Json
from bot.forge.model import AccountKind, Actor, App, Delivery, Hook, Installation, Refusal, Refused

_TOKEN_LIFE = timedelta(hours=1)


def _app(call: Call) -> App:
    assert call.app is not None, "the route is for applications only"
    return call.app


def _mine(call: Call) -> list[Installation]:
    return [found for found in call.state.installations.values() if found.app_id == _app(call).id]


def _find(call: Call, number: int) -> Installation:
    found = next((item for item in _mine(call) if item.id == number), None)
    if found is None:
        raise Refused("Not Found", Refusal.NOT_FOUND)
    return found


def the_app(call: Call) -> Result:
    """``GET /app``."""
    return people.app(call.state, _app(call)) | {"installations_count": len(_mine(call))}


def installations(call: Call) -> Result:
    """``GET /app/installations``."""
    return Page(_mine(call), lambda found: people.installation(call.state, found))


def one_installation(call: Call, number: int) -> Result:
    """``GET /app/installations/{number}``."""
    return people.installation(call.state, _find(call, number))


def repo_installation(call: Call, owner: str, name: str) -> Result:
    """``GET /repos/{owner}/{name}/installation``."""
    repo = call.state.repo(f"{owner}/{name}")
    for found in _mine(call):
        if found.covers(repo):
            return people.installation(call.state, found)
    raise Refused("Not Found", Refusal.NOT_FOUND)


def _of_account(call: Call, login: str, kinds: tuple[AccountKind, ...]) -> Result:
    owner = call.state.account(login)
    for found in _mine(call):
        if found.account == owner.login and owner.kind in kinds:
            return people.installation(call.state, found)
    raise Refused("Not Found", Refusal.NOT_FOUND)


def org_installation(call: Call, login: str) -> Result:
    """``GET /orgs/{org}/installation``."""
    return _of_account(call, login, (AccountKind.ORGANIZATION,))


def user_installation(call: Call, login: str) -> Result:
    """``GET /users/{username}/installation``."""
    return _of_account(call, login, (AccountKind.USER,))


def access_token(call: Call, number: int) -> Result:
    """``POST /app/installations/{number}/access_tokens``."""
    found, app = _find(call, number), _app(call)
    if found.suspended_at is not None:
        raise Refused("This installation has been suspended", Refusal.FORBIDDEN)
    expires = call.state.now() + _TOKEN_LIFE
    token = call.state.issue_token(Actor(app.bot, app.id, found.id), expires=expires)
    shape = {
        "token": token,
        "expires_at": people.moment(expires),
        "permissions": app.permissions,
        "repository_selection": "all" if found.repositories is None else "selected",
    }
    return Answer(shape, 201)


def installation_repositories(call: Call) -> Result:
    """``GET /installation/repositories``."""
    if call.actor.installation_id is None:
        raise Refused("You must authenticate with an installation access token.", Refusal.FORBIDDEN)
    where = call.state.installations[call.actor.installation_id]
    mine = [repo for repo in call.state.visible(call.actor) if repo.owner == where.account]
    return Page(mine, lambda repo: repository.repository(call.state, repo, call.actor), wrap="repositories")


def _hook(call: Call) -> Hook:
    hook = _app(call).hook
    if hook is None:
        raise Refused("Not Found", Refusal.NOT_FOUND)
    return hook


def hook_config(call: Call) -> Result:
    """``GET /app/hook/config``."""
    return repository.hook_config(_hook(call))


def edit_hook_config(call: Call) -> Result:
    """``PATCH /app/hook/config``; which events it is told of is set on the application's page alone."""
    hook = _hook(call)
    hook.url, hook.secret = call.text("url") or hook.url, call.text("secret") or hook.secret
    hook.updated_at = call.state.now()
    return repository.hook_config(hook)


def list_deliveries(call: Call) -> Result:
    """``GET /app/hook/deliveries``; its pages are found by a cursor and not by a number."""

    def show(item: Delivery) -> Json:
        told = json.loads(item.body)
        repo_id = (told.get("repository") or {}).get("id")
        return repository.delivery(item, repo_id, (told.get("installation") or {}).get("id"))

    return Page(_hook(call).deliveries[::-1], show, cursor="cursor")


def redeliver(call: Call, delivery: int) -> Result:
    """``POST /app/hook/deliveries/{delivery_id}/attempts``."""
    courier.redeliver(call.state, _hook(call), delivery)
    return Answer({}, 202)


ROUTES = (
    Route("GET", "/app", the_app, app_only=True),
    Route("GET", "/app/installations", installations, app_only=True),
    Route("GET", "/app/installations/<int:number>", one_installation, app_only=True),
    Route("POST", "/app/installations/<int:number>/access_tokens", access_token, app_only=True),
    Route("GET", "/repos/<owner>/<name>/installation", repo_installation, app_only=True),
    Route("GET", "/orgs/<login>/installation", org_installation, app_only=True),
    Route("GET", "/users/<login>/installation", user_installation, app_only=True),
    Route("GET", "/app/hook/config", hook_config, app_only=True),
    Route("PATCH", "/app/hook/config", edit_hook_config, app_only=True),
    Route("GET", "/app/hook/deliveries", list_deliveries, app_only=True),
    Route("POST", "/app/hook/deliveries/<int:delivery>/attempts", redeliver, app_only=True),
    Route("GET", "/installation/repositories", installation_repositories),
)
