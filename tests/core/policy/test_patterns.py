"""Patterns: globs, pieces of text and expressions; what cannot be one is told; the worst one takes no time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.policy.patterns import LONGEST, Comparison, Name, Prose, flaw


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [("live/**", "live/a/b", True), ("live/*", "live/a/b", False), ("/^live/", "live/a/b", True),
     ("/a$/", "b", False),  ("Main", "main", False)],
)  # fmt: skip
def test_a_name_fits_a_glob_or_an_expression(pattern: str, text: str, fits: bool) -> None:
    assert Name.of(pattern).matches(text) is fits


def test_where_names_are_folded_case_means_nothing() -> None:
    assert Name.of("Ann*", fold=True).matches("aNNa") and Name.of("/^ann/", fold=True).matches("ANNA")


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [(":+1:", "well :+1:!", True), (":+1:", ":-1:", False), ("/(?i)lgtm/", "so LGTM", True)],
)
def test_prose_holds_a_piece_of_text_or_an_expression(pattern: str, text: str, fits: bool) -> None:
    assert Prose.of(pattern).matches(text) is fits


@pytest.mark.parametrize("pattern", ["", "/(/", "/(?=x)/", "/(a)\\1/", "x" * (LONGEST + 1), "/(x{1000}){1000}/"])
def test_what_cannot_be_a_pattern_is_told_and_matches_nothing(pattern: str) -> None:
    assert flaw(pattern)
    assert not Name.of(pattern).matches("x") and not Prose.of(pattern).matches("x")


@given(st.text(), st.text())
def test_no_pattern_and_no_text_raises(pattern: str, text: str) -> None:
    Name.of(pattern).matches(text)
    Prose.of(pattern).matches(text)
    Name.of(f"/{pattern}/").matches(text)


def test_a_path_that_is_no_text_is_looked_at_nonetheless() -> None:
    assert Name.of("/^a/").matches("a\udcff")


def test_the_worst_expression_is_as_fast_as_any() -> None:
    began = time.process_time()
    assert not Prose.of("/^(a+)+$/").matches("a" * 50_000 + "b")
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [("> 5", 6, True), (">5", 5, False), (">= 5", 5, True), ("< 5", 4, True), ("<= 5 %", 5, True), ("= 5", 5, True),
     ("= 5", 6, False), ("< 5", 5, False)],
)  # fmt: skip
def test_a_comparison_compares(text: str, value: int, holds: bool) -> None:
    found = Comparison.of(text)
    assert found is not None and found.holds(value) is holds
    again = Comparison.of(str(found))
    assert again == found


def test_what_is_no_comparison_is_none() -> None:
    assert Comparison.of("about 5") is None
