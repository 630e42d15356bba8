"""How long a host is left alone: as long as it asks, and longer each time that it fails altogether."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from bot.core.errors import HostBusy, HostUnclear

FORGIVEN: Final = 3
"""Failures one after the other (no answer, or one of 500 and more) that are no more than bad luck."""
FIRST: Final = 5.0
LONGEST: Final = 120.0
"""Seconds between two tries while a host is down: of all changes together, as one call tells it for all."""


class Patience:
    """One account's with its host. ``clock`` gives seconds. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = 0.0
        self._failed = 0
        self._lock = threading.Lock()

    def check(self) -> None:
        """Whether the host may be called now. Raises HostBusy."""
        left = self._until - self._clock()
        if left > 0:
            down = self._failed >= FORGIVEN
            raise HostBusy("the host does not answer; waiting" if down else "the host asked us to wait", left)

    def asked(self, seconds: float) -> None:
        """The host wants to be left alone."""
        with self._lock:
            self._until = self._clock() + seconds

    @contextmanager
    def trying(self) -> Iterator[None]:
        """One call: what is raised means that there was no answer."""
        try:
            yield
        except (HostBusy, HostUnclear):
            self.failed()
            raise

    def answered(self, status: int) -> None:
        """It answered, perhaps with words about its own trouble."""
        if status >= 500:
            self.failed()
            return
        with self._lock:
            self._failed = 0

    def failed(self) -> None:
        """It did not answer, or knows no answer."""
        with self._lock:
            self._failed += 1
            if self._failed >= FORGIVEN:
                self._until = self._clock() + min(FIRST * 2 ** (self._failed - FORGIVEN), LONGEST)
