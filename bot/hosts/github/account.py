"""Who we are on GitHub: a person's or machine's token, or an App whose installation tokens are refreshed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

import jwt
from github import Auth

from bot.core.errors import HostBusy, HostDenied, HostGone, HostUnclear
from bot.hosts.fields import login, moment
from bot.hosts.github.client import Client, Renewable
from bot.hosts.github.settings import App, GitHubSettings

FRESH: Final = timedelta(minutes=5)
"""An installation's token lasts an hour; it is replaced this long before its end."""

_NOBODY = "neither a token nor an App is configured for this host"


class _Bearer(Renewable):
    """Signs in with what a function gives at that moment."""

    def __init__(self, token: Callable[[], str], renew: Callable[[], None] = lambda: None) -> None:
        self._supply = token
        self._renew = renew

    @property
    def token_type(self) -> str:
        """As the Authorization header wants it."""
        return "Bearer"

    @property
    def token(self) -> str:
        """The token as it is now."""
        return self._supply()

    def renew(self) -> None:
        """Forget the token at hand."""
        self._renew()


class Installation:
    """One installation of our App: its token, replaced before it ends. Thread-safe."""

    def __init__(self, app: Client, repo_path: str) -> None:
        self._app = app
        self._repo_path = repo_path
        self._number = 0
        self._lock = threading.Lock()
        self._token = ""
        self._ends = datetime.min.replace(tzinfo=UTC)

    def token(self) -> str:
        """A token good for some minutes. Raises HostError."""
        with self._lock:
            if not self._token or datetime.now(UTC) + FRESH >= self._ends:
                self._token, self._ends = self._ask()
            return self._token

    def renumber(self, number: int) -> None:
        """It has this number, as was listed: another one than before when the App was installed again."""
        with self._lock:
            if number != self._number:
                self._number, self._token = number, ""

    def renew(self) -> None:
        """Ask for another one next time."""
        with self._lock:
            self._token = ""

    def _ask(self) -> tuple[str, datetime]:
        """https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app

        Signing in is no write anybody must read back, and who may not sign in has not lost a change.
        """
        try:
            found = self._number or self._app.get(f"/repos/{quote(self._repo_path)}/installation").get("id")
            self._number = int(found or 0)
            made = self._app.write("POST", f"/app/installations/{self._number}/access_tokens", {})
        except HostGone:
            self._number = 0
            raise HostDenied(f"the App is not installed where {self._repo_path} is; install it there") from None
        except HostUnclear as error:
            raise HostBusy(str(error), 10.0) from None
        token = str(made.get("token") or "") if isinstance(made, dict) else ""
        if not token:
            raise HostDenied("the host gave the App no token")
        return token, moment(made.get("expires_at")) or datetime.now(UTC) + timedelta(hours=1)


class Account:
    """Gives a client for each repository; one for all with a token, one per owner with an App."""

    def __init__(self, settings: GitHubSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._auth = settings.auth
        self._clients: dict[str, Client] = {}
        self._installations: dict[str, Installation] = {}
        self._lock = threading.Lock()
        self._login = ""
        self._app_client = self._client(_Bearer(self._app_token))

    @property
    def app_id(self) -> int:
        """Our App's id; 0 when we are none."""
        return self._auth.id if isinstance(self._auth, App) else 0

    @property
    def is_app(self) -> bool:
        """Whether we are a GitHub App (and may write check runs)."""
        return self.app_id > 0

    def client(self, repo_path: str) -> Client:
        """The client that may speak about this repository."""
        owner = self._owner(repo_path)
        with self._lock:
            if owner not in self._clients:
                self._clients[owner] = self._client(self._bearer(owner, repo_path))
            return self._clients[owner]

    def installed(self) -> Iterator[Client]:
        """The clients of all accounts where our App is installed and not suspended; none when we are no App.

        https://docs.github.com/en/rest/apps/apps#list-installations-for-the-authenticated-app
        """
        if not self.is_app:
            return
        for page in self._app_client.pages("/app/installations"):
            for each in page:
                owner, number = login(each.get("account")), each.get("id")
                if owner and isinstance(number, int) and not each.get("suspended_at"):
                    self._installation(owner.lower(), f"{owner}/").renumber(number)
                    yield self.client(f"{owner}/")

    def clients(self) -> tuple[Client, ...]:
        """Every client made so far."""
        with self._lock:
            return (*self._clients.values(), self._app_client)

    def known_login(self) -> str:
        """Our login if it was asked before, else empty; never a call."""
        return self._login

    def as_app(self) -> Client:
        """The client that speaks as the App itself."""
        return self._app_client

    def own_login(self) -> str:
        """Our login, asked once: the token's user, or ``slug[bot]`` for an App. Raises HostError."""
        if not self._login:
            if self.is_app:
                slug = str(self._app_client.get("/app").get("slug") or "")
                self._login = f"{slug}[bot]" if slug else ""
            else:
                self._login = str(self.client("").get("/user").get("login") or "")
        return self._login

    def password(self, repo_path: str) -> str:
        """The token as git's password. Raises HostError."""
        if isinstance(self._auth, App):
            return self._installation(self._owner(repo_path), repo_path).token()
        return self._token()

    def _client(self, bearer: _Bearer) -> Client:
        return Client(self._settings.api_url, bearer, self._settings.verify_tls, self._clock)

    def _owner(self, repo_path: str) -> str:
        return repo_path.partition("/")[0].lower() if self.is_app else ""

    def _bearer(self, owner: str, repo_path: str) -> _Bearer:
        if not self.is_app:
            return _Bearer(self._token)
        installation = self._installation_locked(owner, repo_path)
        return _Bearer(installation.token, installation.renew)

    def _installation(self, owner: str, repo_path: str) -> Installation:
        with self._lock:
            return self._installation_locked(owner, repo_path)

    def _installation_locked(self, owner: str, repo_path: str) -> Installation:
        if owner not in self._installations:
            self._installations[owner] = Installation(self._app_client, repo_path)
        return self._installations[owner]

    def _token(self) -> str:
        if self._auth is None or isinstance(self._auth, App):
            raise HostDenied(_NOBODY)
        token = self._auth().strip()
        if not token or not token.isascii() or not token.isprintable():
            raise HostDenied(
                "what is configured as this host's token is none: it must be one line of plain characters"
            )
        return token

    def _app_token(self) -> str:
        if not isinstance(self._auth, App):
            raise HostDenied(_NOBODY)
        try:
            return Auth.AppAuth(self._auth.id, self._auth.private_key()).token
        except (jwt.PyJWTError, ValueError, TypeError, AssertionError):
            raise HostDenied("the App's private key cannot be used: it must be RSA, in PEM") from None
