"""A host is left alone as it asks, and longer each time that it fails; one answer ends that."""

from __future__ import annotations

import pytest

from bot.core.errors import HostBusy, HostDenied, HostUnclear
from bot.hosts.patience import FIRST, FORGIVEN, LONGEST, Patience


class Now:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def now() -> Now:
    return Now()


def wait(patience: Patience) -> float:
    """Seconds that it must not be called for."""
    try:
        patience.check()
    except HostBusy as busy:
        return busy.retry_after
    return 0.0


def test_a_host_that_asks_is_left_alone_so_long(now: Now) -> None:
    patience = Patience(now)
    patience.asked(20)
    assert wait(patience) == 20
    now.at += 20
    assert wait(patience) == 0


def test_some_failures_are_bad_luck_and_more_are_waited_for_longer_each_time(now: Now) -> None:
    patience, waits = Patience(now), []
    for _ in range(FORGIVEN + 8):
        patience.failed()
        waits.append(wait(patience))
        now.at += waits[-1]
    assert waits[: FORGIVEN - 1] == [0.0] * (FORGIVEN - 1)
    assert waits[FORGIVEN - 1 : FORGIVEN + 2] == [FIRST, 2 * FIRST, 4 * FIRST]
    assert waits[-1] == LONGEST


@pytest.mark.parametrize("status", [200, 304, 404, 422])
def test_an_answer_ends_it_whatever_it_says(now: Now, status: int) -> None:
    patience = Patience(now)
    for _ in range(FORGIVEN - 1):
        patience.answered(502)
    patience.answered(status)
    patience.failed()
    assert wait(patience) == 0


@pytest.mark.parametrize(
    ("error", "counts"), [(HostBusy("x", 1), True), (HostUnclear("x"), True), (HostDenied("x"), False)]
)
def test_only_what_was_not_answered_is_a_failure(now: Now, error: Exception, counts: bool) -> None:
    patience = Patience(now)
    for _ in range(FORGIVEN):
        with pytest.raises(type(error)), patience.trying():
            raise error
    assert (wait(patience) > 0) is counts
