"""One installation of our App: its token, replaced before it ends; or the word that its owner lets us in no more.

https://docs.github.com/en/apps/using-github-apps/reviewing-and-modifying-installed-github-apps
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from bot.core.errors import HostBusy, HostDenied, HostGone, HostUnclear, ShutOut
from bot.hosts.fields import login, moment
from bot.hosts.github.client import Client, Renewable

FRESH: Final = timedelta(minutes=5)
"""An installation's token lasts an hour; it is replaced this long before its end."""

SUSPENDED: Final = "suspended"
"""In all words that GitHub has for it: "This installation has been suspended", and older ones."""


class Bearer(Renewable):
    """Signs in with what a function gives at that moment."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._supply = token

    @property
    def token_type(self) -> str:
        """As the Authorization header wants it."""
        return "Bearer"

    @property
    def token(self) -> str:
        """The token as it is now."""
        return self._supply()


class InstallationBearer(Bearer):
    """Signs in as an installation, whose token may be worth nothing before its time."""

    def __init__(self, installation: Installation) -> None:
        super().__init__(installation.token)
        self._installation = installation

    def renew(self, status: int, said: str) -> bool:
        """A new token tells whether the old one was worn out, or the installation is suspended or gone."""
        stale = status == 401 or (status == 403 and SUSPENDED in said.lower())
        if stale:
            self._installation.forget()
        return stale


class Installation:
    """The App at one owner of repositories. Thread-safe."""

    def __init__(self, app: Client, owner: str) -> None:
        self._app = app
        self._owner = owner
        self._number = 0
        self._lock = threading.Lock()
        self._token = ""
        self._ends = datetime.min.replace(tzinfo=UTC)

    def token(self) -> str:
        """A token good for some minutes. Raises ShutOut where the App may do nothing, and other HostErrors."""
        with self._lock:
            if not self._token or datetime.now(UTC) + FRESH >= self._ends:
                self._token, self._ends = self._ask()
            return self._token

    def forget(self) -> None:
        """Ask for another token next time."""
        with self._lock:
            self._token = ""

    def renumber(self, number: int) -> None:
        """It has this number, as was listed: another one than before when the App was installed again."""
        with self._lock:
            if number != self._number:
                self._number, self._token = number, ""

    def _ask(self) -> tuple[str, datetime]:
        """https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app

        Signing in is no write anybody must read back, and who may not sign in has not lost a change.
        """
        made = self._made()
        token = str(made.get("token") or "") if isinstance(made, dict) else ""
        if not token:
            raise HostDenied("the host gave the App no token")
        return token, moment(made.get("expires_at")) or datetime.now(UTC) + timedelta(hours=1)

    def _made(self) -> Any:
        for known in (self._number, 0):
            self._number = known or self._admitted()
            try:
                return self._app.write("POST", f"/app/installations/{self._number}/access_tokens", {})
            except HostGone:
                # Its number is another one after the App was taken away and installed again.
                self._number = 0
            except HostUnclear as error:
                raise HostBusy(str(error), 10.0) from None
            except HostDenied as error:
                raise (self._suspended(self._find()) if SUSPENDED in str(error).lower() else error) from None
        raise self._missing()

    def _admitted(self) -> int:
        """Its number, where it is not suspended."""
        found = self._find()
        if found.get("suspended_at"):
            raise self._suspended(found)
        return int(found.get("id") or 0)

    def _find(self) -> Mapping[str, Any]:
        """By the owner, as no repository needs to be there for that; people and organizations are asked for apart."""
        for kind in ("orgs", "users"):
            try:
                return self._app.get(f"/{kind}/{quote(self._owner, safe='')}/installation")
            except HostGone:
                continue
        raise self._missing()

    def _missing(self) -> ShutOut:
        what = f"the App is not installed at {self._owner}"
        return ShutOut(what, self._owner, f"Install the App at {self._owner} again.")

    def _suspended(self, found: Mapping[str, Any]) -> ShutOut:
        at, by = moment(found.get("suspended_at")), login(found.get("suspended_by"))
        when = f" since {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if at else ""
        what = f"the App is suspended at {self._owner}{when}{f', by {by}' if by else ''}"
        page = str(found.get("html_url") or "")
        where = f"on {page}" if page.startswith("http") else "in its settings"
        return ShutOut(what, self._owner, f"Unsuspend it {where}.")
