"""A repository on the real server, and people who do things there behind the adapter's back."""

from __future__ import annotations

import base64
import itertools
import json
import subprocess
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from hosts.gitea.server import PASSWORD, Server, settled
from hosts.gitea.wire import Wire

from bot.core.errors import HostBusy
from bot.core.model import ChangeRef, RepoRef
from bot.hosts.gitea.host import Gitea
from bot.hosts.gitea.settings import GiteaSettings
from bot.ports import MergeOutcome

OWNER, BOT, HOOK_SECRET = "ann", "hg-bot", "hook-secret"
PEOPLE = {"bo": "write", "dee": "write", "cy": "write", "eve": "read", BOT: "admin"}

_numbers = itertools.count(1)


class Ground:
    """``acme/infra-N``: ann owns acme; bo, cy and dee write, eve reads; hg-bot is us, an administrator.

    With ``own_group`` it is in an organisation of its own, ``acme-N``, which hg-bot owns, too."""

    def __init__(self, server: Server, files: dict[str, str], tmp: Path, *, private: bool = True,
                 own_group: bool = False) -> None:  # fmt: skip
        self.server, self.tmp = server, tmp
        self.tokens = {login: server.token(login) for login in (OWNER, *PEOPLE)}
        number = next(_numbers)
        self.group, name = f"acme-{number}" if own_group else "acme", f"infra-{number}"
        self.path = f"{self.group}/{name}"
        if self.group not in [each["name"] for each in server.call("GET", f"/users/{OWNER}/orgs", by=OWNER)]:
            server.call("POST", "/orgs", {"username": self.group, "visibility": "public"}, by=OWNER)
        if own_group:
            (owners,) = server.call("GET", f"/orgs/{self.group}/teams", by=OWNER)
            server.call("PUT", f"/teams/{owners['id']}/members/{BOT}", by=OWNER)
        words = {"name": name, "private": private, "default_branch": "main"}
        server.call("POST", f"/orgs/{self.group}/repos", words, by=OWNER)
        for login, permission in PEOPLE.items():
            self.call("PUT", f"/collaborators/{login}", {"permission": permission}, by=OWNER)
        self.commit("main", files, OWNER, new_from="")
        self.wire = Wire(server.url)
        self.repo = RepoRef("home", self.path)

    @property
    def at(self) -> str:
        return f"/repos/{self.path}"

    def call(self, verb: str, path: str, body: Any = None, *, by: str = OWNER, expect: int = 0) -> Any:
        """A call about this repository."""
        return self.server.call(verb, f"{self.at}{path}", body, by=by, expect=expect)

    def host(self, login: str = BOT, **more: Any) -> Gitea:
        """The adapter with somebody's token, through the wire."""
        token = self.tokens[login]
        clock = more.pop("clock", time.monotonic)
        words = {"name": "home", "url": self.wire.url, "token": lambda: token} | more
        return Gitea(GiteaSettings(**words), clock)

    def beside(self, *collaborators: str) -> str:
        """Another repository, dee's own; open to everybody when nobody works on it with dee. Its path."""
        words = {"name": f"beside-{next(_numbers)}", "private": bool(collaborators), "auto_init": True}
        made = str(self.server.call("POST", "/user/repos", words, by="dee")["full_name"])
        for login in collaborators:
            self.server.call("PUT", f"/repos/{made}/collaborators/{login}", {"permission": "write"}, by="dee")
        return made

    def rename(self) -> str:
        """Give the repository another name; its path from now on."""
        self.call("PATCH", "", {"name": f"{self.path.partition('/')[2]}-new"})
        self.path += "-new"
        return self.path

    # --------------------------------------------------------------------------------------------- git

    def commit(
        self,
        branch: str,
        files: dict[str, str | None],
        by: str,
        *,
        author: str = "",
        message: str = "a change",
        new_from: str = "main",
        at: str = "",
    ) -> str:
        """One commit of several files, by way of the API; the new head. A branch that is not there is made."""
        at = at or self.at
        there = self._branch(branch, at)
        known = {} if not there and not new_from else self._blobs(branch if there else new_from, at)
        who = author or by
        body = {
            "files": [self._file(path, text, known.get(path)) for path, text in files.items()],
            "message": message,
            "author": {"name": who, "email": f"{who}@example.com"},
            "committer": {"name": who, "email": f"{who}@example.com"},
            **({"branch": branch} if there or not new_from else {"branch": new_from, "new_branch": branch}),
        }
        return str(self.server.call("POST", f"{at}/contents", body, by=by)["commit"]["sha"])

    def _branch(self, name: str, at: str) -> bool:
        return any(each["name"] == name for each in self.server.call("GET", f"{at}/branches?limit=50") or ())

    def _blobs(self, ref: str, at: str) -> dict[str, str]:
        tree = self.server.call("GET", f"{at}/git/trees/{ref}?recursive=true&per_page=1000")
        return {each["path"]: each["sha"] for each in tree["tree"] if each["type"] == "blob"}

    @staticmethod
    def _file(path: str, text: str | None, sha: str | None) -> dict[str, str]:
        if text is None:
            return {"operation": "delete", "path": path, "sha": sha or ""}
        content = base64.b64encode(text.encode()).decode()
        known = {"sha": sha} if sha else {}
        return {"operation": "update" if sha else "create", "path": path, "content": content, **known}

    def git(self, by: str, *words: str, repo: str = "") -> str:
        """Git in a clone of somebody's own, made when there is none."""
        folder = self._clone(by, repo)
        signed = base64.b64encode(f"{by}:{PASSWORD}".encode()).decode()
        who = ["-c", f"user.name={by}", "-c", f"user.email={by}@example.com"]
        base = ["git", "-c", f"http.extraHeader=Authorization: Basic {signed}", *who]
        if not folder.exists():
            url = f"{self.server.url}/{repo or self.path}.git"
            subprocess.run([*base, "clone", "--quiet", url, str(folder)], check=True, capture_output=True)
        done = subprocess.run([*base, "-C", str(folder), *words], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def _clone(self, by: str, repo: str = "") -> Path:
        return self.tmp / f"clone-{by}-{(repo or self.path).replace('/', '-')}"

    def write(self, by: str, files: dict[str, str]) -> None:
        """Files in somebody's clone."""
        for path, text in files.items():
            (self._clone(by) / path).write_text(text)

    def head_of(self, branch: str) -> str:
        return str(self.call("GET", f"/branches/{branch}")["commit"]["id"])

    # ------------------------------------------------------------------------------------------ changes

    def open_change(self, branch: str, by: str = "dee", title: str = "", base: str = "main", head: str = "") -> int:
        body = {"title": title or f"Change {branch}", "head": head or branch, "base": base}
        number = int(self.call("POST", "/pulls", body, by=by)["number"])
        assert settled(lambda: self._checked(number)), "the server does not say whether it can be merged"
        return number

    def _checked(self, number: int) -> bool:
        """Conflicts are looked for behind the answer; a draft is never called mergeable."""
        pull = self.pull(number)
        return bool(pull["mergeable"] or pull["draft"])

    def pull(self, number: int) -> dict[str, Any]:
        return dict(self.call("GET", f"/pulls/{number}"))

    def edit(self, number: int, by: str, **words: Any) -> None:
        self.call("PATCH", f"/pulls/{number}", words, by=by)

    def merged(self, host: Gitea, number: int, method: str = "merge", title: str = "Merge it") -> MergeOutcome:
        """Merged by us, as soon as the server has looked for conflicts."""
        found: list[MergeOutcome] = []

        def tried() -> bool:
            try:
                head = self.pull(number)["head"]["sha"]
                found.append(host.merge(ChangeRef(self.repo, number), head, method, title))
            except HostBusy:
                return False
            return True

        assert settled(tried), "the server does not merge"
        return found[0]

    def review(self, number: int, by: str, event: str = "APPROVED", body: str = "") -> int:
        return int(self.call("POST", f"/pulls/{number}/reviews", {"event": event, "body": body}, by=by)["id"])

    def label(self, number: int, by: str, *names: str) -> None:
        """Put labels on; the repository gets those that it has not."""
        made = [self.call("POST", "/labels", {"name": name, "color": "#c0ffee"}, by="ann")["id"] for name in names]
        self.call("POST", f"/issues/{number}/labels", {"labels": made}, by=by)

    def say(self, number: int, by: str, text: str) -> int:
        return int(self.call("POST", f"/issues/{number}/comments", {"body": text}, by=by)["id"])

    def comments(self, number: int) -> list[dict[str, Any]]:
        return list(self.call("GET", f"/issues/{number}/comments"))

    def checks(self, sha: str) -> dict[str, dict[str, Any]]:
        """The newest status of each name."""
        return {each["context"]: each for each in self.call("GET", f"/commits/{sha}/status")["statuses"] or ()}

    def hook(self, url: str, events: Sequence[str], secret: str = HOOK_SECRET) -> int:
        """A webhook; its id."""
        config = {"url": url, "content_type": "json", "secret": secret}
        body = {"type": "gitea", "active": True, "events": list(events), "config": config}
        return int(self.call("POST", "/hooks", body)["id"])

    def fork(self, by: str) -> str:
        """Somebody's fork; its path."""
        made = self.server.call("POST", f"{self.at}/forks", {"name": f"fork-{self.path.rpartition('-')[2]}"}, by=by)
        return str(made["full_name"])


class Catcher:
    """Where webhooks come in; keeps them as they came."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)
        self.caught: list[tuple[dict[str, str], bytes]] = []
        caught = self.caught

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                caught.append((dict(self.headers.items()), body))
                self.send_response(202)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhooks/home"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def events(self) -> list[tuple[str, str]]:
        """(event, finer type) of each."""
        return [(headers["X-Gitea-Event"], headers["X-Gitea-Event-Type"]) for headers, _ in self.caught]

    def acts(self) -> list[tuple[str, str]]:
        """(event, action) of each."""
        return [(known["X-Gitea-Event"], json.loads(body).get("action", "")) for known, body in list(self.caught)]

    def wait(self, event: str, action: str = "") -> tuple[dict[str, str], bytes]:
        """The first delivery of an event, and of an action where it is named."""

        def found() -> tuple[dict[str, str], bytes] | None:
            told = (each for each in list(self.caught) if each[0]["X-Gitea-Event"] == event)
            return next((each for each in told if not action or json.loads(each[1]).get("action") == action), None)

        assert settled(lambda: found() is not None), f"no {event} {action} came"
        return found() or ({}, b"")

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
