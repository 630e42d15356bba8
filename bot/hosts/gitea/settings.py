"""What this adapter is told: values only. Secrets come as functions, so that none is kept and each can be rotated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bot.core.errors import ConfigError, Problem
from bot.core.rules import HostSettings, SecretRef
from bot.hosts.signing import Secret


@dataclass(frozen=True, slots=True)
class GiteaSettings:
    """One server. ``url`` is where its pages are (``https://git.example.com``, perhaps with a path).

    ``token`` is None when none is configured; then every call is denied with a word of advice. ``verify_tls`` is
    False, True, or the path of a bundle of certificates. Statuses whose names begin with ``check_prefix`` are taken
    for ours. ``polled`` is whether we look by ourselves, too.
    """

    name: str
    url: str
    token: Secret | None
    webhook_secrets: tuple[Secret, ...] = ()
    verify_tls: bool | str = True
    check_prefix: str = "headgate/"
    polled: bool = False


def from_operator(settings: HostSettings, secret: Callable[[SecretRef], str], _instance: str) -> GiteaSettings:
    """The operator's words as this adapter's values. Raises ConfigError: there is no public server to assume."""
    url = settings.url.rstrip("/").removesuffix("/api/v1")
    if not url:
        where = f"hosts.{settings.name}.url"
        raise ConfigError((Problem("", 0, where, "say where the server is, e.g. https://git.example.com"),))
    return GiteaSettings(
        name=settings.name,
        url=url,
        token=None if settings.token is None else partial(secret, settings.token),
        webhook_secrets=tuple(partial(secret, ref) for ref in settings.webhook_secrets),
        polled=settings.poll is not None,
    )
