"""``headgate serve``: web, worker, sweeps and a Redis of our own, watched by one process."""

from __future__ import annotations

import logging

import click

from bot.cli.options import config_option
from bot.cli.processes import Child, run_until_told, stop_on_signals
from bot.cli.queueing import REDIS_VARIABLE, open_for_serve
from bot.stores.artifacts import bind
from bot.wiring import CONFIG_VARIABLE, Wiring, config_path

log = logging.getLogger(__name__)


@click.command()
@config_option
def command(config: str) -> None:
    """Everything in one; Ctrl-C or SIGTERM stops it, letting deploys finish within the grace time."""
    wiring = Wiring(config_path(config))
    stop = stop_on_signals()
    store = wiring.store()
    store.migrate()
    bind(store, wiring.key())
    store.close()
    url, words, close = open_for_serve(wiring)
    listen = wiring.settings.listen
    log.info("queue: %s", words)
    log.info("webhooks on http://%s/webhooks/NAME, pages on http://%s", listen.webhooks, listen.pages)
    env = {CONFIG_VARIABLE: str(wiring.path), REDIS_VARIABLE: url}
    children = [Child("web", ["web"], env), Child("worker", ["worker"], env)]
    try:
        run_until_told(children, stop, wiring.settings.limits.shutdown_grace + 30)
    finally:
        close()
