"""What would happen now is what was reviewed, or it is not: no excuse ever holds for a delete."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.compare import DifferenceKind, covers, difference, match, remainder
from bot.core.effectset import (
    ABSENT,
    UNKNOWN,
    Action,
    EffectSet,
    Leaf,
    OutputEffect,
    ResourceEffect,
    Value,
    effect_set,
)

values = st.one_of(st.just(ABSENT), st.just(UNKNOWN), st.integers(0, 3).map(Value.known))
leaf = st.builds(Leaf, st.sampled_from(("name", "tags", "tags.owner", "rule[0]")), values, values)
leaves = st.lists(leaf, max_size=3, unique_by=lambda each: each.path).map(tuple)
effect = st.builds(
    ResourceEffect, st.sampled_from(("a.x", "a.y", "b.z")), st.sampled_from(list(Action)), leaves=leaves
)
output = st.builds(OutputEffect, st.sampled_from(("url", "ip")), values, values)
effects = st.builds(
    effect_set,
    st.lists(effect, max_size=4),
    st.lists(output, max_size=2, unique_by=lambda each: each.name),
    st.integers(0, 2),
)
excuses = {"volatile": ("*:*",), "made_known": True}


@given(one=effects)
def test_everything_matches_itself(one: EffectSet) -> None:
    assert match(one, one).equal
    assert match(one, one, volatile=("*:*",), made_known=True).equal
    assert difference(one, one) == ()


@given(one=effects, other=effects)
def test_without_excuses_only_equals_match(one: EffectSet, other: EffectSet) -> None:
    same = (one.resources, one.outputs) == (other.resources, other.outputs)
    assert match(one, other).equal == (same and one.unpredictable >= other.unpredictable)


@given(one=effects, other=effects, third=effects)
def test_covering_is_transitive(one: EffectSet, other: EffectSet, third: EffectSet) -> None:
    if covers(one, other) and covers(other, third):
        assert covers(one, third)


@given(one=effects, kept=st.sets(st.integers(0, 3)))
def test_a_set_covers_itself_and_each_part_of_itself(one: EffectSet, kept: set[int]) -> None:
    addresses = {each.address for position, each in enumerate(one.resources) if position in kept}
    part = replace(one, resources=tuple(each for each in one.resources if each.address in addresses))
    assert covers(one, one)
    assert covers(one, part)
    assert covers(one, EffectSet())


@given(one=effects, action=st.sampled_from((Action.DELETE, Action.REPLACE)), added=leaves)
def test_a_delete_that_nobody_saw_is_never_covered(one: EffectSet, action: Action, added: Any) -> None:
    worse = effect_set((*one.resources, ResourceEffect("z.new", action, leaves=added)), one.outputs)
    assert not covers(one, worse)
    assert not match(one, worse, **excuses).equal


@given(before=leaves, after=leaves, action=st.sampled_from((Action.DELETE, Action.REPLACE)))
def test_no_excuse_holds_for_a_delete_or_a_replacement(before: Any, after: Any, action: Action) -> None:
    old = effect_set([ResourceEffect("a.x", action, leaves=before)])
    new = effect_set([ResourceEffect("a.x", action, leaves=after)])
    assert match(old, new, **excuses).equal == (old == new)


@given(old=effect, new=effect)
def test_no_excuse_hides_that_something_becomes_destroyed(old: ResourceEffect, new: ResourceEffect) -> None:
    if new.action.destroys and (old.address, old.action) != (new.address, new.action):
        assert not match(effect_set([old]), effect_set([new]), **excuses).equal


def pair(build: SimpleNamespace, before: Leaf | None, after: Leaf | None) -> tuple[EffectSet, EffectSet]:
    def of(each: Leaf | None) -> EffectSet:
        leaves_of = () if each is None else (each,)
        return build.an_effect_set(build.an_effect(action=Action.UPDATE, leaves=leaves_of))

    return of(before), of(after)


ONE, TWO = Value.known(1), Value.known(2)


@pytest.mark.parametrize(
    ("pattern", "excused"),
    [
        ("aws_bucket.*:etag", True),
        ("aws_bucket.*:e*", True),
        ("*:etag", True),
        ("other.*:etag", False),
        ("aws_bucket.*:name", False),
        ("etag", False),
        (":etag", False),
    ],
)
def test_a_volatile_path_may_differ(build: SimpleNamespace, pattern: str, excused: bool) -> None:
    old, new = pair(build, Leaf("etag", ONE, ONE), Leaf("etag", ONE, TWO))
    assert match(old, new, volatile=(pattern,)).equal is excused


@pytest.mark.parametrize(
    ("before", "after", "excused"),
    [
        (Leaf("ip", ONE, UNKNOWN), Leaf("ip", ONE, TWO), True),
        (Leaf("ip", ONE, UNKNOWN), Leaf("ip", TWO, TWO), False),
        (Leaf("ip", ONE, UNKNOWN), None, True),
        (Leaf("ip", ONE, ONE), Leaf("ip", ONE, TWO), False),
        (None, Leaf("ip", ONE, TWO), False),
    ],
)
def test_only_what_was_unknown_may_become_known(
    build: SimpleNamespace, before: Leaf | None, after: Leaf | None, excused: bool
) -> None:
    old, new = pair(build, before, after)
    assert match(old, new, made_known=True).equal is excused
    assert not match(old, new).equal


@pytest.mark.parametrize(
    ("path", "excused"), [("tags.owner", True), ("tags[0]", True), ("tagsx", False), ("other", False)]
)
def test_what_lies_inside_something_unknown_may_become_known(
    build: SimpleNamespace, path: str, excused: bool
) -> None:
    old = build.an_effect_set(build.an_effect(action=Action.UPDATE, leaves=(Leaf("tags", ABSENT, UNKNOWN),)))
    new = build.an_effect_set(build.an_effect(action=Action.UPDATE, leaves=(Leaf(path, ABSENT, ONE),)))
    assert match(old, new, made_known=True).equal is excused


def test_differences_say_which_kind_they_are(build: SimpleNamespace) -> None:
    kept, gone, changed = build.an_effect("a"), build.an_effect("b"), build.an_effect("c")
    other = replace(changed, leaves=())
    old, new = build.an_effect_set(kept, gone, changed), build.an_effect_set(kept, other, build.an_effect("d"))
    kinds = {each.address: each.kind for each in difference(old, new)}
    assert kinds == {"b": DifferenceKind.VANISHED, "c": DifferenceKind.CHANGED, "d": DifferenceKind.ADDED}
    assert [each.address for each in remainder(old, new).differences] == ["c", "d"]


def test_an_address_listed_twice_is_compared_by_position(build: SimpleNamespace) -> None:
    twice = build.an_effect_set(build.an_effect(), build.an_effect())
    assert not covers(build.an_effect_set(), twice)
    assert covers(twice, build.an_effect_set())


def test_outputs_and_unpredictable_steps_count(build: SimpleNamespace) -> None:
    plain = build.an_effect_set()
    changed = replace(plain, outputs=(OutputEffect("url", ONE, TWO),))
    assert [each.address for each in difference(plain, changed)] == ["output.url"]
    assert not match(plain, replace(plain, unpredictable=1)).equal
    assert match(replace(plain, unpredictable=1), plain).equal
    assert not match(plain, replace(plain, format=99)).equal
