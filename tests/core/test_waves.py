"""Waves follow ``depends_on`` and the order of environments; nobody is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.project import Project
from bot.core.rules import Environment
from bot.core.waves import circle, waves

ORDER = {
    "dev": Environment("dev"),
    "staging": Environment("staging", after=("dev",)),
    "prod": Environment("prod", after=("staging",)),
}


def project(name: str, *depends_on: str, environment: str = "") -> Project:
    return Project(name, name, "t", environment=environment, depends_on=depends_on)


def test_a_project_comes_after_those_it_depends_on() -> None:
    found = waves([project("c", "b"), project("b", "a"), project("a"), project("x", "elsewhere")], {})

    assert found == (("a", "x"), ("b",), ("c",))


def test_an_environment_comes_after_those_before_it_even_past_an_empty_one() -> None:
    projects = [
        project("p", environment="prod"),
        project("d2", "d1", environment="dev"),
        project("d1", environment="dev"),
    ]

    assert waves(projects, ORDER) == (("d1",), ("d2",), ("p",))


def test_an_order_that_nobody_stands_in_the_way_of_takes_no_wave() -> None:
    assert waves([project("p", environment="prod"), project("x", environment="unknown")], ORDER) == (("p", "x"),)


def test_nothing_makes_no_wave() -> None:
    assert waves([], ORDER) == ()
    assert circle([], ORDER) == ()


def test_what_waits_for_itself_comes_last_and_is_named() -> None:
    projects = [project("a", "b"), project("b", "a"), project("c", "a"), project("d")]

    assert waves(projects, {}) == (("d",), ("a", "b", "c"))
    assert circle(projects, {}) == ("a", "b", "a")


def test_a_circle_through_environments_is_named() -> None:
    projects = [project("d", "p", environment="dev"), project("p", environment="prod")]

    assert set(circle(projects, ORDER)) == {"d", "p", "environment prod", "environment staging"}


GRAPHS = st.lists(st.tuples(st.lists(st.integers(0, 7), max_size=3), st.sampled_from(["", "dev", "staging", "prod"])))


@given(GRAPHS)
def test_every_project_is_in_one_wave_after_all_it_waits_for(graph: list[tuple[list[int], str]]) -> None:
    projects = [
        project(str(number), *(str(other) for other in others), environment=environment)
        for number, (others, environment) in enumerate(graph)
    ]
    found = waves(projects, ORDER)
    level = {name: number for number, wave in enumerate(found) for name in wave}

    assert sorted(level) == sorted(each.name for each in projects)
    assert sum(map(len, found)) == len(projects)
    if circle(projects, ORDER):
        return
    before = {"staging": {"dev"}, "prod": {"dev", "staging"}}
    for one in projects:
        for other in projects:
            if other.name in one.depends_on or other.environment in before.get(one.environment, ()):
                assert level[other.name] < level[one.name]


@pytest.mark.parametrize("size", [5_000])
def test_a_long_chain_needs_no_recursion(size: int) -> None:
    chain = [project(str(number), str(number - 1)) for number in range(size)]

    assert len(waves(chain, {})) == size
