"""A YAML file within bounds: values with their lines, or problems; never an exception."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bot.core.config import document
from bot.core.config.document import Document, load, plain, shown, shown_path


def read(text: str | bytes) -> Document:
    found = load(text, "x.yaml")
    assert isinstance(found, Document), found
    return found


def problem(text: str | bytes) -> str:
    found = load(text, "x.yaml")
    assert not isinstance(found, Document)
    return "; ".join(map(str, found))


def test_every_part_knows_its_line() -> None:
    found = read("a: 1\nb:\n  - x\n  - {c: y}\n")

    assert found.value == {"a": 1, "b": ["x", {"c": "y"}]}
    assert [found.line(path) for path in [("a",), ("b",), ("b", 0), ("b", 1, "c")]] == [1, 2, 3, 4]
    assert found.line(("b", 1, "nothing")) == 4
    assert str(found.problem(("b", 1, "c"), "is odd")) == "x.yaml:4 b[1].c: is odd"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("on", "on"),
        ("no", "no"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("12", 12),
        ("-3", -3),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("2026-01-01", "2026-01-01"),
        ("30:00", "30:00"),
        ("9" * 30, float("9" * 30)),
        ("0x10", "0x10"),
        (".inf", ".inf"),
    ],
)
def test_words_mean_what_yaml_1_2_says(text: str, wanted: object) -> None:
    assert plain(text) == wanted
    assert read(f"a: {text}").value == {"a": wanted}
    assert read(f'a: "{text}"').value == {"a": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}),
        ("# nothing\n", {}),
        ("\ufeffa: 1", {"a": 1}),
        ("a: !!str 3", {"a": "3"}),
        ("a: !!int '3'", {"a": 3}),
        ("a: ! 3", {"a": "3"}),
        ("3: x\ntrue: y", {"3": "x", "true": "y"}),
        ("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}", {"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3}}),
        ("b: {<<: [{p: 1}, {p: 2, q: 2}]}", {"b": {"p": 1, "q": 2}}),
        ("&k a: 1\nb: *k", {"a": 1, "b": "a"}),
        ("a: &x 1\nb: [*x, *x]", {"a": 1, "b": [1, 1]}),
        ("a: &x [1]\nb: &x [2]\nc: *x", {"a": [1], "b": [2], "c": [2]}),
        ("a: !!map {}\nb: !!seq []", {"a": {}, "b": []}),
        ("word", "word"),
    ],
)
def test_the_plain_parts_of_yaml_are_read(text: str, value: object) -> None:
    assert read(text).value == value


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a: 1\nb: 2\na: 3\n", "x.yaml:3 a: is written twice; the first is in line 1"),
        ("a: [", "is not YAML"),
        ("a: !!python/object:os.system x", "a: the tag `tag:yaml.org,2002:python/object:os.system` is not allowed"),
        ("a: !mine {}", "the tag `!mine` is not allowed"),
        ("a: !!binary aGk=", "is not allowed"),
        ("? [1]\n: 2", "a key must be text"),
        ("a: &x 1\n? *x\n: 2", "a key must be text"),
        ("a: &x [*x]", "names nothing that is complete before it"),
        ("a: *x", "`*x`"),
        ("a: 1\n---\nb: 2", "more than one document"),
        ("{<<: 3}", "`<<` takes a mapping"),
        ("a: 1\n<<:\n- b", "x.yaml:2"),
        ("[" * 40 + "]" * 40, "nested more than 32 deep"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        ("\ud800", "is not UTF-8 text"),
        ("a: \x07", "a character that YAML does not allow"),
        ("a: " + "x" * document.MAX_BYTES, "at most 1,000,000 are read"),
    ],
)
def test_what_cannot_be_read_is_a_problem(text: str | bytes, wanted: str) -> None:
    assert wanted in problem(text)


def test_aliases_cost_what_they_repeat() -> None:
    laughs = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
        f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
    )

    assert "holds more than 200,000 values" in problem(laughs)


def test_repeated_keys_are_reported_up_to_a_bound() -> None:
    found = load("a: 1\n" * 500, "x.yaml")

    assert isinstance(found, tuple) and len(found) == document.MAX_DUPLICATES


def test_an_anchor_alone_is_a_document() -> None:
    assert read("&a [1]").value == [1]
    assert "complete" in problem("*a")


def test_messages_show_hostile_text_harmless() -> None:
    assert shown("a`b\n\x1b[31m" + "x" * 100, 12) == "a·b··[31mxx…"
    assert shown_path(("a", 0, "b c", "\n")) == 'a[0]["b c"]["·"]'


@given(st.one_of(st.text(), st.binary(), st.text("{}[]:,-&*!|>'\"#%@` \n\tab<", max_size=80)))
def test_no_text_raises(text: str | bytes) -> None:
    load(text, "x.yaml")


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**17), 10**17), st.text("abc -:#", max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text("abc", min_size=1), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.text("abc", min_size=1), VALUES, max_size=4))
def test_what_is_written_is_read_back(value: dict[str, object]) -> None:
    assert read(yaml.safe_dump(value)).value == value


def test_what_is_missing_at_the_end_is_missed_in_the_last_line() -> None:
    [problem] = load(b"a:\nb", "file")  # type: ignore[misc]
    assert problem.line == 2
