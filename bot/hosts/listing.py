"""Listings of changes that moved: newest first, each once, and never without a bound."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

from bot.ports import ChangeStub

MOST_STUBS: Final = 2000

Pages = Iterable[list[dict[str, Any]]]


def moved(
    pages: Callable[[str], Pages], stub: Callable[[dict[str, Any]], ChangeStub | None], since: datetime | None
) -> tuple[ChangeStub, ...]:
    """Open changes; or, after ``since``, whatever was updated. ``pages`` gives those of a state, ``open`` or ``all``,
    latest update first."""
    return newest_first(_stubs(pages("open" if since is None else "all"), stub, since))


def newest_first(stubs: Iterable[ChangeStub]) -> tuple[ChangeStub, ...]:
    """Each change once, as it was listed last."""
    found = {stub.ref.number: stub for stub in stubs}
    return tuple(sorted(found.values(), key=lambda stub: (stub.updated_at, stub.ref.number), reverse=True))


def _stubs(
    pages: Pages, make: Callable[[dict[str, Any]], ChangeStub | None], since: datetime | None
) -> list[ChangeStub]:
    found: list[ChangeStub] = []
    for page in pages:
        for each in page:
            stub = make(each)
            if stub is None or (since is None and not stub.open):
                continue
            if since is not None and stub.updated_at < since:
                return found
            found.append(stub)
        if len(found) >= MOST_STUBS:
            break
    return found
