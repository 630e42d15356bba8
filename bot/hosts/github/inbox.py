"""GitHub's webhooks: verified over the raw bytes, decoded to hints; no call to the host is ever made here."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from bot.core.errors import MalformedDelivery, SignatureError
from bot.core.events import BranchMoved, ChangeTouched, CommitTouched, Delivery, Hint, Ignored
from bot.core.model import ChangeRef, RepoRef
from bot.hosts.github.payloads import Account, Payload, decoder

MAX_DEPTH: Final = 64
_ID: Final = re.compile(r"[A-Za-z0-9-]{1,100}")
_EVENT: Final = re.compile(r"[a-z_]{1,50}")
_NO_COMMIT: Final = "0" * 40

EVENTS: Final = (
    "pull_request",
    "pull_request_review",
    "issue_comment",
    "push",
    "status",
    "check_run",
)
"""What ``setup`` subscribes to."""

OURS: Final = "headgate/"


class Webhooks:
    """Verifies and decodes for one host of the settings."""

    def __init__(self, host: str, secrets: Callable[[], Sequence[str]]) -> None:
        self._host = host
        self._secrets = secrets

    def receive(self, headers: Mapping[str, str], body: bytes, at: datetime) -> Delivery:
        """Verify and wrap. Raises SignatureError, MalformedDelivery."""
        known = {name.lower(): value for name, value in headers.items()}
        self._verify(known.get("x-hub-signature-256", ""), body)
        kind = known.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise MalformedDelivery("set the webhook's content type to application/json")
        delivery, event = known.get("x-github-delivery", ""), known.get("x-github-event", "")
        if not _ID.fullmatch(delivery) or not _EVENT.fullmatch(event):
            raise MalformedDelivery("X-GitHub-Delivery or X-GitHub-Event is missing or malformed")
        if _depth(body) > MAX_DEPTH:
            raise MalformedDelivery(f"the body is nested deeper than {MAX_DEPTH}")
        return Delivery(self._host, delivery, event, body, at)

    def _verify(self, given: str, body: bytes) -> None:
        """Constant time, over every secret, so that one can be rotated while the other still signs.

        https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
        """
        algorithm, _, signature = given.partition("=")
        secrets = [secret for secret in self._secrets() if secret]
        if not secrets:
            raise SignatureError("no webhook secret is configured, so no delivery can be trusted")
        if algorithm != "sha256" or not signature:
            raise SignatureError("X-Hub-Signature-256 is missing: set the webhook's secret")
        good = False
        for secret in secrets:
            wanted = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
            good |= hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "replace"))
        if not good:
            raise SignatureError("the signature is wrong: the webhook's secret is not the one configured here")

    def decode(self, delivery: Delivery, own_login: str) -> tuple[Hint, ...]:
        """What it hints at; never raises."""
        try:
            payload = decoder.decode(delivery.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return (Ignored("the body is not the JSON that GitHub documents"),)
        name = payload.repository.full_name if payload.repository else ""
        if delivery.event == "ping":
            return (Ignored("ping"),)
        if not re.fullmatch(r"[\w.-]{1,100}/[\w.-]{1,100}", name):
            return (Ignored(f"{delivery.event}: no repository"),)
        decode = _DECODERS.get(delivery.event)
        if decode is None:
            return (Ignored(f"{delivery.event}: not used"),)
        return (decode(RepoRef(self._host, name), payload, own_login.lower()),)


def _login(account: Account | None) -> str:
    return account.login if account else ""


def _pull_request(repo: RepoRef, payload: Payload, own: str) -> Hint:
    del own
    pull = payload.pull_request
    if pull is None or pull.number < 1:
        return Ignored("pull_request: no number")
    moved = payload.action in ("synchronize", "opened")
    return ChangeTouched(
        ref=ChangeRef(repo, pull.number),
        head=pull.head.sha,
        pusher=_login(payload.sender) if moved else "",
        updated_at=pull.updated_at,
        why=f"pull_request.{payload.action}",
    )


def _review(repo: RepoRef, payload: Payload, own: str) -> Hint:
    pull = payload.pull_request
    if pull is None or pull.number < 1:
        return Ignored("pull_request_review: no number")
    if _login(payload.sender).lower() == own:
        return Ignored("our own review")
    return ChangeTouched(ChangeRef(repo, pull.number), pull.head.sha, why=f"pull_request_review.{payload.action}")


def _comment(repo: RepoRef, payload: Payload, own: str) -> Hint:
    issue = payload.issue
    if issue is None or issue.number < 1 or issue.pull_request is None:
        return Ignored("issue_comment: on a plain issue")
    writer = _login(payload.comment.user if payload.comment else None).lower()
    if _login(payload.sender).lower() == own:
        return Ignored("our own comment")
    if payload.action == "created" or writer == own:
        # Somebody edited or deleted what we wrote: it is put back.
        return ChangeTouched(ChangeRef(repo, issue.number), updated_at=issue.updated_at, why="issue_comment")
    return Ignored(f"issue_comment.{payload.action}: edits ask for nothing")


def _push(repo: RepoRef, payload: Payload, own: str) -> Hint:
    del own
    prefix = "refs/heads/"
    if not payload.ref.startswith(prefix):
        return Ignored("push: not a branch")
    after = "" if payload.deleted or payload.after == _NO_COMMIT else payload.after
    before = "" if payload.before == _NO_COMMIT else payload.before
    branch = payload.ref.removeprefix(prefix)
    return BranchMoved(repo, branch, before, after, _login(payload.sender), payload.forced)


def _status(repo: RepoRef, payload: Payload, own: str) -> Hint:
    if payload.context.startswith(OURS) and _login(payload.sender).lower() == own:
        return Ignored("our own status")
    return CommitTouched(repo, payload.sha, payload.context) if payload.sha else Ignored("status: no commit")


def _check_run(repo: RepoRef, payload: Payload, own: str) -> Hint:
    check = payload.check_run or payload.check_suite or payload.workflow_run
    if check is None or not check.head_sha:
        return Ignored("check: no commit")
    if check.name.startswith(OURS) and _login(payload.sender).lower() == own:
        return Ignored("our own check")
    return CommitTouched(repo, check.head_sha, check.name)


_DECODERS: Final[Mapping[str, Callable[[RepoRef, Payload, str], Hint]]] = {
    "pull_request": _pull_request,
    "pull_request_review": _review,
    "issue_comment": _comment,
    "push": _push,
    "status": _status,
    "check_run": _check_run,
    "check_suite": _check_run,
    "workflow_run": _check_run,
}


def _depth(body: bytes) -> int:
    """How deep brackets nest outside strings; cheap, before any parser sees them."""
    bare = re.sub(rb'"(?:[^"\\]|\\.)*"', b"", body)
    depth = deepest = 0
    for byte in re.findall(rb"[\[{\]}]", bare):
        depth += 1 if byte in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest
