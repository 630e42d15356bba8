"""Patterns of the policy language: ``/…/`` is a regular expression searched anywhere, in linear time; else a glob for
paths, branches and names, and a piece of text for what people write."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import re2

from bot.core.match import Glob

LONGEST: Final = 1000
"""Characters of a pattern."""
MEMORY: Final = 1 << 20
"""Bytes that one compiled expression may take: more is refused when it is read, not when it meets a text."""
LONGEST_TEXT: Final = 100_000
"""Characters of a text that are looked at; hosts keep fewer."""

_GLOB: Final = re.compile(r"[*?\[\\{]")
_COMPARISON: Final = re.compile(r"\s*(<=|>=|<|>|=)\s*(\d{1,9})\s*(%?)\s*", re.ASCII)


def name_flaw(pattern: str) -> str:
    """Why it is no pattern for names; empty for one."""
    return flaw(pattern) or ("" if _is_expression(pattern) else Glob.flaw(pattern))


def flaw(pattern: str) -> str:
    """Why it is no pattern for what people write; empty for one."""
    if len(pattern) > LONGEST:
        return f"is longer than {LONGEST} characters"
    if not _is_expression(pattern):
        return "" if pattern else "must not be empty"
    try:
        _compiled(pattern[1:-1])
    except re2.error:
        return "is no regular expression of RE2, which has no look-around and no back-references"
    return ""


def _is_expression(pattern: str) -> bool:
    return len(pattern) > 2 and pattern.startswith("/") and pattern.endswith("/")


def _compiled(expression: str) -> Any:
    options = re2.Options()
    options.max_mem, options.log_errors = MEMORY, False
    return re2.compile(expression, options=options)


@dataclass(frozen=True, slots=True)
class Name:
    """A pattern for paths, branches and names."""

    pattern: str
    _search: Any = field(compare=False, repr=False)
    _beginning: str = field(default="", compare=False, repr=False)
    """What every text that fits begins with."""

    @classmethod
    def of(cls, pattern: str, *, fold: bool = False) -> Name:
        """Read it; one with a flaw matches nothing. ``fold``: upper and lower case are the same."""
        if name_flaw(pattern):
            return cls(pattern, None)
        if _is_expression(pattern):
            return cls(pattern, _compiled(f"(?i){pattern[1:-1]}" if fold else pattern[1:-1]).search)
        glob = Glob.of(pattern.lower() if fold else pattern)
        if fold:
            return cls(pattern, lambda text: glob.matches(text.lower()))
        return cls(pattern, glob.matches, _GLOB.split(pattern, maxsplit=1)[0])

    def among(self, texts: Iterable[str]) -> list[str]:
        """Those that fit; most of many are set aside by how they begin."""
        beginning = self._beginning
        near = [text for text in texts if text.startswith(beginning)] if beginning else texts
        return [text for text in near if self.matches(text)]

    def matches(self, text: str) -> bool:
        """Whether it fits."""
        return self._search is not None and bool(self._search(_searchable(text)))


@dataclass(frozen=True, slots=True)
class Prose:
    """A pattern for what people write: a piece of text, or an expression."""

    pattern: str
    _search: Any = field(compare=False, repr=False)

    @classmethod
    def of(cls, pattern: str) -> Prose:
        """Read it; one with a flaw matches nothing."""
        if flaw(pattern):
            return cls(pattern, None)
        return cls(pattern, _compiled(pattern[1:-1]).search) if _is_expression(pattern) else cls.plain(pattern)

    @classmethod
    def plain(cls, text: str) -> Prose:
        """The text itself, anywhere."""
        return cls(text, lambda where: text in where)

    def matches(self, text: str) -> bool:
        """Whether it is in there."""
        return self._search is not None and bool(self._search(_searchable(text)))


def _searchable(text: str) -> str:
    """Lone surrogates, which a path in git may hold, are no text to the engine."""
    cut = text[:LONGEST_TEXT]
    return cut if cut.isascii() else cut.encode("utf-8", "replace").decode("utf-8")


@dataclass(frozen=True, slots=True)
class Comparison:
    """``> 100``, ``<= 5 %``: a number with how it is compared."""

    sign: str
    number: int
    percent: bool = False

    @classmethod
    def of(cls, text: str) -> Comparison | None:
        """Read it; None for anything else."""
        found = _COMPARISON.fullmatch(text)
        return cls(found[1], int(found[2]), bool(found[3])) if found else None

    def holds(self, value: float) -> bool:
        """Whether a value compares so."""
        match self.sign:
            case "<":
                return value < self.number
            case ">":
                return value > self.number
            case "<=":
                return value <= self.number
            case ">=":
                return value >= self.number
            case _:
                return value == self.number

    def __str__(self) -> str:
        return f"{self.sign} {self.number}{' %' if self.percent else ''}"
