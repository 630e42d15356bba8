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
MARGIN: Final = 0.01
"""Seconds told on top, so that rounding brings nobody back too early."""


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
            wait = max(self._wait(window, points, now) for window in self._windows)
            if wait > 0:
                raise HostBusy("our own limit of calls is reached, which is a little below the host's", wait)
            self._spent.append((now, points))

    def _wait(self, window: Window, points: int, now: float) -> float:
        """Seconds until this many points fit into the window; 0 when they do now."""
        recent = [(at, spent) for at, spent in self._spent if now - at < window.seconds]
        over = sum(spent for _, spent in recent) + points - window.points
        wait = 0.0
        for at, spent in recent:
            if over <= 0:
                break
            over, wait = over - spent, at + window.seconds - now + MARGIN
        return wait
