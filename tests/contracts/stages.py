"""The hosts that the contract is held against: each with one repository, and people who do things there."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Protocol

import pytest
from hosts.gitea.stage import gitea
from hosts.github.published import Court

from bot.core.model import RepoRef
from bot.core.rules import HostSettings, SecretRef
from bot.forge import Forge
from bot.hosts import HOSTS
from bot.ports import Host

HOOK_SECRET = "hook-secret"
SIGNING_TOKEN = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


class Stage(Protocol):
    """A host with one repository, and people who do things there behind the adapter's back."""

    host: Host
    repo: RepoRef

    def another(self, *, shared: bool, archived: bool = False) -> RepoRef: ...
    def rename(self) -> RepoRef: ...
    def open_change(self, branch: str) -> int: ...
    def head(self, number: int) -> str: ...
    def push(self, branch: str, by: str) -> str: ...
    def approve(self, number: int, by: str) -> None: ...
    def say(self, number: int, by: str, text: str) -> None: ...
    def comments(self, number: int) -> list[str]: ...
    def checks(self, sha: str) -> dict[str, str]: ...
    def close(self, number: int) -> None: ...
    def make_team(self, slug: str, *people: str) -> None: ...
    def deliveries(self) -> list[tuple[dict[str, str], bytes]]: ...
    def lose_next_answer(self) -> None: ...
    def fail_next(self) -> None: ...
    def limit_next(self, seconds: int) -> None: ...


class ForgeStage:
    """The local host, which speaks as GitHub or as GitLab."""

    def __init__(self, forge: Forge, kind: str, secret: str, limiting: int) -> None:
        self.forge, self.repo = forge, RepoRef("home", "acme/infra")
        self.secret, self.limiting = secret, limiting
        tokens = {login: forge.add_user(login) for login in ("ann", "bo", "dee", "hg-bot")}
        forge.add_org("acme", owners=("ann",))
        self.story = forge.create_repo(
            "acme/infra", {"a.txt": "1\n"}, {"bo": "write", "dee": "write", "hg-bot": "admin"}
        )
        forge.start()
        secrets = {"token": tokens["hg-bot"], "hook": secret}
        hook = (SecretRef("env", "hook"),)
        words = HostSettings("home", kind, forge.api_url, SecretRef("env", "token"), webhook_secrets=hook)
        self.host = HOSTS[kind](words, lambda ref: secrets[ref.where], "main")

    def another(self, *, shared: bool, archived: bool = False) -> RepoRef:
        path = f"other/r{len(self.forge.state.repos)}"
        made = self.forge.create_repo(path, {"a.txt": "1\n"}, {"hg-bot": "write"} if shared else {"dee": "admin"})
        self.forge.state.repo(path).private = shared
        if archived:
            made.archive()
        return RepoRef("home", path)

    def rename(self) -> RepoRef:
        self.story.move("acme/renamed")
        return RepoRef("home", "acme/renamed")

    def open_change(self, branch: str) -> int:
        self.push(branch, "dee")
        return int(self.story.open_pull(f"Change {branch}", branch, "dee").number)

    def head(self, number: int) -> str:
        return str(self.story.pull(number).head_sha)

    def push(self, branch: str, by: str) -> str:
        return str(self.story.commit(branch, {f"{branch}.txt": f"{datetime.now(UTC)}\n"}, "dee", pusher=by))

    def approve(self, number: int, by: str) -> None:
        self.story.pull(number).approve(by)

    def say(self, number: int, by: str, text: str) -> None:
        self.story.pull(number).comment(by, text)

    def comments(self, number: int) -> list[str]:
        return [comment.body for comment in self.story.pull(number).comments]

    def checks(self, sha: str) -> dict[str, str]:
        return {name: status.state for name, status in self.story.statuses(sha).items()}

    def close(self, number: int) -> None:
        self.story.pull(number).close("dee")

    def make_team(self, slug: str, *people: str) -> None:
        self.forge.add_team(f"acme/{slug}", *people, "hg-bot")

    def deliveries(self) -> list[tuple[dict[str, str], bytes]]:
        plain, signing = ("", self.secret) if self.secret.startswith("whsec_") else (self.secret, "")
        hook = self.story.add_hook("http://127.0.0.1:9/webhooks/home", plain, signing=signing)
        number = self.open_change("told")
        self.push("told", "bo")
        self.approve(number, "bo")
        self.say(number, "bo", "/plan")
        assert self.forge.courier.settle()
        return [(each.request_headers, each.body) for each in hook.deliveries]

    def lose_next_answer(self) -> None:
        self.forge.trouble.lose_answers = 1

    def fail_next(self) -> None:
        self.forge.trouble.fail_next()

    def limit_next(self, seconds: int) -> None:
        self.forge.trouble.limit_next(status=self.limiting, retry_after_s=seconds)


_court = cache(Court)


@contextmanager
def github(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """GitHub's API of the local host; its published description is the judge of what is said to it and by it."""
    forge = Forge(tmp_path / "forge")
    try:
        problems = _court().watch(forge.app)
    except pytest.skip.Exception as why:
        warnings.warn(f"the contract is kept, but no exchange is judged: {why}", stacklevel=1)
        problems = list
    yield ForgeStage(forge, "github", HOOK_SECRET, 403)
    forge.stop()
    assert not problems(), "\n".join(problems()[:20])


@contextmanager
def gitlab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """GitLab's API of the local host; what it answers is held against GitLab's documents."""
    forge = Forge(tmp_path / "forge", face="gitlab")
    yield ForgeStage(forge, "gitlab", SIGNING_TOKEN, 429)
    forge.stop()


STAGES: dict[str, Callable[[pytest.FixtureRequest, Path], AbstractContextManager[Stage]]] = {
    "github": github,
    "gitlab": gitlab,
    "gitea": gitea,
}
ALIASES = {"forgejo": "gitea"}
"""Kinds of host that are another's adapter under their own name."""
