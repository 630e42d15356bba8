"""Whether GitLab sent a webhook: signed, with a window of time, or with the plain secret token of older hooks; and
whether it asks for a status check: signed over the bytes alone.

https://docs.gitlab.com/user/project/integrations/webhooks/
https://docs.gitlab.com/user/project/merge_requests/status_checks/
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from bot.core.errors import SignatureError
from bot.hosts.signing import Secret, readable

PREFIX: Final = "whsec_"
SIGNATURE: Final = "x-gitlab-signature"
"""The header of external status checks: the hexadecimal HMAC-SHA256 of the body, without a time."""
KEY_BYTES: Final = 32
WINDOW: Final = 300.0
"""Seconds that a signature's time may be away from ours."""


def verify(supplies: Sequence[Secret], headers: Mapping[str, str], body: bytes, at: datetime) -> None:
    """Pass what bears one of our secrets. ``headers`` have lower-case names.

    Where the signature's header is there, however empty, the plain token says nothing any more: who could strip or
    spoil the one could add the other. Raises SignatureError; ConfigError when a secret that might fit cannot be read.
    """
    secrets, unreadable = readable(supplies)
    if not secrets and unreadable is None:
        raise SignatureError("no webhook secret is configured, so no delivery can be trusted")
    if any(name in headers for name in ("webhook-signature", "webhook-timestamp")):
        good = _signed([each for each in secrets if each.startswith(PREFIX)], headers, body, at)
    elif SIGNATURE in headers:
        good = _asked(secrets, body, headers[SIGNATURE])
    else:
        good = _bears([each for each in secrets if not each.startswith(PREFIX)], headers.get("x-gitlab-token", ""))
    if not good and unreadable is not None:
        raise unreadable
    if not good:
        raise SignatureError("the delivery bears none of the webhook's secrets that are configured here")


def _bears(tokens: Sequence[str], given: str) -> bool:
    good = False
    for token in tokens:
        good |= hmac.compare_digest(token.encode(), given.encode("utf-8", "replace"))
    return good


def _asked(secrets: Sequence[str], body: bytes, given: str) -> bool:
    """Any secret of ours may be the shared one, also a signing token, which is then a text like any other."""
    good = False
    for secret in secrets:
        wanted = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        good |= hmac.compare_digest(wanted.encode(), given.encode("utf-8", "replace"))
    return good


def _signed(tokens: Sequence[str], headers: Mapping[str, str], body: bytes, at: datetime) -> bool:
    """``v1,BASE64`` of the HMAC over ``id.time.body``; several may be given, one has to fit."""
    number, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not stamp.isascii() or not stamp.isdecimal() or abs(at.timestamp() - float(stamp[:15])) > WINDOW:
        raise SignatureError("the signature's time is too far from ours: is one of the clocks wrong?")
    said = b".".join((number.encode("utf-8", "replace"), stamp.encode(), body))
    given = [each.encode("utf-8", "replace") for each in headers.get("webhook-signature", "").split()[:10]]
    good = False
    for key in filter(None, map(_key, tokens)):
        wanted = b"v1," + base64.b64encode(hmac.new(key, said, hashlib.sha256).digest())
        for each in given:
            good |= hmac.compare_digest(wanted, each)
    return good


def _key(token: str) -> bytes:
    """The key within a signing token; empty for what is none."""
    try:
        key = base64.b64decode(token.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return b""
    return key if len(key) == KEY_BYTES else b""
