"""Prints how long a 10,000-resource Terraform plan takes to become a comment. Wanted: under 2 s."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import machine
import msgspec

from bot.core.compare import match
from bot.core.effectset import EffectSet, fingerprint
from bot.core.face.model import Danger, Face, Row, Section
from bot.core.face.render import render
from bot.tools.terraform.reading import effects

T = TypeVar("T")

WANTED = 2.0
RESOURCES = 10_000
LIMIT = 65_536
"""Characters of a comment on GitHub."""
PAGES = 5
REPEATS = 3
KEY = b"k" * 32
ACTIONS = (["create"], ["update"], ["delete"], ["delete", "create"], ["update"])


def resource(number: int) -> dict[str, Any]:
    """One entry of ``resource_changes``: ten attributes, nested ones among them, one sensitive, one unknown."""
    actions = ACTIONS[number % len(ACTIONS)]
    value = {
        "name": f"service-{number}",
        "ami": f"ami-{number:08x}",
        "tags": {"team": f"team-{number % 40}", "cost": str(number % 7)},
        "rules": [{"port": 80 + n, "cidr": f"10.{number % 256}.{n}.0/24"} for n in range(3)],
        "password": f"secret-{number}",
        "size": number % 9,
        "enabled": True,
    }
    changed = {**value, "ami": f"ami-{number + 1:08x}", "size": 10, "password": f"newer-{number}", "id": None}
    return {
        "address": f'module.team[{number % 40}].aws_instance.service["{number}"]',
        "mode": "managed",
        "type": "aws_instance",
        "change": {
            "actions": actions,
            "before": None if actions == ["create"] else value,
            "after": None if actions == ["delete"] else changed,
            "after_unknown": {"id": True} if actions != ["delete"] else {},
            "before_sensitive": {"password": True},
            "after_sensitive": {"password": True},
            "replace_paths": [["ami"]] if len(actions) == 2 else [],
        },
    }


def face(found: EffectSet) -> Face:
    """What ``compose`` makes of one project with these effects."""
    dangers = tuple(Danger("web", each) for each in found.destroyed)
    rows = (Row(("web",), "prod", f"{len(found.resources):,} changes", "waiting"),)
    return Face("> **Waiting for approval**", dangers=dangers, rows=rows, sections=(Section("web", "all", found),))


def best(work: Callable[[], T]) -> tuple[float, T]:
    """(seconds of the fastest time, what it gave)."""
    fastest = float("inf")
    for _ in range(REPEATS):
        start = time.perf_counter()
        result = work()
        fastest = min(fastest, time.perf_counter() - start)
    return fastest, result


def main() -> int:
    """One line per step; exit code 1 when their sum is over the limit."""
    machine.say()
    text = json.dumps({"resource_changes": [resource(number) for number in range(RESOURCES)]}).encode()
    bare, plan = best(lambda: msgspec.json.decode(text))
    made, found = best(lambda: effects(plan, KEY))
    again = effects(plan, KEY)
    marked, _ = best(lambda: fingerprint(KEY, found))
    matched, same = best(lambda: match(found, again))
    rendered, pages = best(lambda: render(face(found), limit=LIMIT, max_pages=PAGES, instance="bench"))
    if not same.equal or len(found.resources) != RESOURCES or len(pages) != PAGES:
        raise SystemExit("this is not what was to be measured")
    steps = {"effect set": made, "fingerprint": marked, "match": matched, f"render {len(pages)} pages": rendered}
    print(f"{f'{RESOURCES:,} resources, {len(text) / 1e6:.0f} MB':<28}{'seconds':>9}{'of limit':>10}{'of bare':>9}")
    for name, seconds in {"bare: JSON decoded": bare, **steps, "all": sum(steps.values())}.items():
        print(f"{name:<28}{seconds:>9.3f}{seconds / WANTED:>10.2f}{seconds / bare:>9.1f}")
    return 0 if sum(steps.values()) < WANTED else 1


if __name__ == "__main__":
    raise SystemExit(main())
