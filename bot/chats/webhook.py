"""A generic webhook: one JSON document per message, signed, with a stable id so that a repeat is recognised.

The receiver checks ``X-Headgate-Signature: t=UNIX_SECONDS,v1=HEX`` where HEX is HMAC-SHA256 over ``t.body``, and
refuses old times; ``X-Headgate-Delivery`` is the same for every attempt to deliver one message.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

import requests

from bot.core.errors import HostBusy, HostDenied
from bot.ports import Chat, Message

logging.getLogger("urllib3").setLevel(logging.INFO)
"""Below that it writes down every path, and a webhook's path may be its secret."""

TIMEOUT = 10.0
LONGEST_PAUSE = 3600.0
"""Seconds; whatever ``Retry-After`` asks for beyond it is asked for again."""


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
        status, told = _post(self._url(), body, headers)
        if status == 429 or status >= 500:
            raise HostBusy(f"the webhook answered {status}", retry_after(told, time.time()))
        if status >= 300:
            raise HostDenied(f"the webhook answered {status}")


def _post(url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str]]:
    """Status and headers of the answer. Its body says nothing to us and may have no end: it is not read."""
    try:
        with requests.post(
            url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False, stream=True
        ) as answer:
            return answer.status_code, answer.headers
    except requests.RequestException as error:
        raise HostBusy(f"the webhook cannot be reached ({type(error).__name__})") from None


def sign(secret: str, at: int, body: bytes) -> str:
    """The signature header's value for ``body`` sent at ``at`` (seconds since 1970)."""
    mac = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={mac}"


def retry_after(headers: Mapping[str, str], now: float) -> float:
    """Seconds that ``Retry-After`` asks for, written either way (RFC 9110, 10.2.3); 30 without a sensible one."""
    value = headers.get("Retry-After", "")
    if value.isascii() and value.isdecimal():
        return min(float(value), LONGEST_PAUSE)
    try:
        wanted = parsedate_to_datetime(value).timestamp() - now
    except (ValueError, OverflowError):
        return 30.0
    return min(max(wanted, 1.0), LONGEST_PAUSE)


def make(options: Mapping[str, str], secret: Callable[[str], str]) -> Chat:
    """A webhook whose URL is plain (``url``) or itself secret (``url_file``)."""
    plain = options.get("url", "")
    return Webhook((lambda: plain) if plain else (lambda: secret("url")), lambda: secret("secret"))
