"""A world for stories about the forge, and GitHub's published descriptions as judges."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Response, request
from forge.judge import Exchange, Judge
from github import Auth, Github
from github.Repository import Repository

from bot.forge import Forge, RepoStory

_CACHE = Path.home() / ".cache" / "headgate-tests" / "npm"


def _described(package: str, env: str) -> Path:
    """Where a published description lies; fetched once with npm. Skips the test when it cannot be had."""
    if env in os.environ:
        return Path(os.environ[env])
    path = _CACHE / "node_modules" / "@octokit" / package / "generated" / "api.github.com.json"
    if not path.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip(f"npm is not installed and {env} is not set: @octokit/{package} cannot be had")
        _CACHE.mkdir(parents=True, exist_ok=True)
        words = [npm, "install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts"]
        packages = ["@octokit/openapi", "@octokit/openapi-webhooks"]
        done = subprocess.run([*words, *packages], cwd=_CACHE, capture_output=True, timeout=100, check=False)
        if done.returncode != 0 or not path.exists():
            pytest.skip(f"npm could not install @octokit/{package}")
    return path


@pytest.fixture(scope="session")
def rest_judge() -> Any:
    """Judges REST exchanges."""
    return Judge.load(_described("openapi", "HEADGATE_OPENAPI"))


@pytest.fixture(scope="session")
def webhook_judge() -> Any:
    """Judges webhook payloads."""
    return Judge.load(_described("openapi-webhooks", "HEADGATE_OPENAPI_WEBHOOKS"))


@dataclass
class World:
    """acme's host: ann owns acme, dee and bo write, eve reads, cy is a stranger; hg-bot reports."""

    forge: Forge
    repo: RepoStory
    tokens: dict[str, str]
    exchanges: list[Any] = field(default_factory=list)

    def github(self, login: str) -> Github:
        """PyGithub, signed in as somebody."""
        auth = Auth.Token(self.tokens[login])
        return Github(
            auth=auth, base_url=self.forge.api_url, retry=None, seconds_between_requests=0, seconds_between_writes=0
        )

    def seen_by(self, login: str) -> Repository:
        """acme/infra in PyGithub, seen by somebody."""
        return self.github(login).get_repo("acme/infra")

    def call(self, login: str | None, method: str, path: str, **words: Any) -> requests.Response:
        """A plain request to the API."""
        headers = words.pop("headers", {})
        if login is not None:
            headers["Authorization"] = f"Bearer {self.tokens[login]}"
        return requests.request(method, self.forge.api_url + path, headers=headers, timeout=20, **words)

    def clone(self, login: str, where: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
        """Clone acme/infra over HTTP as somebody; gives a function that runs git there."""
        home = where.parent / f"{where.name}-home"
        home.mkdir()
        credentials = home / "credentials"
        host = self.forge.url.removeprefix("http://")
        credentials.write_text(f"http://x-access-token:{self.tokens[login]}@{host}\n")
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "GIT_TERMINAL_PROMPT": "0"}
        (home / ".gitconfig").write_text(
            f"[credential]\n\thelper = store --file {credentials}\n"
            f"[user]\n\tname = {login}\n\temail = {login}@users.noreply.example.com\n"
        )

        def git(*words: str, check: bool = True, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                ["git", *words], cwd=cwd or where, env=environment, capture_output=True, text=True, check=check
            )

        git("clone", "--quiet", self.repo.clone_url, str(where), cwd=where.parent)
        return git


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A started host with acme/infra."""
    forge = Forge(tmp_path / "forge")
    tokens = {login: forge.add_user(login) for login in ("ann", "bo", "cy", "dee", "eve")}
    tokens["hg-bot"] = forge.add_user("hg-bot", bot=True)
    forge.add_org("acme", owners=("ann",), members=("bo", "dee"))
    forge.add_team("acme/platform", "bo")
    forge.add_team("acme/dba", "dee", parent="platform")
    files = {"README.md": "infra\n", "web/site.yaml": "port: 80\n", "db/main.tf": "# db\n"}
    roles = {"dee": "write", "acme/platform": "maintain", "eve": "read", "hg-bot": "write"}
    repo = forge.create_repo("acme/infra", files, roles)
    world = World(forge, repo, tokens)

    @forge.app.after_request
    def record(answer: Response) -> Response:
        if request.path.startswith("/api/v3"):
            path = request.path.removeprefix("/api/v3")
            exchange = Exchange(
                request.method,
                path,
                tuple(request.args),
                request.get_data(as_text=True),
                answer.status_code,
                answer.get_data(),
            )
            world.exchanges.append(exchange)
        return answer

    forge.start()
    yield world
    forge.stop()


@pytest.fixture
def judged(world: World, rest_judge: Any) -> Iterator[World]:
    """The same world, but every exchange must be as GitHub describes it."""
    yield world
    problems = [problem for exchange in world.exchanges for problem in rest_judge.judge(exchange)]
    assert not problems, "\n".join(problems[:20])


@dataclass
class Mailbox:
    """An address that takes webhooks and keeps them."""

    url: str
    letters: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answer: int = 202

    def events(self) -> list[tuple[str, str | None]]:
        """Event and action of each letter, in order of arrival."""
        return [(h["X-Github-Event"], json.loads(body).get("action")) for h, body in self.letters]

    def of(self, event: str) -> list[dict[str, Any]]:
        """The payloads of one event."""
        return [json.loads(body) for h, body in self.letters if h["X-Github-Event"] == event]


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A listening mailbox."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            box.letters.append(({name.title(): value for name, value in self.headers.items()}, body))
            self.send_response(box.answer)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    box = Mailbox(f"http://127.0.0.1:{server.server_port}/hook")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield box
    server.shutdown()
    server.server_close()
