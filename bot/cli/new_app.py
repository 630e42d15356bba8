"""``headgate setup github --app``: registers a GitHub App by one click in the browser, and keeps what it is given."""

from __future__ import annotations

import hmac
import html
import json
import os
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import click

from bot.core.errors import HeadgateError
from bot.hosts.github.addresses import web_root
from bot.hosts.github.manifest import NewApp, convert, form_url, manifest

PATIENCE: Final = 600.0
"""Seconds that somebody has to press the button."""
KEY, SECRET = "github-app.pem", "github-webhook-secret"
PAGE: Final = """\
<!doctype html><meta charset="utf-8"><title>Headgate: a GitHub App</title>
<style>
body {{font: 16px/1.5 system-ui; margin: 10vh auto; max-width: 34em; padding: 0 1em}}
button {{font: inherit; padding: .6em 1em}}
</style>
<h1>{title}</h1><p>{text}</p>{form}
"""
FORM: Final = """\
<form action="{action}" method="post"><input type="hidden" name="manifest" value="{manifest}">
<button>Register the App on GitHub</button></form>
"""


@dataclass(frozen=True, slots=True)
class NewAppWanted:
    """The App that is wanted: of which organisation (empty: the person's own), told where, kept in which folder.

    ``about`` is the page that GitHub shows people who ask what it is.
    """

    name: str
    owner: str
    api_url: str
    webhook_url: str
    folder: Path

    @property
    def about(self) -> str:
        parts = urlsplit(self.webhook_url)
        return f"{parts.scheme}://{parts.netloc}" if self.webhook_url else web_root(self.api_url)


class Registration:
    """One registration: a page on loopback that posts the manifest, and takes the code that comes back."""

    def __init__(self, wanted: NewAppWanted) -> None:
        self.wanted = wanted
        self.state = secrets.token_urlsafe(24)
        self._code = ""
        self._done = threading.Event()
        registration = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registration.answer(self)

            def log_message(self, *_: object) -> None:
                """The code is in the path: nothing of it is written down."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def manifest(self) -> dict[str, Any]:
        """What the page posts."""
        return manifest(self.wanted.name, self.wanted.webhook_url, f"{self.url}made", self.wanted.about)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """The page, and where GitHub sends the browser afterwards."""
        asked = urlsplit(request.path)
        if asked.path == "/":
            action = form_url(self.wanted.api_url, self.wanted.owner, self.state)
            words = {"action": html.escape(action), "manifest": html.escape(json.dumps(self.manifest()))}
            _say(request, 200, "One click", "GitHub asks for a name and does the rest.", FORM.format(**words))
        elif asked.path == "/made":
            self._take(request, parse_qs(asked.query))
        else:
            _say(request, 404, "Nothing here", "")

    def _take(self, request: BaseHTTPRequestHandler, told: dict[str, list[str]]) -> None:
        state, code = ((told.get(name) or [""])[0] for name in ("state", "code"))
        if not code or not hmac.compare_digest(state.encode(), self.state.encode()):
            _say(request, 400, "Not ours", "This is not the answer to what was asked. Begin again.")
            return
        self._code = code
        _say(request, 200, "Done", "Go back to the terminal.")
        self._done.set()

    def wait(self, seconds: float) -> str:
        """The code, empty when nobody pressed the button in time."""
        self._done.wait(seconds)
        return self._code

    def close(self) -> None:
        """End the page."""
        self._server.shutdown()
        self._server.server_close()


def _say(request: BaseHTTPRequestHandler, status: int, title: str, text: str, form: str = "") -> None:
    body = PAGE.format(title=title, text=text, form=form).encode()
    request.send_response(status)
    request.send_header("Content-Type", "text/html; charset=utf-8")
    request.send_header("Content-Length", str(len(body)))
    request.send_header("Referrer-Policy", "no-referrer")
    request.end_headers()
    request.wfile.write(body)


def register(wanted: NewAppWanted, tell: Callable[[str], None], patience: float = PATIENCE) -> NewApp:
    """Have an App registered and its secrets kept. Raises HeadgateError, and keeps nothing then."""
    taken = [name for name in (KEY, SECRET) if (wanted.folder / name).exists()]
    if taken:
        raise HeadgateError(f"{wanted.folder / taken[0]} is there already; move it away first")
    registration = Registration(wanted)
    try:
        tell(registration.url)
        code = registration.wait(patience)
    finally:
        registration.close()
    if not code:
        raise HeadgateError(f"nobody registered the App within {patience:.0f} seconds; begin again")
    made = convert(wanted.api_url, code)
    _keep(wanted.folder / KEY, made.pem)
    if made.webhook_secret:
        _keep(wanted.folder / SECRET, made.webhook_secret)
    return made


def _keep(path: Path, secret: str) -> None:
    """A new file that nobody else may read."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secret)


def run(wanted: NewAppWanted, host: str, *, dry_run: bool) -> None:
    """The verb: shows the manifest alone, or goes through with it and says what to do next."""
    if dry_run:
        shown = manifest(wanted.name, wanted.webhook_url, "http://127.0.0.1:PORT/made", wanted.about)
        click.echo(json.dumps(shown, indent=2))
        place = form_url(wanted.api_url, wanted.owner, "STATE")
        click.echo(f"posted by your browser to {place}; nothing was done (--dry-run)")
        return
    made = register(wanted, lambda url: click.echo(f"Open {url} in a browser on this machine."))
    click.echo(f"registered {made.slug}, id {made.id}; its key is in {wanted.folder / KEY}\n")
    secret = f", webhook_secret_file: {SECRET}" if made.webhook_secret else ", poll: 30s"
    click.echo(f"Write into the operator's file:\n  {host}: {{app_id: {made.id}, app_key_file: {KEY}{secret}}}\n")
    click.echo(f"Then install it on your repositories: {made.page}/installations/new")
