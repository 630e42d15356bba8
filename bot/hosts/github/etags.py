"""Answers remembered by their ETag, so that asking again is free while nothing changed; bounded."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

MOST: Final = 20_000
"""Two listings of each of thousands of repositories that are polled, and what is read of their changes."""
MOST_BYTES: Final = 32 * 2**20


@dataclass(frozen=True, slots=True)
class Remembered:
    """An answer: its tag, what it said, and where the next page is. ``size`` in characters."""

    tag: str
    data: Any
    link: str
    size: int


class ETags:
    """Path -> the answer last had; the least lately used go first. Thread-safe."""

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._known: OrderedDict[str, Remembered] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, path: str) -> Remembered | None:
        """What is remembered of a path."""
        with self._lock:
            if path in self._known:
                self._known.move_to_end(path)
            return self._known.get(path)

    def put(self, path: str, answer: Remembered) -> None:
        """Remember an answer, in place of an older one."""
        with self._lock:
            self._drop(path)
            if answer.size > self._most_bytes:
                return
            self._known[path] = answer
            self._bytes += answer.size
            while len(self._known) > self._most or self._bytes > self._most_bytes:
                self._drop(next(iter(self._known)))

    def forget(self, path: str) -> None:
        """Remember nothing of a path."""
        with self._lock:
            self._drop(path)

    def _drop(self, path: str) -> None:
        old = self._known.pop(path, None)
        self._bytes -= old.size if old else 0
