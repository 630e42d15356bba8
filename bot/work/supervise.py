"""A long run is carried out in a process of its own, started by a fork server so that it costs milliseconds.

The supervisor renews the run's lease while that process lives. A plan dies with its supervisor; a deploy lives on
and records its own outcome.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from typing import Final

from bot.core.runs import Holder
from bot.work.process import end_family, holder_of, proven_dead

log = logging.getLogger(__name__)

PATIENCE: Final = 10.0
"""Seconds a run that was interrupted at shutdown has to end well."""
UNKNOWN_CODE: Final = 255
"""What ``multiprocessing`` gives when the fork server died and nobody can tell a child's exit code."""
NOT_STARTED: Final = -int(signal.SIGINT)
"""As if it had been interrupted before it did anything."""


@dataclass(frozen=True, slots=True, eq=False)
class _Child:
    """One process of a run. While ``tie`` is open its supervisor lives."""

    process: BaseProcess
    holder: Holder | None
    tie: Connection

    @property
    def pid(self) -> int:
        return self.process.pid or 0


class Supervisor:
    """Starts the processes of runs and watches them; one per worker process, shared by its threads.

    ``target`` is ``module:function``; the function is called in the new process with the run's id. ``preload``
    names modules that the fork server imports once, before any run.
    """

    def __init__(self, target: str, preload: Sequence[str] = ()) -> None:
        self._target = target
        self._context: ForkServerContext | SpawnContext
        if "forkserver" in multiprocessing.get_all_start_methods():
            self._context = multiprocessing.get_context("forkserver")
            self._context.set_forkserver_preload([__name__, *preload])
        else:
            self._context = multiprocessing.get_context("spawn")
        self._living: set[_Child] = set()
        self._changed = threading.Condition()
        self._closing = False

    def warm(self) -> None:
        """Start the fork server now, so that the first run need not wait for it."""
        process = self._context.Process(target=_nothing)
        process.start()
        process.join()

    def supervise(
        self, run_id: str, *, heartbeat: Callable[[], bool], every: float, die_with_parent: bool, grace: float
    ) -> int:
        """Carry out one run; its process's exit code (negative: the signal that ended it).

        ``heartbeat`` is called every ``every`` seconds; False tells the process to stop: SIGINT, after ``grace``
        seconds SIGTERM, after as long again SIGKILL to it and all it started. ``die_with_parent``: the process and
        all it started end when this one does, however it does. After ``shutdown`` nothing is started any more.
        """
        child = self._start(run_id, die_with_parent)
        if child is None:
            return NOT_STARTED
        try:
            self._watch(child, heartbeat, every, grace)
            code = child.process.exitcode
        finally:
            child.tie.close()
            with self._changed:
                self._living.discard(child)
                self._changed.notify_all()
        return UNKNOWN_CODE if code is None else code

    def _start(self, run_id: str, die_with_parent: bool) -> _Child | None:
        with self._changed:
            if self._closing:
                return None
            theirs, ours = self._context.Pipe(duplex=False)
            process = self._context.Process(
                target=_child, args=(self._target, run_id, theirs, die_with_parent), name=f"run-{run_id[:8]}"
            )
            with theirs:
                process.start()
            _disown(process)
            child = _Child(process, _holder(process.pid or 0), ours)
            self._living.add(child)
            return child

    def _watch(self, child: _Child, heartbeat: Callable[[], bool], every: float, grace: float) -> None:
        while not self._ended(child, every):
            if not _beats(heartbeat):
                self._end(child, grace)
                return

    def _end(self, child: _Child, grace: float) -> None:
        """Gently, harder, hardest."""
        for number in (signal.SIGINT, signal.SIGTERM):
            _signal(child.pid, number)
            if self._ended(child, grace):
                return
        log.warning("%s does not end; killing it and what it started", child.process.name)
        end_family(child.pid)
        while not self._ended(child, 1.0):
            log.warning("%s was killed and still has not ended", child.process.name)

    def _ended(self, child: _Child, timeout: float) -> bool:
        """Whether it ended within ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        if not connection.wait([child.process.sentinel], timeout):
            return False
        code = child.process.exitcode
        if code == UNKNOWN_CODE and child.holder is not None:
            # Perhaps only the fork server died, and the run goes on.
            while not proven_dead(child.holder):
                if time.monotonic() >= deadline:
                    return False
                time.sleep(min(0.1, timeout))
        return True

    def shutdown(self, grace: float, patience: float = PATIENCE) -> None:
        """Start nothing more. Let what runs finish within ``grace`` seconds, then interrupt it gently and wait
        ``patience`` seconds. What still runs then is left: a plan ends with this process, a deploy goes on alone.
        """
        with self._changed:
            self._closing = True
            self._changed.wait_for(lambda: not self._living, grace)
            for child in self._living:
                log.warning("interrupting %s", child.process.name)
                _signal(child.pid, signal.SIGINT)
            self._changed.wait_for(lambda: not self._living, patience)
            for child in self._living:
                log.warning("%s still runs; leaving it", child.process.name)


def _disown(process: BaseProcess) -> None:
    """Take it out of multiprocessing's own list of children, which would do two things we cannot have: wait for
    every run when this process ends, and read the exit codes of all runs whenever one is started. The fork server
    hands a code out once; a thread that asks for it after another one did is told 255.
    """
    multiprocessing.process._children.discard(process)  # type: ignore[attr-defined]


def _holder(pid: int) -> Holder | None:
    try:
        return holder_of(pid)
    except ProcessLookupError:
        return None


def _beats(heartbeat: Callable[[], bool]) -> bool:
    try:
        return heartbeat()
    except Exception:
        # A store that cannot be reached for a moment is no reason to stop a deploy; the lease will tell.
        log.exception("heartbeat")
        return True


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _nothing() -> None:
    """Warms the fork server up."""


def _child(target: str, run_id: str, tie: Connection, die_with_parent: bool) -> None:
    """In the new process: a session of its own, so that Ctrl-C on the service does not reach a deploy."""
    os.setsid()
    if die_with_parent:
        threading.Thread(target=_mourn, args=(tie,), name="tie", daemon=True).start()
    module, _, name = target.partition(":")
    getattr(importlib.import_module(module), name)(run_id)


def _mourn(tie: Connection) -> None:
    """Nothing is ever sent; the pipe ends when the supervisor does, and then so do we and all we started.

    Not PR_SET_PDEATHSIG: our parent is the fork server, which lives as long as its last child.
    """
    with contextlib.suppress(EOFError, OSError):
        tie.recv_bytes()
    end_family(os.getpid())
