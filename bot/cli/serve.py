"""``headgate serve``: web, worker, sweeps and a Redis of our own, watched by one small process."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from bot.cli.options import config_option
from bot.cli.processes import NO_REDIS, REDIS_VARIABLE, Child, leave_no_core_file, run_until_told, stop_on_signals
from bot.core.errors import HeadgateError
from bot.queues.server import OwnServer, find_server

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the settings say that serve itself needs. ``redis`` is a URL, or empty for one of our own; ``grace`` are
    seconds; ``env`` is handed down."""

    env: dict[str, str]
    data: str
    redis: str
    webhooks: str
    pages: str
    grace: float


@click.command()
@config_option
def command(config: str) -> None:
    """Everything in one; Ctrl-C or SIGTERM stops it, letting deploys finish within the grace time."""
    leave_no_core_file()
    prepared = prepared_apart(config)
    for setting, address in (("webhooks", prepared.webhooks), ("pages", prepared.pages)):
        _ensure_free(setting, address)
    stop = stop_on_signals()
    url, words, close = open_redis(prepared.redis, Path(prepared.data))
    log.info("queue: %s", words)
    log.info("webhooks on http://%s/webhooks/NAME, pages on http://%s", prepared.webhooks, prepared.pages)
    # A configured URL may hold a password, and everybody's variables lie open in /proc: each reads it for itself.
    env = prepared.env if prepared.redis else {**prepared.env, REDIS_VARIABLE: url}
    children = [Child("web", ["web"], env), Child("worker", ["worker"], env)]
    try:
        run_until_told(children, stop, prepared.grace + 30)
    finally:
        close()


def prepared_apart(config: str) -> Prepared:
    """See ``bot.cli.preparing``; ends this process, too, with its words and exit code when something is wrong."""
    done = subprocess.run(
        [sys.executable, "-m", "bot.cli.preparing", config], check=False, capture_output=True, text=True
    )
    click.echo(done.stderr, err=True, nl=False)
    if done.returncode != 0:
        sys.exit(max(done.returncode, 0) or 3)  # killed by a signal: something outside failed
    return Prepared(**json.loads(done.stdout))


def _ensure_free(setting: str, address: str) -> None:
    """Raises HeadgateError when the address cannot be listened on: better said once than at every new start."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, int(port)))
    except OSError as error:
        why = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error)
        mend = f"stop what has it, or change `listen.{setting}`"
        raise HeadgateError(f"cannot listen on {address}: {why}; {mend}") from None


def open_redis(url: str, data: Path) -> tuple[str, str, Callable[[], None]]:
    """The URL to hand down, what it is in words, and how to close it. Empty ``url``: one of our own, if it can be."""
    if url and url != NO_REDIS:
        return url, "configured redis", lambda: None
    program, words = find_server() if url != NO_REDIS else ("", "")
    if program:
        server = OwnServer(program, data)
        try:
            server.start()
        except RuntimeError as error:
            log.warning("%s; going on without", error)
        else:
            return server.url, words, server.stop
    return NO_REDIS, "in the worker's own process (no Redis was configured, found or embedded)", lambda: None
