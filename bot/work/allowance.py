"""What sweeps may take of a host's rate budget, so that they never starve the changes people wait for (law 19)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from bot.core.errors import HostBusy
from bot.ports import Budget

Item = TypeVar("Item")

USUAL: Final = 4
"""Calls that one item may cost, as long as nothing is known of it."""
SHARE: Final = 5
"""Sweeps take at most one part in five of what the host allows within one window."""


@dataclass(frozen=True, slots=True)
class Swept:
    """How many items were swept, and the seconds that the host then wanted to be left alone for."""

    count: int
    wait: float = 0.0


class Reckoned:
    """A host's budget as it tells it; for one that tells none, what this process has left of so many calls a minute.

    ``calls`` are those made so far, by kind; ``per_minute`` 0 is for no limit.
    """

    def __init__(
        self,
        told: Callable[[], Budget],
        calls: Callable[[], Mapping[tuple[str, str], int]],
        per_minute: int,
        now: Callable[[], datetime],
    ) -> None:
        self._told, self._calls, self._per_minute, self._now = told, calls, per_minute, now
        self._ends: datetime | None = None
        self._before = self._last = 0

    def __call__(self) -> Budget:
        """What is left of the present window; less than nothing where more was asked."""
        told = self._told()
        if told.limit is not None or not self._per_minute:
            return told
        made = sum(self._calls().values())
        ends = self._now().replace(second=0, microsecond=0) + timedelta(minutes=1)
        if ends != self._ends:
            # What was asked since the last look may belong to this window: that errs on the careful side.
            self._ends, self._before = ends, self._last
        self._last = made
        return Budget(self._per_minute, self._per_minute - (made - self._before), ends)


class Allowance:
    """Counts what the sweeps of one host took in its present window. Calls that others make meanwhile are counted
    with them, which errs on the careful side; where there is no budget there is nothing to keep to."""

    def __init__(self, budget: Callable[[], Budget], now: Callable[[], datetime]) -> None:
        self._budget = budget
        self._now = now
        self._window: datetime | None = None
        self._spent = self._most = 0
        self._next = 0

    @property
    def resets_at(self) -> datetime | None:
        """When the present window ends; None where there is none."""
        return self._budget().resets_at

    def spend(self, items: Sequence[Item], sweep: Callable[[Item], object], most: int | None = None) -> Swept:
        """Sweep at most so many items, one after the other, while there is something left and the host is not busy;
        next time go on where this ended."""
        wanted = len(items) if most is None else most
        for count in range(wanted):
            before = self._budget()
            if self._used_up(before):
                return Swept(count)
            at, self._next = self._next % len(items), (self._next + 1) % len(items)
            try:
                sweep(items[at])
            except HostBusy as busy:
                self._next = at
                return Swept(count, busy.retry_after)
            finally:
                self._note(before, self._budget())
        return Swept(wanted)

    def once(self, errand: Callable[[], int]) -> bool:
        """Do what is nobody's turn, if something is left; ``errand`` says how many calls it made. It may take more
        than is left: then the turns wait. Whether it was done."""
        if self._used_up(self._budget()):
            return False
        calls = errand()
        self._begin(self._budget())
        self._spent += calls
        return True

    def _begin(self, budget: Budget) -> None:
        # Who asks nothing is told of no new window: it has begun when the one that was told of has ended.
        ended = budget.resets_at is not None and self._now() >= budget.resets_at
        if budget.resets_at != self._window or ended:
            self._window, self._spent = budget.resets_at, 0

    def _used_up(self, budget: Budget) -> bool:
        self._begin(budget)
        # One more may cost as much as the dearest so far, or as is usual, if all so far cost less. The first of a
        # window is swept whatever it costs.
        dearest = max(self._most, USUAL)
        return budget.limit is not None and self._spent > 0 and self._spent + dearest > budget.limit // SHARE

    def _note(self, before: Budget, after: Budget) -> None:
        if after.remaining is None:
            return
        if before.remaining is None or before.resets_at != after.resets_at:
            # Whoever asked what the new window has seen: no more than one item may cost is taken for ours.
            used = (after.limit or 0) - after.remaining
            self._window, self._spent = after.resets_at, max(min(used, max(self._most, USUAL)), 0)
            return
        cost = max(before.remaining - after.remaining, 0)
        self._spent, self._most = self._spent + cost, max(self._most, cost)
