"""Did you mean: the known word nearest to one that nobody knows, within two edits."""

from __future__ import annotations

from collections.abc import Iterable

from bot.core.config.document import shown

MAX_EDITS = 2
MAX_WORD = 100
"""Longer words are nobody's slip of the finger; they are not compared."""


def distance(one: str, other: str, most: int = MAX_EDITS) -> int:
    """Levenshtein distance of two words, two neighbours exchanged counting once; above ``most`` only that it is."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, start=1):
        oldest, before, row = before, row, [i]
        for j, right in enumerate(other, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right))
            if oldest and j > 1 and left == other[j - 2] and right == one[i - 2]:
                cost = min(cost, oldest[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return row[-1]


def nearest(word: str, known: Iterable[str]) -> str:
    """The nearest known word; empty when none is near. Short words allow fewer edits, so that not all are near."""
    if len(word) > MAX_WORD:
        return ""
    most = min(MAX_EDITS, len(word) // 2)
    lower = word.lower()
    scored = ((distance(lower, candidate.lower(), most), candidate) for candidate in known)
    return min((each for each in scored if each[0] <= most), default=(0, ""))[1]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` Did you mean `x`?`` with its leading space, or nothing."""
    found = nearest(word, known)
    return f" Did you mean `{shown(found)}`?" if found else ""
