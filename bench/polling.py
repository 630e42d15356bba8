"""Prints what polling alone costs of a host's rate budget: 1,000 repositories, 300 open changes, some hours of work.

Nothing tells Headgate anything: no webhook is set up. The local host counts calls as GitHub does (5,000 an hour, what
did not change is free) or as GitLab.com does (2,000 a minute); the hours are simulated. Every five minutes four
people push and one opens a change. Wanted: polling takes at most a fifth of the budget of any window, and everything
that people did is seen within the hour. Gitea and Forgejo tell no limit: see ``bench/polling_gitea.py``.

``python bench/polling.py [--repositories N] [--changes N] [--hours N] [--by-pattern]``; the last one names all
repositories by one pattern, so that the host is asked which there are.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import machine
from worlds import Hours

from bot.core.model import ChangeRef, RepoRef
from bot.forge import Forge, PullStory
from bot.ports import Budget
from bot.queues.inprocess import InProcessQueue
from bot.wiring import Wiring
from bot.work.allowance import Allowance
from bot.work.jobs import Jobs
from bot.work.roster import Roster
from bot.work.sweeps import poll_all, sweep

SHARE = 0.2
EVERY = timedelta(minutes=5)
LIMITS = {"github": (5000, 3600), "gitlab": (2000, 60)}
"""Calls, and the seconds of their window."""
SERVER = """\
version: 1
data: {data}
hosts: {{{host}: {{url: "{url}", token_file: token, poll: 5m}}}}
limits: {{runs: 1}}
"""


@dataclass
class Told:
    """What one host's hours came to. ``swept`` and ``all`` are the largest shares of a window's budget that polling,
    and all calls together, took; ``late`` are minutes until a thing that people did was seen."""

    host: str
    calls: int = 0
    free: int = 0
    swept: float = 0.0
    all: float = 0.0
    late: list[float] = field(default_factory=list)
    unseen: int = 0
    seconds: float = 0.0


class Installation:
    """Headgate beside a host with many repositories, none of which tells it anything."""

    def __init__(self, folder: Path, host: str, repositories: int, *, by_pattern: bool) -> None:
        self.host, self.hours = host, Hours()
        self.swept: Counter[int] = Counter()
        self.all: Counter[int] = Counter()
        self.free = 0
        self.forge = Forge(folder / "git", self.hours.now, face=host)
        self.forge.start()
        self.forge.trouble.rate_limit = LIMITS[host][0]
        self.forge.add_user("dee")
        self.forge.add_user("bo")
        (folder / "token").write_text(self.forge.add_user("acme-bot"))
        self.forge.add_org("acme")
        people = {"dee": "write", "bo": "write", "acme-bot": "admin"}
        files = {".headgate.yaml": "version: 1\nprojects: []\n"}
        names = [f"acme/r{each}" for each in range(repositories)]
        self.repos = [self.forge.create_repo(each, files=files, permissions=people) for each in names]
        config = folder / "headgate-server.yaml"
        matches = ["acme/*"] if by_pattern else names
        listed = "".join(f"  - {{match: {host}/{each}, branches: [main]}}\n" for each in matches)
        text = SERVER.format(data=folder / "data", host=host, url=self.forge.api_url)
        config.write_text(f"{text}repositories:\n{listed}")
        self.wiring = Wiring(config, clock=self.hours)
        self.store = self.wiring.store()
        self.store.migrate()
        self.queue = InProcessQueue()
        self.services = self.wiring.services(self.queue, self.store)
        self.jobs = Jobs(self.services, None)
        self.roster = Roster(self.services, host)
        self.allowance = Allowance(self.budget, self.hours.now)

    def round(self) -> None:
        """Poll as far as the allowance goes, then do what that found."""
        poll_all(self.services, self.roster, self.allowance, self.pause)
        self.note(self.swept)
        sweep(self.services)
        while (job := self.queue.take(("short",), 0)) is not None:
            self.jobs(*job)
        self.note()

    def budget(self) -> Budget:
        """The host's, which is looked at around each repository: so each call is counted in its own window."""
        self.note(self.swept)
        return self.services.hosts[self.host].budget()

    def pause(self, seconds: float) -> bool:
        """Simulated time passes."""
        self.note(self.swept)
        self.hours.ahead += timedelta(seconds=seconds)
        return True

    def note(self, *kinds: Counter[int]) -> None:
        """Count what was asked since the last time into the present window of the limit."""
        window = int(self.hours.now().timestamp()) // LIMITS[self.host][1]
        made = [each for each in self.forge.trouble.requests("api") if each.login == "acme-bot"]
        self.forge.trouble.forget_requests()
        free = sum(1 for each in made if each.status == 304)
        self.free += free
        for kind in (self.all, *kinds):
            kind[window] += len(made) - free

    def sees(self, repo: int, pull: PullStory) -> bool:
        """Whether Headgate knows the change as it is now."""
        row = self.store.change(ChangeRef(RepoRef(self.host, f"acme/r{repo}"), pull.number))
        host = row.memory.host if row is not None else None
        return host is not None and host.change.head_sha == pull.head_sha

    def stop(self) -> None:
        self.forge.stop()
        self.wiring.mirrors_close()
        self.store.close()


def opened(there: Installation, repo: int, number: int) -> PullStory:
    """Somebody opens a change."""
    story, branch = there.repos[repo], f"topic-{number}"
    story.commit(branch, files={"docs/readme.md": f"{number}\n"}, author="dee", message="A change")
    return story.open_pull("A change", head=branch, author="dee")


def told(folder: Path, host: str, repositories: int, changes: int, hours: float, *, by_pattern: bool) -> Told:
    """All hours of one host: first everything is found, then people work."""
    there, found = Installation(folder, host, repositories, by_pattern=by_pattern), Told(host)
    started = time.perf_counter()
    try:
        pulls = [(each % repositories, opened(there, each % repositories, each)) for each in range(changes)]
        waiting = [(there.hours.now(), *each) for each in pulls]
        end = there.hours.now() + timedelta(hours=hours)
        turn, due = 0, there.hours.now()
        there.forge.trouble.forget_requests()
        while there.hours.now() < end:
            if there.hours.now() >= due:
                due += EVERY
                waiting += work(there, pulls, turn)
                turn += 1
            there.round()
            now = there.hours.now()
            found.late += [(now - at).total_seconds() / 60 for at, *each in waiting if there.sees(*each)]
            waiting = [each for each in waiting if not there.sees(*each[1:])]
            there.hours.ahead += EVERY
        found.free, found.calls = there.free, there.all.total()
        found.swept = max(there.swept.values()) / LIMITS[host][0]
        found.all = max(there.all.values()) / LIMITS[host][0]
        found.unseen = sum(1 for at, *_ in waiting if end - at > timedelta(hours=1))
    finally:
        found.seconds = time.perf_counter() - started
        there.stop()
    return found


def work(there: Installation, pulls: list[tuple[int, PullStory]], turn: int) -> list[tuple[datetime, int, PullStory]]:
    """Five minutes of people: some push, one opens another change."""
    chosen = [pulls[(turn * 7 + each * 31) % len(pulls)] for each in range(4)]
    for number, (repo, pull) in enumerate(chosen):
        there.repos[repo].commit(
            pull.head_ref, files={"docs/readme.md": f"{turn}.{number}\n"}, author="dee", message="more"
        )
    repo = turn * 13 % len(there.repos)
    pulls.append((repo, opened(there, repo, 100_000 + turn)))
    now = there.hours.now()
    return [(now, *each) for each in (*dict.fromkeys(chosen), pulls[-1])]


def main() -> int:
    """A line per host; exit code 1 when a goal is missed."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--repositories", type=int, default=1000)
    words.add_argument("--changes", type=int, default=300)
    words.add_argument("--hours", type=float, default=3.0)
    words.add_argument("--by-pattern", action="store_true")
    words.add_argument("hosts", nargs="*", default=list(LIMITS))
    given = words.parse_args()
    machine.say()
    names = ("calls", "free", "polling", "all calls", "seen, min", "latest", "unseen", "took")
    print(f"{'':<8}" + "".join(f"{name:>11}" for name in names))
    missed = False
    for host in given.hosts:
        with tempfile.TemporaryDirectory(prefix="headgate-polling-") as name:
            numbers = (given.repositories, given.changes, given.hours)
            row = told(Path(name), host, *numbers, by_pattern=given.by_pattern)
        late = sorted(row.late) or [0.0]
        missed = missed or row.swept > SHARE or row.unseen > 0
        shown = (
            f"{row.calls:,}",
            f"{row.free:,}",
            f"{row.swept:.1%}",
            f"{row.all:.1%}",
            f"{late[len(late) // 2]:.1f}",
        )
        shown += (f"{late[-1]:.1f}", str(row.unseen), f"{row.seconds:.0f} s")
        print(f"{host:<8}" + "".join(f"{each:>11}" for each in shown), flush=True)
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
