"""What happens to every API request, whatever the face: bad moods come before the answer, and all is on record."""

from __future__ import annotations

import time
from collections.abc import Callable

from flask import Response, request

from bot.forge.state import State
from bot.forge.trouble import Blow, Request

_LOST = Blow(502, "Server Error")


def receive(
    state: State, refuse: Callable[[Blow], Response], answer: Callable[[list[str]], Response], seen_as: str = ""
) -> Response:
    """Answer one request. ``answer`` puts the login into the list it is given; ``seen_as`` tells callers apart."""
    login: list[str] = []
    trouble = state.trouble
    if trouble.latency_s > 0:
        time.sleep(trouble.latency_s)
    blow = trouble.next_blow(request.path)
    if blow is not None:
        reply = refuse(blow)
        reply.headers.update(blow.headers)
    else:
        old = trouble.stale(seen_as, request.full_path) if request.method == "GET" else None
        reply = old or _answered(state, refuse, answer, login, seen_as)
    who = login[0] if login else None
    query, body = request.query_string.decode(), request.get_data(as_text=True)
    trouble.note(Request(request.method, request.path, query, reply.status_code, who, "api", body))
    return _cut(reply) if reply.status_code < 300 and trouble.take("cut_answers") else reply


def _answered(
    state: State,
    refuse: Callable[[Blow], Response],
    answer: Callable[[list[str]], Response],
    login: list[str],
    seen_as: str,
) -> Response:
    reply = answer(login)
    if request.method == "GET":
        state.trouble.remember(seen_as, request.full_path, reply)
    elif reply.status_code < 300 and state.trouble.take("lose_answers"):
        return refuse(_LOST)
    return reply


def _cut(reply: Response) -> Response:
    """Promise the whole body and send half of it; the connection ends there."""
    data = reply.get_data()
    reply.set_data(data[: len(data) // 2])
    reply.headers["Content-Length"] = str(len(data))
    return reply
