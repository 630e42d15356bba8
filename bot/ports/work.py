"""The queue, which only hints, and the chat, which is only told.

Every method says what it raises; anything not said is a bug of the adapter.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Protocol

from bot.core.record import Message


class JobKind(enum.Enum):
    """What can be queued; the store knows everything else."""

    ABSORB = "absorb"
    ADVANCE = "advance"
    RUN = "run"
    NOTIFY = "notify"
    WATCH = "watch"
    CATCH_UP = "catch_up"


class Queue(Protocol):
    """Hints that there is work. Losing every one of them costs a delay, never a change."""

    def put(self, kind: JobKind, key: str, *, lane: str = "") -> None:
        """Ask for a job; asking twice for the same waiting job is one. Never raises: a queue that is down
        is noted, and the sweep finds the work. ``lane`` is the environment of a run."""
        ...

    def depth(self) -> Mapping[str, int]: ...

    def ping(self) -> str:
        """What is behind it, in words; raises ConnectionError when it is down."""
        ...


class Handler(Protocol):
    """What a worker calls for each job."""

    def __call__(self, kind: JobKind, key: str) -> None: ...


class Chat(Protocol):
    """One destination. Raises HostBusy (try later), HostDenied (never will)."""

    def send(self, message: Message) -> None: ...
