"""The parts of GitLab's webhooks that are used, and nothing else: one small shape per event.

https://docs.gitlab.com/user/project/integrations/webhook_events/
"""

from __future__ import annotations

import msgspec


class Kind(msgspec.Struct):
    """What tells the events apart; a system hook has an ``event_name`` where others have an ``object_kind``."""

    object_kind: str = ""
    event_name: str = ""


class User(msgspec.Struct):
    username: str = ""


class Project(msgspec.Struct):
    id: int = 0
    path_with_namespace: str = ""


class LastCommit(msgspec.Struct):
    id: str = ""


class MergeRequestAttributes(msgspec.Struct):
    iid: int = 0
    action: str | None = None
    oldrev: str | None = None
    updated_at: object = None
    last_commit: LastCommit | None = None


class ApprovalRule(msgspec.Struct):
    id: int = 0


class MergeRequestEvent(msgspec.Struct):
    user: User | None = None
    project: Project | None = None
    object_attributes: MergeRequestAttributes | None = None
    changes: dict[str, object] | None = None
    external_approval_rule: ApprovalRule | None = None


class NoteAttributes(msgspec.Struct):
    note: str | None = None
    noteable_type: str | None = None
    action: str | None = None
    system: bool = False
    author_id: int | None = None
    updated_by_id: int | None = None


class MergeRequest(msgspec.Struct):
    iid: int = 0
    target_project_id: int = 0
    updated_at: object = None


class NoteEvent(msgspec.Struct):
    user: User | None = None
    project: Project | None = None
    object_attributes: NoteAttributes | None = None
    merge_request: MergeRequest | None = None


class PushEvent(msgspec.Struct):
    ref: str = ""
    before: str = ""
    after: str = ""
    user_username: str | None = None
    project: Project | None = None


class PipelineAttributes(msgspec.Struct):
    sha: str = ""
    source: str | None = None


class PipelineEvent(msgspec.Struct):
    user: User | None = None
    project: Project | None = None
    object_attributes: PipelineAttributes | None = None
    merge_request: MergeRequest | None = None


class JobEvent(msgspec.Struct):
    sha: str = ""
    build_name: str | None = None
    project: Project | None = None
