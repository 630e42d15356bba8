"""Webhooks: verified over the raw bytes, decoded to hints; no call to the server is ever made here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from bot.core.errors import MalformedDelivery
from bot.core.events import Delivery, Hint, Ignored
from bot.core.model import RepoRef
from bot.hosts import shapes
from bot.hosts.gitea.payloads import Account, CommentEvent, Event, Pull, PullEvent, PushEvent, StatusEvent
from bot.hosts.gitea.settings import GiteaSettings
from bot.hosts.hints import commented, numbered, pushed, reported, touched
from bot.hosts.nesting import MAX_DEPTH, deeper
from bot.hosts.signing import signed

MAX_BYTES: Final = 25 * 2**20
"""The server sets no bound; its payloads are those of GitHub, which sends nothing larger."""

SPELLINGS: Final = ("forgejo", "gitea")
"""How the headers may begin: ``X-Forgejo-Event`` comes with ``X-Gitea-Event`` beside it."""

EVENTS: Final = ("pull_request", "push", "status")
"""What ``setup`` subscribes to; "pull_request" stands for all events of changes, their comments and reviews."""

IGNORED: Final[Mapping[str, str]] = {
    "create": "the push of a new branch is told, too",
    "delete": "changes of a branch that is gone are closed, which is told",
    "fork": "a fork is looked at when a change comes from it",
    "issues": "an issue is no change",
    "package": "packages are not deployed",
    "release": "releases are not deployed",
    "repository": "the operator says which repositories there are",
    "wiki": "a wiki is not deployed",
    "workflow_job": "its status is told",
    "workflow_run": "its status is told",
}
"""Events that say nothing to us, and why."""

INDIFFERENT: Final = frozenset({"assigned", "unassigned", "milestoned", "demilestoned"})
"""Actions on a pull request that change nothing anybody here looks at."""

_LOGIN: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose repository an event is of, and who we are there (lower-cased; empty when not known yet)."""

    repo: RepoRef
    own: str
    prefix: str


class Webhooks:
    """Verifies and decodes for one server of the settings."""

    def __init__(self, settings: GiteaSettings) -> None:
        self._settings = settings

    def receive(self, headers: Mapping[str, str], body: bytes, at: datetime) -> Delivery:
        """Verify the bytes as they came, and wrap them.

        Raises SignatureError, MalformedDelivery, and ConfigError when a secret that might fit cannot be read.
        """
        known = {name.lower(): value for name, value in headers.items()}
        if len(body) > MAX_BYTES:
            raise MalformedDelivery(f"a delivery may have {MAX_BYTES} bytes")
        if known.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            # In a form the signature is over the JSON within, so the bytes that came are signed by nobody.
            raise MalformedDelivery("set the webhook's content type to application/json")
        signed(self._settings.webhook_secrets, body, _signature(known), "X-Gitea-Signature")
        delivery, event = _header(known, "delivery"), _header(known, "event")
        if not shapes.DELIVERY.fullmatch(delivery) or not shapes.EVENT.fullmatch(event):
            raise MalformedDelivery("X-Gitea-Delivery or X-Gitea-Event is missing or malformed")
        if deeper(body, MAX_DEPTH):
            raise MalformedDelivery(f"the body is nested deeper than {MAX_DEPTH}")
        return Delivery(self._settings.name, delivery, event, body, at)

    def decode(self, delivery: Delivery, own_login: str) -> tuple[Hint, ...]:
        """What it hints at; never raises. ``own_login`` may be empty: then our own echoes are hints, too."""
        known = _DECODERS.get(delivery.event)
        if known is None:
            return (Ignored(f"{delivery.event}: {IGNORED.get(delivery.event, 'not used')}"),)
        decoder, hint = known
        try:
            event = decoder.decode(delivery.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return (Ignored(f"{delivery.event}: the body is not the JSON that is documented"),)
        name = event.repository.full_name if event.repository else ""
        if not shapes.REPOSITORY.fullmatch(name):
            return (Ignored(f"{delivery.event}: no repository"),)
        whose = Whose(RepoRef(self._settings.name, name), own_login.lower(), self._settings.check_prefix)
        return (hint(whose, delivery.event, event),)


def _header(known: Mapping[str, str], what: str) -> str:
    return next((known[name] for each in SPELLINGS if known.get(name := f"x-{each}-{what}")), "")


def _signature(known: Mapping[str, str]) -> str:
    """Bare hexadecimal digits; empty when the webhook has no secret.

    https://docs.gitea.com/usage/webhooks#event-information
    """
    return _header(known, "signature") or known.get("x-hub-signature-256", "").removeprefix("sha256=")


def _login(account: Account | None) -> str:
    login = account.login if account else ""
    return login if _LOGIN.fullmatch(login) else ""


def _sent_by_us(whose: Whose, event: Event) -> bool:
    return bool(whose.own) and _login(event.sender).lower() == whose.own


def _touched(whose: Whose, pull: Pull | None, why: str, pusher: str = "") -> Hint:
    if pull is None:
        return Ignored(f"{why}: no number")
    return touched(whose.repo, pull.number, pull.head.sha if pull.head else "", pull.updated_at, why, pusher)


def _pull_request(whose: Whose, name: str, event: PullEvent) -> Hint:
    """Only ``synchronized`` says who pushed: whoever opens a change need not have pushed its head."""
    action = shapes.word(event.action)
    if action in INDIFFERENT:
        return Ignored(f"{name}.{action}: nothing that matters here")
    pushed = action == "synchronized"
    return _touched(whose, event.pull_request, f"{name}.{action}", _login(event.sender) if pushed else "")


def _review(whose: Whose, name: str, event: PullEvent) -> Hint:
    return _touched(whose, event.pull_request, name)


def _comment(whose: Whose, name: str, event: CommentEvent) -> Hint:
    issue, comment = event.issue, event.comment
    ref = numbered(whose.repo, issue.number) if issue else None
    if issue is None or ref is None or not (event.is_pull or issue.pull_request):
        return Ignored(f"{name}: on a plain issue")
    return commented(
        ref,
        name,
        shapes.word(event.action),
        author=_login(comment.user) if comment else "",
        body=(comment.body if comment else None) or "",
        updated_at=issue.updated_at,
        own=whose.own,
        sent_by_us=_sent_by_us(whose, event),
    )


def _push(whose: Whose, name: str, event: PushEvent) -> Hint:  # noqa: ARG001 - the signature of all
    return pushed(whose.repo, event.ref, event.before, event.after, _login(event.pusher or event.sender))


def _status(whose: Whose, name: str, event: StatusEvent) -> Hint:
    """Ours, set by somebody else, is no echo: it is put right."""
    if event.context.startswith(whose.prefix) and _sent_by_us(whose, event):
        return Ignored(f"{name}: our own")
    return reported(whose.repo, event.sha, event.context, name)


_DECODERS: Final[Mapping[str, tuple[msgspec.json.Decoder[Any], Callable[[Whose, str, Any], Hint]]]] = {
    "pull_request": (msgspec.json.Decoder(PullEvent), _pull_request),
    "pull_request_approved": (msgspec.json.Decoder(PullEvent), _review),
    "pull_request_rejected": (msgspec.json.Decoder(PullEvent), _review),
    "pull_request_comment": (msgspec.json.Decoder(PullEvent), _review),
    "issue_comment": (msgspec.json.Decoder(CommentEvent), _comment),
    "push": (msgspec.json.Decoder(PushEvent), _push),
    "status": (msgspec.json.Decoder(StatusEvent), _status),
}
UNDERSTOOD: Final = tuple(sorted(_DECODERS))
"""Events that may concern a change."""
