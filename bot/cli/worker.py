"""``headgate worker``: absorbs, advances, runs, notifies, sweeps; as many of them as are wanted."""

from __future__ import annotations

import logging
import os

import click

from bot.cli.options import config_option
from bot.cli.processes import leave_no_core_file, stop_on_signals
from bot.cli.queueing import open_queue, workers_for
from bot.ports import JobKind, Queue
from bot.queues.rq_queue import SHORT, lane_of
from bot.wiring import CONFIG_VARIABLE, ENVIRONMENTS_VARIABLE, Wiring, config_path, warm_up
from bot.work.jobs import Jobs
from bot.work.supervise import Supervisor
from bot.work.sweeps import Sweeper

log = logging.getLogger(__name__)

SHORT_THREADS = 3
CHILD = "bot.work.child:child_main"


@click.command()
@config_option
@click.option("--environment", "environments", multiple=True, help="Take only runs of this environment (repeatable).")
@click.option(
    "--queue",
    "kind",
    type=click.Choice(["all", "short", "runs"]),
    default="all",
    help="Take only short jobs, or only runs.",
)
def command(config: str, environments: tuple[str, ...], kind: str) -> None:
    """Work until told to stop; a deploy at hand is let finish within the grace time."""
    leave_no_core_file()
    path = config_path(config).absolute()
    os.environ[CONFIG_VARIABLE] = str(path)
    os.environ.pop(ENVIRONMENTS_VARIABLE, None)
    wiring = Wiring(path)
    for name in environments:
        if name not in wiring.settings.environments:
            known = ", ".join(wiring.settings.environments) or "none"
            raise click.UsageError(f"no environment is called {name!r} in the settings; there are: {known}")
    if environments:
        wiring = _kept_apart(wiring, environments)
    stop = stop_on_signals()
    store = wiring.store()
    store.migrate()
    if wiring.settings.issuer:
        wiring.ring(store).ensure()  # shown before the first token names it
    supervisor = Supervisor(CHILD, ("bot.work.child", "bot.work.warm"))
    supervisor.warm()
    warm_up()
    queue = open_queue(wiring, consumes=True)
    services = wiring.services(queue, store)
    jobs = Jobs(services, supervisor)
    workers = workers_for(queue, jobs)
    limits = wiring.settings.limits
    if kind in ("all", "short"):
        workers.start((SHORT,), SHORT_THREADS)
    if kind in ("all", "runs"):
        names = environments or ("", *wiring.settings.environments)
        workers.start(tuple(lane_of(JobKind.RUN, name) for name in names), limits.runs)
    sweeper = Sweeper(services, wiring.tidy, tuple(environments) or None)
    sweeper.start()
    _tell_what_is_behind(queue)
    stop.wait()
    log.info("stopping; deploys may take %.0f s more", limits.shutdown_grace)
    sweeper.stop()
    workers.stop(timeout=0.1)
    supervisor.shutdown(limits.shutdown_grace)
    workers.stop(timeout=5)
    wiring.mirrors_close()
    store.close()


def _kept_apart(wiring: Wiring, environments: tuple[str, ...]) -> Wiring:
    """Nothing of other environments from here on: not in the settings, nor among the variables that runs inherit."""
    for name in sorted(wiring.settings.foreign_variables(environments) & os.environ.keys()):
        log.warning(
            "%s holds a secret of another environment; a worker of %s should not", name, ", ".join(environments)
        )
        del os.environ[name]
    os.environ[ENVIRONMENTS_VARIABLE] = ",".join(environments)
    return Wiring(wiring.path, environments=environments)


def _tell_what_is_behind(queue: Queue) -> None:
    """A queue that is down is no reason to end: its threads try again until it is there."""
    try:
        log.info("working; queue: %s", queue.ping())
    except ConnectionError as error:
        log.warning("the configured redis cannot be reached (%s): nothing is worked on until it can be", error)
