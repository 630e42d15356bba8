"""Starting, watching and stopping the processes of ``serve``; a process that dies is started again."""

from __future__ import annotations

import logging
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Final

log = logging.getLogger(__name__)

PAUSE: Final = (0.1, 0.5, 2.0, 10.0)
"""Seconds before a process that keeps dying is started again."""

REDIS_VARIABLE: Final = "HEADGATE_REDIS"
"""By which ``serve`` tells its processes where the queue is; ``NO_REDIS`` when there is none to be had."""
NO_REDIS: Final = "none"

AFTER_A_KILL: Final = 1.0
"""The longest pause after a death by a signal: something killed it, it is not that it cannot start."""

HEALTHY: Final = 3.0
"""A process that lived this long had started well: its next death is its first."""


class Child:
    """One process of ``serve``."""

    def __init__(self, name: str, words: Sequence[str], env: Mapping[str, str]) -> None:
        self.name = name
        self._words = [sys.executable, "-m", "bot.cli", *words]
        self._env = {**os.environ, **env}
        self._process: subprocess.Popen[bytes] | None = None
        self._deaths = 0
        self._not_before = 0.0
        self._started = 0.0

    def keep_alive(self) -> None:
        """Start it when it is not running and its pause is over."""
        if self._process is not None and self._process.poll() is None:
            return
        if self._process is not None:
            if time.monotonic() - self._started > HEALTHY:
                self._deaths = 0
            pause = PAUSE[min(self._deaths, len(PAUSE) - 1)]
            if self._process.returncode < 0:
                pause = min(pause, AFTER_A_KILL)
            log.warning("%s ended with code %s; again in %.1f s", self.name, self._process.returncode, pause)
            self._deaths += 1
            self._not_before = time.monotonic() + pause
            self._process = None
        if time.monotonic() >= self._not_before:
            self._started = time.monotonic()
            self._process = subprocess.Popen(self._words, env=self._env, stdin=subprocess.DEVNULL)

    @property
    def pid(self) -> int:
        """Its process id; 0 while it is not running."""
        return self._process.pid if self._process is not None and self._process.poll() is None else 0

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def wait(self, timeout: float) -> None:
        """Until it ended; killed when it does not."""
        if self._process is None:
            return
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            log.warning("%s did not stop in %.0f s; killing it", self.name, timeout)
            self._process.kill()
            self._process.wait()


def run_until_told(children: Sequence[Child], stop: threading.Event, patience: float) -> None:
    """Keep every child alive until ``stop``; then tell them, and give them ``patience`` seconds."""
    while not stop.is_set():
        for child in children:
            child.keep_alive()
        stop.wait(0.2)
    for child in children:
        child.tell(signal.SIGTERM)
    for child in children:
        child.wait(patience)


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def leave_no_core_file() -> None:
    """A process of ours that crashes, or one that it started, leaves no picture of its memory: secrets are in it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
