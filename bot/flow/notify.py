"""Sending what waits in the outbox: at least once, with a stable key, each destination on its own."""

from __future__ import annotations

import logging

from bot.core.errors import HeadgateError, HostBusy
from bot.flow.services import Services

log = logging.getLogger(__name__)


def notify(services: Services) -> int:
    """Send every message that is due; how many went out."""
    count = 0
    while due := services.store.due_messages(services.clock.now()):
        for outbound in due:
            chat = services.chats.get(outbound.destination)
            if chat is None:
                services.store.not_sent(outbound, services.clock.now(), "no such destination any more")
                continue
            try:
                chat.send(outbound.message)
            except HeadgateError as error:
                log.warning("chat %s: %s", outbound.destination, error)
                wanted = error.retry_after if isinstance(error, HostBusy) else 0.0
                services.store.not_sent(outbound, services.clock.now(), str(error)[:300], wanted)
            else:
                services.store.sent(outbound)
                count += 1
    return count
