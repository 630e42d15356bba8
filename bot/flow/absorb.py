"""A delivery becomes marks: which changes are dirty, which branches moved. Nothing is decided here."""

from __future__ import annotations

import logging
from typing import assert_never

from bot.core.config.server import rules_for
from bot.core.events import (
    AccessChanged,
    BranchMoved,
    ChangeTouched,
    CommandPressed,
    CommitTouched,
    Delivery,
    GateAsked,
    GroupAsked,
    GroupGone,
    Hint,
    Ignored,
)
from bot.core.model import ChangeRef
from bot.flow.access import note_access
from bot.flow.grouping import note_group
from bot.flow.homes import note_home
from bot.flow.requests import asked_setting, pressed_setting, pressed_text
from bot.flow.services import Services
from bot.ports import JobKind

log = logging.getLogger(__name__)


def absorb_all(services: Services) -> int:
    """Absorb every stored delivery that waits; how many there were."""
    count = 0
    while waiting := services.store.unabsorbed():
        for delivery in waiting:
            absorb(services, delivery)
        count += len(waiting)
    return count


def absorb(services: Services, delivery: Delivery) -> None:
    """Mark what one delivery touches, durably, then hint the queue."""
    host = services.hosts.get(delivery.host)
    if host is None:
        services.store.absorb(delivery, (), (), f"ignored: no host is called {delivery.host}")
        return
    if (home := host.about(delivery)) is not None:
        note_home(services, home)
    hints = host.decode(delivery)
    touched = tuple(dict.fromkeys(ref for hint in hints for ref in _touched(services, hint)))
    outcome = "; ".join(_outcome(hint) for hint in hints)[:500] or "ignored: nothing in it"
    for hint in hints:
        _note(services, hint)
    services.store.absorb(delivery, hints, touched, outcome)
    for ref in touched:
        services.queue.put(JobKind.ADVANCE, str(ref))
    for hint in hints:
        if isinstance(hint, BranchMoved) and rules_for(services.settings, hint.repo) is not None:
            services.queue.put(JobKind.WATCH, f"{hint.repo}@{hint.branch}")
    log.info("delivery %s %s/%s: %s", delivery.id, delivery.host, delivery.event, outcome)


def _touched(services: Services, hint: Hint) -> tuple[ChangeRef, ...]:
    match hint:
        case ChangeTouched(ref=ref) | GateAsked(ref=ref) | GroupAsked(ref=ref) | GroupGone(ref=ref):
            return (ref,) if rules_for(services.settings, ref.repo) is not None else ()
        case CommitTouched(repo=repo, sha=sha) | CommandPressed(repo=repo, sha=sha):
            return services.store.change_by_head(repo, sha)
        case BranchMoved() | AccessChanged() | Ignored():
            return ()
        case _:
            assert_never(hint)


def _note(services: Services, hint: Hint) -> None:
    """Keep what only a delivery tells."""
    match hint:
        case ChangeTouched(ref=ref, head=head, pusher=pusher) if head and pusher:
            services.store.note_pusher(ref.repo, head, pusher)
        case BranchMoved(repo=repo, after=after, pusher=pusher) if after and pusher:
            services.store.note_pusher(repo, after, pusher)
        case GroupAsked() | GroupGone():
            note_group(services, hint)
        case AccessChanged():
            note_access(services, hint)
        case GateAsked(ref=ref, id=asked):
            services.store.put_setting(asked_setting(ref), asked)
        case CommandPressed():
            services.store.put_setting(pressed_setting(hint.repo, hint.sha), pressed_text(hint))
        case _:
            pass


def _outcome(hint: Hint) -> str:
    match hint:
        case ChangeTouched(ref=ref, why=why):
            return f"{ref} {why}".strip()
        case BranchMoved(repo=repo, branch=branch):
            return f"{repo}@{branch} moved"
        case CommitTouched(repo=repo, sha=sha):
            return f"{repo} {sha[:12]} was reported on"
        case GateAsked(ref=ref):
            return f"{ref} is asked for"
        case GroupAsked(ref=ref, sha=sha):
            return f"{ref} is in the merge queue as {sha[:12]}"
        case GroupGone(ref=ref, sha=sha):
            return f"{ref} left the merge queue as {sha[:12]}"
        case CommandPressed(repo=repo, sha=sha, author=author, words=words):
            return f"{repo} {sha[:12]}: {author} pressed {words}"
        case AccessChanged(host=host, owner=owner, why=why):
            return f"{host}/{owner} {why}"
        case Ignored(why=why):
            return f"ignored: {why}"
        case _:
            assert_never(hint)
