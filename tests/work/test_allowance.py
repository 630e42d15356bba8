"""Sweeps take at most a fifth of a host's rate budget, and each repository has its turn."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.core.errors import HostBusy
from bot.ports import Budget
from bot.work.allowance import Allowance, Reckoned, Swept

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


def test_an_errand_is_counted_and_may_take_more_than_is_left_but_nothing_follows_it() -> None:
    host = Host()
    allowance = Allowance(lambda: host.budget, lambda: host.now)
    assert allowance.spend(REPOSITORIES, host.sweep, 1) == Swept(1)
    assert allowance.once(lambda: 17)
    assert not allowance.once(lambda: 1)
    assert allowance.spend(REPOSITORIES, host.sweep) == Swept(0)
    host.budget = Budget(100, 100, NOON + timedelta(hours=1))
    assert allowance.spend(REPOSITORIES, host.sweep) == Swept(3), "one errand makes no turn dear"


def test_an_errand_that_first_tells_of_the_window_is_counted_in_it() -> None:
    host = Host()
    host.budget = Budget()
    allowance = Allowance(lambda: host.budget, lambda: host.now)

    def errand() -> int:
        host.budget = Budget(100, 83, NOON)
        return 17

    assert allowance.once(errand)
    assert allowance.spend(REPOSITORIES, host.sweep) == Swept(0)


def test_a_host_that_tells_no_budget_is_swept_as_configured() -> None:
    host = Host(None)
    allowance = Allowance(lambda: host.budget, lambda: host.now)
    for _ in range(50):
        assert allowance.spend(REPOSITORIES, host.sweep) == Swept(3)


class Silent(Host):
    """A host that tells no limit; each call is counted here, as its adapter does."""

    def __init__(self, per_minute: int, cost: int = 4) -> None:
        super().__init__(None)
        self.made, self.cost = 0, cost
        self.reckoned = Reckoned(lambda: self.budget, lambda: {("GET", "pulls"): self.made}, per_minute, self.time)

    def time(self) -> datetime:
        return self.now

    def sweep(self, repository: str, calls: int = 4) -> None:
        super().sweep(repository)
        self.made += self.cost


def test_where_a_host_tells_no_limit_a_fifth_of_the_operators_is_taken() -> None:
    host = Silent(100)
    allowance = Allowance(host.reckoned, host.time)
    assert [allowance.spend(REPOSITORIES, host.sweep).count for _ in range(3)] == [3, 2, 0]
    assert allowance.resets_at == NOON - timedelta(minutes=29)
    host.now += timedelta(minutes=1)
    assert [allowance.spend(REPOSITORIES, host.sweep).count for _ in range(3)] == [3, 2, 0]


def test_what_others_of_the_process_ask_there_is_not_taken_for_the_sweeps() -> None:
    host = Silent(100)
    allowance = Allowance(host.reckoned, host.time)
    allowance.spend(REPOSITORIES, host.sweep, 1)
    host.made += 500
    host.now += timedelta(minutes=1)
    assert [allowance.spend(REPOSITORIES, host.sweep).count for _ in range(3)] == [3, 2, 0]


def test_a_told_limit_comes_before_the_operators_and_none_of_either_is_none() -> None:
    host = Silent(0)
    assert host.reckoned() == host.budget == Budget(None, None, NOON)
    host.budget = Budget(10, 9, NOON)
    assert host.reckoned() == Budget(10, 9, NOON)


def test_one_that_costs_more_than_those_before_it_does_not_take_it_over_the_fifth() -> None:
    host = Host(100)
    allowance = Allowance(lambda: host.budget, lambda: host.now)
    costs = iter((3, 3, 3, 3, 3, 3, 4, 4))
    while allowance.spend(REPOSITORIES, lambda each: host.sweep(each, next(costs)), 1).count:
        continue
    assert host.budget.remaining is not None
    assert host.budget.remaining >= 80


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
