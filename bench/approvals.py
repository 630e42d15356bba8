"""Approval rules: 500 commits, 3,000 files, 300 reviews and 100 rules. Wanted: under 100 ms."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import machine

from bot.core.model import Permission, ReviewState
from bot.core.policy.evaluate import judge_policy
from bot.core.policy.facts import CommitFact, Facts, FileFact, People, Saying, Word
from bot.core.policy.model import Policy
from bot.core.policy.read import parse_policy

COMMITS, FILES, REVIEWS, RULES = 500, 3_000, 300, 100
WANTED = 0.100
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def the_facts() -> Facts:
    """A change that touches much, which many people looked at."""
    commits = tuple(CommitFact(f"c{n}", (f"c{n - 1}",), f"dev{n % 20}", f"dev{n % 20}") for n in range(COMMITS))
    files = tuple(FileFact(f"live/area{n % 60}/service{n % 7}/file{n}.tf") for n in range(FILES))
    words = tuple(
        Word(f"r{n}", Saying.REVIEW, f"person{n % 150}", NOW + timedelta(seconds=n), state=ReviewState.APPROVED,
             head=f"c{COMMITS - 1 - n % 5}")
        for n in range(REVIEWS)
    )  # fmt: skip
    people = {f"person{n}": Permission.WRITE for n in range(150)}
    teams = {f"acme/team{n}": frozenset(f"person{m}" for m in range(n, n + 10)) for n in range(60)}
    return Facts(
        NOW, "acme/infra", "dev0", head=f"c{COMMITS - 1}", files=files, commits=commits, words=words,
        people=People(teams, {}, people),
    )  # fmt: skip


def a_policy() -> Policy:
    """Rules for an area each, of which a third are areas that nothing touches."""
    lines = ["version: 1", "rules:"]
    for number in range(RULES):
        lines += [
            f"  - name: rule {number}",
            f"    if: {{changed_files: {{paths: ['live/area{number}/**']}}}}",
            f"    require: {{count: 2, people: {{teams: [acme/team{number % 60}]}}}}",
        ]
    found = parse_policy("\n".join(lines), "p.yaml")
    assert isinstance(found, Policy), found
    return found


def main() -> int:
    """Five turns; the middle one counts."""
    machine.say()
    facts, policy = the_facts(), a_policy()
    times = []
    for _ in range(5):
        began = time.perf_counter()
        judge_policy(policy, facts)
        times.append(time.perf_counter() - began)
    middle = sorted(times)[2]
    print(f"{COMMITS} commits, {FILES:,} files, {REVIEWS} reviews, {RULES} rules: {middle * 1000:.0f} ms "
          f"(wanted: under {WANTED * 1000:.0f} ms)")  # fmt: skip
    return middle >= WANTED


if __name__ == "__main__":
    raise SystemExit(main())
