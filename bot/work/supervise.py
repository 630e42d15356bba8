"""A long run is carried out in a process of its own, started by a fork server so that it costs milliseconds.

The supervisor renews the run's lease while that process lives. A plan dies with its supervisor; a deploy lives on
and records its own outcome.
"""

from __future__ import annotations

import importlib
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from typing import Final

log = logging.getLogger(__name__)

PLAN_DIES_WITHIN: Final = 2.0


class Supervisor:
    """Starts the processes of runs and watches them; one per worker process, shared by its threads."""

    def __init__(self, target: str, preload: Sequence[str] = ()) -> None:
        self._target = target
        self._context: ForkServerContext | SpawnContext
        if "forkserver" in multiprocessing.get_all_start_methods():
            self._context = multiprocessing.get_context("forkserver")
            multiprocessing.set_forkserver_preload(["bot.work.supervise", *preload])
        else:
            self._context = multiprocessing.get_context("spawn")
        self._lock = threading.Lock()
        self._living: dict[int, multiprocessing.process.BaseProcess] = {}

    def warm(self) -> None:
        """Start the fork server now, so that the first run need not wait for it."""
        process = self._context.Process(target=_nothing)
        process.start()
        process.join()

    def supervise(
        self, run_id: str, *, heartbeat: Callable[[], bool], every: float, die_with_parent: bool, grace: float
    ) -> int:
        """Carry out one run; its process's exit code (negative: the signal that ended it).

        ``heartbeat`` is called every ``every`` seconds; False tells the process to stop: gently, after ``grace``
        seconds harder, after as long again hardest.
        """
        ours, theirs = self._context.Pipe(duplex=True)
        process = self._context.Process(
            target=_child, args=(self._target, run_id, theirs, ours, die_with_parent), name=f"run-{run_id[:8]}"
        )
        with self._lock:
            process.start()
            theirs.close()
            self._living[process.pid or 0] = process
        try:
            self._watch(process, heartbeat, every, grace)
        finally:
            with self._lock:
                self._living.pop(process.pid or 0, None)
            ours.close()
        return process.exitcode if process.exitcode is not None else 1

    def _watch(
        self, process: multiprocessing.process.BaseProcess, heartbeat: Callable[[], bool], every: float, grace: float
    ) -> None:
        told: float | None = None
        while process.is_alive():
            process.join(every)
            if process.is_alive() and told is None and not _beats(heartbeat):
                told = time.monotonic()
                _signal(process.pid, signal.SIGINT)
            elif process.is_alive() and told is not None:
                waited = time.monotonic() - told
                if waited > 2 * grace:
                    _signal(process.pid, signal.SIGKILL, group=True)
                elif waited > grace:
                    _signal(process.pid, signal.SIGTERM)

    def shutdown(self, grace: float) -> None:
        """Let what runs finish within ``grace`` seconds, then interrupt it gently; what was applied is read back."""
        deadline = time.monotonic() + grace
        while self._running() and time.monotonic() < deadline:
            time.sleep(0.1)
        for process in self._running():
            log.warning("interrupting %s", process.name)
            _signal(process.pid, signal.SIGINT)
        deadline = time.monotonic() + 10
        while self._running() and time.monotonic() < deadline:
            time.sleep(0.1)

    def _running(self) -> list[multiprocessing.process.BaseProcess]:
        with self._lock:
            return [process for process in self._living.values() if process.is_alive()]


def _beats(heartbeat: Callable[[], bool]) -> bool:
    try:
        return heartbeat()
    except Exception:
        # A store that cannot be reached for a moment is no reason to stop a deploy; the lease will tell.
        log.exception("heartbeat")
        return True


def _signal(pid: int | None, number: signal.Signals, *, group: bool = False) -> None:
    if pid is None:
        return
    try:
        if group:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
    except ProcessLookupError:
        pass


def _nothing() -> None:
    """Warms the fork server up."""


def _child(target: str, run_id: str, pipe: Connection, other_end: Connection, die_with_parent: bool) -> None:
    """In the new process: a session of its own, so that Ctrl-C on the service does not reach a deploy."""
    other_end.close()
    os.setsid()
    threading.Thread(target=_mourn, args=(pipe, die_with_parent), daemon=True).start()
    module, _, name = target.partition(":")
    getattr(importlib.import_module(module), name)(run_id)


def _mourn(pipe: Connection, die_with_parent: bool) -> None:
    """The pipe ends when the supervisor is gone: a plan then ends too, with all it started; a deploy goes on."""
    try:
        pipe.recv_bytes()
    except (EOFError, OSError):
        if die_with_parent:
            os.killpg(os.getpid(), signal.SIGKILL)
