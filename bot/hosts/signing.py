"""Whether a webhook was signed with one of our secrets: HMAC-SHA256 over its bytes, as most hosts do it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence

from bot.core.errors import ConfigError, SignatureError

Secret = Callable[[], str]
"""Gives a secret as it is now; may raise ConfigError, which names the place and never the value."""


def signed(supplies: Sequence[Secret], body: bytes, signature: str, header: str) -> None:
    """Pass what bears the hexadecimal HMAC-SHA256 of one of the secrets.

    Constant time, over every secret, so that one can be rotated while the other still signs. An empty signature is
    what hosts send when no secret is set. Raises SignatureError; ConfigError when a secret that might fit cannot be
    read.
    """
    secrets, unreadable = readable(supplies)
    if not secrets and unreadable is None:
        raise SignatureError("no webhook secret is configured, so no delivery can be trusted")
    if not signature:
        raise SignatureError(f"{header} is missing or empty: set the webhook's secret")
    good = False
    for secret in secrets:
        wanted = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        good |= hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "replace"))
    if not good and unreadable is not None:
        raise unreadable
    if not good:
        raise SignatureError("the signature is wrong: the webhook's secret is not the one configured here")


def readable(supplies: Sequence[Secret]) -> tuple[list[str], ConfigError | None]:
    """The secrets that can be read now. One that cannot must not refuse what another one signed."""
    secrets, unreadable = [], None
    for supply in supplies:
        try:
            secret = supply().strip()
        except ConfigError as error:
            unreadable = error
        else:
            secrets += [secret] if secret else []
    return secrets, unreadable
