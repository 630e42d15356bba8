"""kill -9 of any process of ours, and FLUSHALL, at random moments: the same end, and never two applies at once."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import pytest

KILLS = 50
CHANGES = 6
USUAL_START = 3.0
"""Seconds until the service is ready on a machine with nothing else to do."""

APPLY = """\
import os, sys, time
live = os.path.join(os.environ["LIVE"], sys.argv[1])
record = open(os.path.join(os.environ["LIVE"], "applies.log"), "a", buffering=1)
record.write(f"begin {sys.argv[1]} {os.getpid()}\\n")
for line in open("wanted").read().split():
    time.sleep(0.4)
    standing = dict(each.split("=") for each in open(live).read().split())
    standing.update([line.split("=")])
    with open(live + ".new", "w") as out:
        out.write("".join(f"{name}={value}\\n" for name, value in standing.items()))
    os.replace(live + ".new", live)
record.write(f"end {sys.argv[1]} {os.getpid()}\\n")
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_whatever_is_killed_the_day_ends_as_if_nothing_had_been(e2e: Any, tmp_path: Path) -> None:
    config = "version: 1\nprojects:\n" + e2e.project("dev-web") + e2e.project("prod-web") + e2e.project("prod-db")
    world = e2e.World(tmp_path, approvals=1, config=config, files={"apply.py": APPLY})
    hooks, pages = free_port(), free_port()
    text = (
        world.config.read_text()
        .replace("127.0.0.1:1", f"127.0.0.1:{hooks}")
        .replace("127.0.0.1:2", f"127.0.0.1:{pages}")
    )
    text = text.replace("token_file: token", "poll: 2s, token_file: token")
    world.config.write_text(text + "limits: {lease: 3s, advance_lease: 3s, shutdown_grace: 5s}\n")
    world.repo.add_hook(f"http://127.0.0.1:{hooks}/webhooks/github", "hook-secret")
    served = e2e.Served(world.config, tmp_path / "serve.log")
    killer = e2e.Killer(served, tmp_path / "data" / "redis" / "redis.sock", seed=7, pause=(0.6, 2.2))
    try:
        began = time.monotonic()
        e2e.until(lambda: e2e.answers(f"http://127.0.0.1:{pages}/readyz"), 60, "ready")
        # On a busy machine everything takes longer, coming up again too: the kills keep step with it.
        killer.start(pace=max(1.0, (time.monotonic() - began) / USUAL_START))
        pulls = []
        for number in range(1, CHANGES + 1):
            name = ("dev", "prod")[number % 2]
            world.repo.commit(f"t{number}", files={f"{name}/web/wanted": f"a={number}\nb={number}\n"}, author="dee")
            pull = world.repo.open_pull(f"Change {number}", head=f"t{number}", author="dee")
            pulls.append(pull)
            e2e.until(lambda pull=pull: world.face(pull), 150, f"the comment of change {number}")
            bo = Reviewer(world, pull)
            e2e.until(lambda pull=pull, bo=bo: bo.looks() == "success", 150, f"the gate of change {number}")
            pull.merge("dee")
        e2e.until(lambda: len(killer.kills) >= KILLS, 300, f"{KILLS} kills")
        killer.stop()
        person = Operator(world)
        e2e.until(lambda: all(person.settled(pull) for pull in pulls), 120, "every change is deployed or superseded")
    finally:
        killer.stop()
        served.stop()
        world.stop()
    assert world.deployed("prod_web") == "a=5\nb=5"
    assert world.deployed("dev_web") == "a=6\nb=6"
    for pull in pulls:
        assert sum("story:page:1" in each.body.partition("\n")[0] for each in pull.comments) == 1
    _applies_never_overlap((world.live / "applies.log").read_text())
    assert world_audit_holds(world)


class Reviewer:
    """Approves what the comment shows, and again when it shows something else: a plan made again after an earlier
    deploy on the target is another plan."""

    def __init__(self, world: Any, pull: Any) -> None:
        self._world, self._pull, self._seen = world, pull, ""

    def looks(self) -> str:
        """The gate's state, after a look at the comment."""
        face = self._world.face(self._pull)
        if ("Waiting for" in face or "no longer counts" in face) and face != self._seen:
            self._pull.approve("bo")
            self._seen = face
        return str(self._world.gate(self._pull))


class Operator:
    """Says ``/deploy``, once, where a deploy was killed so often that the comment asks a person to."""

    def __init__(self, world: Any) -> None:
        self._world, self._asked = world, set[int]()

    def settled(self, pull: Any) -> bool:
        face = self._world.face(pull)
        if "failed" in face.partition("\n")[2].partition("\n")[0] and pull.number not in self._asked:
            self._asked.add(pull.number)
            pull.comment("bo", "/deploy")
        return "Deployed by merge" in face or "Superseded" in face


def _applies_never_overlap(log: str) -> None:
    """An apply may die in the middle, but while one lives no other of its target begins."""
    running: dict[str, str] = {}
    for line in log.splitlines():
        what, target, pid = line.split()
        if what == "begin":
            running[target] = pid
        else:
            assert running.get(target) == pid, f"{target}: {pid} ended, but {running.get(target)} had begun since"


def world_audit_holds(world: Any) -> bool:
    store = world.wiring.store()
    try:
        return bool(store.verify_audit() > 0)
    finally:
        store.close()
