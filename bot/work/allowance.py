"""What sweeps may take of a host's rate budget, so that they never starve the changes people wait for (law 19)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, TypeVar

from bot.ports import Budget

Item = TypeVar("Item")

SHARE: Final = 5
"""Sweeps take at most one part in five of what the host allows within one window."""


class Allowance:
    """Counts what the sweeps of one host took in its present window. Calls that others make meanwhile are counted
    with them, which errs on the careful side; where a host tells no budget there is nothing to keep to."""

    def __init__(self, budget: Callable[[], Budget]) -> None:
        self._budget = budget
        self._window: datetime | None = None
        self._spent = 0
        self._next = 0

    def spend(self, items: Sequence[Item], sweep: Callable[[Item], object]) -> int:
        """Sweep one item after the other while there is something left, and next time go on where this ended; how
        many were swept."""
        for count in range(len(items)):
            before = self._budget()
            if self._used_up(before):
                return count
            self._next = (self._next + 1) % len(items)
            try:
                sweep(items[self._next - 1])
            finally:
                self._note(before, self._budget())
        return len(items)

    def _used_up(self, budget: Budget) -> bool:
        if budget.resets_at != self._window:
            self._window, self._spent = budget.resets_at, 0
        return budget.limit is not None and self._spent >= budget.limit // SHARE

    def _note(self, before: Budget, after: Budget) -> None:
        if before.remaining is None or after.remaining is None or before.resets_at != after.resets_at:
            return
        self._spent += max(before.remaining - after.remaining, 0)
