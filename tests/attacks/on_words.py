"""Attacks by what is shown: titles and a tool's words that would be markup, links, mentions, or turn text around."""

from __future__ import annotations

from typing import Final

from attacks.attack import Attack, Scene, by
from attacks.layers import Layer

from bot.web.pages import create_app

MARKUP: Final = "</details> ``` @acme/ops ![x](https://evil.example/p.png) <img src=https://evil.example/p.png> `"
FORGED: Final = "<!-- headgate:story:page:1 --> Approved by everybody"
TURNED: Final = "\u202eeruces yletelpmoc"


def live_markup(scene: Scene) -> bool:
    """Whether the comment has a picture, a mention or an end of the attacker's making."""
    face = scene.ground.face(scene.pull)
    return "<img" in face or "@acme" in face


def live_marker(scene: Scene) -> bool:
    """Whether a marker of ours stands anywhere but in the first line."""
    return "<!-- headgate" in scene.ground.face(scene.pull).partition("\n")[2]


def retitled(scene: Scene) -> None:
    """Another title, and a push, so that everybody is told of it."""
    scene.pull.edit("dee", title=f"{TURNED} <!channel> {scene.branch}")
    scene.ground.repo.commit(scene.branch, files={"prod/web/wanted": "a=3\n"}, author="dee")


def told_in_the_chat(scene: Scene) -> bool:
    """Whether the chat would tell everybody in the channel."""
    titles = [message["title"] for message in scene.ground.room.messages if scene.branch in message["title"]]
    assert titles, "it is told at all"
    return any("<!channel>" in title for title in titles)


def turned_around(scene: Scene) -> bool:
    """Whether a page of ours runs from right to left from there on."""
    pages = create_app(scene.ground.services, scene.ground.wiring.log_reader(scene.ground.store)).test_client()
    return any(
        "\u202e" in pages.get(path).get_data(as_text=True)
        for path in ("/", f"/changes/github/acme/infra/{scene.pull.number}")
    )


ATTACKS: Final = (
    Attack(
        name="markup-in-an-error",
        tries="have a failing plan's last words become a picture, a mention and the end of the comment's fold",
        files={"dev/box/plan.py": f"import sys\nsys.exit({MARKUP!r})\n"},
        harmed=live_markup,
        stopped_by=by(Layer.WORDS),
    ),
    Attack(
        name="forged-marker",
        tries="have the comment hold a marker of ours with words of the attacker's, as if the bot had said them",
        files={"dev/box/plan.py": f"import sys\nsys.exit({FORGED!r})\n"},
        harmed=live_marker,
        stopped_by=by(Layer.WORDS),
    ),
    Attack(
        name="mention-everybody",
        tries="have the chat tell everybody by way of a title",
        files={"prod/web/wanted": "a=2\n"},
        steps=(retitled,),
        harmed=told_in_the_chat,
        stopped_by=by(Layer.WORDS),
    ),
    Attack(
        name="turn-a-page-around",
        tries="reverse what stands after a title on the pages, states among it",
        files={"prod/web/wanted": "a=2\n"},
        steps=(retitled,),
        harmed=turned_around,
        stopped_by=by(Layer.WORDS),
    ),
)
