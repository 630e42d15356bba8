"""Sweeps take at most a fifth of a host's rate budget, and each repository has its turn."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.core.errors import HostBusy
from bot.ports import Budget
from bot.work.allowance import Allowance, Swept

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
REPOSITORIES = ("a", "b", "c")


class Host:
    """A rate limit as hosts tell it."""

    def __init__(self, limit: int | None = 100) -> None:
        self.budget = Budget(limit, limit, NOON)
        self.swept: list[str] = []
        self.now = NOON - timedelta(minutes=30)

    def sweep(self, repository: str, calls: int = 4) -> None:
        """Costs some calls."""
        self.swept.append(repository)
        left = self.budget.remaining
        self.budget = replace(self.budget, remaining=None if left is None else left - calls)


def test_no_more_than_a_fifth_is_taken_and_each_has_its_turn() -> None:
    host = Host()
    allowance = Allowance(lambda: host.budget, lambda: host.now)
    rounds = [allowance.spend(REPOSITORIES, host.sweep).count for _ in range(3)]
    assert rounds == [3, 2, 0]
    assert host.swept == ["a", "b", "c", "a", "b"]

    host.budget = Budget(100, 100, NOON + timedelta(hours=1))
    assert allowance.spend(REPOSITORIES, host.sweep) == Swept(3)
    assert host.swept[5:] == ["c", "a", "b"], "it goes on where it ended"


def test_a_window_that_has_ended_holds_nobody_back_though_no_call_told_of_the_next() -> None:
    host = Host()
    allowance = Allowance(lambda: host.budget, lambda: host.now)
    assert [allowance.spend(REPOSITORIES, host.sweep).count for _ in range(3)] == [3, 2, 0]
    host.now = NOON
    assert allowance.spend(REPOSITORIES, host.sweep, 1) == Swept(1)


def test_the_last_one_does_not_take_it_over_the_fifth() -> None:
    host = Host(110)
    allowance = Allowance(lambda: host.budget, lambda: host.now)
    assert [allowance.spend(REPOSITORIES, host.sweep).count for _ in range(3)] == [3, 2, 0]
    assert host.budget.remaining == 110 - 20


def test_what_ran_into_a_new_window_is_counted_there() -> None:
    host = Host()
    allowance = Allowance(lambda: host.budget, lambda: host.now)
    allowance.spend(REPOSITORIES, host.sweep, 1)

    def crosses(repository: str) -> None:
        host.budget = Budget(100, 100, NOON + timedelta(hours=1))
        host.sweep(repository)

    allowance.spend(REPOSITORIES, crosses, 1)
    assert [allowance.spend(REPOSITORIES, host.sweep).count for _ in range(3)] == [3, 1, 0]
    assert host.budget.remaining == 100 - 20


def test_answers_that_cost_nothing_are_not_counted() -> None:
    host = Host()
    allowance = Allowance(lambda: host.budget, lambda: host.now)
    for _ in range(50):
        assert allowance.spend(REPOSITORIES, lambda each: host.sweep(each, 0)) == Swept(3)


def test_a_host_that_tells_no_budget_is_swept_as_configured() -> None:
    host = Host(None)
    allowance = Allowance(lambda: host.budget, lambda: host.now)
    for _ in range(50):
        assert allowance.spend(REPOSITORIES, host.sweep) == Swept(3)


def test_a_busy_host_is_left_alone_and_gone_on_with_where_it_was() -> None:
    host = Host(None)
    allowance, busy = Allowance(lambda: host.budget, lambda: host.now), ["b"]

    def sweep(repository: str) -> None:
        if repository in busy:
            raise HostBusy("wait", 7)
        host.sweep(repository)

    assert allowance.spend(REPOSITORIES, sweep) == Swept(1, 7)
    busy.clear()
    assert allowance.spend(REPOSITORIES, sweep, 2) == Swept(2)
    assert host.swept == ["a", "b", "c"]


def test_what_a_failing_sweep_cost_is_counted() -> None:
    host = Host(20)
    allowance = Allowance(lambda: host.budget, lambda: host.now)

    def fails(repository: str) -> None:
        host.sweep(repository)
        raise RuntimeError("the host is down")

    for _ in range(5):
        try:
            allowance.spend(REPOSITORIES, fails)
        except RuntimeError:
            continue
    assert len(host.swept) == 1


def test_nothing_to_sweep_is_no_error() -> None:
    assert Allowance(Budget, lambda: NOON).spend((), print) == Swept(0)
