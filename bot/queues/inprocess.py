"""A small queue in this process, for machines where no Redis can be had; same promises, same contract suite."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence

from bot.ports import Handler, JobKind
from bot.queues.entry import perform, set_handler
from bot.queues.rq_queue import lane_of


class InProcessQueue:
    """Implements the port ``Queue`` with ordered dictionaries and one condition."""

    def __init__(self) -> None:
        self._lanes: dict[str, OrderedDict[tuple[JobKind, str], None]] = {}
        self._changed = threading.Condition()

    def put(self, kind: JobKind, key: str, *, lane: str = "") -> None:
        """Ask for a job; asking twice while it waits is asking once."""
        with self._changed:
            self._lanes.setdefault(lane_of(kind, lane), OrderedDict())[(kind, key)] = None
            self._changed.notify_all()

    def take(self, lanes: Sequence[str], timeout: float) -> tuple[JobKind, str] | None:
        """The oldest waiting job of the first of ``lanes`` that has one; None when nothing came in ``timeout``
        seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: any(self._lanes.get(lane) for lane in lanes), timeout):
                return None
            lane = next(lane for lane in lanes if self._lanes.get(lane))
            job, _ = self._lanes[lane].popitem(last=False)
            return job

    def depth(self) -> Mapping[str, int]:
        """Waiting hints by lane."""
        with self._changed:
            return {lane: len(jobs) for lane, jobs in self._lanes.items()}

    def ping(self) -> str:
        """What is behind it, in words."""
        return "in this process (no Redis was configured or found)"


class InProcessWorkers:
    """Threads that take jobs of named lanes until they are told to stop."""

    def __init__(self, queue: InProcessQueue, handler: Handler) -> None:
        self._queue = queue
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        set_handler(handler)

    def start(self, lanes: Sequence[str], threads: int) -> None:
        """Begin taking jobs of these lanes with so many threads; lanes take turns, each is first come, first done."""
        for number in range(threads):
            name = f"{lanes[0]}-{number}"
            thread = threading.Thread(target=self._loop, args=(tuple(lanes),), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, timeout: float = 10.0) -> None:
        """Take no more jobs; wait for those at hand, at most ``timeout`` seconds in all."""
        self._stop.set()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _loop(self, lanes: tuple[str, ...]) -> None:
        turns = deque(lanes)
        while not self._stop.is_set():
            job = self._queue.take(turns, 0.2)
            # The first that has a job wins, so a busy lane would starve those after it.
            turns.rotate(-1)
            if job is not None:
                perform(job[0].value, job[1])
