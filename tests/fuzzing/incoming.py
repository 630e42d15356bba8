"""What comes from the Git host: deliveries of webhooks, and answers of its API."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

from fuzzing.subject import Subject, demand

from bot.core.errors import MalformedDelivery, SignatureError
from bot.core.events import BranchMoved, ChangeTouched, CommitTouched, Delivery, Ignored
from bot.core.model import ChangeRef, RepoRef
from bot.hosts.github import parse
from bot.hosts.github.inbox import EVENTS, MAX_BYTES, MAX_NUMBER, Webhooks
from bot.hosts.github.settings import GitHubSettings
from bot.queues.inprocess import InProcessQueue
from bot.web.webhooks import create_app

KEY = "it is a secret to everybody"
AT = datetime(2030, 1, 1, tzinfo=UTC)
REPO = RepoRef("github", "acme/infra")
NAMES = (*EVENTS, "check_suite", "workflow_run", "ping", "merge_group", "constructor")
KINDS = ("application/json", "application/x-www-form-urlencoded", "application/json; charset=utf-8", "text/plain", "")


class _Kept:
    """The part of a store that the webhook service needs; what came in is forgotten."""

    def add_deliveries(self, deliveries: Any) -> tuple[bool, ...]:
        return tuple(True for _ in deliveries)

    def ping(self) -> None:
        return None


class _Door:
    """The webhook service as a host sees it, and its reader of deliveries; made on first use."""

    def __init__(self) -> None:
        settings = GitHubSettings("github", None, (lambda: KEY,))
        self.webhooks = Webhooks(settings, app_id=7)
        clock = type("Clock", (), {"now": lambda _: AT})()
        store: Any = _Kept()
        self.client = create_app(store, InProcessQueue(), {"github": self.webhooks}, clock).test_client()


_door: list[_Door] = []


def _headers(event: str, kind: str, body: bytes, *, signed: bool) -> dict[str, str]:
    signature = hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest() if signed else "0" * 64
    return {
        "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "X-GitHub-Event": event,
        "X-Hub-Signature-256": f"sha256={signature}",
        "Content-Type": kind,
    }


def webhook(data: bytes) -> None:
    """Any body is an event, ignored, or refused; nothing unsigned is more than refused."""
    if not _door:
        _door.append(_Door())
    door, choice, body = _door[0], data[0] if data else 0, data[1:]
    event, signed = NAMES[choice % len(NAMES)], choice < 240
    kind = KINDS[choice // len(NAMES) % len(KINDS)] if choice % 3 == 2 else KINDS[0]
    headers = _headers(event, kind, body, signed=signed)
    if choice % 8 == 7:
        status = door.client.post("/webhooks/github", data=body, headers=headers).status_code
        wanted = (413,) if len(body) > MAX_BYTES else (202, 400) if signed else (401,)
        demand(status in wanted, f"answered with {status}")
    try:
        delivery = door.webhooks.receive(headers, body, AT)
    except SignatureError:
        demand(not signed, "a good signature was refused")
        return
    except MalformedDelivery as error:
        demand(str(error).isprintable(), "the refusal is one printable line")
        return
    demand(signed, "an unsigned delivery was let in")
    _hinted(door.webhooks, delivery)


def _hinted(webhooks: Webhooks, delivery: Delivery) -> None:
    [hint] = webhooks.decode(delivery, "headgate")
    match hint:
        case ChangeTouched():
            demand(
                ChangeRef.parse(str(hint.ref)) == hint.ref and 0 < hint.ref.number < MAX_NUMBER, "a change's number"
            )
            demand(hint.head == "" or set(hint.head) <= set("0123456789abcdef"), "a head is a commit")
            demand(hint.why.isprintable(), "what a log gets is printable")
            demand(hint.updated_at is None or hint.updated_at.astimezone(UTC) <= datetime.max.replace(tzinfo=UTC), "")
        case BranchMoved():
            demand(
                (hint.branch and hint.branch.split() == [hint.branch]) or not hint.branch.isascii(), "a branch's name"
            )
        case CommitTouched():
            demand(len(hint.sha) in (40, 64) and hint.name.isprintable(), "a commit's id, and a name for a log")
        case Ignored():
            demand(hint.why.isprintable(), "what a log gets is printable")


def answer(data: bytes) -> None:
    """Any JSON of the host's API becomes our values, odd parts harmless defaults."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return
    if not isinstance(value, dict):
        return
    change = parse.change(ChangeRef(REPO, 7), value)
    demand(
        change.created_at.tzinfo is not None and len(change.title) <= 500 and len(change.labels) <= 100, "a change"
    )
    demand(sorted((change.created_at, change.updated_at, AT)), "times can be compared")
    comment = parse.comment(value, "headgate")
    demand(not comment.ours or parse.has_marker(comment.body), "ours bears our marker")
    demand(parse.commit(value).via_web is False or parse.login(value.get("committer")) == "web-flow", "the web's own")
    for read in (parse.review, parse.status, parse.check_run, parse.permission):
        read(value)


def _bodies() -> tuple[bytes, ...]:
    sha, user = "a" * 40, {"login": "dee", "type": "User"}
    always = {"repository": {"full_name": "acme/infra", "id": 1}, "sender": user}
    pull = {"number": 7, "head": {"sha": sha}, "updated_at": "2030-01-01T00:00:00Z"}
    issue = {"number": 7, "pull_request": {"url": "x"}, "updated_at": "2030-01-01T00:00:00Z"}
    said = {"user": user, "body": "<!-- headgate:main:page:1 -->\nplan"}
    check = {"head_sha": sha, "name": "headgate/gate", "app": {"id": 7, "slug": "headgate"}}
    bodies: list[dict[str, Any]] = [
        {"action": "synchronize", "after": sha, "pull_request": pull},
        {"action": "submitted", "pull_request": pull, "review": {"state": "approved"}},
        {"action": "created", "issue": issue, "comment": said},
        {"ref": "refs/heads/main", "before": "0" * 40, "after": sha, "deleted": False, "forced": True},
        {"sha": sha, "context": "headgate/gate", "state": "success"},
        {"action": "completed", "check_run": check},
        {"action": "completed", "check_suite": check},
        {"action": "completed", "workflow_run": check},
        {"zen": "Nothing flows in but through the gate."},
    ]
    return tuple(bytes([each]) + json.dumps(always | body).encode() for each, body in enumerate(bodies))


def _answers() -> tuple[bytes, ...]:
    sha, user = "a" * 40, {"login": "dee", "type": "Bot"}
    side = {"sha": sha, "ref": "main", "repo": {"id": 1, "full_name": "acme/infra"}}
    times = {"created_at": "2030-01-01T00:00:00Z", "updated_at": "2030-01-01T00:00:00Z", "merged_at": None}
    pull = {
        "title": "t",
        "user": user,
        "state": "open",
        "head": side,
        "base": side,
        "labels": [{"name": "x"}],
        **times,
    }
    signed = {
        "verification": {"verified": True},
        "message": "x\n\nCo-authored-by: A <1+dee@users.noreply.github.com>",
    }
    return tuple(
        json.dumps(each).encode()
        for each in (
            {**pull, "mergeable": True, "merged_by": user, "merge_commit_sha": sha, "draft": False, "locked": True},
            {"id": 1, "user": user, "state": "APPROVED", "commit_id": sha, "submitted_at": times["created_at"]},
            {"id": 1, "user": user, "body": "<!-- headgate:main:page:1 -->\n/plan", **times},
            {"sha": sha, "author": user, "committer": {"login": "web-flow"}, "commit": signed},
            {"name": "x", "status": "completed", "conclusion": "success", "app": {"slug": "x"}},
            {"context": "x", "state": "success", "creator": user},
            {"role_name": "maintain", "permission": "write", "permissions": {"admin": False, "push": True}},
        )
    )


SUBJECTS = (
    Subject(
        "webhook",
        webhook,
        _bodies(),
        (b"payload=", b"%7B", b'"action":', b'\\"', b"\\u0000"),
        MAX_BYTES,
        "json",
        weight=1.4,
    ),
    Subject(
        "host-answer", answer, _answers(), (b"null", b'"0001-01-01T00:00:00+14:00"'), 2_000_000, "json", weight=1.7
    ),
)
