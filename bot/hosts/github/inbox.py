"""GitHub's webhooks: verified over the raw bytes, decoded to hints; no call to the host is ever made here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec

from bot.core.errors import MalformedDelivery
from bot.core.events import CommandPressed, Delivery, GroupAsked, GroupGone, Hint, Ignored
from bot.core.model import RepoRef
from bot.hosts import shapes
from bot.hosts.github.installing import ACTIONS, access
from bot.hosts.github.payloads import (
    Account,
    Check,
    CheckRunEvent,
    CheckSuiteEvent,
    CommentEvent,
    Event,
    MergeGroupEvent,
    Pull,
    PullEvent,
    PushEvent,
    StatusEvent,
    WorkflowRunEvent,
)
from bot.hosts.github.settings import PLAN_AGAIN, GitHubSettings
from bot.hosts.hints import commented, numbered, pushed, reported, touched
from bot.hosts.nesting import MAX_DEPTH, deeper
from bot.hosts.signing import signed

MAX_BYTES: Final = 25 * 2**20
"""GitHub sends nothing larger: https://docs.github.com/en/webhooks/webhook-events-and-payloads"""

EVENTS: Final = (
    "pull_request",
    "pull_request_review",
    "issue_comment",
    "push",
    "status",
    "check_run",
    "merge_group",
    "repository",
)
"""What ``setup`` subscribes to."""

IGNORED: Final[Mapping[str, str]] = {
    "github_app_authorization": "nobody signs in with us",
    "installation_target": "changes go on under the name that the operator lists",
    "ping": "the webhook works",
    "repository": "its name and number are looked at with every event",
}
"""Events that say nothing to us, and why."""

INDIFFERENT: Final = frozenset({"assigned", "unassigned", "milestoned", "demilestoned"})
"""Actions on a pull request that change nothing anybody here looks at."""

_QUEUED: Final = re.compile(
    r"refs/heads/gh-readonly-queue/[^\x00-\x20~^:?*\[\\]{1,255}/pr-(?P<number>[0-9]{1,9})-[0-9a-f]{40}"
)
_LOGIN: Final = re.compile(r"[A-Za-z0-9_-]{1,100}(\[bot\])?")


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose repository an event is of, and who we are there (lower-cased; empty when not known yet)."""

    repo: RepoRef
    own: str
    app_id: int
    prefix: str
    delivery: str
    at: datetime


class Webhooks:
    """Verifies and decodes for one host of the settings."""

    def __init__(self, settings: GitHubSettings, app_id: int = 0) -> None:
        self._settings = settings
        self._app_id = app_id

    def receive(self, headers: Mapping[str, str], body: bytes, at: datetime) -> Delivery:
        """Verify the bytes as they came, and wrap the JSON in them.

        Raises SignatureError, MalformedDelivery, and ConfigError when a secret that might fit cannot be read.
        """
        known = {name.lower(): value for name, value in headers.items()}
        if len(body) > MAX_BYTES:
            raise MalformedDelivery(f"a delivery may have {MAX_BYTES} bytes")
        self._verify(known.get("x-hub-signature-256", ""), body)
        payload = _payload(known.get("content-type", "").partition(";")[0].strip().lower(), body)
        delivery, event = known.get("x-github-delivery", ""), known.get("x-github-event", "")
        if not shapes.DELIVERY.fullmatch(delivery) or not shapes.EVENT.fullmatch(event):
            raise MalformedDelivery("X-GitHub-Delivery or X-GitHub-Event is missing or malformed")
        if deeper(payload, MAX_DEPTH):
            raise MalformedDelivery(f"the body is nested deeper than {MAX_DEPTH}")
        return Delivery(self._settings.name, delivery, event, payload, at)

    def _verify(self, given: str, body: bytes) -> None:
        """https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries"""
        algorithm, _, signature = given.partition("=")
        if algorithm != "sha256":
            signature = ""
        signed(self._settings.webhook_secrets, body, signature, "X-Hub-Signature-256")

    def decode(self, delivery: Delivery, own_login: str) -> tuple[Hint, ...]:
        """What it hints at; never raises. ``own_login`` may be empty: then our own echoes are hints, too."""
        try:
            return (self._hint(delivery, own_login),)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return (Ignored(f"{delivery.event}: the body is not the JSON that GitHub documents"),)

    def _hint(self, delivery: Delivery, own_login: str) -> Hint:
        if delivery.event in ACTIONS:
            return access(self._settings.name, self._app_id, delivery.event, delivery.body)
        known = _DECODERS.get(delivery.event)
        if known is None:
            return Ignored(f"{delivery.event}: {IGNORED.get(delivery.event, 'not used')}")
        decoder, hint = known
        event = decoder.decode(delivery.body)
        name = event.repository.full_name if event.repository else ""
        if not shapes.REPOSITORY.fullmatch(name):
            return Ignored(f"{delivery.event}: no repository")
        repo = RepoRef(self._settings.name, name)
        own, prefix = own_login.lower(), self._settings.check_prefix
        return hint(Whose(repo, own, self._app_id, prefix, delivery.id, delivery.received_at), event)


def _login(account: Account | None) -> str:
    login = account.login if account else ""
    return login if _LOGIN.fullmatch(login) else ""


def _sent_by_us(whose: Whose, event: Event) -> bool:
    return bool(whose.own) and _login(event.sender).lower() == whose.own


def _touched(whose: Whose, pull: Pull | None, why: str, pusher: str = "") -> Hint:
    if pull is None:
        return Ignored(f"{why}: no number")
    return touched(whose.repo, pull.number, pull.head.sha if pull.head else "", pull.updated_at, why, pusher)


def _pull_request(whose: Whose, event: PullEvent) -> Hint:
    """Only ``synchronize`` says who pushed: whoever opens a change need not have pushed its head."""
    action = shapes.word(event.action)
    if action in INDIFFERENT:
        return Ignored(f"pull_request.{action}: nothing that matters here")
    head = event.pull_request.head.sha if event.pull_request and event.pull_request.head else ""
    pushed = action == "synchronize" and event.after in (None, head)
    return _touched(whose, event.pull_request, f"pull_request.{action}", _login(event.sender) if pushed else "")


def _review(whose: Whose, event: PullEvent) -> Hint:
    return _touched(whose, event.pull_request, f"pull_request_review.{shapes.word(event.action)}")


def _comment(whose: Whose, event: CommentEvent) -> Hint:
    issue, comment = event.issue, event.comment
    ref = numbered(whose.repo, issue.number) if issue else None
    if issue is None or ref is None or issue.pull_request is None:
        return Ignored("issue_comment: on a plain issue")
    return commented(
        ref,
        "issue_comment",
        shapes.word(event.action),
        author=_login(comment.user) if comment else "",
        body=(comment.body if comment else None) or "",
        updated_at=issue.updated_at,
        own=whose.own,
        sent_by_us=_sent_by_us(whose, event),
    )


def _push(whose: Whose, event: PushEvent) -> Hint:
    who = _login(event.sender)
    return pushed(whose.repo, event.ref, event.before, event.after, who, forced=event.forced, deleted=event.deleted)


def _status(whose: Whose, event: StatusEvent) -> Hint:
    """Ours, set by somebody else, is no echo: it is put right."""
    if event.context.startswith(whose.prefix) and _sent_by_us(whose, event):
        return Ignored("status: our own")
    return reported(whose.repo, event.sha, event.context, "status")


def _merge_group(whose: Whose, event: MergeGroupEvent) -> Hint:
    """The branch names the last change of the group.

    https://docs.github.com/en/webhooks/webhook-events-and-payloads#merge_group
    """
    told = event.merge_group
    named = _QUEUED.fullmatch(told.head_ref) if told is not None else None
    ref = numbered(whose.repo, int(named["number"])) if named is not None else None
    if told is None or named is None or ref is None or not shapes.sha(told.head_sha):
        return Ignored("merge_group: no change")
    if event.action == "checks_requested" and shapes.sha(told.base_sha):
        return GroupAsked(ref, told.head_sha, told.base_sha, told.head_ref.removeprefix("refs/heads/"))
    return GroupGone(ref, told.head_sha)


def _again(event: Event) -> bool:
    """Whether somebody pressed "Re-run", or our own button.

    https://docs.github.com/en/webhooks/webhook-events-and-payloads#check_run
    """
    pressed = event.requested_action if isinstance(event, CheckRunEvent) else None
    ours = event.action == "requested_action" and pressed is not None and pressed.identifier == PLAN_AGAIN
    return event.action == "rerequested" or ours


def _check(whose: Whose, event: Event, check: Check | None) -> Hint:
    if check is None or not shapes.sha(check.head_sha):
        return Ignored("check: no commit")
    by_our_app = bool(whose.app_id) and check.app is not None and check.app.id == whose.app_id
    if by_our_app and _again(event) and (author := _login(event.sender)):
        return CommandPressed(whose.repo, check.head_sha, author, PLAN_AGAIN, whose.at, whose.delivery)
    if by_our_app or ((check.name or "").startswith(whose.prefix) and _sent_by_us(whose, event)):
        return Ignored("check: our own")
    return reported(whose.repo, check.head_sha, check.name or "", "check")


_DECODERS: Final[Mapping[str, tuple[msgspec.json.Decoder[Any], Callable[[Whose, Any], Hint]]]] = {
    "pull_request": (msgspec.json.Decoder(PullEvent), _pull_request),
    "pull_request_review": (msgspec.json.Decoder(PullEvent), _review),
    "issue_comment": (msgspec.json.Decoder(CommentEvent), _comment),
    "push": (msgspec.json.Decoder(PushEvent), _push),
    "merge_group": (msgspec.json.Decoder(MergeGroupEvent), _merge_group),
    "status": (msgspec.json.Decoder(StatusEvent), _status),
    "check_run": (msgspec.json.Decoder(CheckRunEvent), lambda whose, event: _check(whose, event, event.check_run)),
    "check_suite": (
        msgspec.json.Decoder(CheckSuiteEvent),
        lambda whose, event: _check(whose, event, event.check_suite),
    ),
    "workflow_run": (
        msgspec.json.Decoder(WorkflowRunEvent),
        lambda whose, event: _check(whose, event, event.workflow_run),
    ),
}


def _payload(kind: str, body: bytes) -> bytes:
    """The JSON, which is the whole body or, in a form, its one field.

    https://docs.github.com/en/webhooks/using-webhooks/creating-webhooks
    """
    if kind == "application/json":
        return body
    if kind != "application/x-www-form-urlencoded":
        raise MalformedDelivery("set the webhook's content type to application/json")
    name, _, value = body.partition(b"=")
    if name != b"payload" or b"&" in value:
        raise MalformedDelivery("the form is not GitHub's, which has one field: payload")
    return unquote_to_bytes(value.replace(b"+", b" "))


UNDERSTOOD: Final = tuple(sorted((*_DECODERS, *ACTIONS)))
"""Events that may concern a change, or what we may reach."""
