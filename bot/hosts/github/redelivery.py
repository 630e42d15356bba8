"""Webhooks that nobody took are handed over again: GitHub tries each once, and keeps a log for three days.

https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from bot.core.errors import HostDenied, HostGone
from bot.core.model import RepoRef
from bot.hosts.fields import moment
from bot.hosts.github.account import Account
from bot.hosts.github.hooks import HookPlaces
from bot.hosts.remembering import Aging

LOOK_EVERY: Final = 240.0
"""Seconds in which an organisation's log is looked through once, whichever of its repositories asks."""
LOOKED_AT: Final = 100
"""Entries of the log: the newest page."""
ATTEMPTS: Final = 3
"""In all; what fails as often is left to polling."""
SETTLED: Final = timedelta(minutes=1)
"""An attempt may take that long, so a younger entry may still be on its way."""


class Redelivery:
    """Looks through the log of the App's webhook, or of each repository's or its organisation's."""

    def __init__(self, account: Account, hooks: HookPlaces, clock: Callable[[], float] = time.monotonic) -> None:
        self._account = account
        self._hooks = hooks
        self._looked = Aging(LOOK_EVERY, clock)

    def logs(self, repos: Sequence[RepoRef]) -> tuple[RepoRef, ...]:
        """Repositories through which every log is reached: an App has one for all."""
        return tuple(repos[:1]) if self._account.is_app else tuple(repos)

    def again(self, repo: RepoRef, url: str, now: datetime) -> int:
        """Have what was lost handed over once more; how many. Raises HostError; 0 where we may not look."""
        try:
            client, log = self._log(repo, url)
            if not log:
                return 0
            entries: list[dict[str, Any]] = next(client.pages(f"{log}?per_page={LOOKED_AT}"), [])
            wanted = lost(entries, now)
            for number in wanted:
                client.write("POST", f"{log}/{number}/attempts", {})
        except (HostDenied, HostGone):
            return 0
        return len(wanted)

    def _log(self, repo: RepoRef, url: str) -> tuple[Any, str]:
        if self._account.is_app:
            return self._account.as_app(), "/app/hook/deliveries"
        found = self._hooks.of(repo, url)
        if found.hook is None or self._looked.get((found.at,)):
            return None, ""
        if found.whose:
            # It was found by one repository, and tells of them all.
            self._looked.put((found.at,), True)
        return self._account.client(repo.path), f"{found.at}/{found.hook['id']}/deliveries"


def lost(entries: Iterable[Mapping[str, Any]], now: datetime) -> tuple[int, ...]:
    """Ids of the newest attempts of those that nobody took, oldest first. What we refused is not lost: it would be
    refused again."""
    attempts: dict[str, list[Mapping[str, Any]]] = {}
    for entry in entries:
        attempts.setdefault(str(entry.get("guid") or ""), []).append(entry)
    found = [each[0] for guid, each in attempts.items() if guid and len(each) < ATTEMPTS and all(map(_failed, each))]
    young = now - SETTLED
    settled = (entry for entry in found if (at := moment(entry.get("delivered_at"))) is not None and at <= young)
    return tuple(int(entry["id"]) for entry in reversed(list(settled)) if isinstance(entry.get("id"), int))


def _failed(entry: Mapping[str, Any]) -> bool:
    """No answer (0), or one that says to come back."""
    code = entry.get("status_code")
    return isinstance(code, int) and (code == 0 or code >= 500 or code == 429)
