"""Opening the queue a process works with: configured, handed down by ``serve``, found, embedded, or in-process."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Final

from bot.ports import Handler, Queue
from bot.queues.inprocess import InProcessQueue, InProcessWorkers
from bot.queues.rq_queue import RqQueue, RqWorkers
from bot.queues.server import OwnServer, connect, find_server
from bot.wiring import SilentQueue, Wiring

log = logging.getLogger(__name__)

REDIS_VARIABLE: Final = "HEADGATE_REDIS"
NONE: Final = "none"

Workers = RqWorkers | InProcessWorkers


def configured_url(wiring: Wiring) -> str:
    """The operator's Redis, or the one ``serve`` handed down; empty for neither."""
    settings = wiring.settings
    if settings.redis_secret is not None:
        return wiring.secret(settings.redis_secret)
    return settings.redis or os.environ.get(REDIS_VARIABLE, "")


def open_for_serve(wiring: Wiring) -> tuple[str, str, Callable[[], None]]:
    """The URL to hand down (``none`` when there is no Redis), what it is in words, and how to close it."""
    url = configured_url(wiring)
    if url and url != NONE:
        return url, "configured redis", lambda: None
    program, words = find_server() if url != NONE else ("", "")
    if program:
        server = OwnServer(program, wiring.data)
        try:
            server.start()
        except RuntimeError as error:
            log.warning("%s; going on without", error)
        else:
            return server.url, words, server.stop
    return NONE, "in the worker's own process (no Redis was configured, found or embedded)", lambda: None


def open_queue(wiring: Wiring, *, consumes: bool) -> Queue:
    """The queue of one process. Without Redis a consumer queues in its own memory, others stay silent."""
    url = configured_url(wiring)
    if url and url != NONE:
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
