"""Our own limits, kept below GitHub's: nobody sleeps here, a call too many is refused with the time to come back."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bot.core.errors import HostBusy


@dataclass(frozen=True, slots=True)
class Window:
    """At most ``points`` within any ``seconds``."""

    seconds: float
    points: int


POINTS: Final = (Window(60.0, 800),)
CONTENT: Final = (Window(60.0, 75), Window(3600.0, 480))
"""A little below GitHub's 900 points a minute (a read costs 1, a write 5), and 80 a minute, 500 an hour for what
creates content. https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api"""
READ_POINTS: Final = 1
WRITE_POINTS: Final = 5


class Limiter:
    """Points spent lately, against windows. Thread-safe."""

    def __init__(self, windows: tuple[Window, ...], clock: Callable[[], float] = time.monotonic) -> None:
        self._windows = windows
        self._clock = clock
        self._spent: deque[tuple[float, int]] = deque()
        self._lock = threading.Lock()

    def take(self, points: int = 1) -> None:
        """Spend. Raises HostBusy, and spends nothing, when a window is full."""
        now = self._clock()
        longest = max(window.seconds for window in self._windows)
        with self._lock:
            while self._spent and now - self._spent[0][0] >= longest:
                self._spent.popleft()
            for window in self._windows:
                self._check(window, points, now)
            self._spent.append((now, points))

    def _check(self, window: Window, points: int, now: float) -> None:
        recent = [(at, spent) for at, spent in self._spent if now - at < window.seconds]
        over = sum(spent for _, spent in recent) + points - window.points
        if over <= 0 or not recent:
            return
        freed, free_at = 0, now
        for at, spent in recent:
            freed, free_at = freed + spent, at + window.seconds
            if freed >= over:
                break
        raise HostBusy(
            f"our own limit of {window.points} points in {window.seconds:.0f} s is reached", max(free_at - now, 0.1)
        )
