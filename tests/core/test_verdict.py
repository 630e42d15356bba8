"""A parent is as strict as its strictest child."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.core.verdict import Reason, Status, all_of

statuses = st.lists(st.sampled_from(Status), max_size=5)


@given(given_=statuses)
def test_one_denial_denies_one_pending_waits_and_only_then_it_is_approved(given_: list[Status]) -> None:
    found = all_of("gate", "gate", tuple(Reason(str(at), each, "x") for at, each in enumerate(given_))).status
    strength = [Status.DENIED, Status.PENDING, Status.APPROVED, Status.SKIPPED]
    assert found is min(given_, key=strength.index, default=Status.SKIPPED)


@given(given_=statuses)
def test_blockers_are_leaves_that_stand_in_the_way_denials_first(given_: list[Status]) -> None:
    children = tuple(Reason(str(at), each, "x") for at, each in enumerate(given_))
    tree = all_of("gate", "gate", (all_of("inner", "inner", children), Reason("last", Status.APPROVED, "x")))
    found = [each.status for each in tree.blockers()]
    assert sorted(found, reverse=True) == found
    assert len(found) == sum(each in (Status.PENDING, Status.DENIED) for each in given_)
