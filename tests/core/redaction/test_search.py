"""Two ways to search, one law: they find the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.redaction import Redactor
from bot.core.redaction.search import NATIVE, Automaton, Plain, search

words = st.lists(
    st.binary(min_size=3, max_size=6).map(lambda each: bytes(byte % 3 + 97 for byte in each)), unique=True
)


@pytest.mark.skipif(not NATIVE, reason="the library has no wheel for this platform")
@given(words=words, data=st.text("abc", max_size=200))
def test_the_plain_search_finds_what_the_automaton_finds(words: list[bytes], data: str) -> None:
    text = data.encode()
    assert sorted(Plain(words).hits(text)) == sorted(Automaton(words).hits(text))


@given(secrets=st.lists(st.text("ab-/ü", min_size=4, max_size=12)), text=st.text("ab-/ü \n", max_size=200))
def test_a_text_is_redacted_alike_by_both(secrets: list[str], text: str) -> None:
    shown = text + "\n".join(secrets) + " ghp_" + "a1" * 18
    assert Redactor(secrets, Plain).text(shown) == Redactor(secrets, search).text(shown)


@given(words=words, data=st.text("abc", max_size=100))
def test_every_word_is_found_at_every_place(words: list[bytes], data: str) -> None:
    text = data.encode()
    expected = {
        (index, start, start + len(word))
        for index, word in enumerate(words)
        for start in range(len(text))
        if text.startswith(word, start)
    }
    assert set(Plain(words).hits(text)) == expected
