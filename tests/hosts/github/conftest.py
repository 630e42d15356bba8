"""GitHub's own payload examples, and a local host with acme/infra that the adapter speaks to."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hosts.github.published import Court, example_payloads

from bot.core.events import Delivery, Hint
from bot.core.model import ChangeRef, RepoRef
from bot.forge import Forge, RepoStory
from bot.hosts.github.host import GitHub
from bot.hosts.github.inbox import Webhooks
from bot.hosts.github.settings import App, GitHubSettings


@pytest.fixture(scope="session")
def examples() -> list[tuple[str, dict[str, Any]]]:
    """Every example payload that GitHub published: (event, payload)."""
    return list(example_payloads())


@pytest.fixture(scope="session")
def court() -> Any:
    """Judges exchanges by GitHub's published description."""
    return Court()


# ------------------------------------------------------------------------------------------- webhooks

AT = datetime(2030, 1, 1, tzinfo=UTC)


@dataclass
class Post:
    """A webhook service's view of the adapter."""

    secrets: tuple[str, ...] = ("secret",)
    app_id: int = 0
    own: str = "hg-bot"

    @property
    def webhooks(self) -> Webhooks:
        supplies = tuple((lambda text=text: text) for text in self.secrets)
        return Webhooks(GitHubSettings("github", None, supplies), self.app_id)

    def headers(self, body: bytes, *, secret: str = "secret", event: str = "push", **more: str) -> dict[str, str]:
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        known = {
            "X-Hub-Signature-256": f"sha256={signature}",
            "Content-Type": "application/json",
            "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
            "X-GitHub-Event": event,
        }
        return known | {name.replace("_", "-"): value for name, value in more.items()}

    def receive(self, body: bytes, **more: str) -> Delivery:
        return self.webhooks.receive(self.headers(body, **more), body, AT)

    def hint(self, event: str, payload: object) -> Hint:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        (hint,) = self.webhooks.decode(Delivery("github", "1", event, body, AT), self.own)
        return hint


@pytest.fixture
def post() -> Post:
    return Post()


# ---------------------------------------------------------------------------------------------- world


@dataclass
class World:
    """acme's host: ann owns acme, dee and bo write, eve and cy read; hg-bot is us, an administrator."""

    forge: Forge
    story: RepoStory
    tokens: dict[str, str]
    ahead: list[timedelta]
    repo: RepoRef = RepoRef("gh", "acme/infra")

    def later(self, **span: float) -> None:
        """Let time pass on the host."""
        self.ahead[0] += timedelta(**span)

    def host(self, login: str = "hg-bot", clock: Callable[[], float] = time.monotonic, **more: Any) -> GitHub:
        """The adapter with somebody's token."""
        token = self.tokens[login]
        words = {"name": "gh", "auth": lambda: token, "api_url": self.forge.api_url} | more
        return GitHub(GitHubSettings(**words), clock)

    def app(self, permissions: dict[str, str] | None = None) -> GitHub:
        """The adapter as a GitHub App installed on acme."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        made = self.forge.add_app("headgate", "acme", public.decode(), permissions)
        self.forge.install_app(made, "acme")
        return GitHub(GitHubSettings("gh", App(made.id, private.decode), api_url=self.forge.api_url))

    def pull(self, branch: str = "port", author: str = "dee", **more: Any) -> Any:
        """An open change that touches one file."""
        self.story.commit(branch, {"web/site.yaml": f"port: 8080 # {branch}\n"}, author)
        return self.story.open_pull(f"Change {branch}", branch, author, **more)

    def ref(self, pull: Any) -> ChangeRef:
        return ChangeRef(self.repo, pull.number)

    def sent(self, method: str = "", path: str = "") -> list[Any]:
        """The requests that reached the host."""
        return [each for each in self.forge.trouble.requests() if method in each.method and path in each.path]


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[World]:
    """A started host, whose exchanges nobody judges."""
    ahead = [timedelta(0)]
    forge = Forge(tmp_path / "forge", lambda: datetime.now(UTC) + ahead[0])
    tokens = {login: forge.add_user(login) for login in ("ann", "bo", "cy", "dee", "eve")}
    tokens["hg-bot"] = forge.add_user("hg-bot", bot=True)
    forge.add_org("acme", owners=("ann",))
    roles = {"dee": "write", "bo": "write", "eve": "read", "cy": "read", "hg-bot": "admin"}
    story = forge.create_repo("acme/infra", {"web/site.yaml": "port: 80\n"}, roles)
    forge.start()
    yield World(forge, story, tokens, ahead)
    forge.stop()


@pytest.fixture
def world(plain: World, court: Any) -> Iterator[World]:
    """The same, and every request and answer must be as GitHub describes it."""
    problems = court.watch(plain.forge.app)
    yield plain
    assert not problems(), "\n".join(problems()[:20])
