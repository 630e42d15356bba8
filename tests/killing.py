"""A day of changes during which processes of ours are killed and Redis is emptied at random moments.

Told by the crash test (tests/e2e) and, many times with other seeds, by ``bench/crash.py``.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from pathlib import Path
from typing import Any

import psutil
from serving import Served, answers, until
from worlds import World, project

CHANGES = 6
USUAL_START = 3.0
"""Seconds until the service is ready on a machine with nothing else to do."""

APPLY = """\
import os, secrets, sys, time
own = secrets.token_hex(8)  # not its process id: within its walls that is the same for all
live = os.path.join(os.environ["LIVE"], sys.argv[1])
record = open(os.path.join(os.environ["LIVE"], "applies.log"), "a", buffering=1)
record.write(f"begin {sys.argv[1]} {own}\\n")
for line in open("wanted").read().split():
    time.sleep(0.4)
    standing = dict(each.split("=") for each in open(live).read().split())
    standing.update([line.split("=")])
    with open(live + ".new", "w") as out:
        out.write("".join(f"{name}={value}\\n" for name, value in standing.items()))
    os.replace(live + ".new", live)
record.write(f"end {sys.argv[1]} {own}\\n")
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def day(folder: Path, *, seed: int, kills: int) -> list[str]:
    """What was killed, at least ``kills`` times. Raises AssertionError when the day does not end as if nothing had
    been: all deployed, one comment each, no two applies at once, an unbroken record."""
    config = "version: 1\nprojects:\n" + project("dev-web") + project("prod-web") + project("prod-db")
    world = World(folder, approvals=1, config=config, files={"apply.py": APPLY})
    hooks, pages = free_port(), free_port()
    text = (
        world.config.read_text()
        .replace("127.0.0.1:1", f"127.0.0.1:{hooks}")
        .replace("127.0.0.1:2", f"127.0.0.1:{pages}")
    )
    text = text.replace("token_file: token", "poll: 2s, token_file: token")
    world.config.write_text(text + "limits: {lease: 3s, advance_lease: 3s, shutdown_grace: 5s}\n")
    world.repo.add_hook(f"http://127.0.0.1:{hooks}/webhooks/github", "hook-secret")
    served = Served(world.config, folder / "serve.log")
    killer = Killer(served, folder / "data" / "redis" / "redis.sock", seed=seed, pause=(0.6, 2.2))
    try:
        began = time.monotonic()
        until(lambda: answers(f"http://127.0.0.1:{pages}/readyz"), 60, "ready")
        # On a busy machine everything takes longer, coming up again too: the kills keep step with it.
        pace = max(1.0, (time.monotonic() - began) / USUAL_START)
        killer.start(pace)
        pulls = []
        for number in range(1, CHANGES + 1):
            name = ("dev", "prod")[number % 2]
            world.repo.commit(f"t{number}", files={f"{name}/web/wanted": f"a={number}\nb={number}\n"}, author="dee")
            pull = world.repo.open_pull(f"Change {number}", head=f"t{number}", author="dee")
            pulls.append(pull)
            until(lambda pull=pull: world.face(pull), 90 * pace, f"the comment of change {number}")
            bo = Reviewer(world, pull)
            until(lambda pull=pull, bo=bo: bo.looks() == "success", 90 * pace, f"the gate of change {number}")
            pull.merge("dee")
        until(lambda: len(killer.kills) >= kills, 200 * pace, f"{kills} kills")
        killer.stop()
        person = Operator(world)
        until(
            lambda: all(person.settled(pull) for pull in pulls), 90 * pace, "every change is deployed or superseded"
        )
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
    return killer.kills


class Killer:
    """Kills one process after another with SIGKILL, or empties Redis; counts how often."""

    def __init__(self, served: Served, redis: Path, seed: int, pause: tuple[float, float]) -> None:
        self._served, self._redis, self._random, self._pause = served, redis, random.Random(seed), pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self.kills: list[str] = []

    def start(self, pace: float = 1.0) -> None:
        """Begin; every pause is ``pace`` times as long."""
        self._pause = (self._pause[0] * pace, self._pause[1] * pace)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(10)

    def _loop(self) -> None:
        while not self._stop.wait(self._random.uniform(*self._pause)):
            if self._random.random() < 0.2:
                self._flush()
                continue
            family = self._served.family()
            if not family:
                continue
            victim = self._random.choice(family)
            try:
                name = " ".join(victim.cmdline()[:6])
                victim.kill()
            except psutil.Error:
                continue
            self.kills.append(name[:120])

    def _flush(self) -> None:
        import redis

        try:
            with redis.Redis(unix_socket_path=str(self._redis)) as client:
                client.flushall()
        except redis.RedisError:
            return
        self.kills.append("FLUSHALL")


class Reviewer:
    """Approves what the comment shows, and again when it shows something else (a plan made again after an earlier
    deploy on the target is another plan) or still asks a while later: hosts tell times in whole seconds, so a word
    given in the very second in which the comment changed counts for neither plan."""

    PATIENCE = 3.0

    def __init__(self, world: Any, pull: Any) -> None:
        self._world, self._pull, self._seen, self._at = world, pull, "", 0.0

    def looks(self) -> str:
        """The gate's state, after a look at the comment."""
        face = self._world.face(self._pull)
        new = face != self._seen or time.monotonic() > self._at + self.PATIENCE
        if ("Waiting for" in face or "no longer counts" in face) and new:
            self._pull.approve("bo")
            self._seen, self._at = face, time.monotonic()
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
        what, target, own = line.split()
        if what == "begin":
            running[target] = own
        else:
            assert running.get(target) == own, f"{target}: {own} ended, but {running.get(target)} had begun since"


def world_audit_holds(world: Any) -> bool:
    store = world.wiring.store()
    try:
        return bool(store.verify_audit() > 0)
    finally:
        store.close()
