"""Services that Apprise knows: the destination's URL stays secret, strangers' words stay words."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from bot.chats import CHATS
from bot.chats.apprise import BODY_LIMIT
from bot.core.errors import HostBusy, HostDenied, HostError
from bot.ports import Chat, Message

TOKEN = "token-T0-B0-verysecret"


def chat(receiver: Any, query: str = "") -> Chat:
    """A destination that Apprise reaches over HTTP."""
    url = f"json://user:{TOKEN}@127.0.0.1:{receiver.port}/{TOKEN}{query}"
    return CHATS["apprise"].make({}, {"url": url}.__getitem__)


def test_title_text_and_link_arrive(receiver: Any, message: Message) -> None:
    chat(receiver).send(message)
    [post] = receiver.posts
    said = json.loads(post.body)

    assert post.path == f"/{TOKEN}"
    assert said["title"] == message.title
    assert said["message"] == f"{message.body}\n{message.url}"


def test_a_long_text_is_cut_and_its_link_is_not(receiver: Any, message: Message) -> None:
    chat(receiver).send(replace(message, body="x" * 5000))
    said = json.loads(receiver.posts[0].body)["message"]

    assert said == "x" * (BODY_LIMIT - 1) + "…\n" + message.url


def test_words_of_strangers_are_no_markup_where_a_service_takes_html(receiver: Any, message: Message) -> None:
    chat(receiver, "?format=html").send(replace(message, body="<a href=//evil.example>approve</a>"))
    said = receiver.posts[0].body.decode()

    assert "<a" not in said and "&lt;a" in said


@pytest.mark.parametrize("status", [400, 429, 500])
def test_a_service_that_does_not_take_it_is_tried_again(receiver: Any, message: Message, status: int) -> None:
    receiver.answer(status)
    with pytest.raises(HostBusy):
        chat(receiver).send(message)


def test_a_redirect_is_not_followed(receiver: Any, message: Message) -> None:
    receiver.answer(302, Location=f"{receiver.url}/elsewhere")
    with pytest.raises(HostBusy):
        chat(receiver).send(message)

    assert [post.path for post in receiver.posts] == [f"/{TOKEN}"]


@pytest.mark.parametrize(
    "url",
    [f"nosuch://{TOKEN}", f"slack://{TOKEN}", TOKEN, f"json://u:{TOKEN}@127.0.0.1:1/{TOKEN}", f"tgram://{TOKEN}/1"],
)
def test_a_destination_that_fails_is_never_named(
    message: Message, all_logged: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], url: str
) -> None:
    with pytest.raises(HostError) as caught:
        CHATS["apprise"].make({}, {"url": url}.__getitem__).send(message)

    printed = "".join(capfd.readouterr())
    assert TOKEN not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
    assert TOKEN not in all_logged.text + printed


@pytest.mark.parametrize("status", [204, 500])
def test_nor_is_one_that_answers(
    receiver: Any, message: Message, all_logged: pytest.LogCaptureFixture, status: int
) -> None:
    receiver.answer(status)
    try:
        chat(receiver).send(message)
    except HostBusy as error:
        assert TOKEN not in repr(error)

    assert receiver.posts and TOKEN not in all_logged.text


def test_a_slack_channel_cannot_change_the_destination() -> None:
    made: Any = CHATS["slack"].make({"channel": "#ops/../x?to=evil"}, {"token": " xoxb-1 "}.__getitem__)

    assert made._url() == "slack://xoxb-1/%23ops..xtoevil"


def test_a_slack_token_that_is_none_is_refused_without_a_call(message: Message) -> None:
    with pytest.raises(HostDenied):
        CHATS["slack"].make({"channel": "#ops"}, {"token": "nonsense"}.__getitem__).send(message)
