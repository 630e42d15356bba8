"""Plain words: counts, lists and times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.core.effectset import Counts
from bot.core.face.words import both, clock, counted, duration, either, plural, total


def test_counts_name_destruction_first_and_leave_out_zeros() -> None:
    assert counted(Counts(create=5, update=2, delete=3, replace=1)) == "3 destroy, 1 replace, 2 update, 5 create"
    assert counted(Counts()) == "no changes"
    assert total([Counts(create=1), Counts(create=2, run=1)]) == Counts(create=3, run=1)


@pytest.mark.parametrize(
    ("names", "said"),
    [([], ""), (["ann"], "ann"), (["ann", "bo"], "ann or bo"), (["ann", "bo", "cy"], "ann, bo or cy")],
)
def test_names_are_listed_as_people_say_them(names: list[str], said: str) -> None:
    assert either(names) == said
    assert both(names) == said.replace(" or ", " and ")


def test_many_names_are_counted() -> None:
    assert either(list("abcdefghij")) == "a, b, c, d, e, f, g or 3 more"


def test_plurals() -> None:
    assert (plural(1, "project"), plural(2, "project"), plural(0, "try", "tries")) == (
        "1 project",
        "2 projects",
        "0 tries",
    )


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "1 s"), (59.4, "59 s"), (60, "1 min"), (125, "2 min 5 s"), (3780, "1 h 3 min")],
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_times_are_absolute_with_the_date_when_it_is_another_day() -> None:
    now = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
    assert clock(now - timedelta(hours=1), now) == "11:00 UTC"
    assert clock(now - timedelta(days=1), now) == "2026-01-04 12:00 UTC"
