"""What is remembered of answers stays within its bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.hosts.github.etags import ETags, Remembered


def answer(size: int = 1) -> Remembered:
    return Remembered('"1"', {}, "", size)


def test_the_least_lately_used_goes_first() -> None:
    etags = ETags(most=2)
    etags.put("a", answer())
    etags.put("b", answer())
    etags.get("a")
    etags.put("c", answer())
    assert [path for path in "abc" if etags.get(path)] == ["a", "c"]


def test_what_is_larger_than_all_is_not_remembered() -> None:
    etags = ETags(most_bytes=10)
    etags.put("a", answer(5))
    etags.put("a", answer(11))
    assert etags.get("a") is None


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 12), st.booleans())))
def test_it_never_holds_more_than_it_may(steps: list[tuple[str, int, bool]]) -> None:
    etags = ETags(most=3, most_bytes=10)
    for path, size, forget in steps:
        etags.forget(path) if forget else etags.put(path, answer(size))
        held = [found for each in "abcdef" if (found := etags.get(each))]
        assert len(held) <= 3
        assert sum(found.size for found in held) == etags._bytes <= 10
