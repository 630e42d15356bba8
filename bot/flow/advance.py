"""Advance one change: gather, decide, perform, until there is nothing left to do."""

from __future__ import annotations

import logging
import secrets
from datetime import timedelta

from bot.core.decide.decision import decide
from bot.core.effects import Decision
from bot.core.errors import HostBusy, HostDenied, HostError, HostGone, ShutOut, StoreConflict
from bot.core.model import ChangeRef
from bot.flow.access import lost
from bot.flow.gather import Gathered, gather
from bot.flow.perform import perform_host, perform_state
from bot.flow.selecting import Selector
from bot.flow.services import Services
from bot.ports import ChangeRow, Commit, JobKind

log = logging.getLogger(__name__)

LOOKS = 25
"""More looks than any change needs; a change that still is not at rest is looked at again later."""


def advance(services: Services, selector: Selector, ref: ChangeRef) -> bool:
    """Bring one change to rest. False when somebody else is advancing it (the sweep will come back)."""
    ttl = timedelta(seconds=services.settings.limits.advance_lease)
    # Threads of one process share its identity, but each look needs the change for itself.
    holder = f"{services.identity}/{secrets.token_hex(4)}"
    if not services.store.lease_change(ref, holder, services.clock.now(), ttl):
        return False
    try:
        for _ in range(LOOKS):
            if not _look(services, selector, ref):
                return True
            services.store.lease_change(ref, holder, services.clock.now(), ttl)
        log.warning("%s is not at rest after %d looks", ref, LOOKS)
        services.queue.put(JobKind.ADVANCE, str(ref))
        return True
    finally:
        services.store.free_change(ref, holder)
        row = services.store.change(ref)
        if row is not None and row.dirty != row.cleared:
            services.queue.put(JobKind.ADVANCE, str(ref))


def _look(services: Services, selector: Selector, ref: ChangeRef) -> bool:
    """One look; True when another one is needed."""
    row = services.store.change(ref)
    if row is None:
        return False
    try:
        gathered = gather(services, selector, row)
        if gathered is None:
            _settle(services, row)
            return False
        return _act(services, row, gathered)
    except StoreConflict:
        log.info("%s: somebody wrote first; looking again", ref)
        return True
    except HostError as error:
        if isinstance(error, ShutOut):
            lost(services, ref.repo, error)
        _postpone(services, row, error)
        return False


def _act(services: Services, row: ChangeRow, gathered: Gathered) -> bool:
    snapshot = gathered.snapshot
    decision = decide(snapshot)
    rest = Decision(wake_at=decision.wake_at)
    if decision.state or not decision.host:
        written = perform_state(services, row, snapshot, decision, refetched=gathered.refetched)
        return bool(decision.state) or written.dirty != written.cleared
    # The facts this decision stands on are written before anything is said on the host.
    row = perform_state(services, row, snapshot, rest, refetched=gathered.refetched)
    host = services.hosts[snapshot.ref.repo.host]
    row = perform_host(services, host, row, snapshot, decision)
    return True


def _settle(services: Services, row: ChangeRow) -> None:
    """Not ours to look after: mark it clean, keep no facts."""
    commit = Commit(memory=row.memory, cleared=row.dirty, refetched=True, state="ignored", wake_at=None, targets=())
    services.store.commit_change(row, commit, services.clock.now())


def _postpone(services: Services, row: ChangeRow, error: HostError) -> None:
    """The host could not be read: the change stays dirty and is looked at again after a pause."""
    match error:
        case HostBusy(retry_after=seconds):
            pause = seconds
        case HostDenied() | HostGone():
            pause = 300.0
        case _:
            pause = 60.0
    # Whoever is shut out is told of it once, and not of every change.
    level = logging.INFO if isinstance(error, ShutOut) else logging.WARNING
    log.log(level, "%s: cannot be read, again in %.0f s: %s", row.ref, pause, error)
    now = services.clock.now()
    if isinstance(error, HostGone):
        commit = Commit(
            memory=row.memory, cleared=row.dirty, refetched=False, state="gone", wake_at=now + timedelta(days=1)
        )
    else:
        commit = Commit(
            memory=row.memory,
            cleared=row.dirty,
            refetched=False,
            state=row.state,
            wake_at=now + timedelta(seconds=pause),
        )
    try:
        services.store.commit_change(row, commit, now)
    except StoreConflict:
        services.queue.put(JobKind.ADVANCE, str(row.ref))
