"""Work shared by who comes at the same time: nobody is answered early, nobody pays for a neighbour."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot.web.together import MOST, Together


class Down(Exception):
    """Everybody's trouble."""


def test_one_alone_is_done_at_once() -> None:
    assert Together(lambda items: [item * 2 for item in items]).do(4) == 8


def crowd(
    work: Callable[[Sequence[int]], Sequence[int]], count: int, *, outcome: type[BaseException] = Exception
) -> list[object]:
    """What everybody got who came while the first was still being served."""
    first, come = threading.Event(), threading.Event()
    batches: list[int] = []

    def held(items: Sequence[int]) -> Sequence[int]:
        batches.append(len(items))
        if not first.is_set():
            first.set()
            come.wait(10)
        return work(items)

    together: Together[int, int] = Together(held, shared=(Down,))

    def ask(number: int) -> object:
        try:
            return together.do(number)
        except outcome as error:
            return error

    with ThreadPoolExecutor(count + 1) as pool:
        leader = pool.submit(ask, 0)
        first.wait(10)
        others = [pool.submit(ask, number) for number in range(1, count + 1)]
        while len(together._waiting) < count:
            pass
        come.set()
        return [leader.result(10), *(other.result(10) for other in others), batches]


def test_who_comes_meanwhile_is_done_together_each_with_its_own_result() -> None:
    *results, batches = crowd(lambda items: [item * 2 for item in items], 20)

    assert results == [number * 2 for number in range(21)]
    assert batches == [1, 20]


def test_so_many_are_done_at_once_and_no_more() -> None:
    *_, batches = crowd(list, MOST + 5)

    assert batches == [1, MOST, 5]


def test_what_cannot_be_done_spoils_no_neighbour() -> None:
    def work(items: Sequence[int]) -> Sequence[int]:
        if 3 in items:
            raise ValueError("three")
        return list(items)

    *results, _ = crowd(work, 5)

    assert [isinstance(result, ValueError) for result in results] == [False, False, False, True, False, False]


def test_a_shared_trouble_is_told_to_all_and_not_tried_for_each() -> None:
    def work(items: Sequence[int]) -> Sequence[int]:
        if 0 in items:
            return list(items)
        raise Down

    *results, batches = crowd(work, 5)

    assert [isinstance(result, Down) for result in results] == [False] + [True] * 5
    assert batches == [1, 5]


def test_nobody_is_answered_before_it_is_done() -> None:
    done: list[int] = []
    together: Together[int, int] = Together(lambda items: [done.append(item) or item for item in items])

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: (together.do(number), number in done), range(500)))

    assert answers == [(number, True) for number in range(500)]


def test_an_error_is_raised_where_it_was_asked_for() -> None:
    def work(items: Sequence[int]) -> Sequence[int]:
        raise ValueError

    with pytest.raises(ValueError):
        Together(work).do(1)


def test_when_the_thread_that_works_for_others_is_ended_they_work_for_themselves() -> None:
    ended: list[int] = []

    def work(items: Sequence[int]) -> Sequence[int]:
        if len(items) > 1 and not ended:
            ended.append(items[0])
            raise SystemExit
        return [item * 2 for item in items]

    *results, batches = crowd(work, 5, outcome=BaseException)

    [lost] = ended
    assert [number for number, result in enumerate(results) if isinstance(result, SystemExit)] == [lost]
    assert [result for result in results if not isinstance(result, SystemExit)] == [
        number * 2 for number in range(6) if number != lost
    ]
    assert batches == [1, 5, 4]


def test_after_any_outcome_the_next_who_comes_is_served() -> None:
    outcomes: list[type[BaseException] | None] = [None, ValueError, SystemExit, Down, None]

    def work(items: Sequence[int]) -> Sequence[int]:
        outcome = outcomes[items[0]]
        if outcome is not None:
            raise outcome
        return items

    together: Together[int, int] = Together(work, shared=(Down,))
    for number, outcome in enumerate(outcomes):
        if outcome is None:
            assert together.do(number) == number
        else:
            with pytest.raises(outcome):
                together.do(number)
