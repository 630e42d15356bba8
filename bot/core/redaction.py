"""Removing secrets from text before anything stores or shows it: by value in every common spelling, and by shape.

Work is done line by line, so that no piece of a secret slips through at the border of two chunks; a secret of
several lines is also hidden line by line.
"""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import threading
import urllib.parse
from collections.abc import Iterable
from typing import Final

HIDDEN: Final = "(hidden)"
SHORTEST: Final = 4
SHORTEST_LINE: Final = 8
LONGEST_LINE: Final = 64 * 1024
"""An unfinished line longer than this is let go in parts; no single secret is that long."""

ORDINARY: Final = frozenset({"true", "false", "none", "null", "default", "test", "prod", "main", "localhost"})

SHAPES: Final = re.compile(
    r"gh[pousr]_[A-Za-z0-9]{20,255}"
    r"|github_pat_[A-Za-z0-9_]{22,255}"
    r"|glpat-[A-Za-z0-9_-]{20,255}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}"
    r"|xox[abprs]-[A-Za-z0-9-]{10,255}"
    r"|eyJ[A-Za-z0-9_-]{8,4096}\.eyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{8,1024}"
    r"|-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----"
)


def spellings(value: str) -> frozenset[str]:
    """Every way in which a tool is likely to print a value."""
    raw = value.encode("utf-8", "surrogatepass")
    found = {
        value,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        html.escape(value),
        urllib.parse.quote(value, safe=""),
        urllib.parse.quote_plus(value),
        shlex.quote(value).strip("'"),
        value.swapcase(),
        *_in_base64(raw),
    }
    if "\n" in value:
        found.update(line.strip() for line in value.splitlines() if len(line.strip()) >= SHORTEST_LINE)
    return frozenset(each for each in found if len(each) >= SHORTEST)


def _in_base64(raw: bytes) -> Iterable[str]:
    """Inside a longer text a value starts at any of three places of the encoding; its certain middle is hidden."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for shift in range(3):
            text = encode(b"\0" * shift + raw).decode().rstrip("=")
            certain = text[:-1] if (len(raw) + shift) % 3 else text
            middle = certain[(0, 2, 3)[shift] :]
            if len(middle) >= SHORTEST_LINE:
                yield middle


class Redactor:
    """Knows what must not be shown; values may be added while a run goes on. Safe for threads."""

    def __init__(self, values: Iterable[str]) -> None:
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        for value in values:
            self.add(value)

    def add(self, value: str) -> None:
        """Hide this value from now on; very short and ordinary ones would hide the text instead."""
        if len(value) < SHORTEST or value.lower() in ORDINARY:
            return
        with self._lock:
            new = spellings(value) - self._known
            if new:
                self._known |= new
                self._pattern = None

    def text(self, text: str) -> str:
        """A whole text without secrets."""
        pattern = self._compiled()
        if pattern is not None:
            text = pattern.sub(HIDDEN, text)
        return SHAPES.sub(HIDDEN, text)

    def _compiled(self) -> re.Pattern[str] | None:
        with self._lock:
            if self._pattern is None and self._known:
                longest_first = sorted(self._known, key=len, reverse=True)
                self._pattern = re.compile("|".join(re.escape(each) for each in longest_first))
            return self._pattern

    def stream(self) -> Stream:
        """For text that comes in pieces."""
        return Stream(self)


class Stream:
    """Holds back the unfinished line, so that a secret split between two pieces is still seen whole."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = ""

    def feed(self, piece: str) -> str:
        """The finished lines of what came so far, redacted."""
        self._held += piece
        done, newline, rest = self._held.rpartition("\n")
        if not newline and len(self._held) < LONGEST_LINE:
            return ""
        if not newline:
            done, rest = self._held[: -LONGEST_LINE // 4], self._held[-LONGEST_LINE // 4 :]
        self._held = rest
        return self._redactor.text(done + newline)

    def flush(self) -> str:
        """What is left."""
        rest, self._held = self._held, ""
        return self._redactor.text(rest)
