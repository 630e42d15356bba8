"""Opening the queue a process works with: configured, handed down by ``serve``, or in this process."""

from __future__ import annotations

import os

from bot.cli.processes import NO_REDIS, REDIS_VARIABLE
from bot.ports import Handler, Queue
from bot.queues.inprocess import InProcessQueue, InProcessWorkers
from bot.queues.rq_queue import RqQueue, RqWorkers
from bot.queues.server import connect
from bot.wiring import SilentQueue, Wiring

Workers = RqWorkers | InProcessWorkers


def configured_url(wiring: Wiring) -> str:
    """The operator's Redis, or the one ``serve`` handed down; empty for neither."""
    settings = wiring.settings
    if settings.redis_secret is not None:
        return wiring.secret(settings.redis_secret)
    return settings.redis or os.environ.get(REDIS_VARIABLE, "")


def open_queue(wiring: Wiring, *, consumes: bool) -> Queue:
    """The queue of one process. Without Redis a consumer queues in its own memory, others stay silent."""
    url = configured_url(wiring)
    if url and url != NO_REDIS:
        return RqQueue(connect(url), "redis", prefix=f"headgate:{wiring.settings.instance}")
    return InProcessQueue() if consumes else SilentQueue()


def workers_for(queue: Queue, handler: Handler) -> Workers:
    """Threads that take jobs from this queue."""
    match queue:
        case RqQueue():
            return RqWorkers(queue, handler)
        case InProcessQueue():
            return InProcessWorkers(queue, handler)
        case _:
            raise TypeError(f"no worker takes jobs from {type(queue).__name__}")
