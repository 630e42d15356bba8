"""Canaries: what must never be seen is looked for everywhere a person or a thief could look (P5)."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bot.core.model import ChangeRef
from bot.web.pages import create_app

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


def everywhere(world: Any, pull: Any, tmp: Path) -> dict[str, bytes]:
    """Every place by name: comments, checks, chat, pages, logs, the whole data directory."""
    ref = ChangeRef(world.repo_ref, pull.number)
    places = {f"comment {each.id}": each.body.encode() for each in pull.comments}
    places |= {f"check {name}": each.description.encode() for name, each in pull.checks().items()}
    places["chat"] = repr(world.room.messages).encode()
    client = create_app(world.services, world.wiring.log_reader(world.store)).test_client()
    places["change page"] = client.get(f"/changes/{ref.repo}/{ref.number}").data
    places["metrics"] = client.get("/metrics").data
    for run in world.store.runs_of(ref):
        places[f"run page {run.id}"] = client.get(f"/changes/{ref.repo}/{ref.number}/runs/{run.id}").data
        places[f"log {run.id}"] = client.get(f"/api/runs/{run.id}/log").data
    for path in (tmp / "data").rglob("*"):
        if path.is_file():
            places[str(path)] = path.read_bytes()
    return places


def test_no_canary_is_seen_anywhere_while_a_change_is_planned_and_deployed(
    make_world: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "cloud").write_text(CLOUD_KEY)
    world = make_world(files={"plan.py": LEAKY_PLAN}, approvals=1)
    text = world.config.read_text().replace("plan: {env: {LIVE:", "plan: {env: {CLOUD_KEY_file: cloud, LIVE:")
    text = text.replace("deploy: {env: {LIVE:", "deploy: {env: {CLOUD_KEY_file: cloud, LIVE:")
    world.config.write_text(text.replace("CLOUD_KEY_file: cloud", "CLOUD_KEY: {file: cloud}"))
    world.reload()
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
