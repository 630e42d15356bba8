"""Work that costs nearly as much for one as for many is done for all who wait, by the first of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST = 64
"""Items done at once: enough to share a commit, few enough that nobody waits long for the others' bytes."""


class _Place(Generic[Item, Result]):
    """One who waits. ``bell`` is rung (released) once it is done, or has to do the work itself."""

    __slots__ = ("bell", "done", "error", "item", "result")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.done = False
        self.result: Result | None = None
        self.error: Exception | None = None
        self.bell = threading.Lock()
        self.bell.acquire()


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
        self._list = threading.Lock()
        self._busy = False

    def do(self, item: Item) -> Result:
        """This item's result, once it is done. Raises what the work raised."""
        place: _Place[Item, Result] = _Place(item)
        with self._list:
            self._waiting.append(place)
            waits, self._busy = self._busy, True
        if waits:
            place.bell.acquire()
        if not place.done:
            self._lead()
        if place.error is not None:
            raise place.error
        return place.result  # type: ignore[return-value] # it is there when there is no error

    def _lead(self) -> None:
        """Do what has gathered, let the next begin with what has gathered meanwhile, and only then wake the others.

        One that waits is woken when there is something for it: a lock that all of them queued for would be handed
        through every one of them before the next commit could begin.
        """
        with self._list:
            taken, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        try:
            self._carry_out(taken)
        finally:
            with self._list:
                # Only when this thread is being ended: the others do their work themselves.
                self._waiting[:0] = [place for place in taken[1:] if not place.done]
                self._busy = bool(self._waiting)
                if self._busy:
                    self._waiting[0].bell.release()
            for place in taken[1:]:
                if place.done:
                    place.bell.release()

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
