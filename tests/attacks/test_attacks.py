"""Hostile changes on the forge, planned by the real bot behind real walls: each is contained, and by what it says."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from attacks.attack import Attack
from attacks.ground import Ground
from attacks.layers import Layer
from attacks.registry import ATTACKS

from bot.sandbox.enclosure import unavailable

pytestmark = pytest.mark.skipif(bool(unavailable()), reason=f"no isolation here: {unavailable()}")
ALONE = [(layer, attack) for attack in ATTACKS if len(attack.stopped_by) == 1 for layer in attack.stopped_by]
TOGETHER = [attack for attack in ATTACKS if len(attack.stopped_by) > 1]
FIRST = dict(reversed(ALONE))
"""One attack for each layer, which the everyday run tries; `make attacks` tries every one."""
EACH = [(layer, attack) for attack in TOGETHER for layer in Layer if layer in attack.stopped_by]


def harm(ground: Ground, attack: Attack, without: Iterable[Layer]) -> bool:
    """Whether what must not happen happens without these layers."""
    if why := attack.missing(ground):
        pytest.skip(why)
    with ground.without(without), attack.staged(ground) as scene:
        return attack.harmed(scene)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_it_is_contained(ground: Ground, attack: Attack) -> None:
    assert not harm(ground, attack, without=())


@pytest.mark.parametrize(
    ("layer", "attack"),
    [
        pytest.param(
            layer,
            attack,
            id=f"{layer.name}-{attack.name}",
            marks=() if FIRST[layer] is attack else pytest.mark.thorough,
        )
        for layer, attack in ALONE
    ],
)
def test_without_this_layer_this_attack_succeeds(ground: Ground, layer: Layer, attack: Attack) -> None:
    assert harm(ground, attack, without={layer})


@pytest.mark.parametrize("attack", TOGETHER, ids=lambda attack: attack.name)
def test_without_all_that_stops_it_this_attack_succeeds(ground: Ground, attack: Attack) -> None:
    assert harm(ground, attack, without=attack.stopped_by)


@pytest.mark.thorough
@pytest.mark.parametrize(("layer", "attack"), EACH, ids=[f"{layer.name}-{attack.name}" for layer, attack in EACH])
def test_this_layer_alone_stops_this_attack(ground: Ground, layer: Layer, attack: Attack) -> None:
    assert not harm(ground, attack, without=attack.stopped_by - {layer})


@pytest.mark.parametrize("layer", Layer, ids=lambda layer: layer.name)
def test_every_layer_stops_an_attack_that_nothing_else_stops(layer: Layer) -> None:
    assert any(layer is each for each, _ in ALONE)


def test_every_attack_has_its_own_name_and_is_stopped_by_something() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
    assert all(attack.stopped_by for attack in ATTACKS)
