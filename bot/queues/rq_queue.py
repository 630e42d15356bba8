"""RQ on Redis (https://python-rq.org). Only hints are kept there: flushing it at any moment loses nothing.

Coalescing: a waiting job is marked under its kind and key; a second ask finds the mark and adds nothing. The mark
is removed when the job *starts*, so whoever asks while it runs gets one more run afterwards. Marks expire, so a
flushed or crashed queue never leaves one behind that blocks work.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Final

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue as RedisQueue
from rq import SimpleWorker
from rq.exceptions import DequeueTimeout
from rq.serializers import JSONSerializer
from rq.timeouts import BaseDeathPenalty

from bot.ports import Handler, JobKind
from bot.queues.entry import perform, set_handler

log = logging.getLogger(__name__)

SHORT: Final = "short"
MARK_SECONDS: Final = 30
RESULT_SECONDS: Final = 0
FAILURE_SECONDS: Final = 300
POLL_SECONDS: Final = 1


def lane_of(kind: JobKind, lane: str) -> str:
    """Runs wait in their environment's lane, so that a worker can take only some environments'."""
    return f"run:{lane or 'none'}" if kind is JobKind.RUN else SHORT


class RqQueue:
    """Implements the port ``Queue``."""

    def __init__(self, redis: Redis, description: str, prefix: str = "headgate") -> None:
        self._redis = redis
        self._description = description
        self._prefix = prefix

    def put(self, kind: JobKind, key: str, *, lane: str = "") -> None:
        """Ask for a job; asking twice while it waits is asking once."""
        name = lane_of(kind, lane)
        try:
            mark = self.mark(kind, key)
            if not self._redis.set(mark, "1", nx=True, ex=MARK_SECONDS):
                return
            self.queue(name).enqueue(
                marked, kind.value, key, mark, job_timeout=-1, result_ttl=RESULT_SECONDS, failure_ttl=FAILURE_SECONDS
            )
            self._redis.sadd(f"{self._prefix}:lanes", name)
        except RedisError as error:
            log.warning("the queue is down (%s); the sweeps will find %s %s", type(error).__name__, kind.value, key)

    def mark(self, kind: JobKind, key: str) -> str:
        """The key under which a waiting job is known."""
        return f"{self._prefix}:waiting:{kind.value}:{key}"

    def queue(self, name: str) -> RedisQueue:
        """RQ's own queue of that name."""
        return RedisQueue(f"{self._prefix}:{name}", connection=self._redis, serializer=JSONSerializer)

    def lanes(self) -> tuple[str, ...]:
        """Every lane that was ever used since the last flush."""
        names = self._redis.smembers(f"{self._prefix}:lanes")
        return tuple(sorted(name.decode() if isinstance(name, bytes) else str(name) for name in names))

    def depth(self) -> Mapping[str, int]:
        """Waiting hints by lane; empty when the queue is down."""
        try:
            return {name: self.queue(name).count for name in self.lanes()}
        except RedisError:
            return {}

    def ping(self) -> str:
        """What is behind it, in words. Raises ConnectionError when it is down."""
        try:
            self._redis.ping()
        except RedisError as error:
            raise ConnectionError(str(error)) from None
        return self._description

    def redis(self) -> Redis:
        """The connection, for workers."""
        return self._redis


def marked(kind: str, key: str, mark: str) -> None:
    """Remove the mark first, then work: an ask that comes while we work must lead to one more job."""
    from rq import get_current_job

    job = get_current_job()
    if job is not None and job.connection is not None:
        job.connection.delete(mark)
    perform(kind, key)


class _NoDeathPenalty(BaseDeathPenalty):
    """Jobs bound themselves; signals would not work in a thread anyway."""

    def setup_death_penalty(self) -> None:
        """Nothing to set up."""

    def cancel_death_penalty(self) -> None:
        """Nothing to cancel."""


class _ThreadWorker(SimpleWorker):
    """RQ's worker without signal handlers, so that several can share a process."""

    death_penalty_class = _NoDeathPenalty

    def _install_signal_handlers(self) -> None:
        """The process that owns the threads handles signals."""


class RqWorkers:
    """Threads that take jobs from named lanes until they are told to stop; they outlive a restarted Redis."""

    def __init__(self, queue: RqQueue, handler: Handler) -> None:
        self._queue = queue
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._workers: list[_ThreadWorker] = []
        set_handler(handler)

    def start(self, lanes: Sequence[str], threads: int) -> None:
        """Begin taking jobs of these lanes with so many threads."""
        for number in range(threads):
            name = f"{lanes[0]}-{number}"
            thread = threading.Thread(target=self._loop, args=(tuple(lanes),), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, timeout: float = 10.0) -> None:
        """Take no more jobs; wait for those at hand, at most ``timeout`` seconds each."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout)

    def _loop(self, lanes: tuple[str, ...]) -> None:
        while not self._stop.is_set():
            try:
                self._drain(lanes)
            except RedisError as error:
                log.debug("the queue is down (%s)", type(error).__name__)
            except Exception:
                # RQ's own bookkeeping after a flush may stumble; the worker must not.
                log.exception("worker of %s", lanes)
            self._stop.wait(0.2)

    def _drain(self, lanes: tuple[str, ...]) -> None:
        """Wait for jobs in short spells, so that stopping is quick, and do each as RQ's simple worker does."""
        connection = self._queue.redis()
        queues = [self._queue.queue(lane) for lane in lanes]
        worker = _ThreadWorker(queues, connection=connection, serializer=JSONSerializer)
        while not self._stop.is_set():
            try:
                found = RedisQueue.dequeue_any(
                    queues, timeout=POLL_SECONDS, connection=connection, serializer=JSONSerializer
                )
            except DequeueTimeout:
                continue
            if found is not None:
                worker.execute_job(*found)
