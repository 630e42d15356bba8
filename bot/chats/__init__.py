"""Chats: one file each, one line here each. A chat gets its plain options and a reader of its secrets.

To add one: write ``bot/chats/NAME.py`` with a factory ``(options, secret) -> Chat`` and name it in ``CHATS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bot.chats import apprise, webhook
from bot.ports import Chat

Secret = Callable[[str], str]
"""Reads the secret of that name at the moment it is needed; raises ConfigError when it cannot be read."""

Factory = Callable[[Mapping[str, str], Secret], Chat]


@dataclass(frozen=True, slots=True)
class ChatKind:
    """A kind of chat: how to make one, and which settings it knows (for the schema and the docs)."""

    make: Factory
    options: tuple[str, ...]
    secrets: tuple[str, ...]
    about: str


CHATS: Final[dict[str, ChatKind]] = {
    "webhook": ChatKind(
        webhook.make, ("url",), ("url", "secret"), "a signed JSON POST to any URL (X-Headgate-Signature)"
    ),
    "slack": ChatKind(apprise.make_slack, ("channel",), ("token",), "Slack, with a bot token"),
    "apprise": ChatKind(apprise.make, (), ("url",), "any service Apprise knows, by its URL (Teams, Discord, mail …)"),
}
