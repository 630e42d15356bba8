"""Who we are on GitHub: a person's or machine's token, or an App whose installation tokens are refreshed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from github import Auth, GithubIntegration

from bot.core.errors import HostDenied
from bot.core.rules import HostSettings, SecretRef
from bot.hosts.github.client import Client

DEFAULT_URL: Final = "https://api.github.com"


class Account:
    """Gives a client for each repository; one for all with a token, one per owner with an App."""

    def __init__(self, settings: HostSettings, secret: Callable[[SecretRef], str]) -> None:
        self._settings = settings
        self._secret = secret
        self._url = (settings.url or DEFAULT_URL).rstrip("/")
        self._clients: dict[str, Client] = {}
        self._lock = threading.Lock()
        self._login = ""

    @property
    def api_url(self) -> str:
        """The REST API's address, without a slash at the end."""
        return self._url

    @property
    def is_app(self) -> bool:
        """Whether we are a GitHub App (and may write check runs)."""
        return self._settings.app_id > 0

    def client(self, repo_path: str) -> Client:
        """The client that may speak about this repository."""
        owner = repo_path.partition("/")[0].lower() if self.is_app else ""
        with self._lock:
            if owner not in self._clients:
                auth = (lambda: self._installation(repo_path)) if self.is_app else self._token
                self._clients[owner] = Client(self._url, auth)
            return self._clients[owner]

    def clients(self) -> tuple[Client, ...]:
        """Every client made so far."""
        with self._lock:
            return tuple(self._clients.values())

    def own_login(self) -> str:
        """Our login, asked once: the token's user, or ``slug[bot]`` for an App."""
        if not self._login:
            if self.is_app:
                app = Client(self._url, self._app)
                self._login = f"{app.get('/app').get('slug', '')}[bot]"
            else:
                self._login = str(self.client("").get("/user").get("login", ""))
        return self._login

    def password(self, repo_path: str) -> str:
        """The token as git's password."""
        if not self.is_app:
            return self._token().token
        return self._installation(repo_path).token

    def _token(self) -> Auth.Token:
        if self._settings.token is None:
            raise HostDenied("neither a token nor an App is configured for this host")
        return Auth.Token(self._secret(self._settings.token).strip())

    def _app(self) -> Auth.AppAuth:
        if self._settings.app_key is None:
            raise HostDenied("app_id is set, but no app_key_file")
        return Auth.AppAuth(self._settings.app_id, self._secret(self._settings.app_key))

    def _installation(self, repo_path: str) -> Auth.AppInstallationAuth:
        """PyGithub refreshes the installation's token shortly before it expires."""
        found = Client(self._url, self._app).get(f"/repos/{repo_path}/installation")
        integration = GithubIntegration(auth=self._app(), base_url=self._url)
        auth = self._app().get_installation_auth(int(found["id"]), requester=integration.requester)
        return auth.withRequester(integration.requester)
