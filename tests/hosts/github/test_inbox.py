"""Webhooks: who may post to us, and what each event becomes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import MalformedDelivery, SignatureError
from bot.core.events import AccessChanged, BranchMoved, ChangeTouched, CommitTouched, Delivery, Hint, Ignored
from bot.core.model import ChangeRef, RepoRef
from bot.hosts.github.inbox import EVENTS, MAX_BYTES, Webhooks
from bot.hosts.github.settings import GitHubSettings
from bot.hosts.nesting import MAX_DEPTH

BODY = b'{"object_kind":"merge_request"}'
SIGNATURE = "sha256=277f4d2ebacd2939f446d57998f52a42d8c6cfc35fa68e25dd05e0e3a81de0ec"
SHA, OTHER, ZEROS = "a" * 40, "b" * 40, "0" * 40
REPO = RepoRef("github", "acme/infra")
REF = ChangeRef(REPO, 7)


def event(**parts: Any) -> dict[str, Any]:
    return {"repository": {"full_name": "acme/infra"}, "sender": {"login": "dee"}, **parts}


def pull(action: str, **parts: Any) -> dict[str, Any]:
    shape = {"number": 7, "head": {"sha": SHA}, "updated_at": "2030-01-01T00:00:00Z"}
    return event(action=action, pull_request=shape, **parts)


def comment(action: str, *, writer: str = "dee", sender: str = "dee", body: str = "/plan") -> dict[str, Any]:
    issue = {"number": 7, "pull_request": {"url": "x"}, "updated_at": "2030-01-01T00:00:00Z"}
    said = {"user": {"login": writer}, "body": body}
    return event(action=action, issue=issue, comment=said) | {"sender": {"login": sender}}


OURS = "<!-- headgate:main:page:1 -->\nplan"

# ------------------------------------------------------------------------------------------- receive


def test_the_documented_signature_is_accepted(post: Any) -> None:
    delivery = post.receive(BODY, X_Hub_Signature_256=SIGNATURE)
    assert (delivery.host, delivery.event, delivery.body) == ("github", "push", BODY)
    assert delivery.id == "72d3162e-cc78-11e3-81ab-4c9367dc0958"


def test_headers_are_found_in_any_case(post: Any) -> None:
    headers = {name.lower(): value for name, value in post.headers(BODY).items()}
    assert post.webhooks.receive(headers, BODY, post.receive(BODY).received_at).body == BODY


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "sha256=",
        "sha256",
        "sha1=" + "0" * 40,
        SIGNATURE.removeprefix("sha256="),
        SIGNATURE[:-1] + "d",
        "sha256=é",
    ],
)
def test_a_missing_empty_or_wrong_signature_is_refused(post: Any, signature: str) -> None:
    with pytest.raises(SignatureError):
        post.receive(BODY, X_Hub_Signature_256=signature)


def test_a_signature_over_another_body_is_refused(post: Any) -> None:
    with pytest.raises(SignatureError):
        post.webhooks.receive(post.headers(BODY), BODY + b" ", post.receive(BODY).received_at)


def test_while_secrets_are_rotated_either_signs(post: Any) -> None:
    both = replace(post, secrets=("new", "secret"))
    assert both.receive(BODY, secret="secret").body == BODY
    assert both.receive(BODY, secret="new").body == BODY
    with pytest.raises(SignatureError):
        both.receive(BODY, secret="older")


@pytest.mark.parametrize("secrets", [(), ("",), (" \n",)])
def test_without_a_secret_nothing_is_trusted(post: Any, secrets: tuple[str, ...]) -> None:
    bare = replace(post, secrets=secrets)
    with pytest.raises(SignatureError, match="no webhook secret"):
        bare.receive(BODY, secret="")


FORM = "application/x-www-form-urlencoded"


def test_a_forms_signature_is_over_the_form_and_what_is_kept_is_its_json(post: Any) -> None:
    text = json.dumps({"title": "a+b & c=d; 100% \u00fc", "n": [1]}, ensure_ascii=False)
    form = urlencode({"payload": text}).encode()
    assert post.receive(form, Content_Type=FORM).body == text.encode()


@pytest.mark.parametrize("form", [b"", b"{}", b"other=%7B%7D", b"payload=%7B%7D&payload=1", b"a=1&payload=%7B%7D"])
def test_a_form_that_is_not_githubs_is_refused(post: Any, form: bytes) -> None:
    with pytest.raises(MalformedDelivery, match="one field"):
        post.receive(form, Content_Type=FORM)


@pytest.mark.parametrize("kind", ["", "text/plain", "multipart/form-data; boundary=x"])
def test_another_content_type_is_refused_with_the_way_out(post: Any, kind: str) -> None:
    with pytest.raises(MalformedDelivery, match="application/json"):
        post.receive(BODY, Content_Type=kind)


@pytest.mark.parametrize("header", ["X-GitHub-Delivery", "X-GitHub-Event"])
@pytest.mark.parametrize("value", ["", "a b", "x" * 101, "../etc", "a\nb"])
def test_a_malformed_id_or_event_is_refused(post: Any, header: str, value: str) -> None:
    with pytest.raises(MalformedDelivery):
        post.receive(BODY, **{header: value})


def test_a_body_nested_too_deep_is_refused(post: Any) -> None:
    assert post.receive(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH).body
    assert post.receive(b'{"title": "' + b"[" * 1000 + b'\\""}').body
    with pytest.raises(MalformedDelivery, match="deeper"):
        post.receive(b"[" * (MAX_DEPTH + 1))


def test_a_body_too_large_is_refused_before_it_is_looked_at(post: Any) -> None:
    with pytest.raises(MalformedDelivery):
        post.webhooks.receive({}, b" " * (MAX_BYTES + 1), post.receive(BODY).received_at)


def test_a_hostile_string_is_passed_over_in_linear_time(post: Any) -> None:
    assert post.receive(b'"' + b'\\"' * 500_000 + b"\\\n").body


# -------------------------------------------------------------------------------------------- decode

TABLE: list[tuple[str, str, dict[str, Any], Hint | type[Ignored]]] = [
    ("opened, by whoever: that is no push", "pull_request", pull("opened"), ChangeTouched(REF, SHA)),
    ("a push to the change", "pull_request", pull("synchronize", after=SHA), ChangeTouched(REF, SHA, "dee")),
    ("a push, told late", "pull_request", pull("synchronize", after=OTHER), ChangeTouched(REF, SHA)),
    ("retargeted or retitled", "pull_request", pull("edited"), ChangeTouched(REF, SHA)),
    ("closed or merged", "pull_request", pull("closed"), ChangeTouched(REF, SHA)),
    ("reopened", "pull_request", pull("reopened"), ChangeTouched(REF, SHA)),
    ("labelled", "pull_request", pull("labeled"), ChangeTouched(REF, SHA)),
    ("made a draft", "pull_request", pull("converted_to_draft"), ChangeTouched(REF, SHA)),
    ("locked", "pull_request", pull("locked"), ChangeTouched(REF, SHA)),
    ("assigned", "pull_request", pull("assigned"), Ignored),
    ("no number", "pull_request", event(action="opened", pull_request={}), Ignored),
    ("reviewed", "pull_request_review", pull("submitted"), ChangeTouched(REF, SHA)),
    ("a review withdrawn", "pull_request_review", pull("dismissed"), ChangeTouched(REF, SHA)),
    ("a comment", "issue_comment", comment("created"), ChangeTouched(REF)),
    ("a comment altered", "issue_comment", comment("edited"), Ignored),
    ("a comment deleted", "issue_comment", comment("deleted"), Ignored),
    ("our comment", "issue_comment", comment("created", writer="hg-bot", sender="hg-bot", body=OURS), Ignored),
    ("our edit", "issue_comment", comment("edited", writer="hg-bot", sender="hg-bot", body=OURS), Ignored),
    ("ours, deleted", "issue_comment", comment("deleted", writer="hg-bot", body=OURS), ChangeTouched(REF)),
    ("ours, altered", "issue_comment", comment("edited", writer="hg-bot", body=OURS), ChangeTouched(REF)),
    ("our marker, forged", "issue_comment", comment("created", body=OURS), ChangeTouched(REF)),
    (
        "a command by whose token we use",
        "issue_comment",
        comment("created", writer="hg-bot", sender="hg-bot"),
        ChangeTouched(REF),
    ),
    ("a comment on an issue", "issue_comment", event(action="created", issue={"number": 7}), Ignored),
    (
        "a push",
        "push",
        event(ref="refs/heads/main", before=OTHER, after=SHA, forced=True),
        BranchMoved(REPO, "main", OTHER, SHA, "dee", forced=True),
    ),
    (
        "a new branch",
        "push",
        event(ref="refs/heads/a/b", before=ZEROS, after=SHA),
        BranchMoved(REPO, "a/b", "", SHA, "dee"),
    ),
    (
        "a branch deleted",
        "push",
        event(ref="refs/heads/x", before=SHA, after=ZEROS, deleted=True),
        BranchMoved(REPO, "x", SHA, "", "dee"),
    ),
    ("a tag", "push", event(ref="refs/tags/v1", before=ZEROS, after=SHA), Ignored),
    ("a push of no commit", "push", event(ref="refs/heads/x", before="x", after=SHA), Ignored),
    ("a branch with a control character", "push", event(ref="refs/heads/x\n", before=SHA, after=OTHER), Ignored),
    ("a status", "status", event(sha=SHA, context="ci"), CommitTouched(REPO, SHA, "ci")),
    (
        "our status, by another hand",
        "status",
        event(sha=SHA, context="headgate/gate"),
        CommitTouched(REPO, SHA, "headgate/gate"),
    ),
    (
        "our status",
        "status",
        event(sha=SHA, context="headgate/gate") | {"sender": {"login": "HG-bot"}},
        Ignored,
    ),
    (
        "a check",
        "check_run",
        event(check_run={"head_sha": SHA, "name": "ci", "app": {"id": 1}}),
        CommitTouched(REPO, SHA, "ci"),
    ),
    (
        "our App's check",
        "check_run",
        event(check_run={"head_sha": SHA, "name": "headgate/gate", "app": {"id": 99}}),
        Ignored,
    ),
    ("a suite", "check_suite", event(check_suite={"head_sha": SHA}), CommitTouched(REPO, SHA)),
    (
        "a workflow",
        "workflow_run",
        event(workflow_run={"head_sha": SHA, "name": None}),
        CommitTouched(REPO, SHA),
    ),
    ("a merge queue", "merge_group", event(action="checks_requested"), Ignored),
    ("a ping", "ping", {"zen": "Design for failure."}, Ignored),
    ("what is not used", "star", event(action="created"), Ignored),
    ("a repository of no name", "push", {"ref": "refs/heads/main", "before": SHA, "after": OTHER}, Ignored),
    (
        "a repository of a hostile name",
        "pull_request",
        pull("opened") | {"repository": {"full_name": "../.."}} | {"repository": {"full_name": "a/b/c"}},
        Ignored,
    ),
]


@pytest.mark.parametrize(("name", "payload", "wanted"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_an_event_becomes(post: Any, name: str, payload: dict[str, Any], wanted: Hint | type[Ignored]) -> None:
    hint = replace(post, app_id=99).hint(name, payload)
    if isinstance(hint, ChangeTouched):
        assert hint.why.startswith(name)
        hint = replace(hint, why="", updated_at=None)
    assert isinstance(hint, wanted) if isinstance(wanted, type) else hint == wanted


def test_a_deleted_comment_of_ours_is_noticed_before_we_know_our_name(post: Any) -> None:
    hint = replace(post, own="").hint("issue_comment", comment("deleted", writer="hg-bot", body=OURS))
    assert isinstance(hint, ChangeTouched)


def test_a_touched_change_carries_its_watermark(post: Any) -> None:
    hint = post.hint("pull_request", pull("synchronize"))
    assert (hint.head, hint.updated_at.isoformat()) == (SHA, "2030-01-01T00:00:00+00:00")


def test_what_is_subscribed_to_is_understood(post: Any) -> None:
    assert all("not used" not in getattr(post.hint(name, event()), "why", "") for name in EVENTS)


# ---------------------------------------------------------------------------------- GitHub's examples


def test_every_published_example_is_received_and_decoded(post: Any, examples: list[tuple[str, Any]]) -> None:
    assert len(examples) == 329
    for name, payload in examples:
        delivery = post.receive(json.dumps(payload).encode(), event=name)
        assert len(post.webhooks.decode(delivery, "hg-bot")) == 1


def test_every_published_example_that_matters_becomes_a_hint(post: Any, examples: list[tuple[str, Any]]) -> None:
    found: dict[str, set[str]] = {}
    for name, payload in examples:
        what = f"{name}.{payload['action']}" if payload.get("action") else name
        found.setdefault(type(post.hint(name, payload)).__name__, set()).add(what)
    assert found["ChangeTouched"] == {
        *(f"pull_request.{word}" for word in ("opened", "synchronize", "closed", "reopened", "labeled", "unlabeled")),
        *(f"pull_request.{word}" for word in ("converted_to_draft", "ready_for_review", "locked", "unlocked")),
        *(f"pull_request.review_request{word}" for word in ("ed", "_removed")),
        *(f"pull_request_review.{word}" for word in ("submitted", "dismissed")),
    }
    assert found["BranchMoved"] == {"push"}
    assert "AccessChanged" not in found, "to who is no App, or another one, it says nothing"
    assert found["CommitTouched"] == {
        "status",
        *(f"check_run.{word}" for word in ("created", "completed", "rerequested", "requested_action")),
        *(f"check_suite.{word}" for word in ("requested", "completed", "rerequested")),
        *(f"workflow_run.{word}" for word in ("requested", "completed")),
    }


@pytest.mark.parametrize(
    ("app_id", "wanted"),
    [
        (29310, {"installation.created", "installation.new_permissions_accepted", "installation.suspend"}),
        (5725, {"installation.deleted", "installation_repositories.removed"}),
    ],
)
def test_every_published_example_of_our_apps_installations_says_that_our_access_may_be_another(
    post: Any, examples: list[tuple[str, Any]], app_id: int, wanted: set[str]
) -> None:
    ours = replace(post, app_id=app_id)
    hints = [ours.hint(name, payload) for name, payload in examples]
    found = [each for each in hints if isinstance(each, AccessChanged)]
    assert wanted <= {each.why for each in found}
    assert {str(repo) for each in found for repo in each.repos} <= {
        "github/Codertocat/Hello-World",
        "github/octocat/Hello-World",
        "github/Codertocat/Space",
    }


@pytest.mark.parametrize("account", [None, {"login": "../../etc"}, {"login": "a b"}, {}, {"login": "x" * 101}])
def test_an_installation_of_no_account_is_ignored(post: Any, account: object) -> None:
    told = {"action": "suspend", "installation": {"app_id": 7, "account": account}}
    assert isinstance(replace(post, app_id=7).hint("installation", told), Ignored)


def test_an_example_names_the_change_the_head_and_who_pushed(post: Any, examples: list[tuple[str, Any]]) -> None:
    (payload,) = [body for name, body in examples if name == "pull_request" and body["action"] == "synchronize"]
    hint = post.hint("pull_request", payload)
    assert hint.ref == ChangeRef(RepoRef("github", payload["repository"]["full_name"]), payload["number"])
    assert (hint.head, hint.pusher) == (payload["after"], payload["sender"]["login"])


# ---------------------------------------------------------------------------------------------- laws

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
KEYS = ["repository", "sender", "action", "pull_request", "issue", "comment", "ref", "before", "after", "deleted"]
KEYS += [
    "sha",
    "context",
    "check_run",
    "check_suite",
    "workflow_run",
    "forced",
    "full_name",
    "login",
    "number",
    "head",
]


def _likely(inner: Any) -> Any:
    return st.dictionaries(st.sampled_from(KEYS), inner, max_size=8) | st.lists(inner, max_size=3)


SHAPED = st.recursive(JSON, _likely, max_leaves=12)
NAMES = st.sampled_from([*EVENTS, "check_suite", "workflow_run", "ping", "merge_group", "star", ""])


def _decoded(name: str, body: bytes, at: Any) -> Iterator[Hint]:
    yield from Webhooks(GitHubSettings("github", None)).decode(Delivery("github", "1", name, body, at), "hg-bot")


@given(NAMES, SHAPED)
def test_decoding_never_raises_on_any_json(name: str, payload: object) -> None:
    body = json.dumps(payload).encode()
    assert all(isinstance(hint, Hint) for hint in _decoded(name, body, None))


@given(NAMES, st.binary(max_size=200))
def test_decoding_never_raises_on_any_bytes(name: str, body: bytes) -> None:
    assert all(isinstance(hint, Hint) for hint in _decoded(name, body, None))


@given(NAMES, st.integers(min_value=1, max_value=200_000))
def test_decoding_never_raises_on_any_depth(name: str, depth: int) -> None:
    body = b'{"repository":' * min(depth, 50_000) + b"[" * depth
    assert all(isinstance(hint, Ignored) for hint in _decoded(name, body, None))


@given(st.dictionaries(st.text(), st.text()), st.binary())
def test_no_headers_and_no_body_pass_without_the_secret(headers: dict[str, str], body: bytes) -> None:
    webhooks = Webhooks(GitHubSettings("github", None, (lambda: "secret",)))
    with pytest.raises(SignatureError):
        webhooks.receive(headers, body, None)  # type: ignore[arg-type]
