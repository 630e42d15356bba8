"""Path globs, compiled once, matched in linear time whatever the pattern and the path.

``*`` and ``?`` stay within one name, ``[a-z]`` and ``[!a-z]`` stand for one character, a backslash takes the next
character as it is. ``**`` as a whole name stands for any number of names, none too: ``web/**`` matches ``web`` and
all below it. Patterns are anchored at the root; a leading slash says so again, a trailing one means ``/**``.
In a list the last pattern that matches decides, and one that begins with ``!`` takes back.

A star is translated to "the nearest place where what follows fits", in an atomic group: the nearest place leaves
the most for the rest, so nothing is ever tried twice.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

MAX_PATTERN: Final = 1000
CACHED: Final = 65536

_Translate = Callable[[str], str]

_CAPTURE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]{0,39})\}", re.ASCII)


def segments_of(path: str) -> str:
    """A path as patterns see it: every name ends with a slash, and the root is nothing."""
    path = path.strip("/")
    return "" if path in ("", ".") else path + "/"


@dataclass(frozen=True, slots=True)
class Glob:
    """One pattern. Everything it matches is ``prefix``, or below it; an empty prefix is the root."""

    text: str
    regex: re.Pattern[str]
    prefix: str
    literal: bool

    @staticmethod
    def of(pattern: str) -> Glob:
        """The compiled pattern; compiled once. Raises ValueError for one with a flaw."""
        return _glob(pattern)

    @staticmethod
    def flaw(pattern: str) -> str:
        """Why this is no usable pattern; empty when it is one."""
        names = _names(pattern)
        if len(pattern) > MAX_PATTERN:
            return f"is longer than {MAX_PATTERN} characters"
        if not names:
            return "is empty; `**` matches everything"
        if any(name in (".", "..") for name in names) or "" in names:
            return "must not contain `.`, `..` or `//`"
        return ""

    def matches(self, path: str) -> bool:
        """Whether the pattern matches this path, from the root."""
        return self.regex.fullmatch(segments_of(path)) is not None


@dataclass(frozen=True, slots=True)
class Globs:
    """A list of patterns with ``!``. ``prefixes`` are the places that everything it matches is in."""

    parts: tuple[tuple[bool, Glob], ...]
    prefixes: tuple[str, ...]

    @staticmethod
    def of(patterns: Iterable[str]) -> Globs:
        """The compiled list; compiled once. Raises ValueError for a pattern with a flaw."""
        return _globs(tuple(patterns))

    def matches(self, path: str) -> bool:
        """Whether the last pattern that matches this path is not one that takes back."""
        subject = segments_of(path)
        for positive, glob in reversed(self.parts):
            if glob.regex.fullmatch(subject):
                return positive
        return False


@dataclass(frozen=True, slots=True)
class Captures:
    """A pattern with ``{word}`` in it, each a part of one name, not empty."""

    regex: re.Pattern[str]
    words: tuple[str, ...]

    @staticmethod
    def of(pattern: str) -> Captures:
        """The compiled pattern; compiled once. Raises ValueError for one with a flaw."""
        return _captures(pattern)

    @staticmethod
    def flaw(pattern: str) -> str:
        """Why this is no usable pattern; empty when it is one."""
        why = Glob.flaw(_CAPTURE.sub("x", pattern))
        words = _CAPTURE.findall(pattern)
        repeated = sorted({word for word in words if words.count(word) > 1})
        if repeated:
            return f"has `{{{repeated[0]}}}` twice"
        if "}{" in pattern:
            return "has two `{words}` with nothing between them"
        if any("*" in name and _CAPTURE.search(name) for name in _names(pattern)):
            return "has `*` beside a `{word}` in one name"
        crowded = any(len(_CAPTURE.findall(name)) > 2 for name in _names(pattern))
        return why or ("has more than two `{words}` in one name" if crowded else "")

    @staticmethod
    def words_in(pattern: str) -> tuple[str, ...]:
        """The words of a pattern, whatever is wrong with it."""
        return tuple(_CAPTURE.findall(pattern))

    def match(self, path: str) -> Mapping[str, str] | None:
        """What the words stand for in this path; None when it does not match."""
        found = self.regex.fullmatch(segments_of(path))
        return found.groupdict() if found else None


def is_literal(pattern: str) -> bool:
    """Whether a pattern stands for one path only."""
    return not any(char in pattern for char in "*?[\\")


@functools.lru_cache(maxsize=CACHED)
def _glob(pattern: str) -> Glob:
    if why := Glob.flaw(pattern):
        raise ValueError(why)
    names = _names(pattern)
    fixed: list[str] = []
    for name in names:
        if not is_literal(name):
            break
        fixed.append(name)
    literal = len(fixed) == len(names)
    return Glob(pattern, re.compile(_translated(names, _name), re.DOTALL), "/".join(fixed), literal)


@functools.lru_cache(maxsize=CACHED)
def _globs(patterns: tuple[str, ...]) -> Globs:
    parts = tuple((not text.startswith("!"), Glob.of(text.removeprefix("!"))) for text in patterns)
    prefixes = dict.fromkeys(glob.prefix for positive, glob in parts if positive)
    return Globs(parts, tuple(prefixes))


@functools.lru_cache(maxsize=CACHED)
def _captures(pattern: str) -> Captures:
    if why := Captures.flaw(pattern):
        raise ValueError(why)
    regex = re.compile(_translated(_names(pattern), _name_with_words), re.DOTALL)
    return Captures(regex, tuple(_CAPTURE.findall(pattern)))


def _names(pattern: str) -> list[str]:
    body = pattern.removeprefix("/")
    body = body + "**" if body.endswith("/") else body
    names: list[str] = []
    for name in body.split("/") if body else []:
        if name != "**" or names[-1:] != ["**"]:
            names.append(name)
    return names


def _translated(names: list[str], one: _Translate) -> str:
    """Names between two ``**`` are found at the nearest place, those after the last one at the end."""
    groups: list[list[str]] = [[]]
    for name in names:
        if name == "**":
            groups.append([])
        else:
            groups[-1].append(name)
    first, *rest = ["".join(f"{one(name)}/" for name in group) for group in groups]
    if not rest:
        return first
    middle = "".join(f"(?>(?:[^/]+/)*?{group})" for group in rest[:-1])
    last = f"(?:[^/]+/)*{rest[-1]}" if rest[-1] else ".*"
    return first + middle + last


def _name(name: str) -> str:
    """One name of a pattern as an expression that ends at the name's end; the slash follows it."""
    first, *rest = ["".join(_characters(part)) for part in _split_stars(name)]
    if not rest:
        return first
    middle = "".join(f"(?>[^/]*?{part})" for part in rest[:-1] if part)
    # Only one place of the last part ends the name, so it is sought from the end.
    return f"(?>{first}{middle}[^/]*{rest[-1]}(?=/))"


def _name_with_words(name: str) -> str:
    """Like ``_name``; the first fitting reading of the words is kept. At most two words: quadratic at worst."""
    parts = _CAPTURE.split(name)
    if len(parts) == 1:
        return _name(name)
    text = ""
    for position, part in enumerate(parts):
        text += f"(?P<{part}>[^/]+?)" if position % 2 else "".join(_characters(_elements(part)))
    return f"(?>{text}(?=/))"


def _split_stars(name: str) -> list[list[str]]:
    """The elements of a name (characters, ``?``, classes), split at its stars."""
    parts: list[list[str]] = [[]]
    for element in _elements(name):
        if element == "*":
            parts.append([])
        else:
            parts[-1].append(element)
    return parts


def _elements(name: str) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(name):
        length = 2 if name[at] == "\\" and at + 1 < len(name) else 1
        if name[at] == "[":
            end = name.find("]", at + 3 if name[at + 1 : at + 2] in ("!", "^") else at + 2)
            length = end - at + 1 if end > 0 else 1
        found.append(name[at : at + length])
        at += length
    return found


def _characters(elements: Iterable[str]) -> list[str]:
    return [_character(element) for element in elements]


def _character(element: str) -> str:
    """An element as an expression for exactly one character, never a slash."""
    if element == "?":
        return "[^/]"
    if len(element) == 2:
        return re.escape(element[1])
    if len(element) == 1:
        return re.escape(element)
    body = element[1:-1]
    negated = body[0] in "!^"
    ranges = _ranges(body[1:] if negated else body)
    if negated:
        return f"[^/{ranges}]"
    return f"(?!/)[{ranges}]" if ranges else "(?!)"


def _ranges(body: str) -> str:
    """The inside of a class; a range that runs backwards holds nothing."""
    found = ""
    at = 0
    while at < len(body):
        if body[at + 1 : at + 2] == "-" and at + 2 < len(body):
            low, high = body[at], body[at + 2]
            found += f"{re.escape(low)}-{re.escape(high)}" if low <= high else ""
            at += 3
        else:
            found += re.escape(body[at])
            at += 1
    return found
