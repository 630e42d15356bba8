"""Who believes id tokens: the documents as they are served, and a token endpoint that takes nothing else's word."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl
from urllib.request import urlopen

import jwt
from flask import Flask
from serving import in_background
from werkzeug.serving import make_server

from bot.credentials import Ring
from bot.web.identity import add_identity


@dataclass
class Passing:
    """A clock that a test moves on."""

    by: timedelta = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.by


@contextlib.contextmanager
def published(ring: Ring) -> Iterator[str]:
    """The documents of these keys, served; the URL that tokens name."""
    app = Flask(__name__)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    url = f"http://127.0.0.1:{server.server_port}"
    add_identity(app, url, ring.public)
    with in_background(server):
        yield url


@dataclass
class Endpoint:
    """A token endpoint as RFC 8693 has it: it believes only what an issuer's published keys say."""

    issuer: str
    audience: str
    url: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    verified: list[dict[str, Any]] = field(default_factory=list)
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    """Said in place of what is right, one by one."""

    def answer(self, form: dict[str, str]) -> tuple[int, bytes]:
        self.asked.append(form)
        if self.answers:
            return self.answers.pop(0)
        with urlopen(f"{self.issuer}/.well-known/openid-configuration", timeout=10) as answer:
            found = json.load(answer)
        assert found["issuer"] == self.issuer
        token = form["subject_token"]
        try:
            key = jwt.PyJWKClient(found["jwks_uri"]).get_signing_key_from_jwt(token)
            said = jwt.decode(token, key, algorithms=["RS256"], audience=self.audience, issuer=self.issuer)
        except jwt.PyJWTError:
            return 400, b'{"error": "invalid_grant", "error_description": "quartz"}'
        self.verified.append(said)
        body = {"access_token": "quartz-access-token", "issued_token_type": form["requested_token_type"],
                "token_type": "Bearer", "expires_in": 900}  # fmt: skip
        return 200, json.dumps(body).encode()


@contextlib.contextmanager
def token_endpoint(issuer: str, audience: str) -> Iterator[Endpoint]:
    """One that trusts this issuer."""
    made = Endpoint(issuer, audience)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            made.headers.append({name.lower(): value for name, value in self.headers.items()})
            status, said = made.answer(dict(parse_qsl(body, strict_parsing=True)))
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", made.url)
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *args: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}/token"
    with in_background(server):
        yield made
