"""A world for stories about the GitLab face."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gitlab
import pytest
import requests
from flask import Response, request
from forge.gitlab.facts import wrong_answer

from bot.forge import Forge, RepoStory


@dataclass
class Lab:
    """acme's GitLab: ann owns acme, dee and bo write, eve reads, cy is a stranger; hg-bot is a bot that maintains."""

    forge: Forge
    repo: RepoStory
    tokens: dict[str, str]
    exchanges: list[Any] = field(default_factory=list)

    def client(self, login: str) -> gitlab.Gitlab:
        """python-gitlab, signed in as somebody."""
        return gitlab.Gitlab(self.forge.url, private_token=self.tokens[login], retry_transient_errors=False)

    def project(self, login: str) -> Any:
        """acme/infra in python-gitlab, seen by somebody."""
        return self.client(login).projects.get("acme/infra")

    def call(self, login: str | None, method: str, path: str, **words: Any) -> requests.Response:
        """A plain request; ``:p`` in the path is acme/infra."""
        headers = words.pop("headers", {})
        if login is not None:
            headers["PRIVATE-TOKEN"] = self.tokens[login]
        url = self.forge.api_url + path.replace(":p", f"projects/{quote('acme/infra', safe='')}")
        return requests.request(method, url, headers=headers, timeout=20, **words)

    def change(self, branch: str = "port", by: str = "dee", **words: Any) -> Any:
        """An open merge request, as a story."""
        self.repo.commit(branch, {"web/site.yaml": f"port: {branch}\n"}, by)
        return self.repo.open_pull("Serve", branch, by, **words)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A started host, told through the GitLab face; every answer it gives must be as documented."""
    forge = Forge(tmp_path / "forge", face="gitlab")
    tokens = {login: forge.add_user(login) for login in ("ann", "bo", "cy", "dee", "eve")}
    tokens["hg-bot"] = forge.add_user("hg-bot", bot=True)
    forge.add_org("acme", owners=("ann",), members=("bo", "dee"))
    forge.add_team("acme/platform", "bo")
    files = {"README.md": "infra\n", "web/site.yaml": "port: 80\n", "db/main.tf": "# db\n"}
    roles = {"dee": "write", "acme/platform": "maintain", "eve": "read", "hg-bot": "maintain"}
    lab = Lab(forge, forge.create_repo("acme/infra", files, roles), tokens)

    @forge.app.after_request
    def record(answer: Response) -> Response:
        raw = request.environ["RAW_URI"].partition("?")[0]
        whole = answer.headers.get("Content-Length") == str(len(answer.get_data()))
        if raw.startswith("/api/v4/") and answer.status_code < 300 and whole:
            lab.exchanges.append((request.method, raw.removeprefix("/api/v4/"), answer.get_data()))
        return answer

    forge.start()
    yield lab
    forge.stop()
    problems = [problem for method, path, body in lab.exchanges for problem in _judged(method, path, body)]
    assert not problems, "\n".join(problems[:20])


def _judged(method: str, path: str, body: bytes) -> list[str]:
    """A note of nothing but orders is answered otherwise; what no table covers is not judged."""
    if not body or not body.lstrip().startswith((b"{", b"[")) or b'"commands_changes":{},"summary"' in body:
        return []
    return [f"{method} {problem}" for problem in wrong_answer(path, json.loads(body)) or []]
