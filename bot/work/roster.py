"""Whom sweeps look after: repositories named in full, and those that a pattern names, as far as the host shows them.

Webhooks tell of repositories by themselves; who polls has to know which there are.
"""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from bot.core.config.server import listed_repositories, looked_after, names_by_pattern
from bot.core.errors import HostBusy, HostError
from bot.core.model import RepoRef
from bot.flow.services import Services
from bot.ports import Host
from bot.work.allowance import Allowance

log = logging.getLogger(__name__)

LIST_EVERY: Final = timedelta(hours=1)
"""A listing is a call for a hundred repositories or fewer, and new ones are rare."""


class Roster:
    """The repositories of one host. Thread-safe; several sweeps share one."""

    def __init__(self, services: Services, host: str) -> None:
        self.host = host
        self._services = services
        self._shown: tuple[RepoRef, ...] = ()
        self._asked_at: datetime | None = None
        self._lock = threading.Lock()

    def repositories(self, allowance: Allowance) -> tuple[RepoRef, ...]:
        """All of them; the host is asked once an hour, as soon as the allowance has something left for it."""
        settings, host = self._services.settings, self._services.hosts.get(self.host)
        if host is None or not names_by_pattern(settings, self.host):
            return listed_repositories(settings, self.host)
        with self._lock:
            if self._due():
                allowance.once(partial(self._ask, host))
            return looked_after(settings, self.host, self._shown)

    def _due(self) -> bool:
        return self._asked_at is None or self._services.clock.now() - self._asked_at >= LIST_EVERY

    def _ask(self, host: Host) -> int:
        """Have the host list them; how many calls that took. What it will not tell is taken to be as it was."""
        before = sum(host.calls().values())
        try:
            shown = host.repositories()
        except HostBusy as error:
            log.warning("%s: which repositories there are is asked again: %s", self.host, error)
        except HostError as error:
            log.warning("%s: which repositories there are is not told: %s", self.host, error)
            self._asked_at = self._services.clock.now()
        else:
            self._asked_at = self._services.clock.now()
            self._tell(set(shown) - set(self._shown))
            self._shown = shown
        return sum(host.calls().values()) - before

    def _tell(self, fresh: set[RepoRef]) -> None:
        for repo in looked_after(self._services.settings, self.host, sorted(fresh)):
            if repo in fresh:
                log.info("%s: found by its pattern, and looked after from now on", repo)
