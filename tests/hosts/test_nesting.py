"""Depth is counted outside strings, whatever they hold."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from bot.hosts.nesting import deeper


def depth_of(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max((depth_of(each) for each in inner), default=0)


TEXT = st.text(alphabet='ab"\\\\[]{}', max_size=6)
JSON = st.recursive(
    st.one_of(st.none(), st.integers(), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=12,
)


@given(JSON, st.integers(min_value=0, max_value=8))
def test_depth_is_counted_outside_strings_whatever_they_hold(value: object, most: int) -> None:
    assert deeper(json.dumps(value).encode(), most) is (depth_of(value) > most)


@given(st.text(alphabet='"\\\\[]{}a', max_size=60), st.integers(min_value=0, max_value=8))
def test_no_text_breaks_the_counting_of_depth(text: str, most: int) -> None:
    assert deeper(text.encode(), most) in (True, False)
    assert deeper(b"[" * (most + 1) + text.encode().replace(b"]", b"").replace(b"}", b"").replace(b'"', b""), most)
