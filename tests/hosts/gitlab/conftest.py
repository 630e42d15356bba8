"""A project on the local host's GitLab face, and the adapter that speaks to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gitlab
import pytest

from bot.core.model import ChangeRef, RepoRef
from bot.forge import Forge, PullStory, RepoStory
from bot.hosts.gitlab.host import GitLab
from bot.hosts.gitlab.settings import GitLabSettings

HOOK = "http://127.0.0.1:9/webhooks/lab"


@dataclass
class Lab:
    """acme's project: ann owns it, dee and bo write, mae maintains, eve reads; hg-bot is ours and maintains."""

    forge: Forge
    story: RepoStory
    tokens: dict[str, str]
    host: GitLab
    settings: GitLabSettings
    repo: RepoRef = RepoRef("lab", "acme/infra")

    def open(self, branch: str = "topic", by: str = "dee", **words: Any) -> PullStory:
        """A change of a branch of its own."""
        self.story.commit(branch, {f"{branch}.txt": "1\n"}, by)
        return self.story.open_pull(f"Change {branch}", branch, by, **words)

    def ref(self, pull: PullStory) -> ChangeRef:
        """The change as the core names it."""
        return ChangeRef(self.repo, pull.number)

    def project(self, login: str = "ann") -> Any:
        """python-gitlab's view, as somebody's."""
        return gitlab.Gitlab(self.forge.url, private_token=self.tokens[login]).projects.get("acme/infra")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A started host."""
    forge = Forge(tmp_path / "forge", face="gitlab")
    tokens = {login: forge.add_user(login) for login in ("ann", "bo", "dee", "eve", "mae", "hg-bot")}
    forge.add_org("acme", owners=("ann",))
    roles = {"dee": "write", "bo": "write", "mae": "maintain", "eve": "read", "hg-bot": "maintain"}
    story = forge.create_repo("acme/infra", {"a.txt": "1\n"}, roles)
    forge.start()
    settings = GitLabSettings("lab", lambda: tokens["hg-bot"], (lambda: "plain",), forge.url)
    yield Lab(forge, story, tokens, GitLab(settings), settings)
    forge.stop()
