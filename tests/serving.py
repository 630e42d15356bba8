"""The real processes of ``headgate serve``, as an operator starts them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from socketserver import BaseServer
from typing import Any, TypeVar

import psutil

ROOT = Path(__file__).resolve().parent.parent


class Served:
    """``headgate serve`` as an operator starts it."""

    def __init__(self, config: Path, log: Path, cwd: Path | None = None) -> None:
        self._log = log.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bot.cli", "serve", "--config", str(config)],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            cwd=cwd,
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


Server = TypeVar("Server", bound=BaseServer)


@contextlib.contextmanager
def in_background(server: Server) -> Iterator[Server]:
    """A small server of a test's own, answering in a thread until the test is over."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
