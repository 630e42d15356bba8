"""Webhooks: who may post to us, and what each event becomes; told by a real server, and by hostile ones."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hosts.gitea.ground import HOOK_SECRET
from hosts.gitea.server import settled
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import MalformedDelivery, SignatureError
from bot.core.events import BranchMoved, ChangeTouched, CommitTouched, Delivery, Hint, Ignored
from bot.core.model import ChangeRef, RepoRef
from bot.core.record import CheckConclusion
from bot.hosts.gitea.inbox import _DECODERS, EVENTS, IGNORED, MAX_BYTES, Webhooks
from bot.hosts.gitea.settings import GiteaSettings
from bot.hosts.nesting import MAX_DEPTH
from bot.ports import CheckToSet

AT = datetime(2030, 1, 1, tzinfo=UTC)
BODY = b'{"ref": "refs/heads/main"}'
SHA, OTHER, ZEROS = "a" * 40, "b" * 40, "0" * 40
REPO = RepoRef("git", "acme/infra")
REF = ChangeRef(REPO, 7)
OURS = "<!-- headgate:main:page:1 -->\nplan"

ALL_EVENTS = (
    *("create", "delete", "fork", "push", "issues", "issue_comment", "pull_request", "pull_request_approved"),
    *("pull_request_rejected", "pull_request_comment", "wiki", "repository", "release", "package", "status"),
    *("workflow_run", "workflow_job"),
)
"""What X-Gitea-Event may say; the events are those of https://docs.gitea.com/usage/webhooks."""


def webhooks(*secrets: str) -> Webhooks:
    supplies = tuple((lambda text=text: text) for text in secrets or ("secret",))
    return Webhooks(GiteaSettings("git", "https://git.example.com", None, supplies))


def signature(body: bytes, secret: str = "secret") -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def headers(body: bytes, spelling: str = "Gitea", event: str = "push", **more: str) -> dict[str, str]:
    known = {
        f"X-{spelling}-Signature": signature(body),
        "Content-Type": "application/json",
        f"X-{spelling}-Delivery": "24b28946-adda-4b0a-bdc4-af6b56fc35d6",
        f"X-{spelling}-Event": event,
    }
    return known | {name.replace("_", "-"): value for name, value in more.items()}


def hint(event: str, payload: object, own: str = "hg-bot") -> Hint:
    (found,) = webhooks().decode(Delivery("git", "1", event, json.dumps(payload).encode(), AT), own)
    return found


# ------------------------------------------------------------------------------------------- receive


@pytest.mark.parametrize("spelling", ["Gitea", "Forgejo", "gitea", "FORGEJO"])
def test_the_signature_is_bare_digits_under_either_name(spelling: str) -> None:
    delivery = webhooks().receive(headers(BODY, spelling), BODY, AT)
    assert (delivery.host, delivery.event, delivery.body) == ("git", "push", BODY)
    assert delivery.id == "24b28946-adda-4b0a-bdc4-af6b56fc35d6"


def test_the_other_spelling_of_the_signature_will_do_where_it_is_the_only_one() -> None:
    known = headers(BODY) | {"X-Gitea-Signature": "", "X-Hub-Signature-256": f"sha256={signature(BODY)}"}
    assert webhooks().receive(known, BODY, AT)


@pytest.mark.parametrize(
    "given", ["", "0" * 64, signature(BODY, "other"), f"sha256={signature(BODY)}", "é", "sha256="]
)
def test_a_missing_empty_or_wrong_signature_is_refused(given: str) -> None:
    with pytest.raises(SignatureError):
        webhooks().receive(headers(BODY, X_Gitea_Signature=given), BODY, AT)


def test_what_a_webhook_without_a_secret_sends_is_refused() -> None:
    bare = headers(BODY) | {"X-Gitea-Signature": "", "X-Hub-Signature": "sha1=", "X-Hub-Signature-256": "sha256="}
    for post in (webhooks(), webhooks(""), Webhooks(GiteaSettings("git", "https://git.example.com", None))):
        with pytest.raises(SignatureError):
            post.receive(bare, BODY, AT)
        with pytest.raises(SignatureError):
            post.receive(bare | {"X-Gitea-Signature": signature(BODY, "")}, BODY, AT)


def test_an_older_kind_of_signature_is_no_signature() -> None:
    sha1 = hmac.new(b"secret", BODY, hashlib.sha1).hexdigest()
    known = headers(BODY) | {"X-Gitea-Signature": "", "X-Hub-Signature": f"sha1={sha1}"}
    with pytest.raises(SignatureError):
        webhooks().receive(known, BODY, AT)


def test_any_of_two_secrets_signs_so_that_one_can_be_rotated() -> None:
    assert webhooks("old", "secret").receive(headers(BODY), BODY, AT)


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_only_json_is_taken_since_in_a_form_nothing_that_came_is_signed(kind: str) -> None:
    with pytest.raises(MalformedDelivery, match="application/json"):
        webhooks().receive(headers(BODY, Content_Type=kind), BODY, AT)


@pytest.mark.parametrize("header", ["X-Gitea-Delivery", "X-Gitea-Event"])
@pytest.mark.parametrize("value", ["", "a b", "x" * 101, "../etc", "a\nb"])
def test_a_malformed_id_or_event_is_refused(header: str, value: str) -> None:
    with pytest.raises(MalformedDelivery):
        webhooks().receive(headers(BODY) | {header: value}, BODY, AT)


def test_bodies_are_bounded_in_length_and_depth() -> None:
    with pytest.raises(MalformedDelivery):
        webhooks().receive({}, b" " * (MAX_BYTES + 1), AT)
    deep = b"[" * (MAX_DEPTH + 1)
    with pytest.raises(MalformedDelivery, match="deeper"):
        webhooks().receive(headers(deep), deep, AT)


# -------------------------------------------------------------------------------------------- decode


def event(**parts: Any) -> dict[str, Any]:
    return {"repository": {"full_name": "acme/infra"}, "sender": {"login": "d.ee"}, **parts}


def pull(action: str, **parts: Any) -> dict[str, Any]:
    shape = {"number": 7, "head": {"sha": SHA}, "updated_at": "2030-01-01T00:00:00Z"}
    return event(action=action, pull_request=shape, **parts)


def comment(action: str, *, writer: str = "d.ee", sender: str = "d.ee", body: str = "/plan") -> dict[str, Any]:
    said = {"user": {"login": writer}, "body": body}
    return event(action=action, issue={"number": 7}, comment=said, is_pull=True) | {"sender": {"login": sender}}


def push(**parts: Any) -> dict[str, Any]:
    return event(**({"ref": "refs/heads/main", "before": OTHER, "after": SHA, "pusher": {"login": "bo"}} | parts))


TABLE: list[tuple[str, str, dict[str, Any], Hint | type[Ignored]]] = [
    ("opened, by whoever: that is no push", "pull_request", pull("opened"), ChangeTouched(REF, SHA)),
    ("a push to the change", "pull_request", pull("synchronized"), ChangeTouched(REF, SHA, "d.ee")),
    ("retitled, made a draft, retargeted", "pull_request", pull("edited"), ChangeTouched(REF, SHA)),
    ("closed or merged", "pull_request", pull("closed"), ChangeTouched(REF, SHA)),
    ("reopened", "pull_request", pull("reopened"), ChangeTouched(REF, SHA)),
    ("labelled", "pull_request", pull("label_updated"), ChangeTouched(REF, SHA)),
    ("labels cleared", "pull_request", pull("label_cleared"), ChangeTouched(REF, SHA)),
    ("assigned", "pull_request", pull("assigned"), Ignored),
    ("no number", "pull_request", event(action="opened", pull_request={}), Ignored),
    ("approved", "pull_request_approved", pull("reviewed"), ChangeTouched(REF, SHA)),
    ("changes requested", "pull_request_rejected", pull("reviewed"), ChangeTouched(REF, SHA)),
    ("reviewed in words", "pull_request_comment", pull("reviewed"), ChangeTouched(REF, SHA)),
    ("a comment", "issue_comment", comment("created"), ChangeTouched(REF)),
    ("a comment altered", "issue_comment", comment("edited"), Ignored),
    ("our comment", "issue_comment", comment("created", writer="hg-bot", sender="hg-bot", body=OURS), Ignored),
    ("our edit", "issue_comment", comment("edited", writer="hg-bot", sender="hg-bot", body=OURS), Ignored),
    ("ours, deleted", "issue_comment", comment("deleted", writer="hg-bot", body=OURS), ChangeTouched(REF)),
    ("our marker, forged", "issue_comment", comment("created", body=OURS), ChangeTouched(REF)),
    ("a command by whose token we use", "issue_comment", comment("created", writer="hg-bot"), ChangeTouched(REF)),
    ("a comment on an issue", "issue_comment", comment("created") | {"is_pull": False}, Ignored),
    ("a push", "push", push(), BranchMoved(REPO, "main", OTHER, SHA, "bo")),
    ("a new branch", "push", push(ref="refs/heads/a/b", before=ZEROS), BranchMoved(REPO, "a/b", "", SHA, "bo")),
    ("a tag", "push", push(ref="refs/tags/v1"), Ignored),
    ("a push of no commit", "push", push(before="x"), Ignored),
    ("a branch with a control character", "push", push(ref="refs/heads/x\n"), Ignored),
    ("a status", "status", event(sha=SHA, context="ci"), CommitTouched(REPO, SHA, "ci")),
    ("a status of no commit", "status", event(sha="x", context="ci"), Ignored),
    (
        "our status, by another hand",
        "status",
        event(sha=SHA, context="headgate/gate"),
        CommitTouched(REPO, SHA, "headgate/gate"),
    ),
    ("our status", "status", event(sha=SHA, context="headgate/gate") | {"sender": {"login": "HG-bot"}}, Ignored),
    (
        "a repository of a hostile name",
        "pull_request",
        pull("opened") | {"repository": {"full_name": "a/b/c"}},
        Ignored,
    ),
]


@pytest.mark.parametrize(("name", "payload", "wanted"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_an_event_becomes(name: str, payload: dict[str, Any], wanted: Hint | type[Ignored]) -> None:
    found = hint(name, payload)
    if isinstance(found, ChangeTouched):
        assert found.why.startswith(name)
        found = replace(found, why="", updated_at=None)
    assert isinstance(found, wanted) if isinstance(wanted, type) else found == wanted


def test_every_event_there_is_is_understood_or_ignored_on_purpose() -> None:
    assert set(_DECODERS) | set(IGNORED) == set(ALL_EVENTS)
    assert not set(_DECODERS) & set(IGNORED)
    assert set(EVENTS) <= set(_DECODERS)
    for name in IGNORED:
        assert hint(name, event()).why == f"{name}: {IGNORED[name]}"


# -------------------------------------------------------------------------------- as the server tells


def hints(ground: Any, catcher: Any, seen: int) -> list[Hint]:
    host = ground.host(webhook_secrets=(lambda: HOOK_SECRET,))
    host.own_login()
    told = [host.receive(known, body, AT) for known, body in list(catcher.caught)[seen:]]
    return [each for delivery in told for each in host.decode(delivery)]


def test_what_people_do_comes_as_what_it_is(ground: Any, catcher: Any) -> None:
    ground.hook(catcher.url, EVENTS)
    first = ground.commit("port", {"web/a": "x"}, "dee")
    number = ground.open_change("port")
    ref = ChangeRef(ground.repo, number)
    label = {"labels": [ground.call("POST", "/labels", {"name": "urgent", "color": "#ff0000"})["id"]]}
    acts: list[tuple[Any, str, str]] = [
        (lambda: ground.commit("port", {"web/b": "x"}, "bo"), "pull_request", "synchronized"),
        (lambda: ground.review(number, "bo"), "pull_request_approved", "reviewed"),
        (lambda: ground.review(number, "cy", "REQUEST_CHANGES", "no"), "pull_request_rejected", "reviewed"),
        (lambda: ground.review(number, "cy", "COMMENT", "hm"), "pull_request_comment", "reviewed"),
        (lambda: ground.say(number, "bo", "/plan"), "issue_comment", "created"),
        (lambda: ground.edit(number, "dee", title="WIP: later"), "pull_request", "edited"),
        (
            lambda: ground.call("POST", f"/issues/{number}/labels", label),
            "pull_request",
            "label_updated",
        ),
        (lambda: ground.edit(number, "dee", state="closed"), "pull_request", "closed"),
        (lambda: ground.edit(number, "dee", state="open"), "pull_request", "reopened"),
    ]
    for act, name, action in acts:
        seen = len(catcher.caught)
        act()
        assert settled(lambda name=name, action=action: (name, action) in catcher.acts()), f"no {name} {action} came"
        assert ref in [each.ref for each in hints(ground, catcher, seen) if isinstance(each, ChangeTouched)]
    touched = [each for each in hints(ground, catcher, 0) if isinstance(each, ChangeTouched)]
    assert {(each.pusher, each.head) for each in touched if each.pusher} == {("bo", ground.head_of("port"))}
    moved = [each for each in hints(ground, catcher, 0) if isinstance(each, BranchMoved)]
    assert [(each.before, each.after, each.pusher) for each in moved if each.branch == "port"] == [
        ("", first, "dee"),
        (first, ground.head_of("port"), "bo"),
    ]


def test_our_own_words_and_statuses_are_no_news(ground: Any, catcher: Any) -> None:
    ground.commit("port", {"web/a": "x"}, "dee")
    ref = ChangeRef(ground.repo, ground.open_change("port"))
    ground.hook(catcher.url, EVENTS)
    host = ground.host()
    host.put_comment(ref, "", OURS)
    host.set_check(ground.repo, CheckToSet("headgate/gate", ground.head_of("port"), CheckConclusion.PENDING, "waits"))
    assert settled(lambda: {name for name, _ in catcher.events()} >= {"issue_comment", "status"})
    assert all(isinstance(each, Ignored) and "our own" in each.why for each in hints(ground, catcher, 0))


def test_a_status_of_ours_set_by_another_hand_is_put_right(ground: Any, catcher: Any) -> None:
    ground.commit("port", {"web/a": "x"}, "dee")
    ground.open_change("port")
    head, waits = ground.head_of("port"), CheckConclusion.PENDING
    ground.hook(catcher.url, EVENTS)
    host = ground.host(webhook_secrets=(lambda: HOOK_SECRET,))
    host.set_check(ground.repo, CheckToSet("headgate/gate", head, waits, "waits"))
    ground.call("POST", f"/statuses/{head}", {"state": "success", "context": "headgate/gate"}, by="bo")
    assert settled(lambda: len(catcher.caught) == 2)
    for known, body in catcher.caught:
        host.decode(host.receive(known, body, AT))
    host.set_check(ground.repo, CheckToSet("headgate/gate", head, waits, "waits"))
    assert ground.checks(head)["headgate/gate"]["status"] == "pending"


# ---------------------------------------------------------------------------------------------- laws

KEYS = ["repository", "sender", "action", "pull_request", "issue", "comment", "ref", "before", "after", "is_pull"]
KEYS += ["sha", "context", "full_name", "login", "number", "head", "pusher", "user", "body", "updated_at"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=8),
    max_leaves=12,
)


@given(st.sampled_from([*ALL_EVENTS, ""]), JSON)
def test_decoding_never_raises_on_any_json(name: str, payload: object) -> None:
    assert isinstance(hint(name, payload), Hint)


@given(st.sampled_from([*ALL_EVENTS, ""]), st.binary(max_size=200))
def test_decoding_never_raises_on_any_bytes(name: str, body: bytes) -> None:
    assert len(webhooks().decode(Delivery("git", "1", name, body, AT), "hg-bot")) == 1


@given(st.dictionaries(st.text(), st.text()), st.binary())
def test_no_headers_and_no_body_pass_without_the_secret(known: dict[str, str], body: bytes) -> None:
    with pytest.raises((SignatureError, MalformedDelivery)):
        webhooks().receive(known, body, AT)
    with pytest.raises(SignatureError):
        webhooks().receive({**known, "Content-Type": "application/json"}, body, AT)
