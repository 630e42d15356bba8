"""Applications: what they are, where they are installed, and tokens that last an hour."""

from __future__ import annotations

from datetime import timedelta

from bot.forge.github.call import Answer, Call, Page, Result, Route
from bot.forge.github.shapes import people, repository
from bot.forge.model import Actor, App, Installation, Refusal, Refused

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
        if found.account == repo.owner and (found.repositories is None or repo.full_name in found.repositories):
            return people.installation(call.state, found)
    raise Refused("Not Found", Refusal.NOT_FOUND)


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


ROUTES = (
    Route("GET", "/app", the_app, app_only=True),
    Route("GET", "/app/installations", installations, app_only=True),
    Route("GET", "/app/installations/<int:number>", one_installation, app_only=True),
    Route("POST", "/app/installations/<int:number>/access_tokens", access_token, app_only=True),
    Route("GET", "/repos/<owner>/<name>/installation", repo_installation, app_only=True),
    Route("GET", "/installation/repositories", installation_repositories),
)
