"""What a predicate is: its name, its shape, how it is read and asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.core.face.words import both
from bot.core.policy.facts import ProjectFact
from bot.core.policy.model import Outcome, Test
from bot.core.policy.shapes import Refuse

Reader = Callable[[Any, Refuse], Test]
"""From what is written to what is asked; ``Refuse`` is told what cannot be."""


@dataclass(frozen=True, slots=True)
class Predicate:
    """A question about a change. ``what`` says when it holds, for the documentation.

    ``mutable``: its answer may turn over while nobody pushes, so a rule that asks it in ``if`` never just does not
    concern a change: it waits.
    """

    name: str
    what: str
    schema: Mapping[str, object]
    read: Reader
    mutable: bool = False
    narrows: Callable[[Any], Callable[[ProjectFact], bool]] | None = None
    edges: Callable[[Any], tuple[Callable[[datetime], datetime | None], ...]] = lambda _: ()
    """Of what is written: by which functions one learns when it turns over next."""
    literal: Callable[[Any], tuple[str, ...]] = lambda _: ()


def told(holds: bool, text: str) -> Outcome:
    """An answer."""
    return Outcome(holds, text)


def untold(what: str) -> Outcome:
    """No answer, and why."""
    return Outcome(None, what)


def some_of(found: Iterable[str]) -> str:
    """A few names of many, as code."""
    return both([f"`{each}`" for each in found])
