"""What an adapter remembers for a while, so that a host is not asked or told the same twice."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

REMEMBERED: Final = 5000


class Last:
    """The last so many of something, by key."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, ...], Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[str, ...]) -> Any:
        """What was put there, or None."""
        with self._lock:
            return self._known.get(key)

    def put(self, key: tuple[str, ...], value: Any) -> None:
        """Remember it; the oldest are forgotten."""
        with self._lock:
            self._known[key] = value
            self._known.move_to_end(key)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)

    def pop(self, key: tuple[str, ...]) -> Any:
        """What was put there, and forget it."""
        with self._lock:
            return self._known.pop(key, None)


class Aging:
    """What was learnt lately, by key; after so many seconds it is not known any more."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._known = Last()

    def get(self, key: tuple[str, ...]) -> Any:
        """What was put there, or None when that is too long ago."""
        at, value = self._known.get(key) or (None, None)
        return value if at is not None and self._clock() - at < self._seconds else None

    def put(self, key: tuple[str, ...], value: Any) -> None:
        """Remember it from now on."""
        self._known.put(key, (self._clock(), value))
