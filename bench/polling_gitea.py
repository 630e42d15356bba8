"""Prints what polling alone costs of the calls that the operator of a real Gitea allows: 1,000 repositories, 300 open
changes, some minutes of work.

The server is a real one on this machine, no webhook is set up, and the minutes are real: it tells no rate limit, so
Headgate counts its calls itself, against ``calls_per_minute`` (2,000 unless told). Every half minute two people push.
Wanted: polling takes at most a fifth of any minute's calls, everything is seen, and what people did once all was read
is seen within five minutes.

``python bench/polling_gitea.py [--repositories N] [--changes N] [--minutes N]``
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import machine
from hosts.gitea.building import built
from hosts.gitea.server import Server, running

from bot.core.model import ChangeRef, RepoRef
from bot.core.rules import CALLS_PER_MINUTE
from bot.ports import Budget
from bot.queues.inprocess import InProcessQueue
from bot.wiring import Wiring
from bot.work.allowance import Allowance, Reckoned
from bot.work.jobs import Jobs
from bot.work.roster import Roster
from bot.work.sweeps import poll_all, sweep

SHARE = 0.2
EVERY = 30.0
"""Seconds between two rounds, and between two pushes."""
CONTENT = "dmVyc2lvbjogMQpwcm9qZWN0czogW10K"
SERVER = """\
version: 1
data: {data}
hosts: {{gitea: {{url: "{url}", token_file: token, poll: 30s}}}}
limits: {{runs: 1}}
repositories:
"""


class Town:
    """The server with its repositories, and a person who works there."""

    def __init__(self, server: Server, repositories: int, changes: int) -> None:
        self.server = server
        self.token = server.token("ann")
        server.call("POST", "/orgs", {"username": "acme", "visibility": "public"}, by="ann")
        self.heads: dict[tuple[int, int], str] = {}
        for each in range(repositories):
            server.call("POST", "/orgs/acme/repos", {"name": f"r{each}", "default_branch": "main"}, by="ann")
            self._file(each, ".headgate.yaml", branch="main")
        for each in range(changes):
            self._file(each % repositories, f"docs/{each}.md", branch="main", new_branch=f"topic-{each}")
            body = {"title": "A change", "head": f"topic-{each}", "base": "main"}
            pull = server.call("POST", f"/repos/acme/r{each % repositories}/pulls", body, by="ann")
            self.heads[each % repositories, int(pull["number"])] = str(pull["head"]["sha"])
        self.branches = {key: f"topic-{each}" for each, key in enumerate(self.heads)}

    def push(self, turn: int) -> tuple[int, int]:
        """Onto the branch of one change."""
        key = list(self.heads)[turn * 31 % len(self.heads)]
        self.heads[key] = self._file(key[0], f"docs/more-{turn}.md", branch=self.branches[key])
        return key

    def _file(self, repo: int, path: str, **where: str) -> str:
        body = {"content": CONTENT, "message": "a change", **where}
        made = self.server.call("POST", f"/repos/acme/r{repo}/contents/{path}", body, by="ann")
        return str(made["commit"]["sha"])


@dataclass
class Told:
    """What the minutes came to. ``swept`` and ``all`` are calls by minute, of polling and of everything; ``late``
    seconds until a push was seen, ``whole`` seconds until every change that was open at the start was."""

    swept: Counter[int] = field(default_factory=Counter)
    all: Counter[int] = field(default_factory=Counter)
    late: list[float] = field(default_factory=list)
    whole: float = 0.0
    unseen: int = 0


class Installation:
    """Headgate beside it."""

    def __init__(self, folder: Path, town: Town, repositories: int) -> None:
        self.town, self.told, self.counted = town, Told(), 0
        (folder / "token").write_text(town.token)
        listed = "".join(f"  - {{match: gitea/acme/r{each}, branches: [main]}}\n" for each in range(repositories))
        config = folder / "headgate-server.yaml"
        config.write_text(SERVER.format(data=folder / "data", url=town.server.url) + listed)
        self.wiring = Wiring(config)
        self.store = self.wiring.store()
        self.store.migrate()
        self.queue = InProcessQueue()
        self.services = self.wiring.services(self.queue, self.store)
        self.jobs = Jobs(self.services, None)
        self.roster = Roster(self.services, "gitea")
        host, now = self.services.hosts["gitea"], self.services.clock.now
        self.host: Any = host
        reckoned = Reckoned(host.budget, host.calls, CALLS_PER_MINUTE, now)

        def budget() -> Budget:
            self.note(self.told.swept)
            return reckoned()

        self.allowance = Allowance(budget, now)

    def round(self) -> None:
        """Poll, then do what that found."""
        poll_all(self.services, self.roster, self.allowance, self.pause)
        self.note(self.told.swept)
        sweep(self.services)
        while (job := self.queue.take(("short",), 0)) is not None:
            self.jobs(*job)
            self.note()

    def pause(self, seconds: float) -> bool:
        """What was found meanwhile is done in that time, as other processes would."""
        until = time.monotonic() + seconds
        self.note(self.told.swept)
        while (job := self.queue.take(("short",), 0)) is not None:
            self.jobs(*job)
            self.note()
        time.sleep(max(until - time.monotonic(), 0.0))
        return True

    def note(self, *kinds: Counter[int]) -> None:
        """Count what was asked since the last time into the present minute."""
        minute, made = int(time.time()) // 60, sum(self.host.calls().values())
        for kind in (self.told.all, *kinds):
            kind[minute] += made - self.counted
        self.counted = made

    def sees(self, key: tuple[int, int]) -> bool:
        """Whether Headgate knows the change as it is now."""
        row = self.store.change(ChangeRef(RepoRef("gitea", f"acme/r{key[0]}"), key[1]))
        known = row.memory.host if row is not None else None
        return known is not None and known.change.head_sha == self.town.heads[key]


def told(town: Town, there: Installation, minutes: float) -> Told:
    """First everything is found, then people work."""
    found, began = there.told, time.monotonic()
    at_first, waiting, turn = set(town.heads), {}, 0
    while at_first or time.monotonic() < began + 60 * minutes:
        at_first = {key for key in at_first if not there.sees(key)}
        if not at_first:
            found.whole = found.whole or time.monotonic() - began
            for _ in range(2):
                waiting[town.push(turn)] = time.monotonic()
                turn += 1
        round_began = time.monotonic()
        there.round()
        now = time.monotonic()
        found.late += [now - since for key, since in waiting.items() if there.sees(key)]
        waiting = {key: since for key, since in waiting.items() if not there.sees(key)}
        if now > began + 60 * minutes * 3:
            break
        time.sleep(max(round_began + EVERY - now, 0.0))
    found.unseen = len(at_first) + sum(1 for since in waiting.values() if time.monotonic() - since > 300)
    return found


def main() -> int:
    """One line; exit code 1 when a goal is missed."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--repositories", type=int, default=1000)
    words.add_argument("--changes", type=int, default=300)
    words.add_argument("--minutes", type=float, default=20.0)
    given = words.parse_args()
    machine.say()
    with tempfile.TemporaryDirectory(prefix="headgate-polling-") as name:
        folder = Path(name)
        (folder / "gitea").mkdir()
        with running(built(now=True), folder / "gitea") as server:
            town = Town(server, given.repositories, given.changes)
            there = Installation(folder, town, given.repositories)
            row = told(town, there, given.minutes)
            there.store.close()
    late = sorted(row.late) or [0.0]
    swept, every = (max(each.values()) / CALLS_PER_MINUTE for each in (row.swept, row.all))
    print(f"calls {row.all.total():,}, {row.swept.total():,} of them polling")
    print(f"of the dearest minute polling took {swept:.1%}, everything {every:.1%}")
    print(f"everything read for the first time after {row.whole / 60:.1f} min")
    print(
        f"{len(late)} pushes seen after {late[len(late) // 2]:.0f} s, the latest {late[-1]:.0f} s, not {row.unseen}"
    )
    return int(swept > SHARE or row.unseen > 0 or late[-1] > 300)


if __name__ == "__main__":
    raise SystemExit(main())
