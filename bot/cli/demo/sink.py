"""The demo's chat room: receives Headgate's signed webhook, checks the signature, keeps the messages."""

from __future__ import annotations

import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bot.chats.webhook import sign


class ChatRoom:
    """Listens on a free loopback port; ``messages`` is what was said, in order."""

    def __init__(self, secret: str) -> None:
        self.messages: list[dict[str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(secret))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where Headgate posts."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/ops"

    def stop(self) -> None:
        """Close the room."""
        self._server.shutdown()
        self._server.server_close()

    def said(self, kind: str, words: str) -> dict[str, str] | None:
        """A message of this kind whose text has these words, if there was one."""
        fitting = (each for each in self.messages if each["kind"] == kind and words in each["title"] + each["body"])
        return next(fitting, None)

    def _handler(self, secret: str) -> type[BaseHTTPRequestHandler]:
        room = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(min(int(self.headers.get("Content-Length", "0")), 1 << 20))
                given = self.headers.get("X-Headgate-Signature", "")
                stamp = given.partition(",")[0].removeprefix("t=")
                good = stamp.isdecimal() and hmac.compare_digest(given, sign(secret, int(stamp), body))
                if good:
                    room.messages.append(json.loads(body))
                self.send_response(204 if good else 401)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        return Handler
