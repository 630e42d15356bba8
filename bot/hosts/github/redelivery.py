"""Webhooks that nobody took are handed over again: GitHub tries each once, and keeps a log for three days.

https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from bot.core.errors import HostDenied, HostGone
from bot.core.model import RepoRef
from bot.hosts.fields import moment
from bot.hosts.github.account import Account
from bot.hosts.github.client import Client
from bot.hosts.github.hooks import HookPlaces
from bot.hosts.remembering import Aging, Last

LOOK_EVERY: Final = 240.0
"""Seconds in which an organisation's log is looked through once, whichever of its repositories asks."""
OWN_PAGES: Final = 5
SHARED_PAGES: Final = 30
"""Of a hundred entries each, that are looked at: of one repository's log, and of one for many, which is longer.
Nobody knows at first how long we were away; later only what came since the last look is new."""
ATTEMPTS: Final = 3
"""In all; what fails as often is left to polling."""
SETTLED: Final = timedelta(minutes=1)
"""An attempt may take that long, so a younger entry may still be on its way."""
OVERLAP: Final = timedelta(minutes=5)
"""Looks go back a little further than the last one: hosts' clocks are others, and entries may come late."""


class Redelivery:
    """Looks through the log of the App's webhook, or of each repository's or its organisation's."""

    def __init__(self, account: Account, hooks: HookPlaces, clock: Callable[[], float] = time.monotonic) -> None:
        self._account = account
        self._hooks = hooks
        self._looked = Aging(LOOK_EVERY, clock)
        self._until = Last()
        self._asked = Last()

    def logs(self, repos: Sequence[RepoRef]) -> tuple[RepoRef, ...]:
        """Repositories through which every log is reached: an App has one for all."""
        return tuple(repos[:1]) if self._account.is_app else tuple(repos)

    def again(self, repo: RepoRef, url: str, now: datetime) -> int:
        """Have what was lost handed over once more; how many. Raises HostError; 0 where we may not look."""
        try:
            log = self._log(repo, url)
            return self._handed_over(log, now) if log is not None else 0
        except (HostDenied, HostGone):
            return 0

    def _handed_over(self, log: _Log, now: datetime) -> int:
        wanted = [each for each in lost(self._entries(log), now) if self._tries(each.guid) < ATTEMPTS - 1]
        for each in wanted:
            log.client.write("POST", f"{log.path}/{each.number}/attempts", {})
            self._asked.put((each.guid,), self._tries(each.guid) + 1)
        self._until.put((log.path,), now - OVERLAP)
        return len(wanted)

    def _tries(self, guid: str) -> int:
        """How often we had it handed over: older attempts may not be looked at any more."""
        return int(self._asked.get((guid,)) or 0)

    def _entries(self, log: _Log) -> Iterator[Mapping[str, Any]]:
        """Newest first, back to what was looked at before."""
        until: datetime | None = self._until.get((log.path,))
        for _, page in zip(range(log.pages), log.client.pages(log.path, remember=False), strict=False):
            yield from page
            oldest = moment(page[-1].get("delivered_at")) if page else None
            if until is not None and (oldest is None or oldest < until):
                return

    def _log(self, repo: RepoRef, url: str) -> _Log | None:
        if self._account.is_app:
            return _Log(self._account.as_app(), "/app/hook/deliveries", SHARED_PAGES)
        found = self._hooks.of(repo, url)
        if found.hook is None or self._looked.get((found.at,)):
            return None
        if found.whose:
            # It was found by one repository, and tells of them all.
            self._looked.put((found.at,), True)
        path = f"{found.at}/{found.hook['id']}/deliveries"
        return _Log(self._account.client(repo.path), path, SHARED_PAGES if found.whose else OWN_PAGES)


@dataclass(frozen=True, slots=True)
class _Log:
    """A webhook's log: who reads it, where it is, and how far back."""

    client: Client
    path: str
    pages: int


@dataclass(frozen=True, slots=True)
class Lost:
    """A delivery that nobody took: its newest attempt, and what all its attempts have in common."""

    number: int
    guid: str


def lost(entries: Iterable[Mapping[str, Any]], now: datetime) -> tuple[Lost, ...]:
    """Those that nobody took, oldest first. What we refused is not lost: it would be refused again."""
    attempts: dict[str, list[Mapping[str, Any]]] = {}
    for entry in entries:
        attempts.setdefault(str(entry.get("guid") or ""), []).append(entry)
    found = [
        Lost(each[0]["id"], guid)
        for guid, each in attempts.items()
        if guid and len(each) < ATTEMPTS and all(map(_failed, each)) and _settled(each[0], now)
    ]
    return tuple(reversed(found))


def _settled(entry: Mapping[str, Any], now: datetime) -> bool:
    at = moment(entry.get("delivered_at"))
    return isinstance(entry.get("id"), int) and at is not None and at <= now - SETTLED


def _failed(entry: Mapping[str, Any]) -> bool:
    """No answer (0), or one that says to come back."""
    code = entry.get("status_code")
    return isinstance(code, int) and (code == 0 or code >= 500 or code == 429)
