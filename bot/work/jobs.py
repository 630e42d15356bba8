"""What a worker does for each kind of job; losing or repeating any of them is harmless."""

from __future__ import annotations

import contextlib
import logging
from datetime import timedelta
from typing import assert_never

from bot.core.errors import HostError, ShutOut, StoreConflict
from bot.core.model import ChangeRef, RepoRef
from bot.core.runs import Run, RunKind
from bot.flow.absorb import absorb_all
from bot.flow.access import lost
from bot.flow.advance import advance
from bot.flow.notify import notify
from bot.flow.selecting import Selector
from bot.flow.services import Services
from bot.flow.watch import catch_up, watch_branch
from bot.ports import JobKind
from bot.work.process import current_holder, proven_dead
from bot.work.supervise import Supervisor

log = logging.getLogger(__name__)

HEARTBEATS_PER_LEASE = 6


class Jobs:
    """The handler of one worker process."""

    def __init__(self, services: Services, supervisor: Supervisor | None) -> None:
        self._services = services
        self._supervisor = supervisor
        self._selector = Selector(services.settings, services.tools)

    def __call__(self, kind: JobKind, key: str) -> None:
        """Do one job. Raises nothing that a worker has to know about."""
        match kind:
            case JobKind.ABSORB:
                absorb_all(self._services)
            case JobKind.ADVANCE:
                advance(self._services, self._selector, ChangeRef.parse(key))
            case JobKind.WATCH:
                self._watch(key)
            case JobKind.CATCH_UP:
                catch_up(self._services, RepoRef.parse(key))
            case JobKind.NOTIFY:
                notify(self._services)
            case JobKind.RUN:
                self._run(key)
            case _:
                assert_never(kind)

    def _watch(self, key: str) -> None:
        name, _, branch = key.rpartition("@")
        repo = RepoRef.parse(name)
        try:
            watch_branch(self._services, repo, branch)
        except ShutOut as error:
            lost(self._services, repo, error)
        except HostError as error:
            log.warning("watching %s: %s", key, error)

    def _run(self, run_id: str) -> None:
        """Claim a run and see it through in a process of its own, renewing its lease while that lives."""
        services, supervisor = self._services, self._supervisor
        if supervisor is None or not self._serves(run_id):
            return
        lease = timedelta(seconds=services.settings.limits.lease)
        run = services.store.claim_run(run_id, current_holder(), services.clock.now(), lease)
        if run is None:
            return
        every = lease.total_seconds() / HEARTBEATS_PER_LEASE
        code = supervisor.supervise(
            run_id,
            heartbeat=lambda: services.store.renew_run(run, services.clock.now(), lease),
            every=every,
            die_with_parent=run.kind is RunKind.PLAN,
            grace=10.0,
        )
        self._look_back(run, code)
        services.queue.put(JobKind.ADVANCE, str(run.change))

    def _serves(self, run_id: str) -> bool:
        """Whether the run is of an environment that is ours, by the store's word: who can write to the queue can put
        any run into any lane."""
        ours = self._services.environments
        run = self._services.store.run(run_id) if ours is not None else None
        if ours is None or run is None or run.project.environment in ours:
            return True
        log.warning(
            "run %s is of %r and was offered to a worker of %s", run_id, run.project.environment, sorted(ours)
        )
        return False

    def _look_back(self, claimed: Run, code: int) -> None:
        """The process ended. If it did not record an outcome it died: that is one now."""
        store = self._services.store
        run = store.run(claimed.id)
        if run is None or run.state.over or run.token != claimed.token:
            return
        why = f"its process ended with code {code} before it was done"
        if run.holder == current_holder():
            # It died before it took the claim over from us, so nothing was begun.
            with contextlib.suppress(StoreConflict):
                store.bury_run(run, self._services.clock.now(), why)
            return
        bury_if_dead(self._services, run, why)


def bury_if_dead(services: Services, run: Run, why: str) -> bool:
    """Record the loss of a run whose holder is proven dead; its change then reads back (law 10)."""
    if run.holder is None or not proven_dead(run.holder):
        return False
    try:
        services.store.bury_run(run, services.clock.now(), why)
    except StoreConflict:
        return False
    services.queue.put(JobKind.ADVANCE, str(run.change))
    return True
