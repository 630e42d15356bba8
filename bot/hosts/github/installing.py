"""What GitHub tells an App about its installations; it cannot be told less, and nothing of it is believed unasked.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#installation
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from bot.core.events import AccessChanged, Hint, Ignored
from bot.core.model import RepoRef
from bot.hosts import shapes
from bot.hosts.github.payloads import InstallationEvent

_DECODER: Final = msgspec.json.Decoder(InstallationEvent)

ACTIONS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "installation": frozenset({"created", "deleted", "suspend", "unsuspend", "new_permissions_accepted"}),
        "installation_repositories": frozenset({"added", "removed"}),
    }
)
"""Events of an App alone, and their actions that say something to us."""
MOST: Final = 10_000
"""Repositories that one event may name."""


def access(host: str, app_id: int, name: str, body: bytes) -> Hint:
    """The hint of one of these events. Raises msgspec.MsgspecError, UnicodeDecodeError, RecursionError."""
    event = _DECODER.decode(body)
    told, action = event.installation, shapes.word(event.action)
    if told is None or told.account is None or not shapes.ACCOUNT.fullmatch(told.account.login):
        return Ignored(f"{name}: no account")
    if told.app_id != app_id:
        return Ignored(f"{name}: another App's")
    if action not in ACTIONS[name]:
        return Ignored(f"{name}.{action}: nothing that matters here")
    named = (*event.repositories, *event.repositories_added, *event.repositories_removed)
    repos = tuple(
        RepoRef(host, each.full_name) for each in named[:MOST] if shapes.REPOSITORY.fullmatch(each.full_name)
    )
    return AccessChanged(host, told.account.login, repos, f"{name}.{action}")
