"""Our own limits hold whatever is asked, and the time they name is enough."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import HostBusy
from bot.hosts.github.limiter import CONTENT, POINTS, WRITE_POINTS, Limiter, Window


def test_github_s_own_limits_are_not_reached() -> None:
    """80 a minute and 500 an hour for content; 900 points a minute."""
    assert {window.seconds: window.points for window in CONTENT} == {60.0: 75, 3600.0: 480}
    assert POINTS[0].points + WRITE_POINTS <= 900


def test_what_is_over_is_refused_until_the_oldest_has_left() -> None:
    now = [0.0]
    limiter = Limiter((Window(60, 2),), lambda: now[0])
    limiter.take()
    now[0] = 10
    limiter.take()
    with pytest.raises(HostBusy) as caught:
        limiter.take()
    assert caught.value.retry_after == pytest.approx(50, abs=0.1)
    now[0] += caught.value.retry_after
    limiter.take()


@given(st.lists(st.tuples(st.floats(0, 40), st.integers(1, 5)), max_size=60))
def test_no_window_ever_holds_more_and_waiting_as_told_is_enough(steps: list[tuple[float, int]]) -> None:
    now, spent = [0.0], []
    windows = (Window(60.0, 10), Window(600.0, 40))
    limiter = Limiter(windows, lambda: now[0])
    for pause, points in steps:
        now[0] += pause
        for _ in range(3):
            try:
                limiter.take(points)
            except HostBusy as busy:
                assert 0 < busy.retry_after <= 601
                now[0] += busy.retry_after
            else:
                spent.append((now[0], points))
                break
        else:
            raise AssertionError("waited as told, and still refused")
        for window in windows:
            recent = sum(each for at, each in spent if now[0] - at < window.seconds)
            assert recent <= window.points
