"""What is looked for, for one value."""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st

from bot.core.redaction.spellings import LONGEST, SHORTEST, needles


@given(value=st.text(st.characters(), max_size=60))
def test_no_needle_is_too_short_or_crosses_the_end_of_a_line_or_has_capitals(value: str) -> None:
    for needle in needles(value):
        assert len(needle) >= SHORTEST
        assert b"\n" not in needle
        assert needle == needle.lower()


def test_a_line_of_many_is_looked_for_when_it_says_enough() -> None:
    found = needles("first-line-here\nshort\n\n  indented-line  \n")
    assert {b"first-line-here", b"indented-line"} <= found
    assert b"short" not in found


def test_a_value_of_one_line_is_looked_for_without_the_line_end_of_its_file() -> None:
    assert b"hunter2" in needles("hunter2\n")


def test_base64_is_found_when_a_tool_breaks_its_lines() -> None:
    value = "0123456789" * 20
    for line in base64.encodebytes(value.encode()).splitlines()[:-1]:
        assert line.lower() in needles(value)


def test_json_as_terraform_writes_it_is_known() -> None:
    assert rb"a\u003cb\u003e\u0026c" in needles("a<b>&c")


def test_a_long_value_is_looked_for_in_pieces_that_cover_it() -> None:
    value = "".join(chr(97 + number % 26) for number in range(3 * LONGEST + 7))
    found = needles(value)
    assert max(map(len, found)) <= 4 * LONGEST
    assert value[:LONGEST].encode() in found
    assert value[-LONGEST:].encode() in found


def test_ordinary_words_are_not_looked_for() -> None:
    assert needles("Default") == frozenset()
