"""A whole day of a change: the local Git host, the real store, the real flow, driven job by job in this process.

Stories, the command line's tests, the pages' and the benchmarks live in it; ``tests/`` is on their path.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from werkzeug.serving import make_server

from bot.cli.demo.sink import ChatRoom
from bot.core.model import ChangeRef, RepoRef
from bot.core.record import Memory
from bot.core.runs import Run, RunKind
from bot.flow.run import execute
from bot.flow.services import Services
from bot.flow.watch import poll
from bot.forge import Forge, PullStory, Refused, RepoStory
from bot.hosts.github.inbox import EVENTS
from bot.hosts.setup import Wanted, apply
from bot.queues.inprocess import InProcessQueue
from bot.web.webhooks import create_app
from bot.wiring import SystemClock, Wiring
from bot.work.jobs import Jobs
from bot.work.sweeps import sweep

PLAN = """\
import json, os, sys
live = os.path.join(os.environ["LIVE"], sys.argv[1])
old = dict(line.split("=", 1) for line in open(live).read().split()) if os.path.exists(live) else {}
new = dict(line.split("=", 1) for line in open("wanted").read().split())
changes = []
for name in sorted(old.keys() | new.keys()):
    before, after = old.get(name), new.get(name)
    if before != after:
        action = "create" if before is None else "delete" if after is None else "update"
        changes.append({"address": name, "action": action, "sensitive_paths": ["secret"],
                        "before": None if before is None else {"value": before},
                        "after": None if after is None else {"value": after}})
print(json.dumps({"changes": changes}))
"""
APPLY = """\
import os, shutil, sys
if os.path.exists("broken"): sys.exit("InvalidParameterValue: the cloud says no")
shutil.copy("wanted", os.path.join(os.environ["LIVE"], sys.argv[1]))
"""

SERVER = """\
version: 1
instance: {instance}
data: {data}
listen: {{webhooks: "127.0.0.1:{hooks}", pages: "127.0.0.1:{pages}"}}
hosts:
  {host}: {{url: "{forge}", token_file: token, webhook_secret_file: hook}}
"""
GATED = """\
repositories:
  - {{match: {host}/acme/infra, branches: [main], mode: {mode},
     environments: {{prod: ["prod/**"], dev: ["**"]}}{rules}}}
environments:
  dev: {{approvals: 0, plan: {{env: {{LIVE: "{live}"}}, readable: ["{live}"]}},
        deploy: {{env: {{LIVE: "{live}"}}, writable: ["{live}"]}}}}
  prod: {{approvals: {approvals}, after: [dev],
         plan: {{env: {{LIVE: "{live}"}}, readable: ["{live}"]}},
         deploy: {{env: {{LIVE: "{live}"}}, writable: ["{live}"]}}{prod}}}
chat:
  - {{to: {{webhook: {{url: "{chat}", secret_file: chat}}}}}}
"""


class Hours(SystemClock):
    """A clock that runs, and jumps ahead when a story says so. The world's hosts and Headgate share it."""

    ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead

    def seconds(self) -> float:
        return super().seconds() + self.ahead.total_seconds()


def in_another_second() -> None:
    """Hosts tell times in whole seconds, and stories are told faster than that."""
    now = int(time.time())
    while int(time.time()) == now:
        time.sleep(0.01)


def server_settings(
    folder: Path, forge: Forge, rest: str, *, instance: str, hooks: int = 1, pages: int = 2, host: str = "github"
) -> Path:
    """The operator's file in ``folder`` (where the secrets ``token`` and ``hook`` lie), ending in ``rest``."""
    path = folder / "headgate-server.yaml"
    text = SERVER.format(
        instance=instance, data=folder / "data", hooks=hooks, pages=pages, forge=forge.api_url, host=host
    )
    path.write_text(text + rest)
    return path


def project(name: str, extra: str = "") -> str:
    path = name.replace("-", "/")
    live = name.replace("-", "_")
    return (
        f"  - {{name: {name}, path: {path}, tool: command, environment: {name.partition('-')[0]}, "
        f'plan: ["python3", "../../plan.py", "{live}"], apply: ["python3", "../../apply.py", "{live}"], '
        f'when_changed: ["plan.py", "apply.py"]{extra}}}\n'
    )


CONFIG = "version: 1\nprojects:\n" + project("dev-web") + project("prod-web") + project("prod-db")

FILES = {
    ".headgate.yaml": CONFIG,
    "plan.py": PLAN,
    "apply.py": APPLY,
    "dev/web/wanted": "a=1\n",
    "prod/web/wanted": "a=1\n",
    "prod/db/wanted": "size=1\n",
    "docs/readme.md": "words\n",
}


class InlineRuns:
    """Carries runs out in this very process: stories are about what is decided, not about processes."""

    def __init__(self, services: Callable[[], Services]) -> None:
        self._services = services
        self.before: Callable[[Run], None] = lambda run: None

    def supervise(self, run_id: str, **_: object) -> int:
        services = self._services()
        run = services.store.run(run_id)
        if run is not None:
            self.before(run)
            execute(services, run, lambda: False)
        return 0


class World:
    """Everything of one story."""

    lanes: tuple[str, ...] = ("short", "run:dev", "run:prod", "run:none")

    def __init__(self, tmp: Path, *, mode: str = "enforce", approvals: int = 1, rules: str = "", prod: str = "",
                 config: str = CONFIG, files: dict[str, str] | None = None,
                 operator: str = GATED, host: str = "github", hours: Hours | None = None,
                 own_group: bool = False,
                 enterprise: str = "") -> None:  # fmt: skip
        self.hours = hours or Hours()
        self.text = config
        self.lay_out(tmp)
        self.kind = host
        self.forge = Forge(tmp / "git", self.hours.now, face=host, enterprise=enterprise)
        self.forge.start()
        for login in ("dee", "bo", "cy", "ann", "eve"):
            self.forge.add_user(login)
        token = self.forge.add_user("acme-bot")
        self.forge.add_org("acme", owners=("acme-bot",) * own_group)
        people = {"dee": "write", "bo": "write", "cy": "write", "ann": "admin", "eve": "read", "acme-bot": "admin"}
        self.repo: RepoStory = self.forge.create_repo(
            "acme/infra", files={**FILES, ".headgate.yaml": config, **(files or {})}, permissions=people
        )
        if host == "github":
            self.repo.protect("main", checks=("headgate/gate",))
        self.room = ChatRoom("chat-secret")
        for name, value in (("token", token), ("hook", "hook-secret"), ("chat", "chat-secret")):
            (tmp / name).write_text(value)
        self.token = token
        gated = operator.format(
            live=self.live, chat=self.room.url, mode=mode, approvals=approvals, rules=rules, prod=prod, host=host
        )
        self.config = server_settings(tmp, self.forge, gated, instance="story", host=host)
        self.start()
        self.hook_url = f"http://127.0.0.1:{self._web.server_port}/webhooks/{host}"
        self.hook = self.repo.add_hook(self.hook_url, "hook-secret", EVENTS if host == "github" else None)
        self.repo_ref = RepoRef(host, "acme/infra")
        if host != "github":
            apply(self.services.hosts[host].plan_setup(self.repo_ref, Wanted(("main",))))  # type: ignore[attr-defined]

    def lay_out(self, tmp: Path) -> None:
        """What is live before anything happens."""
        self.live = tmp / "live"
        self.live.mkdir()
        for name in ("dev_web", "prod_web"):
            (self.live / name).write_text("a=1\n")
        (self.live / "prod_db").write_text("size=1\n")

    def start(self) -> None:
        """Headgate itself, as the operator's file has it; its webhooks at a port of their own."""
        self.wiring = Wiring(self.config, clock=self.hours)
        self.queue = InProcessQueue()
        self.store = self.wiring.store()
        self.store.migrate()
        self.services = self.wiring.services(self.queue, self.store)
        self.runs = InlineRuns(lambda: self.services)
        self.jobs = Jobs(self.services, self.runs)  # type: ignore[arg-type]
        self._web = make_server(
            "127.0.0.1", 0, create_app(self.store, self.queue, self.services.hosts, self.wiring.clock), threaded=True
        )
        threading.Thread(target=self._web.serve_forever, daemon=True).start()

    def close_door(self) -> None:
        """Nothing answers webhooks from now on, as while Headgate is down."""
        self._web.shutdown()
        self._web.server_close()

    def open_door(self) -> None:
        """They are answered again, at the same place."""
        app = create_app(self.store, self.queue, self.services.hosts, self.wiring.clock)
        self._web = make_server("127.0.0.1", self._web.server_port, app, threaded=True)
        threading.Thread(target=self._web.serve_forever, daemon=True).start()

    def reload(self) -> None:
        """Read the operator's file again, as a restart would."""
        self.wiring = Wiring(self.config, clock=self.hours)
        self.services = self.wiring.services(self.queue, self.store)
        self.jobs = Jobs(self.services, self.runs)  # type: ignore[arg-type]

    def change_limits(self, **limits: float) -> None:
        """Other limits from now on."""
        settings = replace(self.services.settings, limits=replace(self.services.settings.limits, **limits))  # type: ignore[arg-type]
        self.services = replace(self.services, settings=settings)
        self.jobs = Jobs(self.services, self.runs)  # type: ignore[arg-type]

    # ------------------------------------------------------------------------------------------ acting

    def pull(self, files: dict[str, str | None], title: str = "A change", author: str = "dee", branch: str = "",
             **words: object) -> PullStory:  # fmt: skip
        """A branch with these files, and a pull request of it; then everything settles."""
        pull = self.opened(files, title, author, branch, **words)
        self.settle()
        return pull

    def opened(self, files: dict[str, str | None], title: str = "A change", author: str = "dee", branch: str = "",
               **words: object) -> PullStory:  # fmt: skip
        """The same, and nobody has noticed it yet."""
        branch = branch or f"topic-{len(self.repo.pulls()) + 1}"
        self.repo.commit(branch, files=files, author=author, message=title)
        return self.repo.open_pull(title, head=branch, author=author, **words)  # type: ignore[arg-type]

    def push(self, pull: PullStory, files: dict[str, str | None], by: str = "dee") -> None:
        self.repo.commit(f"topic-{pull.number}", files=files, author=by, message="more")
        self.settle()

    def settle(self, rounds: int = 60) -> None:
        """Deliver what is on its way and work until nothing is left to do."""
        for _ in range(rounds):
            assert self.forge.courier.settle()
            sweep(self.services)
            if not self.work():
                return
        raise AssertionError("the world does not come to rest")

    def comes(self, wanted: Callable[[], bool]) -> bool:
        """Whether it comes true by what Headgate is told."""
        self.settle()
        return wanted()

    def until(self, wanted: Callable[[], bool], *, seconds: float = 15, steps: int = 200) -> bool:
        """Let time pass, some seconds at once, until it comes true."""
        for _ in range(steps):
            self.settle()
            if wanted():
                return True
            self.hours.ahead += timedelta(seconds=seconds)
        return False

    def work(self) -> int:
        """Do every waiting job; how many there were."""
        count = 0
        while (job := self.queue.take(self.lanes, 0)) is not None:
            self.jobs(*job)
            count += 1
            assert count < 2000
        return count

    def without_webhooks(self) -> None:
        """From now on the host tells nothing."""
        self.forge.trouble.lose_deliveries = 10_000

    def poll(self) -> int:
        marked = poll(self.services, self.repo_ref)
        self.settle()
        return marked

    def command(self, words: str) -> str:
        """A command as it is said and shown on this host."""
        return f"headgate {words}" if self.kind == "gitlab" else f"/{words}"

    def approve(self, pull: PullStory, by: str) -> None:
        """Somebody approves; a host that does not take that person's approval says so, which is as good.

        Where an approval names no commit it is told by its second what it was for: people take longer to read."""
        if self.kind == "gitlab":
            in_another_second()
        try:
            pull.approve(by)
        except Refused:
            assert self.kind != "github"
        self.settle()

    def dismiss(self, pull: PullStory, by: str) -> None:
        """Somebody's approval stands no longer: an administrator dismisses it, or who gave it takes it back."""
        review = next(each for each in reversed(pull.reviews) if each.author == by)
        pull.dismiss(by if self.kind == "gitlab" else "ann", review)
        self.settle()

    def merge(self, pull: PullStory, by: str, method: str = "merge") -> None:
        """Merge as people do on this host: themselves, or where only we may, by asking us."""
        if self.kind == "gitlab":
            pull.comment(by, "headgate merge")
        else:
            pull.merge(by, method)
        self.settle()

    def refuses(self, pull: PullStory, by: str) -> bool:
        """Whether the host keeps somebody from merging it now."""
        try:
            pull.merge(by)
        except Refused:
            return True
        return False

    def bypass(self, pull: PullStory, by: str) -> None:
        """An administrator goes around the gate: as a right, or by taking the branch's rule away for a moment."""
        if self.kind != "gitlab":
            pull.merge(by, bypass=True)
        else:
            protections = self.forge.state.repo("acme/infra").protections
            kept = protections.pop("main")
            pull.merge(by)
            protections["main"] = kept
        self.settle()

    def force_push(self, pull: PullStory, files: dict[str, str], by: str) -> None:
        """The branch begun anew from the target branch."""
        self.repo.force_push(f"topic-{pull.number}", files, by=by, parent=self.repo.sha("main"))
        self.settle()

    def from_fork(self, files: dict[str, str | None], by: str) -> PullStory:
        """A change that comes from somebody's own copy of the repository."""
        self.repo.fork(by).commit("theirs", files=files, author=by)
        made = self.repo.open_pull("From outside", head=f"{by}:theirs", author=by)
        self.settle()
        return made

    def make_branch(self, name: str) -> None:
        """A branch that is not listed."""
        self.repo.commit(name, files={"docs/readme.md": f"{name}\n"}, author="ann")

    def say(self, pull: PullStory, by: str, text: str) -> None:
        pull.comment(by, text)
        self.settle()

    def stop_host(self) -> None:
        self.forge.stop()

    # ---------------------------------------------------------------------------------------- looking

    def gate(self, pull: PullStory) -> str:
        check = pull.checks().get("headgate/gate")
        return check.outcome.value if check else ""

    def face(self, pull: PullStory) -> str:
        """Our sticky comment."""
        return next((each.body for each in pull.comments if "story:page:1" in each.body.partition("\n")[0]), "")

    def sayings(self, pull: PullStory) -> list[str]:
        """Our short comments."""
        return [each.body for each in pull.comments if "story:say:" in each.body.partition("\n")[0]]

    def writes(self) -> int:
        """How often our account altered something on the host."""
        made = self.forge.trouble.requests("api")
        return sum(1 for each in made if each.login == "acme-bot" and each.method != "GET")

    def memory(self, pull: PullStory) -> Memory:
        row = self.store.change(ChangeRef(self.repo_ref, pull.number))
        assert row is not None
        return row.memory

    def run_states(self, pull: PullStory, kind: RunKind) -> list[tuple[str, str]]:
        runs = self.store.runs_of(ChangeRef(self.repo_ref, pull.number))
        return [(run.project.name, run.state.value) for run in runs if run.kind is kind]

    def deployed(self, name: str) -> str:
        """What is live."""
        return (self.live / name).read_text().strip()

    def stop(self) -> None:
        self.stop_host()
        self._web.shutdown()
        self._web.server_close()
        self.room.stop()
        self.wiring.mirrors_close()
        self.store.close()
