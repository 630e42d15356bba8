"""Changes in line for their base: each gets a commit on top of those before it, and lands when that is green.

What a host calls a merge queue or a merge train. Who goes before may fail, or the base may move: those behind are
then tried anew.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from bot.forge import merging
from bot.forge.model import Actor, Pull, Refused, Repo
from bot.forge.pushes import heads_and_tags
from bot.forge.state import State


class Outcome(Enum):
    """How the commit of an entry stands."""

    WAITS = "waits"
    GREEN = "green"
    RED = "red"


@dataclass(eq=False, slots=True)
class Entry:
    """A change in line: ``sha`` is what would land, on top of ``base``."""

    pull: Pull
    actor: Actor
    sha: str
    base: str


class Line(ABC):
    """One line. ``settle`` looks at how its entries stand, as the host does from time to time."""

    kind: str
    """What a branch's activity calls a landing."""

    def __init__(self, state: State, repo: Repo) -> None:
        self._state = state
        self._repo = repo

    @property
    @abstractmethod
    def entries(self) -> Sequence[Entry]:
        """Who stands in line, the first one first."""

    @abstractmethod
    def ref(self, pull: Pull, base: str) -> str:
        """The ref that the host keeps for an entry's commit."""

    @abstractmethod
    def outcome(self, entry: Entry) -> tuple[Outcome, str]:
        """How an entry stands, and why it is red."""

    @abstractmethod
    def wish(self, pull: Pull) -> merging.MergeWish:
        """How its commit is made."""

    @abstractmethod
    def entered(self, entry: Entry) -> None:
        """It stands in line now, at the end: have its commit tried."""

    @abstractmethod
    def restarted(self, entry: Entry) -> None:
        """What was before it has changed: it is out, and enters anew."""

    @abstractmethod
    def left(self, entry: Entry, why: str) -> None:
        """It is out of the line without having landed."""

    @abstractmethod
    def landed(self, entry: Entry) -> None:
        """It is out of the line: its commit is the base now."""

    @abstractmethod
    def take_out(self, entry: Entry) -> None:
        """Forget its place."""

    def enter(self, pull: Pull, actor: Actor) -> None:
        """Let a change stand in line. Raises Refused when it cannot be put on top of those before it."""
        base = self.entries[-1].sha if self.entries else self._tip(pull)
        sha = merging.commit_onto(self._state, self._repo, actor, pull, base, self.wish(pull))
        self._state.git(self._repo).set_ref(self.ref(pull, base), sha)
        self.entered(Entry(pull, actor, sha, base))

    def settle(self) -> None:
        """Take out what is red, try those behind anew, and let what is green at the front land."""
        while entries := list(self.entries):
            stale = next((at for at, base in enumerate(self._bases(entries)) if base != entries[at].base), None)
            if stale is not None:
                self._again(entries[stale:])
                continue
            found = [self.outcome(entry) for entry in entries]
            red = next((at for at, (outcome, _) in enumerate(found) if outcome is Outcome.RED), None)
            if red is not None:
                self.drop(entries[red], found[red][1])
            elif found[0][0] is Outcome.GREEN:
                self._land(entries[0])
            else:
                return

    def drop(self, entry: Entry, why: str) -> None:
        """Take one out; those behind it are tried anew."""
        entries = list(self.entries)
        behind = entries[[each.pull.number for each in entries].index(entry.pull.number) + 1 :]
        self.take_out(entry)
        self.left(entry, why)
        self._again(behind)

    def _land(self, entry: Entry) -> None:
        self.take_out(entry)
        merging.put_on_base(self._state, self._repo, entry.actor, entry.pull, entry.sha, self.kind)
        self.landed(entry)

    def _again(self, behind: Sequence[Entry]) -> None:
        for entry in behind:
            self.take_out(entry)
            self.restarted(entry)
        for entry in behind:
            try:
                self.enter(entry.pull, entry.actor)
            except Refused as refused:
                self.left(entry, refused.reason)

    def _bases(self, entries: Sequence[Entry]) -> list[str]:
        return [self._tip(entries[0].pull), *(entry.sha for entry in entries[:-1])]

    def _tip(self, pull: Pull) -> str:
        return heads_and_tags(self._state, self._repo)[f"refs/heads/{pull.base_ref}"]
