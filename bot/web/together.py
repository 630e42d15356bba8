"""Work that costs nearly as much for one as for many is done for all who wait, by the first of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST = 64
"""Items done at once: enough to share a commit, few enough that nobody waits long for the others' bytes."""


@dataclass(slots=True, eq=False)
class _Place(Generic[Item, Result]):
    item: Item
    done: bool = False
    result: Result | None = None
    error: Exception | None = None


class Together(Generic[Item, Result]):
    """``work`` takes items and gives as many results, or raises; nobody is answered before it did.

    An error is everybody's when it is one of ``shared``. After any other, each item is tried alone, so that one
    which cannot be done does not spoil its neighbours.
    """

    def __init__(
        self, work: Callable[[Sequence[Item]], Sequence[Result]], shared: tuple[type[Exception], ...] = ()
    ) -> None:
        self._work, self._shared = work, shared
        self._waiting: list[_Place[Item, Result]] = []
        self._list, self._turn = threading.Lock(), threading.Lock()

    def do(self, item: Item) -> Result:
        """This item's result, once it is done. Raises what the work raised."""
        place: _Place[Item, Result] = _Place(item)
        with self._list:
            self._waiting.append(place)
        with self._turn:
            while not place.done:
                with self._list:
                    taken, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                self._carry_out(taken)
        if place.error is not None:
            raise place.error
        return place.result  # type: ignore[return-value] # it is there when there is no error

    def _carry_out(self, places: Sequence[_Place[Item, Result]]) -> None:
        try:
            results = self._work([place.item for place in places])
        except Exception as error:  # noqa: BLE001 - raised again where it was asked for
            if len(places) > 1 and not isinstance(error, self._shared):
                for place in places:
                    self._carry_out([place])
                return
            for place in places:
                place.error, place.done = error, True
            return
        for place, result in zip(places, results, strict=True):
            place.result, place.done = result, True
