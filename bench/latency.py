"""Prints how long people wait for a plan: webhook to comment, over the bare tool's own time for the same plan.

``headgate serve`` with the Redis it finds, isolation on, the local Git host, a Terraform project where a binary is
found (else a ``command`` one). Cold is the first change after a start, warm are later pushes; each is followed by the
bare tool on the same tree, so that both meet the same machine. Wanted: under 1.5 s more cold, under 0.5 s warm.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import machine
from served import LIVE, Watch, serving
from subjects import Subject

from bot.forge.happening import Happening, Topic

WANTED = {"cold": 1.5, "warm": 0.5}
STARTS, PUSHES = 3, 6
REST = 2.0
"""Seconds between a comment and the bare run: what the comment's own webhooks set off must not weigh on it."""


@dataclass(frozen=True)
class Wait:
    """Seconds from push to comment, and of the bare tool."""

    kind: str
    ours: float
    bare: float

    @property
    def more(self) -> float:
        return self.ours - self.bare


def shows(number: int, happening: Happening) -> bool:
    """Whether this is a comment that shows the number."""
    return happening.topic is Topic.COMMENT and str(number) in happening.details["comment"].body


def measure(folder: Path, subject: Subject) -> list[Wait]:
    """One start: the first change, then a push after another."""
    live, waits = folder / LIVE, []
    with serving(folder, {".headgate.yaml": subject.config, **subject.files(live, 80000)}) as (forge, repo):
        watch = Watch(forge)
        for turn in range(PUSHES + 1):
            number = 80001 + turn
            watch.expect(lambda happening, number=number: shows(number, happening))
            repo.commit("topic", files=subject.files(live, number), author="dee")
            if turn == 0:
                repo.open_pull("Another port", head="topic", author="dee")
            ours = watch.waited()
            time.sleep(REST)
            subject.write(folder / "bare", live, number)
            start = time.perf_counter()
            subject.bare(folder / "bare", first=turn == 0)
            waits.append(Wait("warm" if turn else "cold", ours, time.perf_counter() - start))
    return waits


def main() -> int:
    """One line for cold, one for warm, of medians; exit code 1 when a goal is missed."""
    machine.say()
    subject = Subject("terraform") if shutil.which("terraform") else Subject("command", ("cat", "plan.json"))
    waits: list[Wait] = []
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory(prefix="headgate-latency-") as folder:
            waits += measure(Path(folder), subject)
    head = "".join(f"{name:>9}" for name in ("ours s", "bare s", "ratio", "more s", "least", "most", "wanted"))
    print(f"{f'webhook to comment, {subject.tool}':<32}{'times':>6}{head}")
    missed = False
    for kind, wanted in WANTED.items():
        rows = [wait for wait in waits if wait.kind == kind]
        ours, bare = (statistics.median(getattr(row, name) for row in rows) for name in ("ours", "bare"))
        more = sorted(row.more for row in rows)
        found = statistics.median(more)
        missed = missed or found >= wanted
        figures = (ours, bare, ours / bare, found, more[0], more[-1], wanted)
        print(f"{kind:<32}{len(rows):>6}" + "".join(f"{each:>9.2f}" for each in figures))
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
