"""Two nested values become the leaves that differ; what is hidden stays hidden."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.effectset import ABSENT, UNKNOWN, Value, ValueKind
from bot.core.flatten import DEEPEST, Masks, leaves, secrets_in

KEY = b"key"
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text("ab", max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("xy", min_size=1, max_size=2), inner)
    ),
    max_leaves=8,
)


def flat(before: object, after: object, **masks: Any) -> dict[str, tuple[Value, Value]]:
    return {each.path: (each.before, each.after) for each in leaves(before, after, Masks(**masks), KEY)}


@given(value=json_values)
def test_equal_values_have_no_differing_leaves(value: object) -> None:
    assert flat(value, value) == {}


@given(before=json_values, after=json_values)
def test_leaves_come_sorted_and_each_differs(before: object, after: object) -> None:
    found = leaves(before, after, Masks(), KEY)
    assert [each.path for each in found] == sorted(each.path for each in found)
    assert all(each.before != each.after for each in found)


@given(before=json_values, after=json_values)
def test_nothing_of_a_hidden_value_is_shown(before: object, after: object) -> None:
    for masks in (Masks(before_sensitive=True), Masks(after_sensitive=True)):
        for each in leaves(before, after, masks, KEY):
            assert {each.before.kind, each.after.kind} <= {ValueKind.SENSITIVE, ValueKind.ABSENT}


def test_paths_are_dotted_with_positions_in_brackets() -> None:
    found = flat({"tags": {"owner": "a"}, "rule": [{"port": 1}]}, {"tags": {"owner": "b"}, "rule": [{"port": 2}, 3]})
    assert set(found) == {"tags.owner", "rule[0].port", "rule[1]"}
    assert found["tags.owner"] == (Value.known("a"), Value.known("b"))
    assert found["rule[1]"] == (ABSENT, Value.known(3))


def test_what_is_created_or_gone_is_shown_leaf_by_leaf() -> None:
    assert flat(None, {"a": 1, "b": None}) == {"a": (ABSENT, Value.known(1))}
    assert flat({"a": [1]}, None) == {"a[0]": (Value.known(1), ABSENT)}


def test_a_value_that_changes_its_shape_is_one_leaf() -> None:
    assert flat({"a": {"b": 1}}, {"a": [1]}) == {"a": (Value.known({"b": 1}), Value.known([1]))}


def test_masks_go_along_with_the_shape() -> None:
    found = flat(
        {"a": ["x", "y"], "b": 1},
        {"a": ["x", "z"], "b": None},
        after_sensitive={"a": [False, True]},
        after_unknown={"b": True, "c": True},
    )
    assert set(found) == {"a[1]", "b", "c"}
    assert found["a[1]"] == (Value.sensitive(KEY, "y"), Value.sensitive(KEY, "z"))
    assert found["b"] == (Value.known(1), UNKNOWN)
    assert found["c"] == (ABSENT, UNKNOWN)


def test_a_mask_shorter_than_the_list_hides_nothing_behind_it() -> None:
    assert flat([1, 2], [1, 3], after_sensitive=[True]) == {"[1]": (Value.known(2), Value.known(3))}


def test_a_value_that_becomes_hidden_is_a_leaf_without_its_text() -> None:
    found = flat({"a": {"pin": "1234"}}, {"a": {"pin": "9999"}}, before_sensitive={"a": True})
    assert set(found) == {"a"}
    assert "1234" not in found["a"][0].text


def test_depth_is_bounded() -> None:
    deep: object = 1
    for _ in range(DEEPEST * 3):
        deep = {"a": deep}
    (path,) = flat(None, deep)
    assert path.count("a") == DEEPEST


@pytest.mark.parametrize(
    ("value", "mask", "found"),
    [
        ("pin", True, ("pin",)),
        ("pin", False, ()),
        ({"a": "pin", "b": "open"}, {"a": True, "c": True}, ("pin",)),
        (["open", {"x": ["pin", 1234, None, True]}], [False, True], ("pin", "1234")),
        ({"a": {"b": "pin"}}, True, ("pin",)),
        ([], [True], ()),
    ],
)
def test_the_strings_below_a_mask_are_secrets(value: object, mask: object, found: tuple[str, ...]) -> None:
    assert secrets_in(value, mask) == found


def test_what_a_mask_covers_is_found_whatever_its_shape() -> None:
    value = {"a": "x", "b": ["y", {"c": "z"}], "n": 3, "t": True, "o": None}
    assert secrets_in(value, {"a": True, "b": [True, {"c": True}], "n": True, "t": True, "o": True}) == (
        "x",
        "y",
        "z",
        "3",
    )
    assert secrets_in(value, {"a": False, "b": [False]}) == ()
    assert secrets_in(["x"], [False, True]) == ()
    assert secrets_in("x", {"a": True}) == ()
    assert flat([1], [1, 2]) == {"[1]": (ABSENT, Value.known(2))}


@pytest.mark.parametrize("mask", [{"a": True}, [False, True], {"a": [{"b": True}]}])
def test_what_is_masked_in_part_is_hidden_whole_where_it_is_shown_whole(mask: object) -> None:
    found = leaves({"a": "secret"}, ["open", "secret"], Masks(after_sensitive=mask), KEY)
    assert [each.after.kind for each in found] == [ValueKind.SENSITIVE]


def test_a_mask_below_the_greatest_depth_still_hides() -> None:
    value: object = "secret"
    mask: object = True
    for _ in range(DEEPEST + 5):
        value, mask = {"a": value}, {"a": mask}
    found = leaves(None, value, Masks(after_sensitive=mask), KEY)
    assert [each.after.kind for each in found] == [ValueKind.SENSITIVE]
