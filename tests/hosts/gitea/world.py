"""A whole day of a change on a real Gitea: the world of the stories with another host under it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hosts.gitea.ground import BOT, HOOK_SECRET, Ground
from hosts.gitea.server import Server, settled
from worlds import CONFIG, FILES, GATED, Hours, World

from bot.cli.demo.sink import ChatRoom
from bot.core.model import RepoRef
from bot.flow.watch import poll
from bot.forge import Refused
from bot.hosts.setup import Wanted, apply
from bot.work.sweeps import sweep

SETTINGS = """\
version: 1
instance: story
data: {data}
listen: {{webhooks: "127.0.0.1:1", pages: "127.0.0.1:2"}}
hosts:
  gitea: {{url: "{url}", token_file: token, webhook_secret_file: hook}}
"""
ROUNDS = 4
"""What people do is there when they were answered; what Headgate writes moves a change once more."""
SECONDS = 60.0


class GiteaWorld(World):
    """Told by webhooks only when they are set up (``by_webhooks``); else it is polled."""

    kind = "gitea"

    def __init__(self, server: Server, tmp: Path, *, by_webhooks: bool = False, approvals: int = 1, rules: str = "",
                 prod: str = "", own_group: bool = False) -> None:  # fmt: skip
        self.hours = Hours()
        self.lay_out(tmp)
        self.by_webhooks = by_webhooks
        self.ground = Ground(server, {**FILES, ".headgate.yaml": CONFIG}, tmp, own_group=own_group)
        self.repo_ref = RepoRef("gitea", self.ground.path)
        self.room = ChatRoom("chat-secret")
        for name, value in (("token", self.ground.tokens[BOT]), ("hook", HOOK_SECRET), ("chat", "chat-secret")):
            (tmp / name).write_text(value)
        self.config = tmp / "headgate-server.yaml"
        gated = GATED.format(
            host="gitea",
            live=self.live,
            chat=self.room.url,
            mode="enforce",
            approvals=approvals,
            rules=rules,
            prod=prod,
        ).replace("gitea/acme/infra", str(self.repo_ref))
        self.config.write_text(SETTINGS.format(data=tmp / "data", url=self.ground.wire.url) + gated)
        self.start()
        host: Any = self.services.hosts["gitea"]
        url = f"http://127.0.0.1:{self._web.server_port}/webhooks/gitea" if by_webhooks else ""
        apply(host.plan_setup(self.repo_ref, Wanted(url=url)))
        self.settle()

    # ------------------------------------------------------------------------------------------ acting

    def opened(self, files: dict[str, str | None], title: str = "A change", author: str = "dee", branch: str = "",
               **words: object) -> Any:  # fmt: skip
        """A branch with these files, and a change of it, which nobody has noticed yet."""
        branch = branch or f"topic-{len(self.ground.call('GET', '/pulls?state=all') or ()) + 1}"
        self.ground.commit(branch, files, author, message=title)
        return Pull(self.ground, self.ground.open_change(branch, by=author, title=title))

    def push(self, pull: Any, files: dict[str, str | None], by: str = "dee") -> None:
        self.ground.commit(f"topic-{pull.number}", files, by, message="more")
        self.settle()

    def force_push(self, pull: Any, files: dict[str, str], by: str) -> None:
        """The branch begun anew from the target branch."""
        git, branch = self.ground.git, f"topic-{pull.number}"
        git(by, "fetch", "--quiet", "origin")
        git(by, "checkout", "--quiet", "-B", branch, "origin/main")
        self.ground.write(by, files)
        git(by, "commit", "--quiet", "--all", "-m", "anew")
        git(by, "push", "--quiet", "--force", "origin", branch)
        self.settle()

    def from_fork(self, files: dict[str, str | None], by: str) -> Any:
        fork = self.ground.fork(by)
        self.ground.commit("theirs", files, by, at=f"/repos/{fork}")
        made = Pull(self.ground, self.ground.open_change("theirs", by=by, head=f"{by}:theirs"))
        self.settle()
        return made

    def make_branch(self, name: str) -> None:
        self.ground.call("POST", "/branches", {"new_branch_name": name, "old_branch_name": "main"})

    def without_webhooks(self) -> None:
        assert not self.by_webhooks

    def settle(self, rounds: int = ROUNDS) -> None:
        """Read again what moved, and work; by webhooks, wait for them instead: see ``comes``."""
        for _ in range(0 if self.by_webhooks else rounds):
            poll(self.services, self.repo_ref)
            sweep(self.services)
            self.work()

    def comes(self, wanted: Callable[[], bool]) -> bool:
        """Whether it comes true while Headgate works on what it is told."""
        end = time.monotonic() + SECONDS
        while not wanted():
            if time.monotonic() > end:
                return False
            sweep(self.services)
            if not self.work():
                time.sleep(0.05)
        return True

    def stop_host(self) -> None:
        self.ground.wire.stop()

    # ----------------------------------------------------------------------------------------- looking

    def writes(self) -> int:
        return sum(1 for each in self.ground.wire.exchanges if each.method != "GET")

    def gate(self, pull: Any) -> str:
        return str(pull.statuses().get("headgate/gate", {}).get("status", ""))


class Pull:
    """A change as the stories know one."""

    def __init__(self, ground: Ground, number: int) -> None:
        self.ground, self.number = ground, number
        self.reviews: list[Any] = []

    @property
    def head_sha(self) -> str:
        return str(self.ground.pull(self.number)["head"]["sha"])

    @property
    def comments(self) -> list[Any]:
        return [SimpleNamespace(body=each["body"]) for each in self.ground.comments(self.number)]

    def statuses(self) -> dict[str, dict[str, Any]]:
        return self.ground.checks(self.head_sha)

    def approve(self, by: str) -> Any:
        self.reviews.append(SimpleNamespace(author=by, id=self.ground.review(self.number, by)))
        return self.reviews[-1]

    def request_changes(self, by: str) -> int:
        return self.ground.review(self.number, by, "REQUEST_CHANGES", "Please change this.")

    def dismiss(self, by: str, review: Any) -> None:
        self.ground.call("POST", f"/pulls/{self.number}/reviews/{review.id}/dismissals", {"message": "old"}, by=by)

    def label(self, by: str, *names: str) -> None:
        self.ground.label(self.number, by, *names)

    def comment(self, by: str, text: str) -> None:
        self.ground.say(self.number, by, text)

    def set_draft(self, by: str, draft: bool = True) -> None:
        title = str(self.ground.pull(self.number)["title"]).removeprefix("WIP: ")
        self.ground.edit(self.number, by, title=f"WIP: {title}" if draft else title)

    def close(self, by: str) -> None:
        self.ground.edit(self.number, by, state="closed")

    def reopen(self, by: str) -> None:
        self.ground.edit(self.number, by, state="open")

    def retarget(self, by: str, base: str) -> None:
        self.ground.edit(self.number, by, base=base)

    def merge(self, by: str, method: str = "merge", bypass: bool = False) -> None:
        """Raises Refused, in the server's words."""
        said: list[str] = []

        def tried() -> bool:
            body = {"do": method, "force_merge": bypass}
            answer = self.ground.server.ask("POST", f"{self.ground.at}/pulls/{self.number}/merge", body, by=by)
            said[:] = [] if answer.ok else [answer.text]
            return "try again" not in answer.text

        assert settled(tried), "the server does not say whether it can be merged"
        if said:
            raise Refused(said[0])
