"""RQ on Redis (https://python-rq.org). Only hints are kept there: flushing it at any moment loses nothing.

Coalescing: a note under kind and key names the job that waits. It counts only while that job really is in RQ's
list, so a job that has started, or was flushed, never stands in the way of the next ask, and a note that is left
behind blocks nothing. RQ's ``unique=True`` would not do: it refuses an ask while the same job *runs*, and that ask
must lead to one more run. Needs Redis 6.0.6 or Valkey (LPOS, https://redis.io/docs/latest/commands/lpos/).
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError, WatchError
from rq import Queue as RedisQueue
from rq import SimpleWorker
from rq.exceptions import DequeueTimeout
from rq.serializers import JSONSerializer
from rq.timeouts import BaseDeathPenalty

from bot.ports import Handler, JobKind
from bot.queues.entry import perform, set_handler

log = logging.getLogger(__name__)

SHORT: Final = "short"
NOTE_SECONDS: Final = 6 * 3600
"""How long a note is kept; a job that waits longer is asked for once more."""
RESULT_SECONDS: Final = 0
FAILURE_SECONDS: Final = 300
POLL_SECONDS: Final = 0.3
"""How long a worker waits for a job before it looks whether it was told to stop."""
SOCKET_SECONDS: Final = 5
"""Longest silence of the server before a call counts as lost; longer than POLL_SECONDS."""
REST_SECONDS: Final = 0.5
"""How long asks are dropped at once after one was lost: a request must not wait for a dead Redis again and again."""
TRIES: Final = 5
WAITS: Final = """
local job = redis.call('GET', KEYS[1])
return job and redis.call('LPOS', KEYS[2], job) and 1 or 0
"""
"""Whether the job that a note (first key) names waits in a list (second key): one call, which most asks end with."""


def lane_of(kind: JobKind, lane: str) -> str:
    """Runs wait in their environment's lane, so that a worker can take only some environments'."""
    return f"run:{lane or 'none'}" if kind is JobKind.RUN else SHORT


class RqQueue:
    """Implements the port ``Queue``."""

    def __init__(self, redis: Redis, description: str, prefix: str = "headgate") -> None:
        self._redis = redis
        self._description = description
        self._prefix = prefix
        self._waits = redis.register_script(WAITS)
        self._down_until = 0.0
        self.lost = 0
        """Asks that could not be delivered since this process began."""

    def put(self, kind: JobKind, key: str, *, lane: str = "") -> None:
        """Ask for a job; asking twice while it waits is asking once."""
        if time.monotonic() < self._down_until:
            self.lost += 1
            return
        try:
            self._ask(kind, key, lane_of(kind, lane))
        except RedisError as error:
            self._note_loss(error)
        else:
            self._note_return()

    def _ask(self, kind: JobKind, key: str, lane: str) -> None:
        queue, note = self.queue(lane), f"{self._prefix}:waiting:{lane}:{kind.value}:{key}"
        if self._waits(keys=[note, queue.key]):
            return
        with self._redis.pipeline() as pipe:
            for _ in range(TRIES):
                try:
                    pipe.watch(note)  # type: ignore[no-untyped-call]
                    waiting = pipe.get(note)
                    if waiting and pipe.lpos(queue.key, waiting) is not None:  # type: ignore[arg-type] # bytes it is
                        return
                    pipe.multi()
                    self._add(pipe, queue, kind, key, lane, note)
                except WatchError:
                    continue  # somebody asked for the same at the same time: look again
                return
            self._add(pipe, queue, kind, key, lane, note)

    def _add(self, pipe: Pipeline, queue: RedisQueue, kind: JobKind, key: str, lane: str, note: str) -> None:
        """Job, note and lane in one transaction: a server that dies keeps all of them or none."""
        job_id = uuid.uuid4().hex
        pipe.set(note, job_id, ex=NOTE_SECONDS)
        pipe.sadd(f"{self._prefix}:lanes", lane)
        queue.enqueue_call(
            perform,
            args=(kind.value, key),
            job_id=job_id,
            timeout=-1,
            result_ttl=RESULT_SECONDS,
            failure_ttl=FAILURE_SECONDS,
            pipeline=pipe,
        )
        pipe.execute()

    def _note_loss(self, error: RedisError) -> None:
        self.lost += 1
        if not self._down_until:
            log.warning("the queue is down (%s); until it is back the sweeps find all work", type(error).__name__)
        self._down_until = time.monotonic() + REST_SECONDS

    def _note_return(self) -> None:
        if self._down_until:
            log.info("the queue is back; %d hints were lost so far", self.lost)
            self._down_until = 0.0

    def queue(self, name: str) -> RedisQueue:
        """RQ's own queue of that name."""
        return RedisQueue(f"{self._prefix}:{name}", connection=self._redis, serializer=JSONSerializer)

    def lanes(self) -> tuple[str, ...]:
        """Every lane that was ever used since the last flush. Raises RedisError."""
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
            raise ConnectionError(type(error).__name__) from None
        return self._description

    def redis(self) -> Redis:
        """The connection, for workers."""
        return self._redis


class _NoDeathPenalty(BaseDeathPenalty):
    """Jobs bound themselves; signals would not work in a thread anyway."""

    def setup_death_penalty(self) -> None:
        """Nothing to set up."""

    def cancel_death_penalty(self) -> None:
        """Nothing to cancel."""


class _ThreadWorker(SimpleWorker):
    """RQ's worker without signal handlers, so that several can share a process.

    It is only asked to carry out jobs: its recovery of other workers' jobs is never run, the store does that.
    """

    death_penalty_class = _NoDeathPenalty

    @property
    def connection_timeout(self) -> int:
        """RQ would raise the socket timeout of the whole pool to minutes, and a put would hang that long."""
        return SOCKET_SECONDS

    def _install_signal_handlers(self) -> None:
        """The process that owns the threads handles signals."""


class RqWorkers:
    """Threads that take jobs from named lanes until they are told to stop; they outlive a restarted Redis."""

    def __init__(self, queue: RqQueue, handler: Handler) -> None:
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
        queues = deque(self._queue.queue(lane) for lane in lanes)
        worker = _ThreadWorker(list(queues), connection=connection, serializer=JSONSerializer, prepare_for_work=False)
        try:
            while not self._stop.is_set():
                found = _next(queues, connection)
                if found is not None:
                    worker.execute_job(*found)
                # The first that has a job wins, so a busy lane would starve those after it.
                queues.rotate(-1)
        finally:
            connection.delete(worker.key)


def _next(queues: Sequence[RedisQueue], connection: Redis) -> Any:
    """The next job and its queue; None when none came within a spell."""
    try:
        return RedisQueue.dequeue_any(
            queues,
            timeout=POLL_SECONDS,  # type: ignore[arg-type] # Redis takes fractions since 6.0
            connection=connection,
            serializer=JSONSerializer,
        )
    except DequeueTimeout:
        return None
