"""A new tool and a new chat are one file and one registry line each; both then do their whole work."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from worlds import CONFIG

from bot.chats import CHATS, ChatKind
from bot.core.runs import RunKind
from bot.tools import TOOLS

NOTE = '''
"""``note``: writes the text of ``note.txt`` to the file ``$LIVE/note``."""

from bot.core.effectset import ABSENT, Action, Leaf, ResourceEffect, Value, effect_set
from bot.core.runs import Verification
from bot.ports import Applied, Execution, Planned, Verified


class Note:
    executables = False

    def guard(self, project, source):
        return ()

    def option_schema(self):
        return {}

    def discover(self, source):
        return ()

    def inspect(self, project, source):
        return "note", ()

    def validate(self, job):
        return ()

    def plan(self, job):
        wanted = (job.directory / "note.txt").read_text()
        done = job.sandbox.run(Execution(("sh", "-c", 'cat "$LIVE/note" || true'), job.directory, job.env))
        there = done.stdout.decode()
        if there == wanted:
            return Planned(effect_set(()), "1")
        before = Value.known(there) if there else ABSENT
        action = Action.UPDATE if there else Action.CREATE
        effect = ResourceEffect("note", action, leaves=(Leaf("text", before, Value.known(wanted)),))
        return Planned(effect_set((effect,)), "1")

    def apply(self, job, planned):
        job.sandbox.run(Execution(("sh", "-c", 'cat note.txt > "$LIVE/note"'), job.directory, job.env))
        return Applied(done=("note",))

    def verify(self, job):
        remaining = self.plan(job).effects
        outcome = Verification.NOT_CONVERGENT if remaining.resources else Verification.VERIFIED
        return Verified(outcome, remaining)

    def owned(self, job):
        return None

    def unlock(self, job, dead_run):
        return False
'''

BOARD = '''
"""``board``: keeps what is said."""

SAID = []


class Board:
    def __init__(self, colour):
        self._colour = colour

    def send(self, message):
        SAID.append((self._colour, message.kind, message.title))


def make(options, secret):
    return Board(options["colour"])
'''


def written(place: Path, text: str) -> ModuleType:
    """The new file, as ``bot/tools/NAME.py`` or ``bot/chats/NAME.py`` would be imported."""
    place.write_text(text)
    spec = importlib.util.spec_from_file_location(place.stem, place)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_new_tool_is_planned_shown_and_deployed(
    make_world: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TOOLS, "note", written(tmp_path / "note.py", NOTE).Note)
    config = CONFIG + "  - {name: note, path: dev/note, tool: note, environment: dev}\n"
    world = make_world(config=config, files={"dev/note/note.txt": "first"})

    pull = world.pull({"dev/note/note.txt": "second"})
    assert world.run_states(pull, RunKind.PLAN) == [("note", "succeeded")]
    assert "second" in world.face(pull)

    pull.merge("dee")
    world.settle()
    assert world.deployed("note") == "second"
    assert world.run_states(pull, RunKind.DEPLOY) == [("note", "succeeded")]


def test_a_new_chat_is_configured_checked_and_sent_to(
    make_world: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = written(tmp_path / "board.py", BOARD)
    monkeypatch.setitem(CHATS, "board", ChatKind(board.make, ("colour",), (), "a board"))
    world = make_world()
    world.config.write_text(world.config.read_text() + "  - {to: {board: {colour: green}}}\n")
    world.reload()

    pull = world.pull({"dev/web/wanted": "a=2\n"})
    pull.merge("dee")
    world.settle()
    assert ("green", "succeeded") in {(colour, kind) for colour, kind, _ in board.SAID}
