"""CI as a gate: results of others, by name and by who reports them, on the commit that would be merged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def test_the_gate_waits_for_the_checks_that_the_operator_names_and_for_nobody_elses(
    make_world: Callable[..., Any],
) -> None:
    rules = (
        ", required_checks: [{name: build, source: bo}, {any_of: [jenkins, travis]}, {name: e2e, if_present: true}]"
    )
    world = make_world(approvals=0, prod=rules)
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    assert world.gate(pull) == "pending"

    world.repo.set_status(pull.head_sha, "build", "success", "cy")
    world.repo.set_status(pull.head_sha, "travis", "success", "cy")
    world.settle()
    assert "`build` was reported by cy, not by bo" in world.face(pull)

    world.repo.set_status(pull.head_sha, "build", "success", "bo")
    world.settle()
    assert world.gate(pull) == "success"

    world.repo.set_status(pull.head_sha, "e2e", "failure", "cy")
    world.settle()
    assert world.gate(pull) == "failure"

    world.push(pull, {"prod/web/wanted": "a=3\n"})
    assert world.gate(pull) == "pending", "results of another commit say nothing of this one"
