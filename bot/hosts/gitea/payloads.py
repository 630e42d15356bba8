"""The parts of webhooks that are used, and nothing else: one small shape per event.

https://docs.gitea.com/usage/webhooks
"""

from __future__ import annotations

import msgspec


class Account(msgspec.Struct):
    login: str = ""


class Repository(msgspec.Struct):
    full_name: str = ""


class End(msgspec.Struct):
    sha: str = ""


class Pull(msgspec.Struct):
    number: int = 0
    head: End | None = None
    updated_at: object = None


class Issue(msgspec.Struct):
    number: int = 0
    pull_request: object = None
    updated_at: object = None


class Comment(msgspec.Struct):
    user: Account | None = None
    body: str | None = None


class Event(msgspec.Struct):
    """What every event has."""

    repository: Repository | None = None
    sender: Account | None = None
    action: str | None = None


class PullEvent(Event):
    pull_request: Pull | None = None


class CommentEvent(Event):
    issue: Issue | None = None
    comment: Comment | None = None
    is_pull: bool = False


class PushEvent(Event):
    ref: str = ""
    before: str = ""
    after: str = ""
    pusher: Account | None = None


class StatusEvent(Event):
    sha: str = ""
    context: str = ""
