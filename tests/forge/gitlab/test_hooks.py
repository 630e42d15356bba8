"""Webhooks of the GitLab face as a mechanism: secrets, signatures, failing hooks, redelivery."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.forge import Forge, Refused
from bot.forge.gitlab.hooks import new_signing_token, sign

# The vector of the documented scheme: key bytes 0..31, id evt-123, time 1700000000.
_TOKEN = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
_BODY = b'{"object_kind":"merge_request"}'


def test_the_signature_is_the_documented_one() -> None:
    assert sign(_TOKEN, "evt-123", "1700000000", _BODY) == "v1,11wFt5v0g0cCrZAhKO4/gaahqOrkeUnLFcbCATnWGHU="


@pytest.mark.parametrize("token", ["", "secret", "whsec_", "whsec_%%%", "whsec_AAAA", _TOKEN.removeprefix("whsec_")])
def test_a_signing_token_is_a_prefix_and_32_bytes(token: str) -> None:
    with pytest.raises(Refused):
        sign(token, "i", "1", b"")


def test_a_delivery_carries_token_and_signature_over_its_very_bytes(lab: Any, mailbox: Any) -> None:
    token = new_signing_token()
    project = lab.project("ann")
    hook = project.hooks.create({"url": mailbox.url, "token": "s3cret", "signing_token": token, "push_events": True})
    assert (hook.signing_token_present, hook.alert_status) == (True, "executable")
    assert "s3cret" not in lab.call("ann", "GET", f"/:p/hooks/{hook.id}").text
    lab.repo.commit("port", {"a": "1"}, "dee")
    assert lab.forge.courier.settle()
    headers, body = mailbox.letters[0]
    assert headers["X-Gitlab-Token"] == "s3cret"
    assert headers["Webhook-Id"] == headers["Idempotency-Key"]
    said = f"{headers['Webhook-Id']}.{headers['Webhook-Timestamp']}.".encode() + body
    digest = hmac.new(base64.b64decode(token.removeprefix("whsec_")), said, hashlib.sha256).digest()
    assert headers["Webhook-Signature"] == "v1," + base64.b64encode(digest).decode()
    assert headers["X-Gitlab-Event"] == "Push Hook"
    assert {"X-Gitlab-Webhook-Uuid", "X-Gitlab-Event-Uuid", "X-Gitlab-Instance"} <= set(headers)


def test_only_the_events_that_were_asked_for_are_sent(lab: Any, mailbox: Any) -> None:
    project = lab.project("ann")
    hook = project.hooks.create({"url": mailbox.url, "push_events": False, "merge_requests_events": True})
    lab.change().comment("bo", "hello")
    assert lab.forge.courier.settle()
    assert [headers["X-Gitlab-Event"] for headers, _ in mailbox.letters] == ["Merge Request Hook"]
    hook.note_events = True
    hook.merge_requests_events = False
    hook.save()
    lab.repo.pull(1).comment("bo", "again")
    lab.repo.pull(1).label("bo", "x")
    assert lab.forge.courier.settle()
    assert [headers["X-Gitlab-Event"] for headers, _ in mailbox.letters][1:] == ["Note Hook"]
    hook.delete()
    assert project.hooks.list(get_all=True) == []


def test_a_resent_delivery_keeps_its_id_and_its_body(lab: Any, mailbox: Any) -> None:
    hook = lab.project("ann").hooks.create({"url": mailbox.url, "token": "s3cret"})
    lab.repo.commit("port", {"a": "1"}, "dee")
    assert lab.forge.courier.settle()
    rows = lab.call("ann", "GET", f"/:p/hooks/{hook.id}/events").json()
    assert [(row["trigger"], row["response_status"]) for row in rows] == [("push_hooks", "202")]
    assert "s3cret" not in str(rows)
    assert lab.call("ann", "POST", f"/:p/hooks/{hook.id}/events/{rows[0]['id']}/resend").status_code == 201
    assert lab.forge.courier.settle()
    (first, one), (second, two) = mailbox.letters
    assert (one, first["Idempotency-Key"]) == (two, second["Idempotency-Key"])


def test_a_test_sends_a_sample(lab: Any, mailbox: Any) -> None:
    hook = lab.project("ann").hooks.create({"url": mailbox.url, "push_events": False})
    lab.change()
    for trigger in ("push_events", "merge_requests_events"):
        assert lab.call("ann", "POST", f"/:p/hooks/{hook.id}/test/{trigger}").status_code == 201
    assert lab.forge.courier.settle()
    assert [h["X-Gitlab-Event"] for h, _ in mailbox.letters] == ["Push Hook", "Merge Request Hook"]
    assert lab.call("ann", "POST", f"/:p/hooks/{hook.id}/test/moon_events").status_code == 400


class _Days:
    """A host whose clock is set by hand, and its failing hook."""

    def __init__(self, folder: Path, url: str) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=UTC)
        self.forge = Forge(folder, lambda: self.now, face="gitlab")
        self.forge.add_user("dee")
        self.repo = self.forge.create_repo("acme/infra", {"a": "1"}, {"dee": "write"})
        self.hook = self.repo.add_hook(url, "s")
        self.pushes = 0

    def push(self) -> None:
        self.pushes += 1
        self.repo.commit("port", {"a": str(self.pushes)}, "dee")
        assert self.forge.courier.settle()


def test_four_failures_pause_a_hook_and_a_success_forgives(tmp_path: Path, mailbox: Any) -> None:
    days = _Days(tmp_path / "forge", mailbox.url)
    mailbox.answer = 500
    for _ in range(6):
        days.push()
    assert len(mailbox.letters) == 4
    days.now += timedelta(seconds=61)
    days.push()
    days.now += timedelta(seconds=61)
    days.push()
    assert len(mailbox.letters) == 5, "the second pause is twice as long"
    days.now += timedelta(seconds=61)
    mailbox.answer = 200
    days.push()
    days.push()
    assert (len(mailbox.letters), days.hook.failures) == (7, 0)
    days.forge.courier.stop()


def test_forty_failures_switch_a_hook_off_until_a_test_succeeds(tmp_path: Path, mailbox: Any) -> None:
    days = _Days(tmp_path / "forge", mailbox.url)
    mailbox.answer = 404
    pauses = []
    while days.hook.active:
        days.push()
        pauses.append((days.hook.disabled_until or days.now) - days.now)
        days.now += timedelta(hours=25)
    assert len(mailbox.letters) == 40
    assert max(pauses) == timedelta(hours=24)
    mailbox.answer = 200
    days.push()
    assert len(mailbox.letters) == 40
    days.forge.start()
    token = days.forge.add_user("ann")
    days.repo.grant("ann", "maintain")
    import requests

    url = f"{days.forge.api_url}/projects/acme%2Finfra/hooks/{days.hook.id}/test/push_events"
    assert requests.post(url, headers={"PRIVATE-TOKEN": token}, timeout=20).status_code == 201
    assert days.forge.courier.settle()
    days.push()
    assert len(mailbox.letters) == 42
    days.forge.stop()


def test_hooks_of_groups_above_and_of_the_instance_hear_too(lab: Any, mailbox: Any) -> None:
    lab.tokens["root"] = lab.forge.add_user("root", admin=True)
    lab.forge.add_group("acme/edge", {"dee": "write"})
    repo = lab.forge.create_repo("acme/edge/dns", {"a": "1"})
    lab.client("ann").http_post(
        "/groups/acme/hooks", post_data={"url": mailbox.url, "token": "g", "note_events": True}
    )
    made = lab.client("root").hooks.create({"url": mailbox.url, "token": "i"})
    assert lab.call("ann", "GET", "/hooks").status_code == 403
    assert lab.call("dee", "GET", "/groups/acme%2Fedge/hooks").status_code == 403
    repo.commit("port", {"a": "2"}, "dee")
    repo.open_pull("T", "port", "dee").comment("dee", "hello")
    assert lab.forge.courier.settle()
    heard = sorted((h["X-Gitlab-Token"], h["X-Gitlab-Event"]) for h, _ in mailbox.letters)
    assert heard == [("g", "Note Hook"), ("g", "Push Hook"), ("i", "System Hook"), ("i", "System Hook")]
    made.delete()
    assert lab.client("root").hooks.list(get_all=True) == []
