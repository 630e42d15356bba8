"""The real processes of ``headgate serve`` around a story's world, and somebody who kills them at random."""

from __future__ import annotations

import importlib.util
import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def loaded(folder: str) -> ModuleType:
    """Another folder's conftest, loaded by path: tests are no package."""
    name = f"{folder}_conftest"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / "tests" / folder / "conftest.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


postgres = loaded("contracts").postgres


@pytest.fixture
def postgres_url(postgres: str) -> str:
    """An empty database of a server of our own."""
    name = f"e{uuid.uuid4().hex}"
    loaded("contracts")._create(postgres, name, "template0")
    return f"postgresql://headgate@/{name}?host={postgres}"


class Served:
    """``headgate serve`` as an operator starts it."""

    def __init__(self, config: Path, log: Path) -> None:
        self._log = log.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bot.cli", "serve", "--config", str(config)],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def family(self) -> list[psutil.Process]:
        """Every process of ours but the first."""
        try:
            return psutil.Process(self._process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(45)
            except subprocess.TimeoutExpired:
                self._process.kill()
        for process in self.family():
            process.kill()
        self._log.close()


class Killer:
    """Kills one process after another with SIGKILL, or empties Redis; counts how often."""

    def __init__(self, served: Served, redis: Path, seed: int, pause: tuple[float, float]) -> None:
        self._served, self._redis, self._random, self._pause = served, redis, random.Random(seed), pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self.kills: list[str] = []

    def start(self) -> None:
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


def until(look: Callable[[], Any], seconds: float, what: str) -> Any:
    """Wait for something with a deadline."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"did not happen within {seconds:.0f} s: {what}")


def answers(url: str) -> bool:
    """Whether a service is ready."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture
def e2e() -> Iterator[Any]:
    class Tools:
        Served = Served
        Killer = Killer
        until = staticmethod(until)
        answers = staticmethod(answers)
        World = loaded("stories").World
        project = staticmethod(loaded("stories").project)

    yield Tools
