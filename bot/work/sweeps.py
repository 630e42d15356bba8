"""The sweeps: what the store says is due is put into the queue again, whoever lost it; and the polling.

Any number of processes may sweep; duties that must not be doubled are led by one of them at a time.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from bot.core.errors import HeadgateError
from bot.core.model import RepoRef
from bot.core.runs import RunState
from bot.flow.access import BEHIND
from bot.flow.services import Services
from bot.flow.watch import poll
from bot.ports import Budget, JobKind, Redelivers
from bot.work.allowance import Allowance, Reckoned
from bot.work.jobs import bury_if_dead
from bot.work.roster import Roster

log = logging.getLogger(__name__)

EVERY = 1.0
"""Seconds between sweeps. Each costs a few indexed queries."""

LEAD = timedelta(seconds=15)
RETENTION_EVERY = timedelta(hours=1)
REDELIVER_EVERY = 300.0
"""Seconds."""
PATIENCE = 300.0
"""Seconds that a round of polling waits for a busy host; a longer pause ends it, and the next begins there."""


def sweep(services: Services, environments: Sequence[str] | None = None) -> None:
    """One round: deliveries, changes, runs, leases, repositories to be caught up with, messages."""
    now, store, queue = services.clock.now(), services.store, services.queue
    if store.oldest_unabsorbed() is not None:
        queue.put(JobKind.ABSORB, "deliveries")
    for ref in store.due_changes(now):
        queue.put(JobKind.ADVANCE, str(ref))
    for run in store.expire_runs(now):
        log.warning("run %s of %s: its lease ran out, it is %s", run.id, run.project.name, run.state.value)
        queue.put(JobKind.ADVANCE, str(run.change))
    for run in store.active_runs():
        if run.state is RunState.SUSPECT:
            bury_if_dead(services, run, "its process is gone")
    for run in store.queued_runs(environments):
        queue.put(JobKind.RUN, run.id, lane=run.project.environment)
    for repo, due in store.settings(BEHIND).items():
        if datetime.fromisoformat(due) <= now:
            queue.put(JobKind.CATCH_UP, repo)
    if store.messages_due(now):
        queue.put(JobKind.NOTIFY, "outbox")


class Sweeper:
    """Sweeps, polls and keeps house in a thread until it is stopped."""

    def __init__(
        self,
        services: Services,
        tidy: Callable[[], None],
        environments: Sequence[str] | None = None,
        every: float = EVERY,
    ) -> None:
        self._tidy = tidy
        self._services = services
        self._environments = environments
        self._every = every
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin; one thread for sweeping, one for each host that is polled."""
        self._spawn(self._round, self._every, "sweep")
        self._spawn(self._keep_house, RETENTION_EVERY.total_seconds(), "retention")
        for name, host in self._services.settings.hosts.items():
            roster = Roster(self._services, name)
            if host.poll is not None:
                turn = self._in_turn("poll", name, partial(self._poll, roster))
                self._spawn(turn, host.poll.total_seconds(), f"poll-{name}")
            if self._services.settings.listen.public_url:
                turn = self._in_turn("redeliver", name, partial(redeliver_all, self._services, roster))
                self._spawn(turn, REDELIVER_EVERY, f"redeliver-{name}")

    def stop(self) -> None:
        """Stop and wait for the round at hand."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=10)

    def _spawn(self, work: Callable[[], None], every: float, name: str) -> None:
        def loop() -> None:
            while not self._stop.is_set():
                try:
                    work()
                except HeadgateError as error:
                    log.warning("%s: %s", name, error)
                except Exception:
                    # A sweep that died would turn every lost hint into a lost change.
                    log.exception("%s", name)
                self._stop.wait(every)

        thread = threading.Thread(target=loop, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _round(self) -> None:
        sweep(self._services, self._environments)

    def _keep_house(self) -> None:
        services = self._services
        if services.store.lead("retention", services.identity, services.clock.now(), RETENTION_EVERY):
            services.store.sweep(services.clock.now(), timedelta(days=services.settings.limits.keep_days))
            services.store.checkpoint(services.audit_key)
        self._tidy()

    def _in_turn(self, task: str, name: str, work: Callable[[Allowance], object]) -> Callable[[], None]:
        """A task over a host's repositories, within its allowance: of all processes one does it at a time."""
        allowance = allowance_of(self._services, name)

        def turn() -> None:
            services = self._services
            if services.store.lead(f"{task}:{name}", services.identity, services.clock.now(), LEAD):
                work(allowance)

        return turn

    def _poll(self, roster: Roster, allowance: Allowance) -> None:
        poll_all(self._services, roster, allowance, lambda seconds: not self._stop.wait(seconds))


def allowance_of(services: Services, name: str) -> Allowance:
    """What sweeps may take of a host; without bound where it is not one of ours."""
    host, settings, now = services.hosts.get(name), services.settings.hosts.get(name), services.clock.now
    if host is None or settings is None:
        return Allowance(Budget, now)
    return Allowance(Reckoned(host.budget, host.calls, settings.calls_per_minute, now), now)


def redeliver_all(services: Services, roster: Roster, allowance: Allowance) -> None:
    """Have a host hand over again what nobody took, as far as the allowance goes."""
    host: object = services.hosts.get(roster.host)
    if not isinstance(host, Redelivers):
        return
    url = services.settings.webhook_url(roster.host)

    def one(repo: RepoRef) -> None:
        if count := host.redeliver(repo, url, services.clock.now()):
            log.info("%s: %d webhooks that nobody took are handed over again", repo, count)

    allowance.spend(host.logs(roster.repositories(allowance)), one)


def _until_more(services: Services, allowance: Allowance) -> float:
    """Seconds until the next window of calls begins; 0 when there is none."""
    resets_at = allowance.resets_at
    return (resets_at - services.clock.now()).total_seconds() + 1.0 if resets_at is not None else 0.0


def poll_all(services: Services, roster: Roster, allowance: Allowance, pause: Callable[[float], bool]) -> int:
    """One round over a host's repositories, as far as the allowance goes; how many were polled.

    ``pause`` waits so many seconds; False when there is no time for that.
    """
    repositories, swept = roster.repositories(allowance), 0
    while swept < len(repositories):
        part = allowance.spend(repositories, lambda repo: poll(services, repo), len(repositories) - swept)
        swept += part.count
        wait = part.wait or _until_more(services, allowance)
        if swept == len(repositories) or not 0 < wait <= PATIENCE or not pause(wait):
            break
    if swept < len(repositories):
        log.warning(
            "poll-%s: no more of the host's rate budget, or patience; %d of %d repositories wait for the next",
            roster.host,
            len(repositories) - swept,
            len(repositories),
        )
    return swept
