"""The face as a value: what is said, in which order of importance, before it is Markdown."""

from __future__ import annotations

from dataclasses import dataclass

from bot.core.effectset import EffectSet, ResourceEffect


@dataclass(frozen=True, slots=True)
class Danger:
    """Something that ceases to exist, or a thing replaced: never left out before anything else."""

    project: str
    effect: ResourceEffect


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; projects without changes share one."""

    projects: tuple[str, ...]
    environment: str
    result: str
    rules: str


@dataclass(frozen=True, slots=True)
class Section:
    """A project's details: a summary line, the effects, and notes above them (already Markdown)."""

    project: str
    summary: str
    effects: EffectSet = EffectSet()
    notes: tuple[str, ...] = ()
    open: bool = False


@dataclass(frozen=True, slots=True)
class Face:
    """Everything of a comment. All strings are Markdown that was made safe when it was composed."""

    headline: str
    subline: str = ""
    notices: tuple[str, ...] = ()
    dangers: tuple[Danger, ...] = ()
    rows: tuple[Row, ...] = ()
    sections: tuple[Section, ...] = ()
    next: str = ""
    footer: str = ""
    link: str = ""
    """Where everything can be seen; empty where nothing serves it, and nothing is linked then."""
