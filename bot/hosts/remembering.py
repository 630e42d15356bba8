"""What an adapter remembers for a while, so that a host is not asked or told the same twice."""

from __future__ import annotations

import threading
from collections import OrderedDict
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
