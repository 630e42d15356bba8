"""A merge queue's commit is what people saw when its projects read the same, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.core.group import Group, differs
from bot.core.project import Affected, Project, Selection, Standing


def affected(**digests: str) -> tuple[Affected, ...]:
    projects = {name: Project(name, name, "command", environment="dev") for name in digests}
    return tuple(Affected(projects[name], Standing.EXISTING, digest=each) for name, each in digests.items())


SEEN = Selection("head", "base", affected=affected(web="1", db="2"), rules_digest="r")


def group(found: tuple[Affected, ...], *, mechanical: bool = True, rules: str = "r") -> Group:
    return Group("g", "b", mechanical, found, rules)


def test_equal_inputs_are_the_same_plan_wherever_they_stand() -> None:
    assert differs(group(affected(db="2", web="1")), SEEN) == ""


@pytest.mark.parametrize(
    ("digests", "said"),
    [
        ({"web": "9", "db": "2"}, "commit web would"),
        ({"web": "1"}, "commit db would"),
        ({"web": "1", "db": "2", "app": "3"}, "commit app would"),
        ({}, "commit db and 1 more would"),
    ],
)
def test_other_inputs_or_other_projects_are_another_plan(digests: dict[str, str], said: str) -> None:
    assert said in differs(group(affected(**digests)), SEEN)


def test_another_binding_and_other_rules_are_another_plan() -> None:
    web, db = affected(web="1", db="2")
    rebound = replace(web, project=replace(web.project, environment="prod"))
    assert "commit web would" in differs(group((rebound, db)), SEEN)
    assert "under other rules" in differs(group((web, db), rules="other"), SEEN)


def test_a_commit_with_something_of_its_own_is_nobodys_plan() -> None:
    assert "not just this change" in differs(group(affected(web="1", db="2"), mechanical=False), SEEN)
