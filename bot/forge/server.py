"""The host as one running thing: state, courier and web server, started on a free port and stopped again."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from bot.forge.app_story import AppStory
from bot.forge.courier import Courier, place_hook
from bot.forge.faces import FACES, SENDERS
from bot.forge.git_http import git_blueprint
from bot.forge.github import installing
from bot.forge.github.gate import api_blueprint
from bot.forge.github.manifest import manifest_blueprint
from bot.forge.github.routes import ROUTES
from bot.forge.gitlab import gate as gitlab_gate
from bot.forge.gitlab import waiting
from bot.forge.gitlab.graphql import graphql_blueprint
from bot.forge.gitlab.routes import ROUTES as GITLAB_ROUTES
from bot.forge.gitlab.status_checks import Asker
from bot.forge.groups import add_group
from bot.forge.model import AccountKind, Actor, App, Hook, Role
from bot.forge.pages.site import site_blueprint
from bot.forge.repos import Files, create_repo
from bot.forge.scribe import Scribe
from bot.forge.state import Clock, State, utc_now
from bot.forge.story import RepoStory, SampleChange
from bot.forge.trouble import Trouble

_PUSH_LIMIT = 512 * 1024 * 1024


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: the state's own log of requests is the record."""


class Forge:
    """A local Git host. Build it, fill it, start it; everything is forgotten when it is dropped.

    Every face answers at its own path; ``face`` is the one that stories are told through. Without ``paid`` it has
    only what a host gives away where it sells tiers. ``enterprise`` is the version of a GitHub Enterprise Server,
    which has no limits, and lacks what came later.
    """

    def __init__(
        self, data_dir: Path, clock: Clock = utc_now, face: str = "github", paid: bool = True, enterprise: str = ""
    ) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        self.state = State(data_dir.resolve(), clock)
        self.state.face, self.state.paid, self.state.enterprise = FACES[face].name, paid, enterprise
        self.state.patience = lambda: waiting.settle(self.state)
        self.courier = Courier(
            self.state,
            {one.name: one.render for one in SENDERS},
            {one.name: one.headers for one in SENDERS},
            {one.name: one.habit for one in SENDERS if one.habit is not None},
        )
        self.state.audiences += [Scribe(self.state), self.courier, Asker(self.state, self.courier)]
        self.samples: list[SampleChange] = []
        self.app = self._application()
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None

    def _application(self) -> Flask:
        app = Flask("bot.forge", static_folder=None)
        app.config["MAX_CONTENT_LENGTH"] = _PUSH_LIMIT
        app.register_blueprint(api_blueprint(self.state, ROUTES, "github", "/api/v3"))
        app.register_blueprint(manifest_blueprint(self.state, "/api/v3"))
        app.register_blueprint(gitlab_gate.api_blueprint(self.state, GITLAB_ROUTES))
        app.register_blueprint(graphql_blueprint(self.state))
        app.register_blueprint(git_blueprint(self.state))
        app.register_blueprint(site_blueprint(self.state, self.samples))
        return app

    # running

    def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen (port 0: any free one) in a background thread and give the address."""
        self._server = make_server(host, port, self.app, threaded=True, request_handler=_Quiet)
        self._server.daemon_threads = True  # type: ignore[attr-defined]
        with self.state.lock:
            self.state.root = f"http://{host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True, name="forge")
        self._thread.start()
        return self.state.root

    def stop(self) -> None:
        """Stop listening and end every thread; stopping twice is nothing."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = None
            self.courier.stop()

    def __enter__(self) -> Forge:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The address people and git use."""
        return self.state.root

    @property
    def api_url(self) -> str:
        """The base address of the API that stories are told through."""
        return f"{self.state.root}{FACES[self.state.face].api}"

    @property
    def trouble(self) -> Trouble:
        """The knobs that make the host misbehave, and its log of requests."""
        return self.state.trouble

    # filling

    def add_user(
        self, login: str, token: str | None = None, name: str = "", bot: bool = False, admin: bool = False
    ) -> str:
        """Add a person (or bot, or an administrator of the instance) and give their token."""
        with self.state.lock:
            if admin:
                self.state.admins.add(login)
            self.state.add_account(login, AccountKind.BOT if bot else AccountKind.USER, name)
            return self.state.issue_token(Actor(login), token)

    def add_org(
        self, login: str, owners: tuple[str, ...] = (), members: tuple[str, ...] = (), name: str = ""
    ) -> None:
        """Add an organization; its owners administer every repository in it."""
        with self.state.lock:
            self.state.add_account(login, AccountKind.ORGANIZATION, name)
            roles = dict.fromkeys(members, "member") | dict.fromkeys(owners, "admin")
            self.state.members[login] = {self.state.account(who).login: role for who, role in roles.items()}

    def add_group(self, path: str, members: Mapping[str, str] | None = None) -> None:
        """Add a group, or one below another (``acme/platform``); members get the word of a role."""
        with self.state.lock:
            add_group(self.state, path, dict(members or {}))

    def add_shared_hook(self, path: str, url: str, secret: str = "") -> Hook:
        """Let an address hear of every repository below a group, or with an empty path of all there are."""
        own = FACES[self.state.face]
        face = own if path else next((one for one in SENDERS if one.name == f"{own.name}-system"), own)
        with self.state.lock:
            shelf = self.state.shared_hooks.setdefault(path, {})
            return place_hook(self.state, shelf, path, url, secret, face.events, face=face.name)

    def add_team(self, path: str, *members: str, parent: str | None = None) -> None:
        """Add a team, written ``org/slug``, with its people."""
        org, slug = path.split("/")
        with self.state.lock:
            self.state.add_team(org, slug, set(members), parent=parent)

    def create_repo(
        self,
        full_name: str,
        files: Files | None = None,
        permissions: Mapping[str, str] | None = None,
        default_branch: str = "main",
    ) -> RepoStory:
        """Make a repository whose first commit holds the files; people and ``org/team`` get the roles named."""
        roles = {who: Role[word.upper()] for who, word in (permissions or {}).items()}
        with self.state.lock:
            owner = full_name.rpartition("/")[0]
            if owner not in self.state.accounts:
                add_group(self.state, owner, {})
            repo = create_repo(self.state, full_name, files or {}, roles, default_branch)
        return RepoStory(self.state, repo)

    def repo(self, full_name: str) -> RepoStory:
        """A repository by full name. Raises Refused when there is none."""
        with self.state.lock:
            return RepoStory(self.state, self.state.repo(full_name))

    def add_app(
        self, slug: str, owner: str, public_key_pem: str, permissions: Mapping[str, str] | None = None
    ) -> App:
        """Register an application with its public RSA key; it acts as ``slug[bot]``."""
        granted = dict(permissions or _APP_PERMISSIONS)
        with self.state.lock:
            bot = self.state.add_account(f"{slug}[bot]", AccountKind.BOT)
            made = App(
                self.state.new_id(), slug, owner, bot.login, public_key_pem, self.state.now(), granted, ("push",)
            )
            self.state.apps[made.id] = made
        return made

    def install_app(self, app: App, account: str, repositories: tuple[str, ...] | None = None) -> int:
        """Install an application on an account (on all of its repositories, or those named); give the id."""
        with self.state.lock:
            chosen = set(repositories) if repositories is not None else None
            return installing.install(self.state, app, account, chosen, account).id

    def app_story(self, app: App) -> AppStory:
        """What becomes of an application."""
        return AppStory(self.state, app)


_APP_PERMISSIONS = {
    "checks": "write",
    "contents": "write",
    "deployments": "write",
    "issues": "write",
    "metadata": "read",
    "pull_requests": "write",
    "statuses": "write",
}
