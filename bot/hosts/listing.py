"""Listings of changes that moved, newest first, and of repositories: each once, and never without a bound."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

from bot.core.model import RepoRef
from bot.ports import ChangeStub

log = logging.getLogger(__name__)

MOST_STUBS: Final = 2000
MOST_REPOSITORIES: Final = 20_000

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


def repositories(host: str, pages: Pages, field: str, shape: re.Pattern[str]) -> tuple[RepoRef, ...]:
    """The repositories of a listing whose names are in that field and of that shape, by name; not the archived ones.

    https://docs.github.com/en/repositories/archiving-a-github-repository: nothing can be written there.
    """
    found: set[str] = set()
    for page in pages:
        names = [str(each.get(field) or "") for each in page if each.get("archived") is not True]
        found |= {name for name in names if shape.fullmatch(name)}
        if len(found) > MOST_REPOSITORIES:
            log.warning(
                "%s: our account sees more than %d repositories; the rest is left out", host, MOST_REPOSITORIES
            )
            break
    return tuple(RepoRef(host, name) for name in sorted(found)[:MOST_REPOSITORIES])
