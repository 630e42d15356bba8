"""Secrets of seven kinds, printed by a hostile command in every spelling and cut at every place: none is shown.

All ten kinds, with passwords of the database and of Redis and what Ansible hides, are in use by real processes in
``tests/e2e/test_canaries.py``.

What is kept is searched as ``headgate secrets scan`` does it: the store, opened artifacts and logs, every file.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from places import everywhere

from bot.cli.searching import Search
from bot.core.model import ChangeRef
from bot.core.redaction.sought import Sought
from bot.web.pages import create_app

KEY_BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7canary5f0c1e7a"
CANARIES = {
    "granted variable": "canary-granted-5f0c1e7a9b/+w",
    "host token": "",
    "webhook secret": "hook-secret",
    "chat secret": "chat-secret",
    "private key in a file": f"-----BEGIN PRIVATE KEY-----\n{KEY_BODY}\n-----END PRIVATE KEY-----",
    "artifact key": "",
    "sensitive value": "canary-sensitive-77d1f0e2",
}

LEAKY = """\
import base64, html, json, os, sys, urllib.parse
key = os.environ["GRANTED"]
raw = key.encode()
spelt = [key, key.upper(), key.lower(), key.swapcase(), key[::-1], raw.hex(), raw.hex().upper(), json.dumps(key),
         html.escape(key), urllib.parse.quote(key, safe=""), "'" + key + "'",
         *(base64.b64encode(b"x" * shift + raw + b"y").decode() for shift in range(3)),
         *(base64.urlsafe_b64encode(b"x" * shift + raw + b"y").decode() for shift in range(3))]
def put(number, data):
    while data: data = data[os.write(number, data):]
for text in spelt:
    put(2, b"using " + text.encode() + b"\\n")
for at in range(1, len(raw)):
    put(2, b"first " + raw[:at]); put(2, raw[at:] + b" last\\n")
# Over the border of two pieces of the stored log, wherever exactly it falls.
for at in range(0, 400, 7):
    put(2, b"-" * (997 - at % 13) + raw + b"\\n")
put(2, b"." * (64 * 1024 - 9) + raw + b"." * (64 * 1024) + b"\\n")
put(2, open(os.environ["KEY_FILE"], "rb").read())
live = os.path.join(os.environ["LIVE"], sys.argv[1])
old, new = open(live).read().strip(), open("wanted").read().strip()
changes = [] if old == new else [{"address": "db", "action": "update", "sensitive_paths": ["password"],
    "before": {"size": old, "password": "old"},
    "after": {"size": new, "password": "canary-sensitive-77d1f0e2", "note": "made with " + key}}]
print(json.dumps({"changes": changes}))
if os.path.exists("broken"): sys.exit("cannot go on with " + key + " nor " + key[::-1])
"""


class Records(logging.Handler):
    """Every line that a service would log, exceptions with it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


def grant(world: Any, tmp: Path) -> None:
    """A secret variable and a file with a private key, to both steps."""
    (tmp / "granted").write_text(CANARIES["granted variable"])
    (tmp / "private").write_text(CANARIES["private key in a file"])
    text = world.config.read_text()
    for step in ("plan", "deploy"):
        text = text.replace(
            f"{step}: {{env: {{LIVE:",
            f"{step}: {{files: {{KEY_FILE: {{file: private}}}}, env: {{GRANTED: {{file: granted}}, LIVE:",
        )
    world.config.write_text(text)
    world.reload()


def watched(seen: set[bytes], stop: threading.Event) -> None:
    """Remember every process' arguments."""
    while not stop.wait(0.005):
        for place in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.add(place.read_bytes())
            except OSError:
                continue


@pytest.mark.parametrize("broken", [False, True])
def test_canaries_in_every_spelling_and_cut_at_every_place_are_nowhere(
    make_world: Callable[..., Any], tmp_path: Path, broken: bool
) -> None:
    world = make_world(files={"plan.py": LEAKY}, approvals=1)
    grant(world, tmp_path)
    records, seen, stop = Records(), set[bytes](), threading.Event()
    logging.getLogger().addHandler(records)
    watcher = threading.Thread(target=watched, args=(seen, stop))
    watcher.start()
    try:
        more = {"prod/db/broken": "yes\n"} if broken else {}
        pull = world.pull({"prod/db/wanted": "size=2\n", **more})
        pull.approve("bo")
        world.settle()
        if not broken:
            pull.merge("dee")
            world.settle()
    finally:
        stop.set()
        watcher.join()
        logging.getLogger().removeHandler(records)
    assert world.deployed("prod_db") == ("size=1" if broken else "size=2")
    logs = [world.wiring.log_reader(world.store)(run.id, -1)[0]
            for run in world.store.runs_of(ChangeRef(world.repo_ref, pull.number))]  # fmt: skip
    assert any("first (hidden) last" in log for log in logs), logs
    canaries = {
        **CANARIES,
        "host token": world.token,
        "artifact key": (tmp_path / "data" / "artifact.key").read_text(),
    }
    sought = Sought(canaries)
    assert sought.unsought == frozenset()
    places = {
        **everywhere(world, pull, tmp_path),
        "argv": b"\n".join(seen),
        "logged": "\n".join(records.lines).encode(),
    }
    places.pop(str(tmp_path / "data" / "artifact.key"))
    assert [(place, name) for place, data in places.items() for name in sorted(sought.within(data))] == []
    search = Search(world.wiring, canaries)
    # A deploy's exact plan is what its tool made of these values; it is kept sealed, and found by who has the key.
    assert [each for each in search.everywhere() if not each["where"].startswith("artifact plan-")] == []
    assert search.unopened == []


def test_what_was_damaged_in_the_store_is_neither_applied_nor_shown(make_world: Callable[..., Any]) -> None:
    world = make_world()
    pull = world.pull({"prod/db/wanted": "size=2\n"})
    pull.approve("bo")
    world.settle()
    with world.store._db.engine.connect() as connection:
        for table in ("blob", "run_log"):
            connection.exec_driver_sql(f"UPDATE {table} SET data = substr(data, 1, length(data) - 1)")
        connection.commit()
    run = world.store.runs_of(ChangeRef(world.repo_ref, pull.number))[0]
    client = create_app(world.services, world.wiring.log_reader(world.store)).test_client()
    answer = client.get(f"/api/runs/{run.id}/log")
    assert (answer.status_code, b"was altered after it was stored" in answer.data) == (500, True)
    pull.merge("dee")
    world.settle()
    assert world.deployed("prod_db") == "size=2"
