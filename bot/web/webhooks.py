"""``POST /webhooks/NAME``: verify, store, hint, 202. The delivery is durable before it is acknowledged (P3)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import NotFound, RequestEntityTooLarge

from bot.core.errors import ConfigError, HeadgateError, MalformedDelivery, SignatureError, StoreDown
from bot.core.events import Delivery
from bot.ports import Clock, Inbox, JobKind, Queue, Store
from bot.web.together import Together

log = logging.getLogger(__name__)

MAX_BODY = 25 * 2**20
"""Bytes. GitHub sends nothing larger: https://docs.github.com/en/webhooks/webhook-events-and-payloads"""


Check = Callable[[], None]
"""Raises HeadgateError, whose text says what is missing and the way out."""


def nothing_more() -> None:
    """The check of a service that needs but its store."""


def create_app(
    store: Store, queue: Queue, inboxes: Mapping[str, Inbox], clock: Clock, ready: Check = nothing_more
) -> Flask:
    """The webhook service. ``inboxes`` are the hosts by the name they have in the operator's settings."""
    app = Flask(__name__, static_folder=None)
    # Werkzeug cuts a body whose length was not told (chunked) instead of refusing it: one byte more shows it.
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY + 1
    intake: Together[Delivery, bool] = Together(
        lambda deliveries: _stored(store, queue, deliveries), shared=(StoreDown,)
    )

    @app.post("/webhooks/<name>")
    def receive(name: str) -> tuple[Response, int]:
        inbox = inboxes.get(name)
        if inbox is None:
            return _say(404, f"no host is called {name!r} in the settings")
        body = request.get_data(cache=False)
        if len(body) > MAX_BODY:
            raise RequestEntityTooLarge
        try:
            delivery = inbox.receive(_headers(request.environ), body, clock.now())
        except SignatureError as error:
            log.warning("webhook for %s refused: %s", name, error)
            return _say(401, str(error))
        except MalformedDelivery as error:
            return _say(400, str(error))
        except ConfigError as error:
            log.error("webhook for %s put off: %s", name, error)
            return _say(503, "the webhook's secret cannot be read; deliver this again later")
        try:
            new = intake.do(delivery)
        except StoreDown:
            log.exception("the store is down; the host was told to come back")
            return _say(503, "the store cannot be reached; deliver this again later")
        return _say(202, "stored" if new else "stored before; looked at again")

    @app.errorhandler(RequestEntityTooLarge)
    def too_large(_: RequestEntityTooLarge) -> tuple[Response, int]:
        return _say(413, f"a delivery may have {MAX_BODY} bytes")

    add_health(app, store, queue, ready)
    return app


def _headers(environ: Mapping[str, Any]) -> dict[str, str]:
    """The request's headers (PEP 3333); Flask's view of them takes longer to copy than a signature to check."""
    named = {name[5:].replace("_", "-"): value for name, value in environ.items() if name.startswith("HTTP_")}
    return named | {"CONTENT-TYPE": environ.get("CONTENT_TYPE", "")}


def _stored(store: Store, queue: Queue, deliveries: Sequence[Delivery]) -> tuple[bool, ...]:
    """Deliveries that came at the same time share one commit and one hint; each is answered only after both."""
    new = store.add_deliveries(deliveries)
    queue.put(JobKind.ABSORB, "deliveries")
    return new


def out_of_service(store: Store, queue: Queue, ready: Check) -> Flask:
    """Stands where an application cannot be made: its health, and for every other page the reason."""
    app = Flask(__name__, static_folder=None)

    @app.errorhandler(NotFound)
    def closed(_: NotFound) -> tuple[Response, int]:
        try:
            ready()
        except HeadgateError as error:
            return _say(503, str(error))
        return _say(503, "just now ready; ask again")

    add_health(app, store, queue, ready)
    return app


def add_health(app: Flask, store: Store, queue: Queue, ready: Check = nothing_more) -> None:
    """``/healthz``: the process answers. ``/readyz``: it could do its work, or says what is missing."""

    @app.get("/healthz")
    def healthz() -> tuple[Response, int]:
        return _say(200, "alive")

    @app.get("/readyz")
    def readyz() -> tuple[Response, int]:
        try:
            store.ping()
        except StoreDown as error:
            return _say(503, f"store: {error}")
        try:
            ready()
        except HeadgateError as error:
            return _say(503, str(error))
        try:
            behind = queue.ping()
        except ConnectionError:
            # The store is the truth: without the queue the sweeps still find all work, only slower.
            behind = "down; the sweeps carry on"
        return _say(200, f"ready; queue: {behind}")


def _say(status: int, message: str) -> tuple[Response, int]:
    return jsonify(message=message), status
