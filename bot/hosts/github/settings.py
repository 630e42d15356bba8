"""What this adapter is told: values only. Secrets come as functions, so that none is kept and each can be rotated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from bot.core.rules import HostSettings, SecretRef
from bot.hosts.github.addresses import DEFAULT_URL, api_address
from bot.hosts.signing import Secret

PLAN_AGAIN: Final = "plan"
"""Identifier of the button beside our checks, and the command that it stands for."""


@dataclass(frozen=True, slots=True)
class App:
    """A GitHub App: its id and its private key in PEM."""

    id: int
    private_key: Secret


@dataclass(frozen=True, slots=True)
class GitHubSettings:
    """One GitHub. ``auth`` is a token, an App, or None (then every call is denied with a word of advice).

    ``api_url`` is ``https://api.github.com`` or a GitHub Enterprise Server's ``https://HOST/api/v3``.
    ``verify_tls`` is False, True, or the path of a bundle of certificates. Checks and statuses whose names begin
    with ``check_prefix`` are taken for ours.
    """

    name: str
    auth: Secret | App | None
    webhook_secrets: tuple[Secret, ...] = ()
    api_url: str = DEFAULT_URL
    verify_tls: bool | str = True
    check_prefix: str = "headgate/"
    instance: str = "headgate"


def from_operator(settings: HostSettings, secret: Callable[[SecretRef], str], instance: str) -> GitHubSettings:
    """The operator's words as this adapter's values."""
    auth: Secret | App | None = None
    if settings.app_id and settings.app_key is not None:
        auth = App(settings.app_id, partial(secret, settings.app_key))
    elif settings.token is not None:
        auth = partial(secret, settings.token)
    return GitHubSettings(
        name=settings.name,
        auth=auth,
        webhook_secrets=tuple(partial(secret, ref) for ref in settings.webhook_secrets),
        api_url=api_address(settings.url),
        instance=instance,
    )
