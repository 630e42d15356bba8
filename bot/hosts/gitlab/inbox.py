"""Webhooks of a project, a group or the server: verified over the raw bytes, decoded to hints; no call is made."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from bot.core.errors import MalformedDelivery
from bot.core.events import ChangeTouched, CommitTouched, Delivery, GateAsked, Hint, Ignored
from bot.core.model import ChangeRef, RepoRef
from bot.hosts import shapes
from bot.hosts.fields import has_marker, is_ours
from bot.hosts.gitlab.parse import moment
from bot.hosts.gitlab.payloads import (
    JobEvent,
    Kind,
    MergeRequest,
    MergeRequestEvent,
    NoteEvent,
    PipelineEvent,
    Project,
    PushEvent,
    User,
)
from bot.hosts.gitlab.settings import GitLabSettings
from bot.hosts.gitlab.signing import SIGNATURE, verify
from bot.hosts.hints import numbered, pushed, reported
from bot.hosts.nesting import MAX_DEPTH, deeper

MAX_BYTES: Final = 25 * 2**20
"""GitLab's own bound: https://docs.gitlab.com/user/gitlab_com/#webhooks"""

EVENTS: Final = ("push_events", "merge_requests_events", "note_events", "pipeline_events")
"""What ``setup`` subscribes to."""

IGNORED: Final[Mapping[str, str]] = {
    "access_token": "a token that will expire is its owner's business",
    "deployment": "ours tell what we know, and others' deploy nothing of ours",
    "emoji": "reactions are no approval",
    "feature_flag": "feature flags are not deployed",
    "issue": "an issue is no change",
    "milestone": "milestones change nothing that matters here",
    "release": "releases are not deployed",
    "repository_update": "the push itself is told, too",
    "tag_push": "tags are not deployed",
    "vulnerability": "findings of scanners are no change",
    "wiki_page": "a wiki is not deployed",
    "work_item": "a work item is no change",
    **dict.fromkeys(
        (
            *("user_add_to_group", "user_remove_from_group", "user_update_for_group"),
            *("user_access_request_to_group", "user_access_request_denied_for_group"),
            *("user_access_request_revoked_for_group", "user_access_request_revoked_for_project"),
            *("user_access_request_to_project",),
            *("user_add_to_team", "user_remove_from_team", "user_update_for_team"),
        ),
        "who may do what is asked when it matters",
    ),
    **dict.fromkeys(
        (
            *("project_create", "project_destroy", "project_rename", "project_transfer", "project_update"),
            *("subgroup_create", "subgroup_destroy", "group_create", "group_destroy", "group_rename"),
        ),
        "the operator says which repositories there are",
    ),
    **dict.fromkeys(
        (
            *("user_create", "user_destroy", "user_rename", "user_failed_login", "key_create", "key_destroy"),
            *("gitlab_subscription_member_approval", "gitlab_subscription_member_approvals"),
        ),
        "accounts are the server's affair",
    ),
}
"""Kinds of events that say nothing to us, and why; the last three groups have an ``event_name`` for a kind."""

INDIFFERENT: Final = frozenset({"assignees", "milestone_id", "time_estimate", "total_time_spent", "time_change"})
"""What of a merge request may be altered without anybody here looking at it."""

MARKS: Final = frozenset({"updated_at", "updated_by_id", "last_edited_at", "last_edited_by_id"})
"""What every alteration alters. Alone it stands for what GitLab does not name: that all threads were resolved."""

ASKED: Final = "External Status Check"
"""How we call a delivery of an external status check, which names no event."""

_HEADER: Final = re.compile(r"[A-Za-z ]{1,60}Hook")
_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
_LOGIN: Final = re.compile(r"[A-Za-z0-9_.-]{1,255}")


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose project an event is of, and who we are there (lower-cased; empty when not known yet)."""

    repo: RepoRef
    own: str


class Webhooks:
    """Verifies and decodes for one GitLab of the settings."""

    def __init__(self, settings: GitLabSettings) -> None:
        self._settings = settings

    def receive(self, headers: Mapping[str, str], body: bytes, at: datetime) -> Delivery:
        """Verify the bytes as they came, and wrap them.

        Raises SignatureError, MalformedDelivery, and ConfigError when a secret that might fit cannot be read.
        """
        known = {name.lower(): value for name, value in headers.items()}
        if len(body) > MAX_BYTES:
            raise MalformedDelivery(f"a delivery may have {MAX_BYTES} bytes")
        verify(self._settings.webhook_secrets, known, body, at)
        event = ASKED if SIGNATURE in known else known.get("x-gitlab-event", "")
        if event != ASKED and not _HEADER.fullmatch(event):
            raise MalformedDelivery("X-Gitlab-Event is missing or malformed")
        if deeper(body, MAX_DEPTH):
            raise MalformedDelivery(f"the body is nested deeper than {MAX_DEPTH}")
        return Delivery(self._settings.name, _id(known, event, body, at), event, body, at)

    def decode(self, delivery: Delivery, own_login: str) -> tuple[Hint, ...]:
        """What it hints at; never raises. ``own_login`` may be empty: then our own echoes are hints, too."""
        try:
            told = _KIND.decode(delivery.body)
            kind = told.object_kind or told.event_name
            known = _DECODERS.get(kind)
            if known is None:
                return (Ignored(f"{shapes.word(kind) or 'unknown'}: {IGNORED.get(kind, 'not used')}"),)
            decoder, hint = known
            event = decoder.decode(delivery.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return (Ignored(f"{delivery.event}: the body is not the JSON that GitLab documents"),)
        project: Project | None = event.project
        name = project.path_with_namespace if project else ""
        if not shapes.PROJECT.fullmatch(name):
            return (Ignored(f"{kind}: no project"),)
        whose = Whose(RepoRef(self._settings.name, name), own_login.lower())
        asked = _asked(whose, event, delivery) if delivery.event == ASKED else ()
        return (hint(whose, event), *asked)


def _id(known: Mapping[str, str], event: str, body: bytes, at: datetime) -> str:
    """The same for every attempt at one delivery. Older servers send no key: then what was said tells it.

    X-Gitlab-Event-UUID is shared by the deliveries of hooks that call each other, and no key. A status check never
    has one, and the same may be asked again: when somebody has it retried, two minutes later at the earliest.
    """
    if event == ASKED:
        body += f"{at:%Y-%m-%dT%H:%M}".encode()
    for name in ("idempotency-key", "webhook-id"):
        if _KEY.fullmatch(known.get(name, "")):
            return known[name]
    return hashlib.sha256(event.encode() + b"\0" + body).hexdigest()


def _login(user: User | None) -> str:
    login = user.username if user else ""
    return login if _LOGIN.fullmatch(login) else ""


def _merge_request(whose: Whose, event: MergeRequestEvent) -> Hint:
    """Only an update with ``oldrev`` says who pushed: whoever opens a change need not have pushed its head."""
    told = event.object_attributes
    ref = numbered(whose.repo, told.iid) if told else None
    if told is None or ref is None:
        return Ignored("merge_request: no number")
    action = shapes.word(told.action)
    changed = set(event.changes or ())
    if action == "update" and told.oldrev is None and changed - MARKS and changed - MARKS <= INDIFFERENT:
        return Ignored("merge_request.update: nothing that matters here")
    head = shapes.sha(told.last_commit.id) if told.last_commit else ""
    pushed = action == "update" and bool(told.oldrev) and bool(head)
    pusher = _login(event.user) if pushed else ""
    return ChangeTouched(ref, head, pusher, moment(told.updated_at), f"merge_request.{action}")


def _asked(whose: Whose, event: object, delivery: Delivery) -> tuple[Hint, ...]:
    """An external status check wants to know what our gate says of the merge request's head."""
    rule = event.external_approval_rule if isinstance(event, MergeRequestEvent) else None
    told = event.object_attributes if isinstance(event, MergeRequestEvent) else None
    ref = numbered(whose.repo, told.iid) if told else None
    return (GateAsked(ref, delivery.id, str(rule.id)),) if rule is not None and ref is not None else ()


def _note(whose: Whose, event: NoteEvent) -> Hint:
    told, on = event.object_attributes, event.merge_request
    ref = numbered(whose.repo, on.iid) if on else None
    if told is None or told.noteable_type != "MergeRequest" or ref is None or on is None:
        return Ignored("note: not on a merge request")
    if told.system:
        return Ignored("note: GitLab's own words about what another event tells")
    action, body, author = shapes.word(told.action) or "create", told.note or "", _login(event.user)
    ours = is_ours(author, body, whose.own)
    altered = told.updated_by_id is not None and told.updated_by_id != told.author_id
    # With a person's own token their words and ours have one author; what we write bears our marker.
    if ours and not (action == "update" and altered):
        return Ignored("note: our own")
    if action != "create" and not has_marker(body):
        return Ignored(f"note.{action}: later edits ask for nothing")
    why = f"note.{action}" + (": ours was altered, it is put back" if action != "create" else "")
    return ChangeTouched(ref, updated_at=moment(on.updated_at), why=why)


def _push(whose: Whose, event: PushEvent) -> Hint:
    return pushed(whose.repo, event.ref, event.before, event.after, _login(User(event.user_username or "")))


def _pipeline(whose: Whose, event: PipelineEvent) -> Hint:
    """Statuses of others make an ``external`` pipeline as ours do; who has one of ours alone is told by the user."""
    told = event.object_attributes
    sha = shapes.sha(told.sha) if told else ""
    if told is None or not sha:
        return Ignored("pipeline: no commit")
    if told.source == "external" and whose.own and _login(event.user).lower() == whose.own:
        return Ignored("pipeline: our own statuses")
    ref = _of_change(whose, event.project, event.merge_request)
    return ChangeTouched(ref, why="pipeline") if ref else CommitTouched(whose.repo, sha, "pipeline")


def _of_change(whose: Whose, project: Project | None, on: MergeRequest | None) -> ChangeRef | None:
    """The change a pipeline is of; it may run in a fork, where the number is the target project's."""
    here = on is not None and project is not None and on.target_project_id == project.id
    return numbered(whose.repo, on.iid) if on is not None and here else None


def _job(whose: Whose, event: JobEvent) -> Hint:
    return reported(whose.repo, event.sha, event.build_name or "", "build")


_KIND: Final = msgspec.json.Decoder(Kind)
_DECODERS: Final[Mapping[str, tuple[msgspec.json.Decoder[Any], Callable[[Whose, Any], Hint]]]] = {
    "merge_request": (msgspec.json.Decoder(MergeRequestEvent), _merge_request),
    "note": (msgspec.json.Decoder(NoteEvent), _note),
    "push": (msgspec.json.Decoder(PushEvent), _push),
    "pipeline": (msgspec.json.Decoder(PipelineEvent), _pipeline),
    "build": (msgspec.json.Decoder(JobEvent), _job),
}
UNDERSTOOD: Final = tuple(sorted(_DECODERS))
"""Events that may concern a change."""
