"""What becomes of an application's installations, and what it is told of that: it cannot choose not to hear it.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#installation
"""

from __future__ import annotations

from typing import Final

from bot.forge import courier
from bot.forge.github.shapes import people
from bot.forge.github.shapes.people import Json
from bot.forge.model import App, Hook, Installation, Refusal, Refused, Repo
from bot.forge.state import State

FACE: Final = "github-app"
"""Of the hooks that belong to applications."""


def install(state: State, app: App, account: str, repositories: set[str] | None, by: str) -> Installation:
    """Install an application on an account, on all of its repositories or on those named."""
    made = Installation(state.new_id(), app.id, state.account(account).login, repositories, state.now())
    state.installations[made.id] = made
    _tell(state, made, "created", by, {"repositories": _names(state, made)})
    return made


def installed(state: State, app: App, account: str) -> Installation:
    """The application's installation on an account. Raises Refused when there is none."""
    for found in state.installations.values():
        if (found.app_id, found.account) == (app.id, account):
            return found
    raise Refused("Not Found", Refusal.NOT_FOUND)


def suspend(state: State, installation: Installation, by: str) -> None:
    """Let the application do and hear nothing until it is let in again."""
    installation.suspended_at, installation.suspended_by = state.now(), by
    _tell(state, installation, "suspend", by)


def unsuspend(state: State, installation: Installation, by: str) -> None:
    """Let a suspended application in again."""
    installation.suspended_at = installation.suspended_by = None
    _tell(state, installation, "unsuspend", by)


def uninstall(state: State, installation: Installation, by: str) -> None:
    """Take the application off the account; its tokens are worth nothing from now on."""
    names = _names(state, installation)
    shape = people.installation(state, installation)
    del state.installations[installation.id]
    state.tokens = {text: who for text, who in state.tokens.items() if who.installation_id != installation.id}
    _tell(state, installation, "deleted", by, {"repositories": names, "installation": shape})


def choose(state: State, installation: Installation, repositories: set[str], by: str) -> None:
    """Give the application these repositories and no others."""
    before = {repo.full_name for repo in state.repos.values() if installation.covers(repo)}
    installation.repositories = set(repositories)
    changed = {"added": repositories - before, "removed": before - repositories}
    for action, names in changed.items():
        if names:
            lists: Json = {"repositories_added": [], "repositories_removed": []}
            lists[f"repositories_{action}"] = [_name(state.repo(name)) for name in sorted(names)]
            more = lists | {"repository_selection": "selected", "requester": None}
            _tell(state, installation, action, by, more, event="installation_repositories")


def _names(state: State, installation: Installation) -> list[Json]:
    return [_name(repo) for repo in state.repos.values() if installation.covers(repo)]


def _name(repo: Repo) -> Json:
    names = {"name": repo.name, "full_name": repo.full_name, "private": repo.private}
    return {"id": repo.id, "node_id": people.node_id("R", repo.id), **names}


def _tell(
    state: State,
    installation: Installation,
    action: str,
    by: str,
    more: Json | None = None,
    event: str = "installation",
) -> None:
    hook = state.apps[installation.app_id].hook
    state.version += 1
    if hook is None or not hook.active:
        return
    payload = {"action": action, "installation": people.installation(state, installation), **(more or {})}
    payload["sender"] = people.user(state, by)
    courier.post(state, hook, (event, payload))


def hear(state: State, app: App, url: str, secret: str, events: tuple[str, ...]) -> Hook:
    """Give the application an address that hears of every repository where it is installed."""
    app.hook = courier.place_hook(state, {}, app.slug, url, secret, events, face=FACE)
    app.events = events
    return app.hook
