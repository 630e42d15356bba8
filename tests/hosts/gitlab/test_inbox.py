"""GitLab's webhooks: who sent them, and what every documented kind of event comes to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.core.errors import ConfigError, MalformedDelivery, SignatureError
from bot.core.events import BranchMoved, ChangeTouched, CommitTouched, Delivery, Hint, Ignored
from bot.core.model import ChangeRef, RepoRef
from bot.hosts.gitlab.inbox import EVENTS, IGNORED, MAX_BYTES, Webhooks
from bot.hosts.gitlab.settings import GitLabSettings

NOW = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)  # 1700000000
SIGNING = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
BODY = b'{"object_kind":"merge_request"}'
REPO = RepoRef("lab", "acme/live/infra")
PROJECT = {"id": 15, "path_with_namespace": "acme/live/infra"}
OLD, NEW, ZERO = "9" * 40, "d" * 40, "0" * 40
CHANGE = ChangeRef(REPO, 7)
MARK = "<!-- headgate:main:page:1 -->\n"


def inbox(*secrets: str) -> Webhooks:
    return Webhooks(GitLabSettings("lab", None, tuple(lambda each=each: each for each in secrets)))


def headers(**more: str) -> dict[str, str]:
    return {"X-Gitlab-Event": "Merge Request Hook"} | {name.replace("_", "-"): value for name, value in more.items()}


def signed(body: bytes = BODY, token: str = SIGNING, at: datetime = NOW) -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    key = base64.b64decode(token.removeprefix("whsec_"))
    digest = hmac.new(key, b"evt-123." + stamp.encode() + b"." + body, hashlib.sha256).digest()
    given = "v1," + base64.b64encode(digest).decode()
    return headers(webhook_id="evt-123", webhook_timestamp=stamp, webhook_signature=given)


# ------------------------------------------------------------------------------------------- who sent it


def test_the_signed_form_is_taken_as_documented() -> None:
    assert signed()["webhook-signature"] == "v1,11wFt5v0g0cCrZAhKO4/gaahqOrkeUnLFcbCATnWGHU="
    assert inbox(SIGNING).receive(signed(), BODY, NOW).id == "evt-123"


@pytest.mark.parametrize("seconds", [-301, 301, -86400])
def test_a_signature_of_another_time_is_a_replay(seconds: int) -> None:
    with pytest.raises(SignatureError):
        inbox(SIGNING).receive(signed(at=NOW + timedelta(seconds=seconds)), BODY, NOW)


@pytest.mark.parametrize("stamp", ["", "soon", "²", "1e9", "-1", "9" * 400])
def test_a_time_that_is_none_is_refused(stamp: str) -> None:
    with pytest.raises(SignatureError):
        inbox(SIGNING).receive({**signed(), "webhook-timestamp": stamp}, BODY, NOW)


def test_one_of_several_signatures_must_fit() -> None:
    given = signed()
    both = {**given, "webhook-signature": f"v1,AAAA v2,zzz {given['webhook-signature']}"}
    assert inbox("plain", SIGNING).receive(both, BODY, NOW)


@pytest.mark.parametrize("signature", ["", "v1,AAAA", "v2,x"])
def test_a_wrong_signature_is_never_made_good_by_the_plain_token(signature: str) -> None:
    given = {**signed(), "webhook-signature": signature, "X-Gitlab-Token": "plain"}
    with pytest.raises(SignatureError):
        inbox(SIGNING, "plain").receive(given, BODY, NOW)


def test_a_signature_is_not_read_as_a_token_nor_a_signing_key_as_one() -> None:
    with pytest.raises(SignatureError):
        inbox(SIGNING).receive(headers(X_Gitlab_Token=SIGNING), BODY, NOW)
    with pytest.raises(SignatureError):
        inbox("plain").receive(signed(), BODY, NOW)


def test_the_plain_token_is_taken_where_that_is_what_is_configured() -> None:
    assert inbox("old", "new").receive(headers(X_Gitlab_Token="new"), BODY, NOW)
    for given in ("", "other", "nèw"):
        with pytest.raises(SignatureError):
            inbox("old", "new").receive(headers(X_Gitlab_Token=given), BODY, NOW)


@pytest.mark.parametrize("secrets", [(), ("",), ("whsec_short",), ("whsec_!",)])
def test_without_a_usable_secret_nothing_is_trusted(secrets: tuple[str, ...]) -> None:
    with pytest.raises(SignatureError):
        inbox(*secrets).receive(signed(), BODY, NOW)


def test_a_secret_that_cannot_be_read_puts_the_delivery_off() -> None:
    def gone() -> str:
        raise ConfigError(())

    both = Webhooks(GitLabSettings("lab", None, (gone, lambda: "plain")))
    assert both.receive(headers(X_Gitlab_Token="plain"), BODY, NOW)
    with pytest.raises(ConfigError):
        both.receive(headers(X_Gitlab_Token="other"), BODY, NOW)


def test_a_delivery_keeps_its_id_over_attempts() -> None:
    hooks, token = inbox("t"), {"X_Gitlab_Token": "t"}
    assert hooks.receive(headers(**token, Idempotency_Key="a-1"), BODY, NOW).id == "a-1"
    old = hooks.receive(headers(**token, X_Gitlab_Event_UUID="u"), BODY, NOW).id
    assert old == hooks.receive(headers(**token, X_Gitlab_Event_UUID="v"), BODY, NOW).id
    assert old != hooks.receive(headers(**token), BODY + b" ", NOW).id


@pytest.mark.parametrize(
    ("event", "body"),
    [("", b"{}"), ("x" * 200, b"{}"), ("Push Hook", b"[" * 200), ("Push Hook", b" " * MAX_BYTES + b"{}")],
)
def test_what_cannot_be_understood_is_malformed(event: str, body: bytes) -> None:
    with pytest.raises(MalformedDelivery):
        inbox("t").receive({"X-Gitlab-Event": event, "X-Gitlab-Token": "t"}, body, NOW)


# --------------------------------------------------------------------------------------------- what it hints at


def decoded(body: dict[str, Any], own: str = "acme-bot", event: str = "Merge Request Hook") -> Hint:
    (hint,) = inbox("t").decode(Delivery("lab", "1", event, json.dumps(body).encode(), NOW), own)
    return hint


def change(action: str | None, *, by: str = "dee", **more: Any) -> dict[str, Any]:
    changes = more.pop("changes", {})
    told = {"iid": 7, "action": action, "updated_at": "2017-09-15 16:52:00 UTC", "last_commit": {"id": NEW}, **more}
    return {"object_kind": "merge_request", "event_type": "merge_request", "user": {"username": by},
            "project": PROJECT, "object_attributes": told, "changes": changes}  # fmt: skip


def note(text: str, *, by: str = "bo", on: str = "MergeRequest", **more: Any) -> dict[str, Any]:
    told = {"note": text, "noteable_type": on, "system": False, "action": "create", **more}
    return {"object_kind": "note", "user": {"username": by}, "project": PROJECT, "object_attributes": told,
            "merge_request": {"iid": 7, "updated_at": "2015-03-01 20:12:53 UTC"}}  # fmt: skip


def push(ref: str, before: str = OLD, after: str = NEW, kind: str = "push") -> dict[str, Any]:
    return {"object_kind": kind, "event_name": kind, "ref": ref, "before": before, "after": after,
            "user_username": "dee", "project": PROJECT}  # fmt: skip


def pipeline(source: str = "push", by: str = "ci", **more: Any) -> dict[str, Any]:
    return {"object_kind": "pipeline", "object_attributes": {"sha": NEW, "source": source},
            "user": {"username": by}, "project": PROJECT, **more}  # fmt: skip


ACTIONS = ("open", "close", "reopen", "update", "approved", "unapproved", "approval", "unapproval", "merge")


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_on_a_merge_request_is_looked_at(action: str) -> None:
    hint = decoded(change(action))
    at = datetime(2017, 9, 15, 16, 52, tzinfo=UTC)
    assert hint == ChangeTouched(CHANGE, NEW, "", at, f"merge_request.{action}")


def test_only_a_push_names_a_pusher() -> None:
    hint = decoded(change("update", oldrev=OLD))
    assert isinstance(hint, ChangeTouched)
    assert (hint.head, hint.pusher) == (NEW, "dee")


@pytest.mark.parametrize("what", ["labels", "draft", "title", "description", "target_branch", "reviewers"])
def test_what_a_rule_may_look_at_is_looked_at(what: str) -> None:
    assert isinstance(decoded(change("update", changes={what: {}, "updated_at": {}})), ChangeTouched)


@pytest.mark.parametrize("what", ["assignees", "milestone_id", "time_estimate"])
def test_what_no_rule_looks_at_is_ignored_on_purpose(what: str) -> None:
    assert isinstance(decoded(change("update", changes={what: {}, "updated_at": {}})), Ignored)
    assert isinstance(decoded(change("update", changes={what: {}, "labels": {}})), ChangeTouched)
    assert isinstance(decoded(change("update", oldrev=OLD, changes={what: {}})), ChangeTouched)


DOCUMENTED: list[tuple[str, dict[str, Any], Hint | type[Ignored]]] = [
    ("push", push("refs/heads/main"), BranchMoved(REPO, "main", OLD, NEW, "dee")),
    ("new branch", push("refs/heads/a/b", ZERO), BranchMoved(REPO, "a/b", "", NEW, "dee")),
    ("branch deleted", push("refs/heads/a", OLD, ZERO), BranchMoved(REPO, "a", OLD, "", "dee")),
    ("tag", push("refs/tags/v1", ZERO, NEW, "tag_push"), Ignored),
    ("odd ref", push("refs/tags/v1"), Ignored),
    ("odd commit", push("refs/heads/main", "x"), Ignored),
    ("comment", note("/plan"), ChangeTouched(CHANGE, updated_at=datetime(2015, 3, 1, 20, 12, 53, tzinfo=UTC),
                                             why="note.create")),
    ("comment on a commit", note("/plan", on="Commit"), Ignored),
    ("comment on an issue", note("/plan", on="Issue"), Ignored),
    ("comment on a snippet", note("/plan", on="Snippet"), Ignored),
    ("GitLab's own comment", note("added 1 commit", system=True), Ignored),
    ("edited comment", note("/plan", action="update"), Ignored),
    ("our comment", note(f"{MARK}x", by="Acme-Bot"), Ignored),
    ("our edit", note(f"{MARK}x", by="acme-bot", action="update", author_id=3, updated_by_id=3), Ignored),
    ("words of who lends us the account", note("/plan", by="acme-bot"), ChangeTouched(
        CHANGE, updated_at=datetime(2015, 3, 1, 20, 12, 53, tzinfo=UTC), why="note.create")),
    ("pipeline", pipeline(), CommitTouched(REPO, NEW, "pipeline")),
    ("pipeline of a merge request", pipeline(merge_request={"iid": 7, "target_project_id": 15}),
     ChangeTouched(CHANGE, why="pipeline")),
    ("pipeline in a fork", pipeline(merge_request={"iid": 7, "target_project_id": 99}),
     CommitTouched(REPO, NEW, "pipeline")),
    ("others' statuses", pipeline("external"), CommitTouched(REPO, NEW, "pipeline")),
    ("our statuses", pipeline("external", by="acme-bot"), Ignored),
    ("job", {"object_kind": "build", "sha": NEW, "build_name": "test", "project": PROJECT},
     CommitTouched(REPO, NEW, "test")),
    ("group member", {"event_name": "user_add_to_group", "group_path": "acme"}, Ignored),
    ("project made", {"event_name": "project_create", "path_with_namespace": "acme/x"}, Ignored),
    ("subgroup", {"event_name": "subgroup_create"}, Ignored),
    ("system: renamed", {"event_name": "project_rename", "old_path_with_namespace": "acme/x"}, Ignored),
    *((kind, {"object_kind": kind, "project": PROJECT}, Ignored) for kind in IGNORED),
]  # fmt: skip


@pytest.mark.parametrize(("body", "wanted"), [row[1:] for row in DOCUMENTED], ids=[row[0] for row in DOCUMENTED])
@pytest.mark.parametrize("event", ["Push Hook", "System Hook"])
def test_every_documented_event_becomes_its_hint_or_is_ignored_on_purpose(
    body: dict[str, Any], wanted: Hint | type[Ignored], event: str
) -> None:
    hint = decoded(body, event=event)
    assert isinstance(hint, Ignored) if wanted is Ignored else hint == wanted


def test_our_words_altered_by_another_hand_are_put_back() -> None:
    hint = decoded(note(f"{MARK}x", by="acme-bot", action="update", author_id=3, updated_by_id=4))
    assert isinstance(hint, ChangeTouched) and "put back" in hint.why


@pytest.mark.parametrize(
    "body",
    [
        change("open", iid=0),
        {"object_kind": "merge_request"},
        {"object_kind": "note", "project": PROJECT},
        {"object_kind": "pipeline", "project": PROJECT},
        {"object_kind": "build", "project": PROJECT},
        {"object_kind": "push", "project": {"path_with_namespace": "../etc"}},
        {"object_kind": "push", "project": 3},
        {"object_kind": 3},
    ],
)
def test_odd_bodies_are_ignored(body: dict[str, Any]) -> None:
    assert isinstance(decoded(body), Ignored)


def test_what_is_subscribed_to_is_what_is_decoded() -> None:
    assert EVENTS == ("push_events", "merge_requests_events", "note_events", "pipeline_events")


SYSTEM_HOOKS = re.findall(
    r"\w+",
    """
    group_create group_destroy group_rename key_create key_destroy project_create project_destroy
    project_rename project_transfer project_update repository_update user_access_request_revoked_for_group
    user_access_request_revoked_for_project user_access_request_to_group user_access_request_to_project
    user_add_to_group user_add_to_team user_create user_destroy user_failed_login user_remove_from_group
    user_remove_from_team user_rename user_update_for_group user_update_for_team
    gitlab_subscription_member_approval gitlab_subscription_member_approvals
    """,
)
"""https://docs.gitlab.com/administration/system_hooks/; beside these they tell of pushes, tags and merge requests."""


@pytest.mark.parametrize("name", SYSTEM_HOOKS)
def test_what_only_the_servers_own_hooks_tell_is_ignored_on_purpose(name: str) -> None:
    kind = "object_kind" if name.startswith("gitlab_") else "event_name"
    hint = decoded({kind: name, "path_with_namespace": "acme/x"}, event="System Hook")
    assert hint == Ignored(f"{name}: {IGNORED[name]}")
