"""Figures an operator is paged by, computed from the store when asked; labels are few and bounded.

Computed from the store because every process that forks would else leave a file behind (prometheus-client).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from bot.ports import Budget, Clock, Queue, Store

METRICS: Final[dict[str, str]] = {
    "oldest_unabsorbed_seconds": "Age of the oldest delivery that was stored and not looked at yet.",
    "advance_lag_seconds": "How long the change that waits longest has been dirty.",
    "run_wait_seconds": "How long the run that waits longest has been queued.",
    "suspect_runs": "Deploys whose lease ran out and whose process is not proven dead; each holds a lock.",
    "dead_messages": "Chat messages that were given up after their last attempt.",
    "shut_out": "Owners and repositories where nothing goes on: we are let in no more, or it has another name.",
    "open_changes": "Changes that are open.",
    "queued_runs": "Runs that wait for a worker.",
    "running_runs": "Runs that are being carried out.",
}
"""Name in the store's gauges -> what it means. Exposed as ``headgate_NAME``."""

HOST_BUDGET: Final = "host_budget_remaining"
QUEUE_DEPTH: Final = "queue_depth"
OTHERS: Final[dict[str, str]] = {
    HOST_BUDGET: "Calls left of a host's rate limit, as it last told this process; label: host.",
    QUEUE_DEPTH: "Hints waiting in the queue; label: queue.",
}


class StoreCollector:
    """Asks the store (and what this process knows of its hosts) at scrape time."""

    def __init__(self, store: Store, queue: Queue, clock: Clock, budgets: Callable[[], Mapping[str, Budget]]) -> None:
        self._store, self._queue, self._clock, self._budgets = store, queue, clock, budgets

    def collect(self) -> Iterable[Metric]:
        """Called by the registry for each scrape."""
        gauges = self._store.gauges(self._clock.now())
        for name, meaning in METRICS.items():
            yield GaugeMetricFamily(f"headgate_{name}", meaning, value=gauges.get(name, 0.0))
        budget = GaugeMetricFamily(f"headgate_{HOST_BUDGET}", OTHERS[HOST_BUDGET], labels=["host"])
        for host, left in self._budgets().items():
            if left.remaining is not None:
                budget.add_metric([host], left.remaining)
        yield budget
        depth = GaugeMetricFamily(f"headgate_{QUEUE_DEPTH}", OTHERS[QUEUE_DEPTH], labels=["queue"])
        for queue, waiting in self._queue.depth().items():
            depth.add_metric([queue], waiting)
        yield depth


def scrape(store: Store, queue: Queue, clock: Clock, budgets: Callable[[], Mapping[str, Budget]]) -> bytes:
    """One scrape in the Prometheus text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StoreCollector(store, queue, clock, budgets))
    return generate_latest(registry)
