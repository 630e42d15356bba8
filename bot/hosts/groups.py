"""Who is in a team or an organisation, as far as our account may list it; asked once in some minutes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from bot.core.errors import HostDenied, HostGone
from bot.hosts.remembering import Aging

MOST: Final = 5000
"""Members that are read; a larger group counts as one that cannot be listed."""
SECONDS: Final = 300.0

_NAME: Final = re.compile(r"[A-Za-z0-9_][\w.\-]*(/[\w.\-]+){0,20}", re.ASCII)

Ask = Callable[[str], tuple[list[dict[str, Any]], bool]]
"""A group's path -> its members, and whether these are all. May raise HostDenied, HostGone, HostBusy."""


class Groups:
    """One host's groups. ``login`` reads a member's name."""

    def __init__(
        self, ask: Ask, login: Callable[[Mapping[str, Any]], str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._login = login
        self._known = Aging(SECONDS, clock)

    def members(self, group: str) -> frozenset[str] | None:
        """Lower-cased logins; None for a group that is not there, or that we may not list whole. Raises HostBusy."""
        key = (group.lower(),)
        known: tuple[frozenset[str] | None] | None = self._known.get(key)
        if known is None:
            known = (self._asked(group),)
            self._known.put(key, known)
        return known[0]

    def _asked(self, group: str) -> frozenset[str] | None:
        if not _NAME.fullmatch(group):
            return None
        try:
            listed, whole = self._ask(group)
        except (HostDenied, HostGone):
            return None
        return frozenset(name.lower() for each in listed if (name := self._login(each))) if whole else None
