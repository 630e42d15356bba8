"""Where webhooks to us are kept: with a repository, or with what it belongs to, which tells of all it has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.core.errors import HostDenied, HostGone

Hooks = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Kept:
    """A webhook to us, or where one would be made (``hook`` is None). ``at`` is the path of its list in the API,
    ``whose`` it is in words, empty for the repository's own."""

    at: str
    whose: str = ""
    hook: Mapping[str, Any] | None = None

    def named(self, url: str) -> str:
        """The webhook in words."""
        return f"webhook of {self.whose} to {url}" if self.whose else f"webhook to {url}"


def kept(places: Iterable[Kept], listed: Callable[[str], Hooks], address: Callable[[Mapping[str, Any]], object],
         url: str) -> Kept:  # fmt: skip
    """The first of these places that has a webhook to ``url``, else the first of all, where one would be made.

    Raises HostDenied or HostGone when we may not look there; other places that we may not see have none.
    """
    first, *rest = places
    for place in (first, *rest):
        try:
            hooks = listed(place.at)
        except (HostGone, HostDenied):
            if place is first:
                raise
            continue
        found = next((hook for hook in hooks if address(hook) == url), None)
        if found is not None:
            return Kept(place.at, place.whose, found)
    return first
