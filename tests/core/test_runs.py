"""Runs move along the table, and along nothing else."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import BadTransition
from bot.core.runs import TRANSITIONS, Holder, RunState, Step, after, machine_name


def test_every_state_is_in_the_table_and_what_is_over_stays_over() -> None:
    assert set(TRANSITIONS) == set(RunState)
    assert all(bool(TRANSITIONS[state]) is not state.over for state in RunState)


@given(state=st.sampled_from(RunState), step=st.sampled_from(Step))
def test_only_the_tables_steps_are_possible(state: RunState, step: Step) -> None:
    if step in TRANSITIONS[state]:
        assert after(state, step) is TRANSITIONS[state][step]
    else:
        with pytest.raises(BadTransition, match=f"a run that is {state.value} cannot {step.value}"):
            after(state, step)


def test_a_suspect_deploy_is_never_claimed_or_cancelled() -> None:
    assert {Step.CLAIM, Step.CANCEL, Step.EXPIRE}.isdisjoint(TRANSITIONS[RunState.SUSPECT])


def test_the_end_is_noted_when_it_is_the_end(build: SimpleNamespace) -> None:
    run = build.a_deploy_run(state=RunState.QUEUED)
    claimed = run.moved(Step.CLAIM, build.NOW)
    assert (claimed.state, claimed.finished_at) == (RunState.RUNNING, None)
    assert claimed.moved(Step.SUCCEED, build.NOW).finished_at == build.NOW


def test_a_holder_is_named_by_machine_and_process() -> None:
    assert str(Holder("worker-1", "boot", 42, 7.0)) == "worker-1:42"


def test_each_run_has_a_machine_name_of_its_own_that_any_kernel_takes() -> None:
    assert machine_name("0a1b2c3d4e5f6a7b8c9d") == "0a1b2c3d4e5f6a7b8c9d"
    assert machine_name("../run 1/" + "x" * 100) == "run-1-" + "x" * 31
    assert machine_name("//") == "run"
