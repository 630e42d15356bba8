"""What comes from the Git host: deliveries of webhooks, and answers of its API."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

from fuzzing.subject import Subject, demand

from bot.core.errors import MalformedDelivery, SignatureError
from bot.core.events import BranchMoved, ChangeTouched, CommitTouched, Delivery, GateAsked, Hint, Ignored
from bot.core.model import ChangeRef, RepoRef
from bot.hosts.fields import has_marker, login
from bot.hosts.gitea import inbox as gitea_inbox
from bot.hosts.gitea import parse as gitea_parse
from bot.hosts.gitea.settings import GiteaSettings
from bot.hosts.github import inbox as github_inbox
from bot.hosts.github import parse as github_parse
from bot.hosts.github.settings import GitHubSettings
from bot.hosts.gitlab import inbox as gitlab_inbox
from bot.hosts.gitlab.settings import GitLabSettings
from bot.hosts.shapes import MAX_NUMBER
from bot.ports import Inbox
from bot.queues.inprocess import InProcessQueue
from bot.web.webhooks import MAX_BODY, create_app

KEY = "it is a secret to everybody"
AT = datetime(2030, 1, 1, tzinfo=UTC)
REPO = RepoRef("github", "acme/infra")
EVENTS = (
    *github_inbox.EVENTS,
    "check_suite",
    "workflow_run",
    "ping",
    "merge_group",
    "pull_request_approved",
    "constructor",
)
KINDS = ("application/json", "application/x-www-form-urlencoded", "application/json; charset=utf-8", "text/plain", "")


class _Kept:
    """The part of a store that the webhook service needs; what came in is forgotten."""

    def add_deliveries(self, deliveries: Any) -> tuple[bool, ...]:
        return tuple(True for _ in deliveries)

    def ping(self) -> None:
        return None


class _Doors:
    """The webhook service as hosts see it, and its readers of deliveries; made on first use."""

    def __init__(self) -> None:
        self.inboxes: dict[str, Inbox] = {
            "github": github_inbox.Webhooks(GitHubSettings("github", None, (lambda: KEY,)), app_id=7),
            "gitea": gitea_inbox.Webhooks(GiteaSettings("gitea", "https://git.example.com", None, (lambda: KEY,))),
        }
        clock = type("Clock", (), {"now": lambda _: AT})()
        store: Any = _Kept()
        self.client = create_app(store, InProcessQueue(), self.inboxes, clock).test_client()


_doors: list[_Doors] = []


def _headers(host: str, event: str, kind: str, body: bytes, *, signed: bool) -> dict[str, str]:
    signature = hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest() if signed else "0" * 64
    spelt = "GitHub" if host == "github" else "Gitea"
    return {
        f"X-{spelt}-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        f"X-{spelt}-Event": event,
        "X-Hub-Signature-256": f"sha256={signature}",
        "Content-Type": kind,
    }


def delivered(host: str, data: bytes) -> None:
    """Any body is an event, ignored, or refused; nothing unsigned is more than refused."""
    if not _doors:
        _doors.append(_Doors())
    doors, choice, body = _doors[0], data[0] if data else 0, data[1:]
    event, signed = EVENTS[choice % len(EVENTS)], choice < 240
    kind = KINDS[choice // len(EVENTS) % len(KINDS)] if choice % 3 == 2 else KINDS[0]
    headers = _headers(host, event, kind, body, signed=signed)
    if choice % 8 == 7:
        status = doors.client.post(f"/webhooks/{host}", data=body, headers=headers).status_code
        wanted = (413,) if len(body) > MAX_BODY else (202, 400) if signed else (400, 401)
        demand(status in wanted, f"answered with {status}")
    inbox = doors.inboxes[host]
    try:
        delivery = inbox.receive(headers, body, AT)
    except SignatureError:
        demand(not signed, "a good signature was refused")
        return
    except MalformedDelivery as error:
        demand(str(error).isprintable(), "the refusal is one printable line")
        return
    demand(signed, "an unsigned delivery was let in")
    _hinted(inbox, delivery)


def webhook(data: bytes) -> None:
    """GitHub's."""
    delivered("github", data)


def gitea_webhook(data: bytes) -> None:
    """Gitea's and Forgejo's."""
    delivered("gitea", data)


def gitlab_webhook(data: bytes) -> None:
    """GitLab's: of a hook with its token, or the question of an external status check, signed over its bytes."""
    choice, body = data[0] if data else 0, data[1:]
    asks, good = choice % 2 == 1, choice < 240
    proof = hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest() if asks else KEY
    name = "X-Gitlab-Signature" if asks else "X-Gitlab-Token"
    event = {} if asks else {"X-Gitlab-Event": "Merge Request Hook"}
    inbox = gitlab_inbox.Webhooks(GitLabSettings("gitlab", None, (lambda: KEY,)))
    try:
        delivery = inbox.receive({name: proof if good else "0" * 64, **event}, body, AT)
    except SignatureError:
        demand(not good, "a good signature was refused")
        return
    except MalformedDelivery as error:
        demand(str(error).isprintable(), "the refusal is one printable line")
        return
    demand(good, "an unsigned delivery was let in")
    hint, *asked = inbox.decode(delivery, "headgate")
    _judged(hint)
    demand(len(asked) <= asks, "a webhook asks for nothing")
    for each in asked:
        demand(isinstance(each, GateAsked) and 0 < each.ref.number < MAX_NUMBER, "a change's number")
        demand(isinstance(each, GateAsked) and int(each.by) == int(each.by, 10), "who asks is a number")


def _hinted(inbox: Inbox, delivery: Delivery) -> None:
    [hint] = inbox.decode(delivery, "headgate")
    _judged(hint)


def _judged(hint: Hint) -> None:
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
    """Any JSON of a host's API becomes our values, odd parts harmless defaults."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return
    if not isinstance(value, dict):
        return
    for parse in (github_parse, gitea_parse):
        change = parse.change(ChangeRef(REPO, 7), value)
        demand(len(change.title) <= 500 and len(change.labels) <= 100, "a change is bounded")
        demand(sorted((change.created_at, change.updated_at, AT)), "times can be compared")
        demand(change.created_at.astimezone(UTC), "times can be stored")
        comment = parse.comment(value, "headgate")
        demand(not comment.ours or has_marker(comment.body), "ours bears our marker")
        demand(comment.created_at.astimezone(UTC), "times can be stored")
        for read in (parse.review, parse.status, parse.permission, parse.commit):
            read(value)
    github_parse.check_run(value)
    commit = github_parse.commit(value)
    demand(not commit.via_web or login(value.get("committer")) == "web-flow", "the web's own")


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


def _gitlab_bodies() -> tuple[bytes, ...]:
    sha, user = "a" * 40, {"username": "dee"}
    always = {"project": {"id": 1, "path_with_namespace": "acme/live/infra"}, "user": user}
    told = {"iid": 7, "action": "update", "oldrev": "b" * 40, "updated_at": "2030-01-01 00:00:00 UTC"}
    pushed = {"ref": "refs/heads/main", "before": "0" * 40, "after": sha, "user_username": "dee"}
    bodies: list[dict[str, Any]] = [
        {"object_kind": "merge_request", "object_attributes": {**told, "last_commit": {"id": sha}}, "changes": {}},
        {"object_kind": "merge_request", "object_attributes": told, "external_approval_rule": {"id": 1}},
        {"object_kind": "note", "object_attributes": {"noteable_type": "MergeRequest"}, "merge_request": {"iid": 7}},
        {"object_kind": "push", **pushed},
        {"object_kind": "pipeline", "object_attributes": {"sha": sha, "source": "external"}},
        {"object_kind": "build", "sha": sha, "build_name": "test"},
        {"event_name": "project_rename", "old_path_with_namespace": "acme/x"},
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


WORDS = (b"payload=", b"%7B", b'"action":', b'\\"', b"\\u0000")
SUBJECTS = (
    Subject("webhook", webhook, _bodies(), WORDS, MAX_BODY, "json", weight=1.4),
    Subject("gitlab-webhook", gitlab_webhook, _gitlab_bodies(), WORDS, MAX_BODY, "json", weight=1),
    Subject("gitea-webhook", gitea_webhook, _bodies(), (*WORDS, b'"is_pull":true'), MAX_BODY, "json", weight=1),
    Subject(
        "host-answer", answer, _answers(), (b"null", b'"0001-01-01T00:00:00+14:00"'), 2_000_000, "json", weight=1.7
    ),
)
