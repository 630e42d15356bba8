"""The parts of GitHub's webhooks that are used, and nothing else.

https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

from datetime import datetime

import msgspec


class Account(msgspec.Struct):
    login: str = ""
    type: str = ""


class Repository(msgspec.Struct):
    full_name: str = ""


class End(msgspec.Struct):
    sha: str = ""
    ref: str = ""


class Pull(msgspec.Struct):
    number: int = 0
    head: End = msgspec.field(default_factory=End)
    base: End = msgspec.field(default_factory=End)
    updated_at: datetime | None = None


class Issue(msgspec.Struct):
    number: int = 0
    pull_request: dict[str, object] | None = None
    updated_at: datetime | None = None


class Comment(msgspec.Struct):
    id: int = 0
    user: Account | None = None


class Check(msgspec.Struct):
    name: str = ""
    head_sha: str = ""


class Payload(msgspec.Struct):
    """Any event: whatever a key's event does not have keeps its default."""

    action: str = ""
    sender: Account | None = None
    repository: Repository | None = None
    pull_request: Pull | None = None
    issue: Issue | None = None
    comment: Comment | None = None
    check_run: Check | None = None
    check_suite: Check | None = None
    workflow_run: Check | None = None
    ref: str = ""
    before: str = ""
    after: str = ""
    deleted: bool = False
    forced: bool = False
    sha: str = ""
    context: str = ""
    zen: str = ""


decoder = msgspec.json.Decoder(Payload, strict=False)
