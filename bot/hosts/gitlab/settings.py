"""What this adapter is told: values only. Secrets come as functions, so that none is kept and each can be rotated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from bot.core.rules import HostSettings, SecretRef
from bot.hosts.signing import Secret

DEFAULT_URL: Final = "https://gitlab.com"


@dataclass(frozen=True, slots=True)
class GitLabSettings:
    """One GitLab. ``url`` is where its pages are (``https://gitlab.example.com``, perhaps with a path).

    ``token`` is None when none is configured; then every call is denied with a word of advice. ``webhook_secrets``
    are signing tokens (``whsec_…``) or plain secret tokens. ``verify_tls`` is False, True, or the path of a bundle of
    certificates. Statuses whose names begin with ``check_prefix`` are taken for ours. ``webhook_url`` is where
    it posts to us, if anywhere.
    """

    name: str
    token: Secret | None
    webhook_secrets: tuple[Secret, ...] = ()
    url: str = DEFAULT_URL
    verify_tls: bool | str = True
    check_prefix: str = "headgate/"
    webhook_url: str = ""

    @property
    def gate(self) -> str:
        """What our gate's check is called."""
        return f"{self.check_prefix}gate"


def from_operator(settings: HostSettings, secret: Callable[[SecretRef], str], _instance: str) -> GitLabSettings:
    """The operator's words as this adapter's values."""
    return GitLabSettings(
        name=settings.name,
        token=None if settings.token is None else partial(secret, settings.token),
        webhook_secrets=tuple(partial(secret, ref) for ref in settings.webhook_secrets),
        url=(settings.url or DEFAULT_URL).rstrip("/").removesuffix("/api/v4"),
        webhook_url=settings.webhook_url,
    )
