"""Attacks by words: commands of people who may not give them, and words that only look like commands."""

from __future__ import annotations

import contextlib
from typing import Final

from attacks.attack import Attack, Scene, box, by, planned, says
from attacks.layers import Layer

from bot.forge import Refused

HARMLESS: Final = {"dev/web/wanted": "a=2\n"}
"""A change whose gate is open by itself."""


def held(scene: Scene) -> bool:
    """Whether the gate was closed by somebody's word."""
    return scene.ground.gate(scene.pull) != "success"


def vouched_by_a_reader(scene: Scene) -> None:
    """Somebody else without write permission allows the stranger's commit."""
    with contextlib.suppress(Refused):
        scene.ground.forge.add_user("zed")
    scene.ground.repo.grant("zed", "read")
    scene.ground.say(scene.pull, "zed", f"/ok-to-plan {scene.pull.head_sha}")


ATTACKS: Final = (
    Attack(
        name="hold-by-a-reader",
        tries="close the gate of somebody else's change without write permission",
        files=HARMLESS,
        steps=(says("eve", "/hold mine"),),
        harmed=held,
        stopped_by=by(Layer.PERMISSION),
    ),
    Attack(
        name="vouch-by-another-stranger",
        tries="have one stranger's code allowed by another stranger",
        files=box(""),
        author="eve",
        fork=True,
        steps=(vouched_by_a_reader,),
        harmed=planned,
        stopped_by=by(Layer.PERMISSION),
    ),
    Attack(
        name="command-in-a-quote",
        tries="have somebody who may quote a command, as an answer by mail does",
        files=HARMLESS,
        steps=(says("bo", "> /hold\n\nNo, please not."),),
        harmed=held,
        stopped_by=by(Layer.LISTENING),
    ),
    Attack(
        name="command-in-code",
        tries="have somebody who may paste a log with a line that reads like a command",
        files=HARMLESS,
        steps=(says("bo", "It printed:\n```\n/hold\n```"),),
        harmed=held,
        stopped_by=by(Layer.LISTENING),
    ),
)
