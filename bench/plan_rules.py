"""Plan rules: a plan of 10,000 resources through 50 rules. Wanted: under 2 s."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import machine

from bot.core.effectset import ABSENT, Action, Leaf, ResourceEffect, Value, effect_set
from bot.core.policy.facts import ProjectFact
from bot.core.policy.model import Policy
from bot.core.policy.read import parse_policy
from bot.flow.judging import found_in
from bot.judges.cel import CelJudge

RESOURCES, RULES, TYPES = 10_000, 50, 100
WANTED = 2.0
PUBLIC = '    when: \'"acl" in after && after["acl"] == "public-read"\''
DELETED = "    actions: [delete]"


def a_plan() -> ProjectFact:
    """Resources of a hundred types with ten attributes each."""

    def one(number: int) -> ResourceEffect:
        acl = Value.known("public-read" if number % 1000 == 0 else "private")
        leaves = [Leaf(f"tags.t{n}", ABSENT, Value.known(f"v{n}")) for n in range(9)]
        kind = f"kind_{number % TYPES}"
        return ResourceEffect(f"{kind}.r{number}", Action.CREATE, kind, leaves=(*leaves, Leaf("acl", ABSENT, acl)))

    return ProjectFact("p", ("prod",), "terraform", effect_set(one(number) for number in range(RESOURCES)))


def a_policy() -> Policy:
    """Rules that each look at two types, every other one with an expression."""
    lines = ["version: 1", "plans:"]
    for number in range(RULES):
        types = f"[kind_{2 * number % TYPES}, kind_{(2 * number + 1) % TYPES}]"
        lines += [f"  - name: rule {number}", f"    types: {types}", DELETED if number % 2 else PUBLIC]
    found = parse_policy("\n".join(lines), "p.yaml")
    assert isinstance(found, Policy), found
    return found


def main() -> int:
    """Three turns; the middle one counts."""
    machine.say()
    plan, policy = a_plan(), a_policy()
    times = []
    for _ in range(3):
        began = time.perf_counter()
        found = list(found_in(CelJudge(), (policy,), (plan,)))
        times.append(time.perf_counter() - began)
    assert len(found) == RESOURCES // 1000, "each public one is found, once"
    middle = sorted(times)[1]
    print(f"{RESOURCES:,} resources, {RULES} rules: {middle:.2f} s (wanted: under {WANTED:.0f} s)")
    return middle >= WANTED


if __name__ == "__main__":
    raise SystemExit(main())
