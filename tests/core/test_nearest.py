"""Did you mean: within two edits, never for words that are nobody's slip."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.nearest import did_you_mean, distance, nearest


@pytest.mark.parametrize(
    ("word", "known", "wanted"),
    [
        ("terrafrom", ("terraform", "ansible"), "terraform"),
        ("edge-pord", ("edge-dev", "edge-prod"), "edge-prod"),
        ("PLAM", ("plan",), "plan"),
        ("is", ("if", "plan"), "if"),
        ("is", ("plan", "hold"), ""),
        ("x", ("y",), ""),
        ("dve", ("dev", "prod"), "dev"),
        ("kubernetes", ("terraform",), ""),
        ("plan", (), ""),
        ("a" * 200, ("a" * 199,), ""),
    ],
)
def test_the_nearest_known_word_is_meant(word: str, known: tuple[str, ...], wanted: str) -> None:
    assert nearest(word, known) == wanted


def test_a_hint_is_a_sentence_or_nothing() -> None:
    assert did_you_mean("plam", ["plan"]) == " Did you mean `plan`?"
    assert did_you_mean("zzzz", ["plan"]) == ""
    assert did_you_mean("prod", ["pr\u202eod`"]) == " Did you mean `pr·od·`?"


def slow(one: str, other: str) -> int:
    if not one or not other:
        return len(one) + len(other)
    ways = [slow(one[1:], other) + 1, slow(one, other[1:]) + 1, slow(one[1:], other[1:]) + (one[0] != other[0])]
    if len(one) > 1 and len(other) > 1 and one[:2] == other[1::-1]:
        ways.append(slow(one[2:], other[2:]) + 1)
    return min(ways)


@given(st.text("abc", max_size=5), st.text("abc", max_size=5))
def test_the_distance_counts_edits_and_exchanged_neighbours_up_to_the_bound(one: str, other: str) -> None:
    wanted = slow(one, other)
    assert distance(one, other) == wanted if wanted <= 2 else distance(one, other) > 2
