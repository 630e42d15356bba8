"""The function every RQ job names: it calls the handler this process was given."""

from __future__ import annotations

import logging

from bot.ports import Handler, JobKind

log = logging.getLogger(__name__)

_handler: Handler | None = None


def set_handler(handler: Handler) -> None:
    """What this process does with jobs."""
    global _handler
    _handler = handler


def perform(kind: str, key: str) -> None:
    """One job. An error is logged and swallowed: the store still says what is due, and the sweeps come again."""
    if _handler is None:
        raise RuntimeError("this process was given no handler")
    try:
        _handler(JobKind(kind), key)
    except Exception:
        # A worker outlives any job; what failed is still due in the store.
        log.exception("job %s %s", kind, key)
