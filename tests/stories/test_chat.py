"""Whom the chat tells what: routes by kind and environment, and an outbox that neither forgets nor hurries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from worlds import World

from bot.cli.demo.sink import ChatRoom
from bot.core.errors import HostBusy
from bot.flow.notify import notify
from bot.ports import Clock, Message


@pytest.fixture
def rooms(world: World, request: pytest.FixtureRequest) -> dict[str, ChatRoom]:
    """One room for prod, one for dev, one for whatever fails, beside the story's own, which hears everything."""
    found = {name: ChatRoom("chat-secret") for name in ("prod", "dev", "failures")}
    words = {"prod": "environments: [prod], ", "dev": "environments: [dev], ", "failures": "when: [failed], "}
    lines = [
        f'  - {{name: {name}, {words[name]}to: {{webhook: {{url: "{room.url}", secret_file: chat}}}}}}\n'
        for name, room in found.items()
    ]
    world.config.write_text(world.config.read_text() + "".join(lines))
    world.reload()
    for room in found.values():
        request.addfinalizer(room.stop)
    return found


def heard(room: ChatRoom) -> set[tuple[str, str]]:
    return {(each["kind"], each["environment"]) for each in room.messages}


def test_each_room_hears_of_its_environment_and_of_its_kinds_alone(world: World, rooms: dict[str, ChatRoom]) -> None:
    pull = world.pull({"dev/web/wanted": "a=2\n", "prod/web/wanted": "a=2\n"})
    pull.approve("bo")
    world.settle()
    pull.merge("dee")
    world.settle()

    assert heard(rooms["dev"]) == {("started", "dev"), ("succeeded", "dev")}
    assert heard(rooms["prod"]) == {("waiting", "prod"), ("started", "prod"), ("succeeded", "prod")}
    assert heard(rooms["failures"]) == set()
    assert heard(world.room) == heard(rooms["dev"]) | heard(rooms["prod"])


def test_nobody_is_told_twice(world: World, rooms: dict[str, ChatRoom]) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.poll()
    pull.comment("bo", "/explain")
    world.settle()

    assert [each["kind"] for each in rooms["prod"].messages] == ["waiting"]


# --------------------------------------------------------------------------------------------- the outbox


@dataclass
class Later:
    """The world's clock, put forward."""

    clock: Clock
    ahead: timedelta = timedelta(0)

    def now(self) -> datetime:
        return self.clock.now() + self.ahead


@dataclass
class Fussy:
    """A chat that refuses as often as it was told to."""

    refusals: list[Exception] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)

    def send(self, message: Message) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.taken.append(message.key)


@pytest.fixture
def outbox(world: World) -> Callable[..., tuple[Callable[[], int], Later]]:
    """Sends what is due, to these destinations, at a time that can be put forward."""

    def make(**chats: Fussy) -> tuple[Callable[[], int], Later]:
        later = Later(world.services.clock)
        services = replace(world.services, clock=later, chats=chats)
        told = Message("k1", "g", "failed", "prod", "title", "body")
        world.store.enqueue_messages([(name, told) for name in chats], later.now())
        return lambda: notify(services), later

    return make


def test_a_busy_chat_is_left_alone_as_long_as_it_asked(
    outbox: Callable[..., tuple[Callable[[], int], Later]],
) -> None:
    ops = Fussy([HostBusy("429", retry_after=400.0)])
    send, later = outbox(ops=ops)
    assert (send(), ops.refusals) == (0, [])

    later.ahead = timedelta(seconds=390)
    assert send() == 0
    later.ahead = timedelta(seconds=410)
    assert send() == 1
    assert ops.taken == ["k1"]


def test_one_destination_that_cannot_even_be_read_keeps_no_other_from_hearing(
    world: World, rooms: dict[str, ChatRoom]
) -> None:
    """A secret that vanished is that route's trouble alone."""
    text = world.config.read_text().replace("secret_file: chat", "secret_file: gone", 1)
    world.config.write_text(text)
    world.reload()
    pull = world.pull({"prod/web/wanted": "a=2\n"})

    assert [each["kind"] for each in rooms["prod"].messages] == ["waiting"]
    assert world.room.messages == []
    assert world.gate(pull) == "pending"
