"""What a plan shows holds no secret, and is still compared exactly."""

from __future__ import annotations

import pytest

from bot.core.compare import match
from bot.core.effectset import (
    ABSENT,
    Action,
    EffectSet,
    Leaf,
    OutputEffect,
    ResourceEffect,
    Value,
    ValueKind,
    effect_set,
)
from bot.core.redaction import Redactor
from bot.core.redaction.effects import concealed

KEY = b"k" * 32
SECRET = "correct-horse-battery"


def plan(value: object, address: str = "a", path: str = "value", output: object = "1") -> EffectSet:
    leaf = Leaf(path, ABSENT, Value.known(value))
    resource = ResourceEffect(address, Action.CREATE, "thing", reason="new", leaves=(leaf,))
    return effect_set((resource,), (OutputEffect("o", ABSENT, Value.known(output)),))


def test_a_plan_without_secrets_stays_as_it_is() -> None:
    effects = plan({"size": 3})

    assert concealed(effects, Redactor((SECRET,)), KEY) is effects


@pytest.mark.parametrize(
    "effects",
    [
        plan(SECRET),
        plan(f"https://x:{SECRET}@host/"),
        plan({"inner": [SECRET]}),
        plan("1", address=f"thing[{SECRET}]"),
        plan("1", path=f"tags.{SECRET}"),
        plan("1", output=SECRET),
    ],
    ids=["value", "part of a value", "nested", "address", "path", "output"],
)
def test_a_secret_stands_nowhere_in_it(effects: EffectSet) -> None:
    hidden = concealed(effects, Redactor((SECRET,)), KEY)

    assert SECRET not in repr(hidden)
    assert hidden.counts() == effects.counts()
    assert concealed(hidden, Redactor((SECRET,)), KEY) == hidden


def test_two_secrets_stay_different_and_one_secret_equal() -> None:
    redactor = Redactor((SECRET, "another-long-secret"))
    first, again, other = (concealed(plan(value), redactor, KEY) for value in (SECRET, SECRET, "another-long-secret"))

    assert match(first, again).equal
    assert not match(first, other).equal
    assert first.resources[0].leaves[0].after == Value.sensitive(KEY, SECRET)


def test_names_that_are_hidden_stay_different() -> None:
    redactor = Redactor((SECRET, "another-long-secret"))

    first = concealed(plan("1", address=SECRET), redactor, KEY)
    other = concealed(plan("1", address="another-long-secret"), redactor, KEY)

    assert first.resources[0].address != other.resources[0].address


def test_a_deploy_that_does_not_know_the_plans_secret_hides_it_as_the_plan_did() -> None:
    reviewed = concealed(plan(SECRET, output=SECRET), Redactor((SECRET,)), KEY)

    deployed = concealed(plan(SECRET, output=SECRET), Redactor(()), KEY, reviewed)

    assert deployed == reviewed
    assert not match(reviewed, concealed(plan("changed"), Redactor(()), KEY, reviewed)).equal


def test_a_deploy_that_knows_more_writes_what_was_reviewed_openly_openly_again() -> None:
    reviewed = plan(SECRET)

    assert match(reviewed, concealed(plan(SECRET), Redactor((SECRET,)), KEY, reviewed)).equal
    moved = concealed(plan("elsewhere", output=SECRET), Redactor((SECRET,)), KEY, reviewed)
    assert SECRET not in repr(moved)


def test_what_is_unknown_or_hidden_already_stays_so() -> None:
    unknown = Value(ValueKind.UNKNOWN)
    resource = ResourceEffect(SECRET, Action.CREATE, leaves=(Leaf("x", ABSENT, unknown),))

    assert concealed(effect_set((resource,)), Redactor((SECRET,)), KEY).resources[0].leaves[0].after is unknown
