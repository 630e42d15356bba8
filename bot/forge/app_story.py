"""What becomes of an application, as a story tells it: who lets it in, suspends it, takes it away."""

from __future__ import annotations

from bot.forge.github import installing
from bot.forge.model import App, Hook, Installation
from bot.forge.state import State


class AppStory:
    """An application and where it is installed. Raises Refused like the host."""

    def __init__(self, state: State, app: App) -> None:
        self._state = state
        self._app = app

    def _at(self, account: str) -> Installation:
        return installing.installed(self._state, self._app, account)

    def hear(self, url: str, secret: str, events: tuple[str, ...]) -> Hook:
        """Give it the one address that hears of every repository where it is installed."""
        with self._state.lock:
            return installing.hear(self._state, self._app, url, secret, events)

    def suspend(self, account: str, by: str) -> None:
        """Keep it out of an account for a while: it may do nothing there, and hears nothing."""
        with self._state.lock:
            installing.suspend(self._state, self._at(account), by)

    def unsuspend(self, account: str, by: str) -> None:
        """Let it in again."""
        with self._state.lock:
            installing.unsuspend(self._state, self._at(account), by)

    def uninstall(self, account: str, by: str) -> None:
        """Take it off an account."""
        with self._state.lock:
            installing.uninstall(self._state, self._at(account), by)

    def choose(self, account: str, repositories: tuple[str, ...], by: str) -> None:
        """Give it these repositories of an account and no others."""
        with self._state.lock:
            installing.choose(self._state, self._at(account), set(repositories), by)
