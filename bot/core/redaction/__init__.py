"""Removing secrets from text before anything stores or shows it: by value in every spelling, by shape, by disorder.

Work is done by whole lines, and by fixed windows of a line without end, so that what is hidden depends on the text
alone and never on how it was cut into pieces. One automaton finds all values and all anchors of shapes in one pass.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from bot.core.redaction.documents import secret_parts
from bot.core.redaction.search import Search, search
from bot.core.redaction.shapes import KEY_ANCHOR, SHAPES, Span, disordered, key_spans
from bot.core.redaction.spellings import ORDINARY, SHORTEST, encoded, needles

__all__ = ["HIDDEN", "LONGEST_LINE", "Redactor", "Stream"]

HIDDEN: Final = "(hidden)"
_HIDDEN: Final = HIDDEN.encode()
LONGEST_LINE: Final = 64 * 1024
"""Characters. Of a longer line this much is looked at, and the first three quarters are let go."""
_LET_GO: Final = LONGEST_LINE * 3 // 4
_ROOM: Final = 4096
"""How far back from there a border between words is looked for."""
_ROUNDS: Final = 8
"""Lines settle in one or two; a hostile one must not take for ever."""


@dataclass(frozen=True, slots=True)
class _Known:
    """The words to find; those of ``values`` are hidden as they are, the others are anchors of shapes."""

    search: Search
    values: frozenset[int]
    shapes: dict[int, tuple[int, ...]]

    def spans(self, data: bytes) -> list[Span]:
        """What to hide in UTF-8 text, in no order."""
        found: list[Span] = []
        ends = [0] * len(SHAPES)
        for word, start, end in sorted(self.search.hits(data.lower()), key=_start):
            if word in self.values:
                found.append((start, end))
            for index in self.shapes.get(word, ()):
                # Inside its last match a shape cannot begin again, and a hostile text cannot make it try.
                span = SHAPES[index].at(data, start) if start >= ends[index] else None
                if span is not None:
                    ends[index] = span[1]
                    found.append(span)
        return found


def _start(hit: tuple[int, int, int]) -> int:
    return hit[1]


def _known(values: Iterable[bytes], make: Callable[[Sequence[bytes]], Search]) -> _Known:
    anchors: dict[bytes, tuple[int, ...]] = {}
    for index, shape in enumerate(SHAPES):
        for anchor in shape.anchors:
            anchors[anchor] = (*anchors.get(anchor, ()), index)
    found = frozenset(values)
    words = sorted({*found, *anchors})
    return _Known(
        make(words),
        frozenset(index for index, word in enumerate(words) if word in found),
        {index: anchors[word] for index, word in enumerate(words) if word in anchors},
    )


class Redactor:
    """Knows what must not be shown; values may be added while a run goes on. Safe for threads."""

    def __init__(self, values: Iterable[str], make: Callable[[Sequence[bytes]], Search] = search) -> None:
        self._lock = threading.Lock()
        self._make = make
        self._values: set[bytes] = set()
        self._known: _Known | None = None
        for value in values:
            self.add(value)

    def add(self, value: str) -> None:
        """Hide this value from now on; very short and ordinary ones would hide the text instead."""
        plain = value.strip().lower()
        if len(value.strip()) < SHORTEST or plain in ORDINARY or plain in HIDDEN:
            return
        self._hide(needles(value))

    def add_document(self, text: str) -> None:
        """Hide a file of credentials: whole in any encoding, and every part of it that is secret; what such files
        say openly (a project's name, a server's address) stays, or no plan could be read any more."""
        parts = secret_parts(text)
        if parts is None:
            self.add(text)
            return
        self._hide(encoded(text))
        for part in parts:
            self.add(part)

    def _hide(self, new: frozenset[bytes]) -> None:
        with self._lock:
            if not new <= self._values:
                self._values |= new
                self._known = None

    def text(self, text: str) -> str:
        """A whole text without secrets. Done again, it changes nothing."""
        stream = self.stream()
        return stream.feed(text) + stream.flush()

    def stream(self) -> Stream:
        """For text that comes in pieces."""
        return Stream(self.known)

    def known(self) -> _Known:
        """What is to be found now."""
        with self._lock:
            if self._known is None:
                self._known = _known(self._values, self._make)
            return self._known


class Stream:
    """Holds back the unfinished line, so that a secret split between two pieces is still seen whole.

    It never holds more than ``LONGEST_LINE`` characters between two calls.
    """

    def __init__(self, known: Callable[[], _Known]) -> None:
        self._known = known
        self._held = ""
        self._covered = 0
        """Bytes (UTF-8) at the beginning of what is held that belong to something already shown as hidden."""
        self._in_key = False

    def feed(self, piece: str) -> str:
        """The finished lines of what came so far, redacted."""
        text = self._held + piece
        shown: list[str] = []
        at = 0
        while len(text) - at >= LONGEST_LINE:
            newline = text.rfind("\n", at, at + LONGEST_LINE)
            size = newline + 1 - at if newline >= 0 else 0
            if size:
                shown.append(self._lines(text[at : at + size]))
            else:
                window = text[at : at + LONGEST_LINE]
                size = _border(window)
                shown.append(self._window(window, size))
            at += size
        newline = text.rfind("\n", at)
        if newline >= 0:
            shown.append(self._lines(text[at : newline + 1]))
            at = newline + 1
        self._held = text[at:]
        return "".join(shown)

    def flush(self) -> str:
        """What is left."""
        rest, self._held = self._held, ""
        return self._lines(rest)

    def _lines(self, text: str) -> str:
        return self._window(text, len(text))

    def _window(self, text: str, size: int) -> str:
        """The first ``size`` characters redacted; what begins among them and ends later is carried on."""
        if not text:
            return ""
        data = text.encode("utf-8", "surrogatepass")
        cut = len(data) if size == len(text) else len(text[:size].encode("utf-8", "surrogatepass"))
        known = self._known()
        spans = known.spans(data)
        if self._in_key or KEY_ANCHOR in data:
            # Only what is let go may change whether a key goes on: the rest comes again.
            keys, self._in_key = key_spans(data[:cut], self._in_key)
            spans.extend(keys)
        shown, carried = _hide(data, spans, self._covered, cut)
        self._covered = max(0, carried - cut)
        shown = _ordered(shown)
        return (_settled(known, shown) if _HIDDEN in shown else shown).decode("utf-8", "surrogatepass")


def _ordered(shown: bytes) -> bytes:
    pieces: list[bytes] = []
    at = 0
    for start, end in disordered(shown):
        pieces += (shown[at:start], _HIDDEN)
        at = end
    return b"".join((*pieces, shown[at:])) if pieces else shown


def _settled(known: _Known, shown: bytes) -> bytes:
    """The lines where something was hidden, done again until nothing changes.

    What stands before and after a hidden part is closer now and may look like a credential; a second redaction
    elsewhere would then find more than this one.
    """
    lines = shown.split(b"\n")
    places = [place for place, line in enumerate(lines) if _HIDDEN in line]
    text, before, rounds = b"\n".join(lines[place] for place in places), b"", _ROUNDS
    while text != before and rounds:
        before, rounds = text, rounds - 1
        text = _ordered(_hide(text, known.spans(text), 0, len(text))[0])
    for place, line in zip(places, text.split(b"\n"), strict=True):
        lines[place] = line
    return b"\n".join(lines)


def _border(window: str) -> int:
    """Where to cut a line without end: between two words, if there is a place. Depends on the text alone."""
    for at in range(_LET_GO, _LET_GO - _ROOM, -1):
        if not (window[at - 1].isalnum() or window[at - 1] in "+/_-"):
            begin = window.rfind("-----BEGIN ", at - 80, at)
            return at if begin < 0 else begin
    return _LET_GO


def _hide(data: bytes, spans: list[Span], covered: int, cut: int) -> tuple[bytes, int]:
    """What is before ``cut``, with overlapping spans hidden as one, and where the last of them ends.

    The first ``covered`` bytes belong to what was hidden before and are not shown again.
    """
    if not spans and not covered:
        return data[:cut], 0
    found = data.find(_HIDDEN)
    while found >= 0:
        # What is hidden already stays as it is, or is hidden together with what overlaps it.
        spans.append((found, found + len(_HIDDEN)))
        found = data.find(_HIDDEN, found + len(_HIDDEN))
    shown: list[bytes] = []
    at = covered
    for start, end in sorted(spans):
        if start >= cut:
            break
        if start >= at:
            shown += (data[at:start], _HIDDEN)
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end += 1  # a shape of bounded length may stop inside a character
        at = max(at, end)
    shown.append(data[at:cut])
    return b"".join(shown), at
