"""The process of one run: it owns the claim and nothing else, builds its own services, records the outcome."""

from __future__ import annotations

import logging
import os
import signal
import threading

from bot.core.errors import StoreConflict
from bot.flow.run import execute
from bot.work import warm
from bot.work.process import current_holder

log = logging.getLogger(__name__)


def child_main(run_id: str) -> None:
    """Execute one claimed run. Exits 0 when an outcome was recorded, 1 when the claim was lost."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    told = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: told.set())
    services = warm.services()
    try:
        run = services.store.run(run_id)
        if run is None or run.state.over:
            return
        run = services.store.set_holder(run, current_holder())
        finished = execute(services, run, told.is_set)
        log.info("run %s of %s: %s", run.id, run.project.name, finished.state.value)
    except StoreConflict as error:
        log.warning("run %s is no longer ours: %s", run_id, error)
        os._exit(1)
    finally:
        services.store.close()
