"""Prints how fast a log is redacted, in MB/s, with 1, 100 and 1,000 secrets. Wanted: 50 MB/s with 1,000."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import machine

from bot.core.redaction import HIDDEN, Redactor

WANTED = 50.0
PIECE = 64 * 1024
PATIENCE = 3.0
"""Seconds of one case; what was done until then is measured."""
MOST = 64 * 2**20
CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/"
CASES = (1, 100, 1000)


def secrets(count: int) -> list[str]:
    """Random words of 16 to 40 characters, the same each time."""
    chance = random.Random(7)
    return ["".join(chance.choices(CHARACTERS, k=chance.randint(16, 40))) for _ in range(count)]


def pieces(known: list[str]) -> Iterator[str]:
    """A log in pieces of 64 KiB; one line in a thousand shows a secret."""
    chance = random.Random(11)
    lines = [
        f"module.web[{n}].aws_instance.this: Refreshing state... [id=i-{chance.getrandbits(68):017x}] took {n % 60}s"
        if n % 1000
        else f"  + password = {chance.choice(known)!r}"
        for n in range(20_000)
    ]
    text = "\n".join(lines) + "\n"
    for _ in range(MOST // len(text)):
        for start in range(0, len(text), PIECE):
            yield text[start : start + PIECE]


def bare(known: list[str]) -> float:
    """MB/s of only copying the pieces line by line: what any redaction costs at least."""
    done, held, start = 0, "", time.perf_counter()
    for piece in pieces(known):
        lines, _, held = (held + piece).rpartition("\n")
        done += len(lines)
        if time.perf_counter() - start > PATIENCE / 3:
            break
    return done / 1e6 / (time.perf_counter() - start)


def speed(known: list[str]) -> tuple[float, float]:
    """(MB/s, seconds until the first piece was through: compiling is part of it)."""
    redactor = Redactor(known)
    stream = redactor.stream()
    begun = time.perf_counter()
    first = stream.feed(next(pieces(known)))
    if HIDDEN not in first:
        raise SystemExit("nothing was hidden, so nothing was measured")
    compiling = time.perf_counter() - begun
    done, start = 0, time.perf_counter()
    for piece in pieces(known):
        stream.feed(piece)
        done += len(piece)
        if time.perf_counter() - start > PATIENCE:
            break
    return done / 1e6 / (time.perf_counter() - start), compiling


def main() -> int:
    """One line per number of secrets; exit code 1 when the last is under the goal."""
    machine.say()
    print(f"{'secrets':>8}{'MB/s':>10}{'of goal':>9}{'bare':>8}{'ratio':>9}{'compile':>9}")
    found = 0.0
    for count in CASES:
        known = secrets(count)
        copied = bare(known)
        found, compiling = speed(known)
        print(
            f"{count:>8,}{found:>10.2f}{found / WANTED:>9.3f}{copied:>8.0f}{found / copied:>9.4f}{compiling:>7.2f} s"
        )
    return 0 if found >= WANTED else 1


if __name__ == "__main__":
    raise SystemExit(main())
