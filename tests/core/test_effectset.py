"""Effect sets are canonical: order and spelling of a tool do not matter, and tokens tell nothing without the key."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import effectset
from bot.core.codec import EFFECTS, decode, encode
from bot.core.effectset import (
    ABSENT,
    Action,
    Counts,
    EffectSet,
    Leaf,
    OutputEffect,
    ResourceEffect,
    Value,
    canonical_json,
    effect_set,
    fingerprint,
    oversized,
    token,
)


@given(order=st.permutations(range(4)))
def test_the_order_in_which_a_tool_lists_things_does_not_matter(build: SimpleNamespace, order: list[int]) -> None:
    listed = [build.an_effect(f"a.{number}") for number in range(4)]
    outputs = [OutputEffect(f"o{number}", ABSENT, Value.known(number)) for number in range(4)]
    mixed = effect_set([listed[each] for each in order], [outputs[each] for each in order])
    assert mixed == effect_set(listed, outputs)
    assert fingerprint(b"k", mixed) == fingerprint(b"k", effect_set(listed, outputs))


def test_a_fingerprint_depends_on_everything_and_on_the_key(build: SimpleNamespace) -> None:
    plain = build.an_effect_set()
    others = (
        EffectSet(),
        build.an_effect_set(build.an_effect(action=Action.UPDATE)),
        build.an_effect_set(unpredictable=1),
        build.an_effect_set(build.an_effect(leaves=())),
    )
    prints = {fingerprint(b"k", each) for each in (plain, *others)}
    assert len(prints) == 5
    assert fingerprint(b"other", plain) not in prints
    assert all(len(each) == 24 and each.islower() for each in prints)


def test_a_token_is_the_same_for_the_same_value_and_key_only() -> None:
    assert token(b"k", "1234") == token(b"k", "1234") != token(b"j", "1234")
    assert Value.sensitive(b"k", "1234").text == token(b"k", '"1234"')


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (1.5, "1.5"),
        (2.0**60, "1.152921504606847e+18"),
        ({"b": 1, "a": [2.0, (3,)]}, '{"a":[2,[3]],"b":1}'),
        ({1: "ü"}, '{"1":"ü"}'),
        (None, "null"),
        (True, "true"),
    ],
)
def test_json_is_canonical(value: object, text: str) -> None:
    assert canonical_json(value) == text


def test_counts_name_every_action_and_add_up(build: SimpleNamespace) -> None:
    every = build.an_effect_set(*(build.an_effect(f"a.{action.value}", action) for action in Action))
    assert every.counts() == Counts(1, 1, 1, 1, 1, 1, 1, 1)
    assert every.counts() + every.counts() == Counts(2, 2, 2, 2, 2, 2, 2, 2)
    assert [each.action for each in every.destroyed] == [Action.DELETE, Action.REPLACE]


def test_only_what_does_nothing_at_all_is_empty(build: SimpleNamespace) -> None:
    assert EffectSet().empty
    assert not EffectSet(unpredictable=1).empty
    assert not EffectSet(outputs=(OutputEffect("o", ABSENT, ABSENT),)).empty
    assert not build.an_effect_set().empty


def test_half_a_character_cannot_keep_a_plan_from_being_stored() -> None:
    odd = json.loads('"a\\ud800b"')
    leaf = Leaf(odd, ABSENT, Value.known({odd: odd}))
    made = effect_set(
        [ResourceEffect(odd, Action.CREATE, odd, odd, odd, odd, (odd,), (leaf,))], [OutputEffect(odd, ABSENT, ABSENT)]
    )
    assert fingerprint(b"k", made)
    assert decode(EFFECTS, encode(EFFECTS, made)) == made


@pytest.mark.parametrize(
    ("bound", "why"), [("MOST_EFFECTS", "touches 2 things, and at most 1 "), ("MOST_CHARACTERS", "has 27 characters")]
)
def test_a_plan_that_nobody_could_review_is_told_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, bound: str, why: str
) -> None:
    leaf = Leaf("path", ABSENT, Value.known("value"))
    made = effect_set(
        [ResourceEffect("address", Action.REPLACE, replace_paths=("path",), leaves=(leaf,))],
        [OutputEffect("name", ABSENT, Value.known(1))],
    )
    assert oversized(made) == ""
    monkeypatch.setattr(effectset, bound, 1)
    assert oversized(made).startswith(why)
    assert oversized(made).endswith("split the project")
