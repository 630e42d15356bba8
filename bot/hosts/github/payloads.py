"""The parts of GitHub's webhooks that are used, and nothing else: one small shape per event.

https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

import msgspec


class Account(msgspec.Struct):
    login: str = ""


class Application(msgspec.Struct):
    id: int = 0


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
    pull_request: dict[str, object] | None = None
    updated_at: object = None


class Comment(msgspec.Struct):
    user: Account | None = None
    body: str | None = None


class Check(msgspec.Struct):
    head_sha: str = ""
    name: str | None = None
    app: Application | None = None


class Event(msgspec.Struct):
    """What every event has."""

    repository: Repository | None = None
    sender: Account | None = None
    action: str | None = None


class PullEvent(Event):
    pull_request: Pull | None = None
    after: str | None = None


class CommentEvent(Event):
    issue: Issue | None = None
    comment: Comment | None = None


class PushEvent(Event):
    ref: str = ""
    before: str = ""
    after: str = ""
    deleted: bool = False
    forced: bool = False


class StatusEvent(Event):
    sha: str = ""
    context: str = ""


class Queued(msgspec.Struct):
    head_sha: str = ""
    head_ref: str = ""
    base_sha: str = ""


class MergeGroupEvent(Event):
    merge_group: Queued | None = None


class Installed(msgspec.Struct):
    app_id: int = 0
    account: Account | None = None


class InstallationEvent(msgspec.Struct):
    """Of no repository: which ones the App may reach."""

    action: str | None = None
    installation: Installed | None = None
    repositories: list[Repository] = []
    repositories_added: list[Repository] = []
    repositories_removed: list[Repository] = []


class RequestedAction(msgspec.Struct):
    identifier: str = ""


class CheckRunEvent(Event):
    check_run: Check | None = None
    requested_action: RequestedAction | None = None


class CheckSuiteEvent(Event):
    check_suite: Check | None = None


class WorkflowRunEvent(Event):
    workflow_run: Check | None = None
