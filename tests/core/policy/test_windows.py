"""Windows of time: when they are open, when that changes, across the hours that a zone leaves out or has twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.policy.windows import Moments, Recurring, read_window

MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def refused(raw: dict[str, Any]) -> list[tuple[Any, str]]:
    found: list[tuple[Any, str]] = []
    assert read_window(raw, lambda path, why: found.append((path, why))) is None
    return found


def window(**raw: str) -> Moments | Recurring:
    found = read_window(raw, lambda path, why: pytest.fail(f"{path}: {why}"))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("raw", "path"),
    [({"cron": "0 9 * *", "duration": "1h"}, ("cron",)), ({"cron": "0 0 9 * * *", "duration": "1h"}, ("cron",)),
     ({"cron": "0 9 * * *", "duration": "0h"}, ("duration",)), ({"cron": "0 9 * * *", "duration": "9h9"},
      ("duration",)),
     ({"cron": "0 9 * * *", "duration": "400d"}, ("duration",)), ({"from": "x", "until": "2026-01-01"}, ("from",)),
     ({"from": "2026-01-01", "until": "x"}, ("until",)), ({"from": "2026-01-02", "until": "2026-01-01"}, ("until",)),
     ({"cron": "0 9 * * *", "until": "2026-01-01"}, ()), ({"from": "2026-01-01", "zone": "UTC"}, ()),
     ({"from": "2026-01-01", "until": "2026-01-02", "zone": "Mars/Base"}, ("zone",)),
     ({"from": "2026-01-01", "until": "2026-01-02", "zone": "../../etc/passwd"}, ("zone",))],
)  # fmt: skip
def test_a_window_that_is_none_is_told_with_its_place(raw: dict[str, str], path: tuple[str, ...]) -> None:
    ((where, why),) = refused(raw)
    assert where == path and why


def test_a_window_opens_at_its_hour_in_its_zone_also_after_the_clocks_change() -> None:
    found = window(cron="0 9 * * *", duration="1h", zone="Europe/Berlin")
    assert found.holds(datetime(2026, 3, 28, 8, 30, tzinfo=UTC))
    assert found.holds(datetime(2026, 3, 29, 7, 30, tzinfo=UTC)) and not found.holds(
        datetime(2026, 3, 29, 8, 30, tzinfo=UTC)
    )


def test_the_hour_that_a_zone_has_twice_is_one_window_of_its_length() -> None:
    found = window(cron="30 0 * * *", duration="3h", zone="Europe/Berlin")
    opens = datetime(2026, 10, 24, 22, 30, tzinfo=UTC)
    assert found.holds(opens) and found.holds(opens + timedelta(hours=2, minutes=59))
    assert not found.holds(opens + timedelta(hours=3))


@given(MOMENTS)
def test_between_two_edges_a_window_never_opens_or_closes(now: datetime) -> None:
    for found in (window(cron="15 9 * * MON-FRI", duration="8h", zone="America/New_York"),
                  window(**{"from": "2026-06-01", "until": "2026-07-01T12:00"})):  # fmt: skip
        edge = found.next_edge(now)
        if edge is None:
            continue
        assert edge > now
        just_before = max(now, edge - timedelta(seconds=1))
        assert found.holds(just_before) is found.holds(now)


def test_after_the_last_edge_there_is_none() -> None:
    assert window(**{"from": "2026-06-01", "until": "2026-07-01+00:00"[:10]}).next_edge(
        datetime(2027, 1, 1, tzinfo=UTC)
    ) is None  # fmt: skip


def test_a_window_says_what_it_is() -> None:
    assert str(window(cron="0 9 * * *", duration="90m")) == "`0 9 * * *` UTC for 1.5 h"
