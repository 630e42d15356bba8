"""Who we are on GitHub: a person's or machine's token, or an App whose installation tokens are refreshed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import jwt
from github import Auth

from bot.core.errors import HostDenied
from bot.hosts.fields import login
from bot.hosts.github.client import Client
from bot.hosts.github.installation import Bearer, Installation, InstallationBearer
from bot.hosts.github.settings import App, GitHubSettings

_NOBODY = "neither a token nor an App is configured for this host"


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
        self._app_client = self._client(Bearer(self._app_token))

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
                self._clients[owner] = self._client(self._bearer(owner))
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
                    self._installation(owner.lower()).renumber(number)
                    yield self.client(f"{owner}/")

    def clients(self) -> tuple[Client, ...]:
        """Every client made so far."""
        with self._lock:
            return (*self._clients.values(), self._app_client)

    def known_login(self) -> str:
        """Our login if it was asked before, else empty; never a call."""
        return self._login

    def server_version(self) -> str:
        """Of the GitHub Enterprise Server that answered last; empty when it is none."""
        return next((client.server_version for client in self.clients() if client.server_version), "")

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
            return self._installation(self._owner(repo_path)).token()
        return self._token()

    def forget(self, owner: str) -> None:
        """What is known of our App's installation at an owner may be out of date."""
        if self.is_app:
            self._installation(owner.lower()).forget()

    def _client(self, bearer: Bearer) -> Client:
        return Client(self._settings.api_url, bearer, self._settings.verify_tls, self._clock)

    def _owner(self, repo_path: str) -> str:
        return repo_path.partition("/")[0].lower() if self.is_app else ""

    def _bearer(self, owner: str) -> Bearer:
        return InstallationBearer(self._installation_locked(owner)) if self.is_app else Bearer(self._token)

    def _installation(self, owner: str) -> Installation:
        with self._lock:
            return self._installation_locked(owner)

    def _installation_locked(self, owner: str) -> Installation:
        if owner not in self._installations:
            self._installations[owner] = Installation(self._app_client, owner)
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
