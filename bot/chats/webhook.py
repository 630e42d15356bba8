"""A generic webhook: one JSON document per message, signed, with a stable id so that a repeat is recognised.

The receiver checks ``X-Headgate-Signature: t=UNIX_SECONDS,v1=HEX`` where HEX is HMAC-SHA256 over ``t.body``, and
refuses old times; ``X-Headgate-Delivery`` is the same for every attempt to deliver one message.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping

import requests

from bot.core.errors import HostBusy, HostDenied
from bot.ports import Chat, Message

TIMEOUT = 10.0


class Webhook:
    """Posts to one URL."""

    def __init__(self, url: Callable[[], str], secret: Callable[[], str]) -> None:
        self._url = url
        self._secret = secret

    def send(self, message: Message) -> None:
        """Raises HostBusy (5xx, 429, no connection) or HostDenied (any other refusal); never names the URL."""
        body = json.dumps(
            {
                "id": message.key,
                "group": message.group,
                "kind": message.kind,
                "environment": message.environment,
                "title": message.title,
                "body": message.body,
                "url": message.url,
            },
            ensure_ascii=False,
        ).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "headgate",
            "X-Headgate-Delivery": hashlib.sha256(message.key.encode()).hexdigest()[:32],
            "X-Headgate-Signature": sign(self._secret(), int(time.time()), body),
        }
        try:
            answer = requests.post(self._url(), data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False)
        except requests.RequestException as error:
            raise HostBusy(f"the webhook cannot be reached ({type(error).__name__})") from None
        if answer.status_code == 429 or answer.status_code >= 500:
            raise HostBusy(f"the webhook answered {answer.status_code}", _retry_after(answer.headers))
        if answer.status_code >= 300:
            raise HostDenied(f"the webhook answered {answer.status_code}")


def sign(secret: str, at: int, body: bytes) -> str:
    """The signature header's value for ``body`` sent at ``at`` (seconds since 1970)."""
    mac = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={mac}"


def _retry_after(headers: Mapping[str, str]) -> float:
    value = headers.get("Retry-After", "")
    return min(float(value), 3600.0) if value.isdecimal() else 30.0


def make(options: Mapping[str, str], secret: Callable[[str], str]) -> Chat:
    """A webhook whose URL is plain (``url``) or itself secret (``url_file``)."""
    plain = options.get("url", "")
    return Webhook((lambda: plain) if plain else (lambda: secret("url")), lambda: secret("secret"))
