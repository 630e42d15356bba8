"""A real HTTP server that takes what chats send, and answers as it is told."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bot.ports import Message


@dataclass(frozen=True)
class Post:
    """One request as it came over the wire."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """``answers`` are the next statuses and headers, 204 when there are none; ``endless`` bodies never end."""

    posts: list[Post] = field(default_factory=list)
    answers: deque[tuple[int, dict[str, str]]] = field(default_factory=deque)
    endless: bool = False
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, status: int, **headers: str) -> None:
        self.answers.append((status, {name.replace("_", "-"): value for name, value in headers.items()}))


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.posts.append(Post(self.path, headers, body))
            status, answer = receiver.answers.popleft() if receiver.answers else (204, {})
            self.send_response(status)
            for name, value in answer.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                while receiver.endless:
                    self.wfile.write(b"x" * 65536)
            except OSError:
                pass  # hung up: that is what is tested

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    return Handler


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(found))
    found.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    found.endless = False
    server.shutdown()
    server.server_close()


@pytest.fixture
def message() -> Message:
    return Message(
        key="github/acme/infra!7:failed:r1",
        group="github/acme/infra!7",
        kind="failed",
        environment="prod",
        title="acme/infra#7 Wider gates",
        body="db-prod failed: InvalidParameterValue",
        url="https://git.example/acme/infra/pull/7",
    )


@pytest.fixture
def all_logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Everything that an operator who asks for more (``-v``) gets to read."""
    root = logging.getLogger()
    before = root.level
    caplog.handler.setLevel(logging.DEBUG)
    root.setLevel(logging.DEBUG)
    yield caplog
    root.setLevel(before)
