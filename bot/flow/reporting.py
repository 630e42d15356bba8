"""What nobody's change says, told once: to the log, to the record, to the chats that want to hear of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from bot.flow.perform import wants
from bot.flow.services import Services
from bot.ports import AuditEntry, JobKind, Message

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Report:
    """``key`` names it for good, ``kind`` is the chat's word for it, ``action`` the record's; ``subject`` is what it
    is about."""

    key: str
    kind: str
    action: str
    subject: str
    title: str
    body: str


def report(services: Services, told: Report) -> None:
    """Once per key, whoever else tells it too."""
    if not services.store.put_setting(f"reported:{told.key}", "1", only_new=True):
        return
    log.warning("%s. %s", told.title, told.body)
    now = services.clock.now()
    detail: dict[str, object] = {"key": told.key, "what": told.title}
    services.store.audit(AuditEntry("unknown", told.action, told.subject, detail), now)
    message = Message(told.key, told.subject, told.kind, "", told.title, told.body)
    routes = [route.name for route in services.settings.chat if wants(route, told.kind, "")]
    services.store.enqueue_messages(tuple((name, message) for name in routes), now)
    services.queue.put(JobKind.NOTIFY, "outbox")
