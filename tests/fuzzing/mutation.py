"""New inputs from real ones: cut, doubled, mixed, altered by their structure, or stretched to what production admits.

The same seed gives the same inputs.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

from fuzzing.subject import Subject

ODD_TEXTS = (
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    "\u202e".encode(),
    "\u2028".encode(),
    "\u0130".encode(),
    b"\r",
    b"\r\n",
    b"\t",
    b"\\",
    b'"',
    b"'",
    b"`",
    b"${",
    b"}}",
    b"{{",
    b"<!--",
    b"-->",
    b"*",
    b"&a ",
    b"*a ",
    b"<<: ",
    b"../",
    b"/",
    b"@",
    b"#",
    b"-1",
    b"0",
    b"9" * 20,
    b"1e999",
    b"0x",
    b"%00",
    b"\xed\xa0\x80",
    b": ",
    b"- ",
    b"|\n",
    b"~~~",
    b"```\n",
    b"\n\n",
)
ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    10**12,
    10**30,
    1e308,
    float("inf"),
    "",
    "x",
    "\ud800",
    "\x00",
    "\u202e",
    "0" * 40,
    "a.b[0]",
    [],
    {},
    [None],
    {"": None},
    [[]],
    "9" * 5000,
    {"a": {"a": {"a": 1}}},
    "2026-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
)
NESTED = ((b"[", b"]"), (b"{", b"}"), (b"(", b")"), (b'{"a":', b"}"), (b"a {\n", b"}\n"), (b"> ", b""), (b"- ", b""))


class Mutator:
    """Makes inputs for one subject."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._pool = [*subject.samples]
        self._words = [*subject.words, *ODD_TEXTS]

    def inputs(self, seed: int, count: int) -> Iterator[bytes]:
        """So many inputs; the samples come first."""
        chance = random.Random(seed)
        yield from self._pool[:count]
        for _ in range(count - len(self._pool)):
            yield self.altered(chance.choice(self._pool), chance)

    def stretched(self, seed: int, count: int, largest: int = 0) -> Iterator[bytes]:
        """Inputs near the largest size: a piece over and over, or brackets within brackets."""
        chance = random.Random(seed)
        for _ in range(count):
            most = largest or self._subject.largest
            yield self._stretched(chance, most)[:most]

    def altered(self, data: bytes, chance: random.Random, largest: int = 0) -> bytes:
        """One input made of another one."""
        for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 5, 8))):
            data = self._step(data, chance)
        return data[: largest or self._subject.largest]

    def _step(self, data: bytes, chance: random.Random) -> bytes:
        ways = [self._inserted, self._removed, self._doubled, self._replaced, self._mixed]
        if self._subject.kind == "json" and chance.random() < 0.7:
            return self._json(data, chance)
        if self._subject.kind == "events" and chance.random() < 0.7:
            lines = data.split(b"\n")
            at = chance.randrange(len(lines))
            lines[at] = self._json(lines[at], chance)
            return b"\n".join(lines)
        if self._subject.kind in ("lines", "events") and chance.random() < 0.4:
            return self._lines(data, chance)
        return chance.choice(ways)(data, chance)

    # ------------------------------------------------------------------------------------- bytes

    def _inserted(self, data: bytes, chance: random.Random) -> bytes:
        at = chance.randint(0, len(data))
        return data[:at] + chance.choice(self._words) + data[at:]

    def _removed(self, data: bytes, chance: random.Random) -> bytes:
        start, end = _slice(data, chance)
        return data[:start] + data[end:]

    def _doubled(self, data: bytes, chance: random.Random) -> bytes:
        start, end = _slice(data, chance)
        at = chance.randint(0, len(data))
        return data[:at] + data[start:end] * chance.choice((1, 1, 2, 9, 40)) + data[at:]

    def _replaced(self, data: bytes, chance: random.Random) -> bytes:
        start, end = _slice(data, chance)
        if chance.random() < 0.5:
            return data[:start] + chance.choice(self._words) + data[end:]
        at = chance.randint(0, max(0, len(data) - 1))
        return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]

    def _mixed(self, data: bytes, chance: random.Random) -> bytes:
        other = chance.choice(self._pool)
        start, end = _slice(other, chance)
        at = chance.randint(0, len(data))
        return data[:at] + other[start:end] + data[at:]

    # ----------------------------------------------------------------------------------- structure

    def _lines(self, data: bytes, chance: random.Random) -> bytes:
        lines = data.split(b"\n")
        at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        match chance.randrange(5):
            case 0:
                lines.insert(at, lines[other])
            case 1:
                del lines[at]
            case 2:
                lines[at], lines[other] = lines[other], lines[at]
            case 3:
                lines[at] = b" " * chance.choice((1, 2, 4)) + lines[at]
            case _:
                taken = chance.choice(self._pool).split(b"\n")
                lines.insert(at, chance.choice(taken))
        return b"\n".join(lines)

    def _json(self, data: bytes, chance: random.Random) -> bytes:
        # What stands before it (a byte that chooses among ways to give it) stays.
        start = data.find(b"{", 0, 20)
        before, written = (data[:start], data[start:]) if start > 0 else (b"", data)
        try:
            value = json.loads(written)
            places = list(_places(value))
        except (ValueError, RecursionError):
            return self._inserted(data, chance)
        if not places:
            return before + json.dumps(chance.choice(ODD_VALUES)).encode()
        self._altered_value(places, chance)
        return before + json.dumps(value).encode()

    def _altered_value(self, places: list[tuple[Any, Any]], chance: random.Random) -> None:
        holder, key = chance.choice(places)
        match chance.randrange(6):
            case 0 | 1:
                holder[key] = chance.choice(ODD_VALUES)
            case 2:
                del holder[key]
            case 3:
                holder[key] = [holder[key]] * chance.choice((1, 2, 5))
            case 4:
                source, name = chance.choice(places)
                holder[key] = json.loads(json.dumps(source.get(name) if isinstance(source, dict) else 0))
            case _:
                word = chance.choice(self._words).decode("utf-8", "replace")
                holder[key] = {word: holder[key]} if chance.random() < 0.5 else word

    # ------------------------------------------------------------------------------------ stretched

    def _stretched(self, chance: random.Random, largest: int) -> bytes:
        sample = chance.choice(self._pool)
        start, end = _slice(sample, chance)
        head, tail = (sample[:start], sample[end:]) if chance.random() < 0.7 else (b"", b"")
        room = max(0, largest - len(head) - len(tail))
        way = chance.randrange(4)
        if way == 0:
            before, after = chance.choice(NESTED)
            count = chance.choice((50, 1000, room // (len(before) + len(after))))
            return head + before * count + after * count + tail
        piece = sample[start:end] if way == 1 else chance.choice(self._words)
        if way == 3:
            numbered = (piece + str(number).encode() + b"\n" for number in range(room // (len(piece) + 7)))
            return head + b"".join(numbered) + tail
        return head + (piece or b"x") * (room // max(1, len(piece))) + tail


def _slice(data: bytes, chance: random.Random) -> tuple[int, int]:
    start = chance.randint(0, len(data))
    return start, min(len(data), start + chance.choice((1, 2, 4, 8, 16, 64, 256)))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (holder, key) in nested values."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        keys = list(each) if isinstance(each, dict) else list(range(len(each))) if isinstance(each, list) else []
        for key in keys:
            yield each, key
            waiting.append(each[key])
