"""The signed webhook, as its receiver sees it: who sent it, whether it is a repeat, and what a refusal leads to."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from bot.chats import CHATS
from bot.chats.webhook import LONGEST_PAUSE, retry_after
from bot.core.errors import HostBusy, HostDenied, HostError
from bot.ports import Chat, Message

SECRETS = {"secret": "s3cret-of-the-room", "url": "http://127.0.0.1:9/never"}


def chat(receiver: Any, path: str = "/ops") -> Chat:
    """As wiring makes one whose URL is itself a secret."""
    return CHATS["webhook"].make({}, {**SECRETS, "url": receiver.url + path}.__getitem__)


def test_the_receiver_can_check_who_sent_it_and_when(receiver: Any, message: Message) -> None:
    chat(receiver).send(message)
    [post] = receiver.posts
    stamp, _, mac = post.headers["x-headgate-signature"].partition(",")

    seconds = stamp.removeprefix("t=")
    expected = hmac.new(SECRETS["secret"].encode(), f"{seconds}.".encode() + post.body, hashlib.sha256).hexdigest()
    assert mac == f"v1={expected}"
    assert abs(int(seconds) - time.time()) < 30
    assert post.headers["content-type"] == "application/json"


def test_the_document_says_everything_that_is_known(receiver: Any, message: Message) -> None:
    chat(receiver).send(message)

    assert json.loads(receiver.posts[0].body) == {
        "id": message.key,
        "group": message.group,
        "kind": "failed",
        "environment": "prod",
        "title": message.title,
        "body": message.body,
        "url": message.url,
    }


def test_every_attempt_has_the_same_delivery_and_other_messages_have_another(receiver: Any, message: Message) -> None:
    receiver.answer(503)
    with pytest.raises(HostBusy):
        chat(receiver).send(message)
    chat(receiver).send(message)
    other = Message("k2", "g", "succeeded", "dev", "t", "b")
    chat(receiver).send(other)

    ids = [post.headers["x-headgate-delivery"] for post in receiver.posts]
    assert ids[0] == ids[1] != ids[2]
    assert message.key not in ids[0]


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_busy_receiver_is_tried_again_when_it_says(receiver: Any, message: Message, status: int) -> None:
    receiver.answer(status, Retry_After="120")
    with pytest.raises(HostBusy, match=str(status)) as caught:
        chat(receiver).send(message)

    assert caught.value.retry_after == 120.0


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 410])
def test_any_other_refusal_and_every_redirect_is_final(receiver: Any, message: Message, status: int) -> None:
    receiver.answer(status, Location=f"{receiver.url}/elsewhere")
    with pytest.raises(HostDenied, match=str(status)):
        chat(receiver).send(message)

    assert [post.path for post in receiver.posts] == ["/ops"]


NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("", 30.0),
        ("7", 7.0),
        ("0", 0.0),
        ("99999999999999999999", LONGEST_PAUSE),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 1.0),
        (format_datetime(NOW + timedelta(days=1), usegmt=True), LONGEST_PAUSE),
        ("soon", 30.0),
        ("-5", 30.0),
        ("٣", 30.0),
        ("Tue, 99 Jan 2030 12:00:00 GMT", 30.0),
    ],
)
def test_retry_after_is_read_either_way_and_bounded(said: str, seconds: float) -> None:
    assert retry_after({"Retry-After": said}, NOW.timestamp()) == seconds


def test_an_answer_without_end_is_not_read(receiver: Any, message: Message) -> None:
    receiver.endless = True
    receiver.answer(200)
    started = time.monotonic()
    chat(receiver).send(message)

    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:{closed}/T0/path-secret", "no url path-secret", "http://[path-secret"]
)
def test_neither_url_nor_secret_is_in_an_error_or_a_log(
    message: Message, all_logged: pytest.LogCaptureFixture, url: str
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = probe.getsockname()[1]
    made = CHATS["webhook"].make({}, {**SECRETS, "url": url.format(closed=closed)}.__getitem__)
    with pytest.raises(HostError) as caught:
        made.send(message)

    assert "path-secret" not in f"{caught.value!r} {caught.value.__cause__!r}" + all_logged.text
    assert SECRETS["secret"] not in all_logged.text


def test_a_delivery_that_went_well_logs_no_path(
    receiver: Any, message: Message, all_logged: pytest.LogCaptureFixture
) -> None:
    chat(receiver, "/T0/path-secret").send(message)

    assert receiver.posts[0].path == "/T0/path-secret"
    assert "path-secret" not in all_logged.text
