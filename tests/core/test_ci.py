"""Others' checks: any of, all of, only if present, by whom; each with the words people read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.ci import CheckRule, NamedCheck, _matches, check_reasons, check_rules
from bot.core.model import CheckState, HostCheck
from bot.core.verdict import Status

S, F, P, N, E = (CheckState.SUCCESS, CheckState.FAILURE, CheckState.PENDING, CheckState.NEUTRAL, CheckState.ERROR)


def ruled(entry: str | Mapping[str, Any], *checks: HostCheck) -> tuple[Status, str]:
    def refuse(position: int, why: str) -> None:
        raise AssertionError(f"{position}: {why}")

    (reason,) = check_reasons(check_rules([entry], refuse), checks, "ann")
    return reason.status, reason.text


@pytest.mark.parametrize(
    ("entry", "checks", "status", "text"),
    [
        ("lint", [], Status.PENDING, "`lint` has not reported for this commit"),
        ("lint", [("lint", P)], Status.PENDING, "`lint` has not ended"),
        ("lint", [("lint", S)], Status.APPROVED, "`lint` is green"),
        ("lint", [("lint", N)], Status.APPROVED, "`lint` is green"),
        ("lint", [("lint", F)], Status.DENIED, "`lint` failed"),
        ("lint", [("lint", E)], Status.DENIED, "`lint` failed"),
        ("lint", [("lint", S), ("lint", F)], Status.DENIED, "`lint` failed"),
        ("lint", [("Lint", S)], Status.PENDING, "`lint` has not reported for this commit"),
        ("ci/*", [("ci/a", S), ("ci/b: c/d", S), ("other", F)], Status.APPROVED, "`ci/*` is green"),
        ("ci/*", [("ci/a", S), ("ci/b", P)], Status.PENDING, "`ci/*` has not ended"),
        ("ci/*", [("ci/a", P), ("ci/b", F)], Status.DENIED, "`ci/*` failed"),
        ({"any_of": ["a", "b"]}, [("b", S)], Status.APPROVED, "`b` is green"),
        ({"any_of": ["a", "b"]}, [("a", F), ("b", S)], Status.APPROVED, "`b` is green"),
        ({"any_of": ["a", "b"]}, [("a", F), ("b", F)], Status.DENIED, "`a` and `b` failed"),
        ({"any_of": ["a", "b"]}, [("a", F)], Status.PENDING, "`b` has not reported for this commit"),
        (
            {"any_of": ["a", "b"]},
            [("a", P)],
            Status.PENDING,
            "`a` has not ended; `b` has not reported for this commit",
        ),
        ({"name": "e2e", "if_present": True}, [], Status.APPROVED, "`e2e` is not there, and counts only if it is"),
        ({"name": "e2e", "if_present": True}, [("e2e", P)], Status.PENDING, "`e2e` has not ended"),
        ({"name": "e2e", "if_present": True}, [("e2e", F)], Status.DENIED, "`e2e` failed"),
        ({"any_of": ["a", "b"], "if_present": True}, [("a", F)], Status.DENIED, "`a` failed"),
    ],
)
def test_a_rule_is_judged_and_said(
    entry: Any, checks: list[tuple[str, CheckState]], status: Status, text: str
) -> None:
    assert ruled(entry, *(HostCheck(name, state) for name, state in checks)) == (status, text)


def test_a_pinned_check_counts_only_from_its_source_and_says_who_else_reported_it() -> None:
    pinned = {"name": "build", "source": "github-actions"}
    assert ruled(pinned, HostCheck("build", S, "github-actions[bot]")) == (
        Status.APPROVED,
        "`build` by github-actions is green",
    )
    forged = HostCheck("build", S, "eve")
    assert ruled(pinned, forged) == (Status.PENDING, "`build` was reported by eve, not by github-actions")
    assert ruled(pinned, forged, HostCheck("build", F, "github-actions"))[0] is Status.DENIED
    assert ruled({**pinned, "if_present": True}, forged)[0] is Status.PENDING
    assert ruled(pinned, HostCheck("build", S))[1] == "`build` was reported by nobody known, not by github-actions"


def test_our_own_checks_never_count_not_even_by_a_pattern() -> None:
    assert ruled("*", HostCheck("headgate/gate", S))[0] is Status.PENDING


def test_the_same_rule_twice_is_one() -> None:
    rule = CheckRule((NamedCheck("lint"),))
    assert len(list(check_reasons([rule, rule], (), "ann"))) == 1


@pytest.mark.parametrize(
    "entry", [{}, {"source": "x"}, {"name": "a", "any_of": ["b"]}, {"any_of": ["a"], "source": "x"}]
)
def test_an_entry_names_either_one_check_or_several(entry: dict[str, Any]) -> None:
    told: list[tuple[int, str]] = []
    assert check_rules(["lint", entry], lambda position, why: told.append((position, why))) == (
        CheckRule((NamedCheck("lint"),)),
    )
    assert told == [(1, "must have either `name` (and perhaps `source`) or `any_of`")]


@given(st.lists(st.text("ab", max_size=3), min_size=1, max_size=5), st.lists(st.text("ab*", max_size=3), max_size=6))
def test_a_star_stands_for_any_characters(pieces: list[str], fill: list[str]) -> None:
    fills = [*fill, *[""] * len(pieces)]
    name = pieces[0] + "".join(between + piece for between, piece in zip(fills, pieces[1:], strict=False))
    assert _matches("*".join(pieces), name)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [("a*a", "a"), ("a*b*a", "aba b"), ("ci/*", "ci"), ("*x*", "abc"), ("a", "ab"), ("ab*ba", "aba")],
)
def test_what_a_pattern_does_not_match(pattern: str, name: str) -> None:
    assert not _matches(pattern, name)
