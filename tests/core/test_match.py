"""Globs: what they match, against a naive oracle; and that no pattern takes long."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.match import Captures, Glob, Globs, is_literal


@pytest.mark.parametrize(
    ("pattern", "path", "wanted"),
    [
        ("live/prod/**", "live/prod", True),
        ("live/prod/**", "live/prod/a/b.tf", True),
        ("live/prod/**", "live/production", False),
        ("**", ".", True),
        ("**", "", True),
        ("*", ".", False),
        ("**/*.tf", "main.tf", True),
        ("**/*.tf", "a/b/main.tf", True),
        ("*.tf", "a/main.tf", False),
        ("/a/*.tf", "a/main.tf", True),
        ("a/", "a", True),
        ("a/", "a/b/c", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**/b/**/c", "a/x/b/y/b/z/c", True),
        ("a/**/b/**/c", "a/x/y/c", False),
        ("a/**/**/b", "a/b", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[a-c]x", "bx", True),
        ("[!a-c]x", "bx", False),
        ("[^a-c]x", "dx", True),
        ("[]]x", "]x", True),
        ("[!]]x", "ax", True),
        ("[c-a]x", "bx", False),
        ("[!c-a]x", "bx", True),
        ("[a-]x", "-x", True),
        ("[ax", "[ax", True),
        (r"\*x", "*x", True),
        (r"\*x", "ax", False),
        ("x\\", "x\\", True),
        ("a*b*c", "aXbXbXc", True),
        ("a*b*c", "aXcXb", False),
        ("a**b", "axxb", True),
        ("a.c", "abc", False),
        ("x\ny", "x\ny", True),
    ],
)
def test_a_pattern_matches_what_it_says(pattern: str, path: str, wanted: bool) -> None:
    assert Glob.of(pattern).matches(path) is wanted


@pytest.mark.parametrize("pattern", ["", "/", "//", "a//b", "../a", "a/./b", "x" * 1001])
def test_a_pattern_that_cannot_be_meant_is_refused(pattern: str) -> None:
    assert Glob.flaw(pattern)
    with pytest.raises(ValueError, match=r"\w"):
        Glob.of(pattern)


def test_the_literal_beginning_of_a_pattern_is_known() -> None:
    assert Glob.of("live/prod/*/x").prefix == "live/prod"
    assert Glob.of("**/x").prefix == ""
    assert Glob.of("a/b").literal
    assert not Glob.of("a/*").literal
    assert is_literal("a/b") and not is_literal("a?")


@pytest.mark.parametrize(
    ("patterns", "path", "wanted"),
    [
        ((), "a", False),
        (("a/**", "!a/docs/**"), "a/docs/x", False),
        (("a/**", "!a/docs/**"), "a/x", True),
        (("a/**", "!a/docs/**", "a/docs/keep"), "a/docs/keep", True),
        (("!a",), "b", False),
    ],
)
def test_in_a_list_the_last_pattern_that_matches_decides(patterns: tuple[str, ...], path: str, wanted: bool) -> None:
    assert Globs.of(patterns).matches(path) is wanted


def test_a_list_knows_where_its_matches_can_be() -> None:
    assert Globs.of(("a/b/**", "a/b/*.x", "c/*", "!d/**")).prefixes == ("a/b", "c")


@pytest.mark.parametrize(
    ("pattern", "path", "wanted"),
    [
        ("live/{environment}/{service}", "live/prod/web", {"environment": "prod", "service": "web"}),
        ("live/{environment}/{service}", "live/prod/web/x", None),
        ("live/{environment}/{service}", "live/prod", None),
        ("{team}/**/{service}", "a/b/c/d", {"team": "a", "service": "d"}),
        ("**/{x}-{y}/*", "p/a-b-c/q", {"x": "a", "y": "b-c"}),
        ("stack-{x}", "stack-", None),
        ("stack.{x}", "stackXa", None),
    ],
)
def test_words_of_a_pattern_stand_for_parts_of_names(pattern: str, path: str, wanted: dict[str, str] | None) -> None:
    found = Captures.of(pattern).match(path)

    assert (None if found is None else dict(found)) == wanted


@pytest.mark.parametrize("pattern", ["{a}/{a}", "{a}{b}", "{a}-{b}-{c}", "{a}*", "", "../{a}"])
def test_a_pattern_whose_words_cannot_be_told_apart_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Captures.of(pattern)


def test_the_words_of_a_broken_pattern_are_known_all_the_same() -> None:
    assert Captures.words_in("{a}/{a}/{b}") == ("a", "a", "b")
    assert Captures.of("{a}/{b}").words == ("a", "b")


def naive(pattern: list[str], path: list[str]) -> bool:
    if not pattern:
        return not path
    if pattern[0] == "**":
        return any(naive(pattern[1:], path[skip:]) for skip in range(len(path) + 1))
    return bool(path) and naive_name(pattern[0], path[0]) and naive(pattern[1:], path[1:])


def naive_name(pattern: str, name: str) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(naive_name(pattern[1:], name[skip:]) for skip in range(len(name) + 1))
    return bool(name) and pattern[0] in ("?", name[0]) and naive_name(pattern[1:], name[1:])


NAMES = st.text("ab", min_size=1, max_size=4)
PARTS = st.one_of(st.just("**"), st.text("ab*?", min_size=1, max_size=5))


@given(st.lists(PARTS, min_size=1, max_size=6), st.lists(NAMES, max_size=6))
def test_a_pattern_matches_exactly_what_a_naive_matcher_says(pattern: list[str], path: list[str]) -> None:
    assert Glob.of("/".join(pattern)).matches("/".join(path)) is naive(pattern, path)


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_pattern_and_no_path_raise(pattern: str, path: str) -> None:
    if not Glob.flaw(pattern):
        assert Glob.of(pattern).matches(path) in (True, False)
    if not Captures.flaw(pattern):
        Captures.of(pattern).match(path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 200 + "b", "a" * 4000),
        ("**/a/" * 150 + "b", "a/" * 2000 + "a"),
        ("**/*a*a*a*a/" * 50 + "b", "aaaaaaaaaaaa/" * 300),
        ("/".join(f"{{a{n}}}-{{b{n}}}" for n in range(50)) + "/z", "/".join(["-".join("abcdefgh")] * 50) + "/y"),
    ],
)
def test_no_pattern_takes_long(pattern: str, path: str) -> None:
    before = time.process_time()
    matches = Captures.of(pattern).match(path) if "{" in pattern else Glob.of(pattern).matches(path)

    assert not matches
    assert time.process_time() - before < 1.0
