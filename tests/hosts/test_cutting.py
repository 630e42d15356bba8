"""Cut text fits, whatever it is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.hosts.cutting import FENCE, NOTICE, at_word, whole_lines


@given(st.text(), st.integers(20, 200))
def test_a_line_fits_and_what_fits_is_not_cut(text: str, most: int) -> None:
    line = at_word(text, most)
    assert len(line) <= most
    assert len(line.splitlines()) <= 1
    assert line == " ".join(text.split()) or line.endswith("…")


@given(st.text(alphabet=st.sampled_from("aé`\n ~")), st.integers(100, 200))
def test_lines_fit_in_bytes_and_leave_no_block_open(text: str, most: int) -> None:
    cut = whole_lines(text * 20, most)
    assert len(cut.encode()) <= most
    if cut.endswith(NOTICE):
        assert sum(line.lstrip().startswith(FENCE) for line in cut.splitlines()) % 2 == 0


def test_a_lone_surrogate_is_no_crash() -> None:
    assert whole_lines("\ud800" * 300, 100)
