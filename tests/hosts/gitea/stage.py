"""A real Gitea as the contract of hosts wants one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hosts.gitea.ground import BOT, HOOK_SECRET, Catcher, Ground
from hosts.gitea.server import settled
from hosts.gitea.swagger import problems

from bot.core.model import RepoRef
from bot.core.rules import HostSettings, SecretRef
from bot.hosts import HOSTS
from bot.hosts.gitea.inbox import EVENTS


class GiteaStage:
    """See ``contracts.stages.Stage``."""

    def __init__(self, ground: Ground) -> None:
        self.ground, self.repo = ground, ground.repo
        self.catcher = Catcher()
        secrets = {"token": ground.tokens[BOT], "hook": HOOK_SECRET}
        hook = (SecretRef("env", "hook"),)
        words = HostSettings("home", "gitea", ground.wire.url, SecretRef("env", "token"), webhook_secrets=hook)
        self.host = HOSTS["gitea"](words, lambda ref: secrets[ref.where], "main")

    def another(self, *, shared: bool, archived: bool = False) -> RepoRef:
        made = self.ground.beside(*(BOT,) * shared)
        if archived:
            self.ground.server.call("PATCH", f"/repos/{made}", {"archived": True}, by="dee")
        return RepoRef("home", made)

    def rename(self) -> RepoRef:
        return RepoRef("home", self.ground.rename())

    def open_change(self, branch: str) -> int:
        self.push(branch, "dee")
        return self.ground.open_change(branch)

    def head(self, number: int) -> str:
        return str(self.ground.pull(number)["head"]["sha"])

    def push(self, branch: str, by: str) -> str:
        return self.ground.commit(branch, {f"{branch}.txt": f"{datetime.now(UTC)}\n"}, by, author="dee")

    def approve(self, number: int, by: str) -> None:
        self.ground.review(number, by)

    def say(self, number: int, by: str, text: str) -> None:
        self.ground.say(number, by, text)

    def comments(self, number: int) -> list[str]:
        return [comment["body"] for comment in self.ground.comments(number)]

    def checks(self, sha: str) -> dict[str, str]:
        return {name: status["status"] for name, status in self.ground.checks(sha).items()}

    def close(self, number: int) -> None:
        self.ground.edit(number, "dee", state="closed")

    def make_team(self, slug: str, *people: str) -> None:
        server, rights = self.ground.server, {"units": ["repo.code"], "units_map": {"repo.code": "read"}}
        for team in server.call("GET", "/orgs/acme/teams", by="ann"):
            if team["name"] == slug:
                server.call("DELETE", f"/teams/{team['id']}", by="ann")
        made = server.call("POST", "/orgs/acme/teams", {"name": slug, "permission": "read"} | rights, by="ann")
        for login in (*people, BOT):
            server.call("PUT", f"/teams/{made['id']}/members/{login}", by="ann")

    def deliveries(self) -> list[tuple[dict[str, str], bytes]]:
        self.ground.hook(self.catcher.url, EVENTS)
        number = self.open_change("told")
        self.push("told", "bo")
        self.approve(number, "bo")
        self.say(number, "bo", "/plan")
        wanted = {"push", "pull_request", "pull_request_approved", "issue_comment"}
        assert settled(lambda: {event for event, _ in self.catcher.events()} >= wanted)
        assert settled(lambda: ("pull_request", "pull_request_sync") in self.catcher.events())
        return list(self.catcher.caught)

    def lose_next_answer(self) -> None:
        self.ground.wire.lose = True

    def fail_next(self) -> None:
        self.ground.wire.fail = True

    def limit_next(self, seconds: int) -> None:
        self.ground.wire.limit = seconds


@contextmanager
def gitea(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[GiteaStage]:
    """The server's own Swagger is the judge of what is said to it."""
    server, judge = request.getfixturevalue("gitea_server"), request.getfixturevalue("gitea_judge")
    stage = GiteaStage(Ground(server, {"a.txt": "1\n"}, tmp_path))
    yield stage
    stage.catcher.stop()
    stage.ground.wire.stop()
    found = problems(judge, stage.ground.wire.exchanges)
    assert not found, "\n".join(found[:20])
