"""Canaries: what must never be seen is looked for everywhere a person or a thief could look (P5)."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from places import everywhere

from bot.core.model import ChangeRef

CLOUD_KEY = "canary-cloud-5f0c1e7a9b"
SENSITIVE = "canary-sensitive-77d1f0e2"

LEAKY_PLAN = f"""\
import base64, json, os, sys
key = os.environ["CLOUD_KEY"]
print("using", key, file=sys.stderr)
print("encoded", base64.b64encode(b"x" + key.encode()).decode(), file=sys.stderr)
live = os.path.join(os.environ["LIVE"], sys.argv[1])
old, new = open(live).read().strip(), open("wanted").read().strip()
changes = [] if old == new else [{{"address": "db", "action": "update", "sensitive_paths": ["password"],
    "before": {{"size": old, "password": "old"}}, "after": {{"size": new, "password": "{SENSITIVE}"}}}}]
print(json.dumps({{"changes": changes}}))
"""

FAILING = """\
import os, sys
key = os.environ["CLOUD_KEY"]
print("x" * 390, key, file=sys.stderr)
sys.exit(f"the cloud refuses {key}")
"""


def give_cloud_key(world: Any, tmp: Path) -> None:
    """Plans and deploys get it as a secret variable."""
    (tmp / "cloud").write_text(CLOUD_KEY)
    text = world.config.read_text()
    for step in ("plan", "deploy"):
        text = text.replace(f"{step}: {{env: {{LIVE:", f"{step}: {{env: {{CLOUD_KEY: {{file: cloud}}, LIVE:")
    world.config.write_text(text)
    world.reload()


def test_no_canary_is_seen_anywhere_while_a_change_is_planned_and_deployed(
    make_world: Callable[..., Any], tmp_path: Path
) -> None:
    world = make_world(files={"plan.py": LEAKY_PLAN}, approvals=1)
    give_cloud_key(world, tmp_path)
    seen: set[bytes] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.005):
            for place in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(place.read_bytes())
                except OSError:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        pull = world.pull({"prod/db/wanted": "size=2\n"})
        pull.approve("bo")
        world.settle()
        pull.merge("dee")
        world.settle()
    finally:
        stop.set()
        watcher.join()
    assert world.deployed("prod_db") == "size=2"
    assert "(sensitive, changed)" in world.face(pull)
    canaries = {
        "cloud key": CLOUD_KEY,
        "cloud key in base64": base64.b64encode(b"x" + CLOUD_KEY.encode()).decode()[4:24],
        "sensitive value": SENSITIVE,
        "host token": world.token,
        "webhook secret": "hook-secret",
        "chat secret": "chat-secret",
    }
    places = {**everywhere(world, pull, tmp_path), "argv": b"\n".join(seen)}
    found = [
        (name, place)
        for place, data in places.items()
        for name, canary in canaries.items()
        if canary.encode() in data
    ]

    assert found == []


def test_an_error_that_shows_a_secret_is_told_without_it(make_world: Callable[..., Any], tmp_path: Path) -> None:
    world = make_world(files={"plan.py": FAILING})
    give_cloud_key(world, tmp_path)
    pull = world.pull({"prod/db/wanted": "size=2\n"})
    world.settle()
    failed = [run.failure for run in world.store.runs_of(ChangeRef(world.repo_ref, pull.number)) if run.failure]
    assert [failure.details[-1] for failure in failed] == ["the cloud refuses (hidden)"]
    # The first letters alone tell too: a line is cut after it was redacted.
    assert [
        place for place, data in everywhere(world, pull, tmp_path).items() if CLOUD_KEY[:10].encode() in data
    ] == []
