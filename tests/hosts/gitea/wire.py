"""What stands between the adapter and the server: it writes down what is said, and makes trouble when told to."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests
from forge.judge import Exchange

PREFIX = "/api/v1"
BETWEEN_US = ("host", "connection")
HOP_BY_HOP = {"connection", "transfer-encoding", "content-encoding", "content-length", "keep-alive"}


class Wire:
    """Passes everything on to the server behind it. ``lose``, ``fail`` and ``limit`` spoil the next exchange."""

    def __init__(self, behind: str) -> None:
        self.behind = behind
        self.exchanges: list[Exchange] = []
        self.lose = self.fail = False
        self.limit = 0
        wire = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # A body that waits until the headers are acknowledged comes 40 ms later on a connection that is kept.
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                wire.serve(self)

            def do_POST(self) -> None:
                wire.serve(self)

            def do_PATCH(self) -> None:
                wire.serve(self)

            def do_DELETE(self) -> None:
                wire.serve(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def serve(self, handler: Any) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        if self._trouble(handler):
            return
        headers = {
            name: value for name, value in handler.headers.items() if name.lower() not in ("host", "connection")
        }
        answer = requests.request(
            handler.command, self.behind + handler.path, data=body, headers=headers, allow_redirects=False, timeout=60
        )
        self._note(handler, body, answer)
        if self.lose:
            self.lose = False
            handler.close_connection = True
            return
        _say(handler, answer.status_code, dict(answer.headers), answer.content)

    def _trouble(self, handler: Any) -> bool:
        """Whether the exchange ended here, before it reached the server."""
        if self.fail:
            self.fail = False
            _say(handler, 502, {}, b"bad gateway")
        elif self.limit:
            wait, self.limit = self.limit, 0
            _say(handler, 429, {"Retry-After": str(wait)}, b"")
        else:
            return False
        return True

    def _note(self, handler: Any, body: bytes, answer: requests.Response) -> None:
        path, _, query = handler.path.partition("?")
        if path.startswith(PREFIX):
            names = tuple(part.partition("=")[0] for part in query.split("&") if part)
            told = (handler.command, path.removeprefix(PREFIX), names, body.decode())
            self.exchanges.append(Exchange(*told, answer.status_code, answer.content))

    def sent(self, method: str = "", path: str = "") -> list[Exchange]:
        """The requests that reached the server."""
        return [each for each in self.exchanges if method in each.method and path in each.path]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _say(handler: Any, status: int, headers: dict[str, str], body: bytes) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        if name.lower() not in HOP_BY_HOP:
            handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)
