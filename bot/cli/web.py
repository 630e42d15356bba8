"""``headgate web``: webhooks on one address, pages, API and metrics on another, under gunicorn with threads."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

import click
from flask import Flask
from gunicorn.app.base import BaseApplication

from bot.cli.options import config_option
from bot.cli.processes import leave_no_core_file
from bot.cli.queueing import open_queue
from bot.core.errors import HeadgateError, KeyMismatch
from bot.ports import Queue
from bot.stores.artifacts import check
from bot.stores.keyring import Keyring
from bot.stores.sqlstore import SqlStore
from bot.web import pages, webhooks
from bot.web.identity import add_identity
from bot.wiring import CONFIG_VARIABLE, Wiring, config_path

log = logging.getLogger(__name__)

THREADS = 32
"""Pages follow logs; eight threads were seen to starve webhooks, thirty-two were not."""

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]


@click.command()
@config_option
@click.option(
    "--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes; each has its own threads."
)
def command(config: str, workers: int) -> None:
    """Serve until told to stop."""
    leave_no_core_file()
    path = config_path(config).absolute()
    os.environ[CONFIG_VARIABLE] = str(path)
    listen = Wiring(path).settings.listen
    Server(path_app=lambda: build(str(path)), bind=[listen.webhooks, listen.pages], workers=workers).run()


def build(path: str) -> WsgiApp:
    """Both applications of one worker process; which one answers is told by the address it was asked on."""
    wiring = Wiring(config_path(path))
    store = wiring.store()
    store.migrate()
    queue = open_queue(wiring, consumes=False)
    site = Site(wiring, store, queue)
    try:
        site.ready()
    except KeyMismatch as error:
        log.error("not ready: %s", error)
    hooks = webhooks.create_app(store, queue, wiring.hosts(), wiring.clock, site.ready)
    if wiring.settings.issuer:
        add_identity(hooks, wiring.settings.issuer, wiring.ring(store).public)
    pages_port = int(wiring.settings.listen.pages.rpartition(":")[2])

    def choose(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        # The socket's own name cannot be forged by a header.
        asked_on = environ["gunicorn.socket"].getsockname()[1]
        app = site.app() if asked_on == pages_port else hooks
        return app.wsgi_app(environ, start_response)

    return choose


class Site:
    """The pages, made when the artifact key fits the store. Until it does their address tells what is wrong, and
    webhooks are taken all the same: a delivery needs no key, and none may be lost."""

    def __init__(self, wiring: Wiring, store: SqlStore, queue: Queue) -> None:
        self._wiring, self._store, self._queue = wiring, store, queue
        self._lock = threading.Lock()
        self._pages: Flask | None = None
        self._keyring: Keyring | None = None
        self._closed = webhooks.out_of_service(store, queue, self.ready)

    def ready(self) -> None:
        """Raises KeyMismatch while the key at hand is not the store's."""
        self._made()
        if self._keyring is not None:
            check(self._store, *self._keyring.keys())

    def app(self) -> Flask:
        """The pages, or what stands in their place."""
        try:
            return self._made()
        except HeadgateError:
            return self._closed

    def _made(self) -> Flask:
        with self._lock:
            if self._pages is None:
                services = self._wiring.services(self._queue, self._store)
                self._keyring = self._wiring.keyring()
                self._pages = pages.create_app(services, self._wiring.log_reader(self._store), self.ready)
            return self._pages


class Server(BaseApplication):  # type: ignore[misc] # gunicorn has no types
    """Gunicorn with our settings (https://docs.gunicorn.org/en/stable/custom.html)."""

    def __init__(self, path_app: Callable[[], WsgiApp], bind: list[str], workers: int) -> None:
        self._path_app = path_app
        self._options = {
            "bind": bind,
            "workers": workers,
            "worker_class": "gthread",
            "threads": THREADS,
            "timeout": 60,
            "graceful_timeout": 10,
            "keepalive": 5,
            "limit_request_line": 8190,
            "limit_request_field_size": 8190,
            "control_socket_disable": True,
            "loglevel": "warning",
            "proc_name": "headgate-web",
        }
        super().__init__()

    def load_config(self) -> None:
        """Hand our options over; one that this gunicorn does not know is left out."""
        for name, value in self._options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> WsgiApp:
        """Called in the worker process."""
        return self._path_app()
