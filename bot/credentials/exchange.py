"""An id token becomes an access token at an OAuth 2.0 token endpoint (RFC 8693).

The worker asks, not the change's code. Nothing that the endpoint says is repeated but an error code that the
standards know. https://www.rfc-editor.org/rfc/rfc8693#section-2
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote

import requests

from bot.core.rules import TokenExchange
from bot.credentials.process import Unusable

GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
PATIENCE: Final = 20.0
"""Seconds that the endpoint has for each part of its answer."""
LONGEST: Final = 256 * 1024
PAUSES: Final = (0.5, 2.0)
"""Seconds before asking again an endpoint that was not reached or is in trouble; asking twice harms nobody."""
KNOWN: Final = frozenset(
    {
        "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
        "invalid_scope", "invalid_target", "access_denied", "unsupported_token_type",
    }
)  # fmt: skip
"""RFC 6749 5.2, RFC 8693 2.2.2, and what some clouds say in their spirit."""


@dataclass(frozen=True, slots=True)
class Exchanged:
    """An access token, and when it ends, where the endpoint said so."""

    token: str
    until: datetime | None


def exchanged(exchange: TokenExchange, subject: str, secret: str, now: Callable[[], datetime]) -> Exchanged:
    """Show the id token, get the access token. Raises Unusable."""
    asked = now()
    status, body = _answer(exchange, subject, secret)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if status != 200:
        code = value.get("error") if isinstance(value, dict) else None
        why = f": {code}" if isinstance(code, str) and code in KNOWN else ""
        raise Unusable(f"the token endpoint refused ({status}{why})")
    token = value.get("access_token") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise Unusable("the token endpoint answered without an access token")
    lasts = value.get("expires_in")
    seconds = float(lasts) if isinstance(lasts, int | float | str) and str(lasts).isdecimal() else 0.0
    return Exchanged(token, asked + timedelta(seconds=min(seconds, 10 * 365 * 86400)) if seconds else None)


def _answer(exchange: TokenExchange, subject: str, secret: str) -> tuple[int, bytes]:
    """Status and body, after asking again where that may help."""
    for pause in (*PAUSES, None):
        try:
            status, body = _asked(exchange, subject, secret)
        except (requests.RequestException, OSError) as error:
            # Its words would name the URL and may quote what was sent.
            status, body, why = 0, b"", f"the token endpoint cannot be reached ({type(error).__name__})"
        if 0 < status < 500 and status != 429:
            return status, body
        if pause is not None:
            time.sleep(pause)
    if not status:
        raise Unusable(why)
    return status, body


def _asked(exchange: TokenExchange, subject: str, secret: str) -> tuple[int, bytes]:
    form = {
        "grant_type": GRANT,
        "subject_token": subject,
        "subject_token_type": exchange.subject_token_type,
        "requested_token_type": exchange.requested_token_type,
        "audience": exchange.audience,
        "resource": exchange.resource,
        "scope": exchange.scope,
        # A client with a secret names itself in the header: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
        "client_id": "" if secret else exchange.client_id,
    }
    answer = requests.post(
        exchange.url,
        data={key: value for key, value in form.items() if value},
        headers={"Accept": "application/json"},
        auth=_client(exchange.client_id, secret),
        timeout=PATIENCE,
        allow_redirects=False,
        stream=True,
    )
    with answer:
        body = b""
        for piece in answer.iter_content(16384):
            body += piece
            if len(body) > LONGEST:
                raise Unusable("the token endpoint said too much")
        return answer.status_code, body


def _client(client_id: str, secret: str) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """Who asks. Given even when nobody is named: otherwise a .netrc of the worker's would be used."""

    def add(request: requests.PreparedRequest) -> requests.PreparedRequest:
        return (
            requests.auth.HTTPBasicAuth(quote(client_id, safe=""), quote(secret, safe=""))(request)
            if secret
            else request
        )

    return add
