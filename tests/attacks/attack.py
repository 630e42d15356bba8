"""An attack: what somebody hostile puts into a change, what must not come of it, and which layers stop it.

To add one: write it into the file of its theme (``on_files.py``, ``on_processes.py`` …, each ends in a tuple
``ATTACKS``), and for a new theme add one line to ``registry.py``. Its fields:

* ``files``: the change's files (None deletes). ``@word@`` in them is replaced by ``Ground.names`` (``@tcp@`` is the
  port of a listener, ``@file@`` a secret file of the host, …), so attackers know where things are. ``box(code)`` is
  the change whose plan program is this Python; it may call ``loot(data)``, which tells of each canary found in
  ``data`` by a digest that no redactor knows, and ``say(word)``. ``odd`` are entries that no git command would write.
* ``steps``: what people do after the change was opened, one after the other (``says("ann", "/ok-to-plan …")``).
* ``harmed(scene)``: whether what must not happen has happened. ``took("file")`` says that a canary of
  ``Ground.canaries`` was read, ``heard("tcp")`` that a listener was reached, ``said("word")`` that the attacker's own
  code got as far as saying so.
* ``stopped_by``: **each** of these layers alone is enough to stop it, and it succeeds when exactly all of them are
  off. The tests try both. So an attack proves of a layer that it stops something if that layer is the only one here.

A new layer is a member of ``Layer``, and a line of ``WHAT`` and of ``SWITCHES``, in ``layers.py``. All this makes
``docs/attacks.md``: ``PYTHONPATH=.:tests python -m attacks.page``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from attacks.ground import Ground
from attacks.layers import Layer
from attacks.odd_trees import Odd, committed
from attacks.outside import digest

from bot.core.runs import RunKind
from bot.forge import PullStory, Refused

PRELUDE: Final = """\
import ctypes, hashlib, os, re, socket, stat, subprocess, sys, time
def loot(data):
    data = data if isinstance(data, bytes) else data.encode()
    for word in set(re.findall(rb"canary-[a-z]+-[0-9a-f]{24}", data)):
        print("loot", hashlib.sha256(word).hexdigest()[:40], file=sys.stderr, flush=True)
def say(word):
    print("said", word, file=sys.stderr, flush=True)
def read(path):
    try:
        with open(path, "rb") as file: return file.read(2**22)
    except OSError: return b""
libc = ctypes.CDLL(None, use_errno=True)
"""
PLANNED: Final = "\nprint('{\"changes\": []}')\n"


@dataclass(slots=True)
class Scene:
    """An attack under way: its ground, its change, and what it left to look at."""

    ground: Ground
    pull: PullStory
    branch: str

    @property
    def words(self) -> str:
        """Everything that anybody can read of the change."""
        return self.ground.words(self.pull)


Step = Callable[[Scene], None]


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack; see above."""

    name: str
    tries: str
    files: Mapping[str, str | None]
    harmed: Callable[[Scene], bool]
    stopped_by: frozenset[Layer]
    author: str = "dee"
    odd: tuple[Odd, ...] = ()
    fork: bool = False
    """Whether the author works in a fork."""
    steps: tuple[Step, ...] = ()
    limits: Mapping[str, float] = field(default_factory=dict)
    """Limits of the operator that this attack runs into, so that it need not take long."""
    missing: Callable[[Ground], str] = lambda ground: ""
    """Why it cannot be tried here; empty when it can."""

    @contextlib.contextmanager
    def staged(self, ground: Ground) -> Iterator[Scene]:
        """The change on the forge, planned by the real bot and everything settled; closed again at the end."""
        ground.outside.reset()
        with ground.limited(self.limits):
            branch = f"topic-{len(ground.repo.pulls()) + 1}"
            pull = self._opened(ground, branch)
            scene = Scene(ground, pull, branch)
            try:
                for step in self.steps:
                    step(scene)
                    ground.settle()
                assert ground.judged(pull), "nobody judged it, so nothing is shown"
                yield scene
            finally:
                ground.clean_up(pull)

    def _opened(self, ground: Ground, branch: str) -> PullStory:
        files = {path: text and _told(text, ground.names) for path, text in self.files.items()}
        if self.odd:
            return self._with_odd_entries(ground, branch, files)
        if not self.fork:
            return ground.pull(files, title=self.name, author=self.author, branch=branch)
        ground.fork(self.author).commit(branch, files=files, author=self.author, message=self.name)
        pull = ground.repo.open_pull(self.name, head=f"{self.author}:{branch}", author=self.author)
        ground.settle()
        return pull

    def _with_odd_entries(self, ground: Ground, branch: str, files: Mapping[str, str | None]) -> PullStory:
        parent = ground.repo.commit(branch, files=files, author=self.author) if files else ground.repo.sha()
        entries = [replace(odd, content=_told(odd.content, ground.names)) for odd in self.odd]
        ground.repo.push(branch, committed(ground.git, parent, entries, self.name), self.author)
        pull = ground.repo.open_pull(self.name, head=branch, author=self.author)
        ground.settle()
        return pull


def _told(text: str, names: Mapping[str, str]) -> str:
    for name, value in names.items():
        text = text.replace(f"@{name}@", value)
    return text


# ----------------------------------------------------------------------------------- what attacks are made of


def box(code: str, environment: str = "dev") -> dict[str, str | None]:
    """A change that replaces the program with which a project is planned."""
    return {f"{environment}/box/plan.py": PRELUDE + code + PLANNED}


def took(*names: str) -> Callable[[Scene], bool]:
    """Whether one of these canaries was read."""

    def harmed(scene: Scene) -> bool:
        words = scene.words
        return any(digest(scene.ground.canaries[name]) in words for name in names)

    return harmed


def heard(name: str) -> Callable[[Scene], bool]:
    """Whether this listener was reached."""
    return lambda scene: scene.ground.outside.ears.has_heard(name)


def spoiled(scene: Scene) -> bool:
    """Whether a file of the host was written."""
    return scene.ground.outside.spoiled


def said(word: str) -> Callable[[Scene], bool]:
    """Whether the attacker's code got as far as saying this word."""
    return lambda scene: f"said {word}" in scene.words


def planned(scene: Scene) -> bool:
    """Whether any run was begun for it."""
    return bool(scene.ground.run_states(scene.pull, RunKind.PLAN))


def succeeded(scene: Scene) -> bool:
    """Whether it was checked out and planned as if nothing were wrong."""
    return any(state == "succeeded" for _, state in scene.ground.run_states(scene.pull, RunKind.PLAN))


def approved_by(who: str) -> Step:
    """Somebody who sees no harm approves it."""

    def step(scene: Scene) -> None:
        scene.pull.approve(who)

    return step


def merged_by(who: str) -> Step:
    """Somebody merges it, if the host lets them."""

    def step(scene: Scene) -> None:
        with contextlib.suppress(Refused):
            scene.pull.merge(who)

    return step


def says(who: str, text: str) -> Step:
    """Somebody writes a comment; ``{head}`` in it stands for the change's commit."""
    return lambda scene: scene.ground.say(scene.pull, who, text.replace("{head}", scene.pull.head_sha))


def by(*layers: Layer) -> frozenset[Layer]:
    """Each of these alone stops it."""
    return frozenset(layers)
