"""The real processes of ``headgate serve`` around a story's world, and somebody who kills them at random."""

from __future__ import annotations

import random
import threading
import uuid
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from databases import create_database
from serving import Served, answers, until
from worlds import World, project


@pytest.fixture
def postgres_url(postgres: str) -> str:
    """An empty database of a server of our own."""
    name = f"e{uuid.uuid4().hex}"
    create_database(postgres, name, "template0")
    return f"postgresql://headgate@/{name}?host={postgres}"


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


@pytest.fixture
def e2e() -> SimpleNamespace:
    """What the stories of real processes are told with."""
    return SimpleNamespace(Served=Served, Killer=Killer, until=until, answers=answers, World=World, project=project)
