"""Prints how long people wait for a plan: webhook to comment, over the bare tool's own time for the same plan.

``headgate serve`` with the Redis it finds, the local Git host, a Terraform project where a binary is found (else a
``command`` one). Cold is the first change after the start, warm are later pushes.
Wanted: under 1.5 s more cold, under 0.5 s warm.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from memory import free_port
from serving import Served, answers, until
from worlds import server_settings

from bot.forge import Forge, RepoStory
from bot.forge.happening import Happening, Topic
from bot.hosts.github.inbox import EVENTS

COLD, WARM = 1.5, 0.5
PUSHES = 7
TERRAFORM = """\
terraform {{
  backend "local" {{
    path = "{state}"
  }}
}}

resource "terraform_data" "listener" {{
  input = {{ name = "status", port = {number} }}
}}
"""
COMMAND = """\
import json
print(json.dumps({"changes": [{"address": "x", "action": "create", "before": None,
                               "after": {"value": open("wanted").read()}}]}))
"""
OPEN = """\
repositories:
  - {match: github/acme/infra, branches: [main], environments: {dev: ["**"]}}
environments: {dev: {approvals: 0}}
"""


class Subject:
    """The project whose plan is waited for, and the same plan by hand."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self.terraform = shutil.which("terraform") or ""
        tool = "terraform" if self.terraform else "command"
        options = "" if self.terraform else ', plan: ["python3", "plan.py"], apply: ["true"]'
        self.config = (
            f"version: 1\nprojects:\n  - {{name: edge, path: edge, tool: {tool}, environment: dev{options}}}\n"
        )

    def files(self, number: int) -> dict[str, str]:
        """The tree when ``number`` is wanted."""
        if self.terraform:
            return {"edge/main.tf": TERRAFORM.format(state=self._state, number=number)}
        return {"edge/plan.py": COMMAND, "edge/wanted": str(number)}

    def bare(self, folder: Path, number: int, *, first: bool) -> float:
        """Seconds of the tool alone on the same tree: init when it is the first time, plan, show."""
        for path, text in self.files(number).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        steps = [["python3", "plan.py"]]
        if self.terraform:
            plan = ["plan", "-input=false", "-no-color", "-lock=false", "-out=plan.bin"]
            steps = [[self.terraform, *words] for words in (plan, ["show", "-json", "plan.bin"])]
            if first:
                steps.insert(0, [self.terraform, "init", "-input=false", "-no-color"])
        env = {**os.environ, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
        start = time.perf_counter()
        for words in steps:
            subprocess.run(words, cwd=folder / "edge", env=env, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start


class Watch:
    """An audience of the Git host: when a push's webhook left, and when a comment showed what was awaited."""

    def __init__(self, forge: Forge) -> None:
        self._wanted = ""
        self._seen = threading.Event()
        self._sent = self._shown = 0.0
        forge.state.audiences.append(self)

    def expect(self, words: str) -> None:
        self._seen.clear()
        self._wanted = words

    def hear(self, happening: Happening) -> None:
        """Called under the Git host's lock, at the moment of each event."""
        match happening.topic:
            case Topic.PULL if happening.action in ("opened", "synchronize"):
                self._sent = time.perf_counter()
            case Topic.COMMENT if self._wanted in happening.details["comment"].body and not self._seen.is_set():
                self._shown = time.perf_counter()
                self._seen.set()

    def waited(self, limit: float = 60.0) -> float:
        """Seconds from webhook to comment, once it is there."""
        if not self._seen.wait(limit):
            raise SystemExit(f"no comment showed {self._wanted!r} within {limit:.0f} s")
        return self._shown - self._sent


@contextmanager
def serving(folder: Path) -> Iterator[tuple[Forge, RepoStory, Subject]]:
    """The Git host with one repository, and ``headgate serve`` as an operator starts it."""
    forge = Forge(folder / "git")
    forge.start()
    forge.add_user("dee")
    forge.add_org("acme")
    (folder / "token").write_text(forge.add_user("acme-bot"))
    (folder / "hook").write_text("hook-secret")
    subject = Subject(folder / "edge.tfstate")
    repo = forge.create_repo(
        "acme/infra",
        files={".headgate.yaml": subject.config, **subject.files(80000)},
        permissions={"dee": "write", "acme-bot": "admin"},
    )
    hooks, pages = free_port(), free_port()
    config = server_settings(folder, forge, OPEN, instance="bench", hooks=hooks, pages=pages)
    repo.add_hook(f"http://127.0.0.1:{hooks}/webhooks/github", "hook-secret", EVENTS)
    served = Served(config, folder / "serve.log")
    try:
        until(lambda: answers(f"http://127.0.0.1:{hooks}/readyz"), 60, "headgate serve answers")
        time.sleep(5)  # what it loads late is loaded, and its first sweep has run
        yield forge, repo, subject
    finally:
        served.stop()
        forge.stop()


def measure(folder: Path) -> list[tuple[str, float, float]]:
    """(cold or warm, seconds from push to comment, seconds of the bare tool) for each push."""
    rows = []
    with serving(folder) as (forge, repo, subject):
        watch = Watch(forge)
        for turn in range(PUSHES + 1):
            number = 80001 + turn
            watch.expect(str(number))
            if turn == 0:
                repo.commit("topic", files=subject.files(number), author="dee")
                repo.open_pull("Another port", head="topic", author="dee")
            else:
                repo.commit("topic", files=subject.files(number), author="dee")
            waited = watch.waited()
            time.sleep(2)  # what the comment's own webhooks set off must not weigh on the bare run
            rows.append(("warm" if turn else "cold", waited, subject.bare(folder / "bare", number, first=not turn)))
    return rows


def main() -> int:
    """One line for cold, one for the median warm push; exit code 1 when a goal is missed."""
    with tempfile.TemporaryDirectory(prefix="headgate-latency-") as folder:
        rows = measure(Path(folder))
    print(f"{'webhook to comment':<24}{'headgate s':>11}{'bare s':>9}{'more s':>9}{'wanted':>9}{'ratio':>8}")
    missed = False
    for kind, wanted in (("cold", COLD), ("warm", WARM)):
        mine, bare = (statistics.median(row[place] for row in rows if row[0] == kind) for place in (1, 2))
        missed = missed or mine - bare >= wanted
        print(f"{kind:<24}{mine:>11.2f}{bare:>9.2f}{mine - bare:>9.2f}{wanted:>9.2f}{mine / bare:>8.2f}")
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
