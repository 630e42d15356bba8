"""The store's contract, on SQLite and on PostgreSQL: runs, leases, locks and the order of deploys."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.effects import MoveIntent
from bot.core.errors import BadTransition, StoreConflict
from bot.core.model import ChangeRef, RepoRef
from bot.core.record import IntentState
from bot.core.runs import Failure, FailureKind, PlanResult, RunKind, RunState, Step


def _claim(store, sample, run_id, at=None):
    return store.claim_run(run_id, sample.holder, at or sample.at, sample.minute)


def _clean(store, ref, sample):
    row = store.change(ref)
    store.commit_change(row, sample.decide(row), sample.at)


def _intents(store, number, sample):
    return [intent.state for intent in store.intents_of(sample.ref(number))]


# ------------------------------------------------------------------------------------------- queueing, claiming


def test_a_run_is_queued_once_and_comes_back_whole(store, sample, planned):
    planned(1, runs=(sample.run("r1"),))
    planned(1, runs=(replace(sample.run("r1"), digest="other"),))
    assert store.run("r1") == sample.run("r1")
    assert store.runs_of(sample.ref()) == store.queued_runs(None) == store.list_runs() == (sample.run("r1"),)
    assert store.run("r2") is None


def test_deploys_are_queued_before_plans_and_only_for_the_environments_asked_for(store, sample, planned):
    dev = replace(sample.run("dev"), project=replace(sample.run("x").project, environment="dev"))
    planned(1, runs=(sample.run("plan"), dev, sample.deploy("deploy")))
    assert [run.id for run in store.queued_runs(None)] == ["deploy", "plan", "dev"]
    assert [run.id for run in store.queued_runs(["dev"])] == ["dev"]
    assert store.queued_runs([]) == ()
    assert [run.id for run in store.list_runs(kind=RunKind.DEPLOY)] == ["deploy"]


def test_plans_of_the_repository_of_which_fewest_run_go_first_and_deploys_before_all(store, sample, planned):
    elsewhere = ChangeRef(RepoRef("github", "acme/other"), 9)
    planned(1, runs=(sample.run("a1"), sample.run("a2"), sample.run("a3")))
    _claim(store, sample, "a1")
    planned(2, runs=(replace(sample.run("b1"), change=elsewhere), sample.deploy("d", 2)))
    assert [run.id for run in store.queued_runs(None)] == ["d", "b1", "a2", "a3"]


def test_plans_are_counted_by_author_and_by_repository_newest_first(store, sample, planned):
    late = sample.at + sample.minute
    planned(1, runs=(sample.run("r1"), replace(sample.run("r2"), created_at=late), sample.deploy("d1")))
    before = sample.at - sample.minute
    assert store.plans_since(sample.repo, "", before, 9) == (late, sample.at)
    assert store.plans_since(sample.repo, "Ada", before, 9) == (late, sample.at)
    assert store.plans_since(sample.repo, "Ada", before, 1) == (late,)
    assert store.plans_since(sample.repo, "", sample.at, 9) == (late,)
    assert store.plans_since(sample.repo, "bo", before, 9) == ()
    assert store.plans_since(RepoRef("gitlab", "acme/infra"), "ada", before, 9) == ()
    assert store.plans_since(RepoRef("github", "acme/other"), "", before, 9) == ()


def test_a_claimed_run_carries_holder_lease_and_a_token_nobody_had(store, sample, planned):
    planned(1, runs=(sample.run("r1"), sample.run("r2")))
    first, second = _claim(store, sample, "r1"), _claim(store, sample, "r2")
    assert (first.state, first.holder, first.started_at) == (RunState.RUNNING, sample.holder, sample.at)
    assert first.lease_until == sample.at + sample.minute
    assert 0 < first.token < second.token
    assert store.active_runs() == (first, second)
    assert store.run("r1") == first


def test_a_run_is_claimed_once(store, sample, planned):
    planned(1, runs=(sample.run("r1"),))
    assert _claim(store, sample, "r1") is not None
    assert _claim(store, sample, "r1") is None
    assert _claim(store, sample, "nothing") is None


def test_a_deploy_takes_its_targets_lock_and_others_wait(store, sample, planned):
    planned(1, runs=(sample.deploy("d1", order=1),), intents=(sample.intent(1, order=1),))
    planned(2, runs=(sample.deploy("d2", 2, order=2),), intents=(sample.intent(2, order=2),))
    assert _claim(store, sample, "d2") is None, "an earlier intent waits"
    assert [run.id for run in store.queued_runs(None)] == ["d1"]
    running = _claim(store, sample, "d1")
    target = store.target("s3/net")
    assert (target.locked_by, target.locked_since) == ("d1", sample.at)
    assert store.queued_runs(None) == ()
    store.finish_run(running, Step.SUCCEED, sample.at, sample.entry())
    assert [run.id for run in store.queued_runs(None)] == ["d2"]
    assert _claim(store, sample, "d2") is not None


def test_plans_need_no_lock(store, sample, planned):
    planned(1, runs=(sample.deploy("d1"), sample.run("p1")), intents=(sample.intent(),))
    _claim(store, sample, "d1")
    assert _claim(store, sample, "p1") is not None


def test_a_stopped_predecessor_does_not_hold_up_the_next(store, sample, planned):
    planned(1, runs=(sample.deploy("d1", order=1),), intents=(sample.intent(1, order=1),))
    planned(2, runs=(sample.deploy("d2", 2, order=2),), intents=(sample.intent(2, order=2),))
    running = _claim(store, sample, "d1")
    failed = replace(running, failure=Failure(FailureKind.TOOL, "no such bucket \x00"))
    store.finish_run(failed, Step.FAIL, sample.at, sample.entry())
    (stopped, waiting) = store.intents_on(["s3/net"])["s3/net"]
    assert (stopped.state, waiting.state) == (IntentState.STOPPED, IntentState.WAITING)
    assert stopped.reason.startswith("no such bucket")
    assert _claim(store, sample, "d2") is not None


def test_a_parked_claim_holds_up_nobody_and_is_deployed_over(store, sample, planned):
    planned(1, runs=(sample.deploy("d1", order=1),), intents=(sample.intent(1, order=1),))
    planned(2, runs=(sample.deploy("d2", 2, order=2),), intents=(sample.intent(2, order=2),))
    (first, _) = store.intents_on(["s3/net"])["s3/net"]
    planned(1, moves=(MoveIntent(first, IntentState.PARKED, "it waits for `/deploy`"),))
    (parked, waiting) = store.intents_on(["s3/net"])["s3/net"]
    assert (parked.state, parked.reason) == (IntentState.PARKED, "it waits for `/deploy`")
    assert waiting.state is IntentState.WAITING
    store.finish_run(_claim(store, sample, "d2"), Step.SUCCEED, sample.at, sample.entry())
    assert _intents(store, 1, sample) == [IntentState.SUPERSEDED]


def test_a_claim_that_was_settled_since_it_was_read_is_not_moved(store, sample, planned):
    planned(1, runs=(sample.deploy("d1", order=1),), intents=(sample.intent(1, order=1),))
    (read,) = store.intents_of(sample.ref(1))
    store.finish_run(_claim(store, sample, "d1"), Step.SUCCEED, sample.at, sample.entry())
    planned(1, moves=(MoveIntent(read, IntentState.PARKED, "too late"),))
    assert _intents(store, 1, sample) == [IntentState.DEPLOYED]


@pytest.mark.parametrize("step", [Step.SUCCEED, Step.FAIL, Step.BURY])
def test_a_deploy_that_applied_anything_moves_its_target_and_tells_open_changes(store, sample, planned, step):
    planned(1, runs=(sample.deploy("d1"),), intents=(sample.intent(),))
    planned(2, targets=("s3/net",))
    running = store.mark_applying(_claim(store, sample, "d1"), PlanResult("f"))
    _clean(store, sample.ref(2), sample)
    if step is Step.BURY:
        store.bury_run(running, sample.at, "it died")
    else:
        store.finish_run(running, step, sample.at, sample.entry())
    assert store.target("s3/net").moved_at == sample.at
    assert sample.ref(2) in store.due_changes(sample.at)


def test_a_deploy_that_applied_nothing_leaves_its_target_as_it_was(store, sample, planned):
    planned(1, runs=(sample.deploy("d1"),), intents=(sample.intent(),))
    store.finish_run(_claim(store, sample, "d1"), Step.DIFFER, sample.at, sample.entry())
    assert store.target("s3/net").moved_at is None


def test_open_changes_hear_of_a_new_claim_on_their_target(store, sample, planned):
    planned(2, targets=("s3/net",))
    _clean(store, sample.ref(2), sample)
    planned(1, intents=(sample.intent(),))
    assert sample.ref(2) in store.due_changes(sample.at)


def test_an_older_commit_is_superseded_and_never_applied(store, sample, planned):
    planned(2, runs=(sample.deploy("d2", 2, order=2),), intents=(sample.intent(2, order=2),))
    store.finish_run(_claim(store, sample, "d2"), Step.SUCCEED, sample.at, sample.entry())
    planned(1, runs=(sample.deploy("d1", order=1),), intents=(sample.intent(1, order=1),))
    _clean(store, sample.ref(1), sample)
    assert _claim(store, sample, "d1") is None
    assert store.run("d1").state is RunState.SUPERSEDED
    assert _intents(store, 1, sample) == [IntentState.SUPERSEDED]
    assert store.target("s3/net").locked_by == ""
    assert sample.ref(1) in store.due_changes(sample.at), "its face has to say so"
    assert store.audit_rows(str(sample.ref(1)))[-1].entry.action == "run.superseded"


def test_positions_of_another_repository_are_not_compared(store, sample, planned):
    planned(1, runs=(sample.deploy("d1", order=9),), intents=(sample.intent(1, order=9),))
    store.finish_run(_claim(store, sample, "d1"), Step.SUCCEED, sample.at, sample.entry())
    elsewhere = ChangeRef(RepoRef("gitlab", "acme/net"), 1)
    store.mark_dirty(elsewhere, refetch=False)
    row = store.change(elsewhere)
    decided = sample.decide(row, runs=(replace(sample.deploy("e1", order=1), change=elsewhere),))
    store.commit_change(row, decided, sample.at)
    assert _claim(store, sample, "e1") is not None


def test_a_rewritten_branch_stops_its_deploys_until_it_is_released(store, sample, planned):
    planned(1, runs=(sample.deploy("d1"),), intents=(sample.intent(),))
    store.freeze(sample.repo, "main", "main was rewritten")
    assert store.target("s3/net").frozen == "main was rewritten"
    assert _claim(store, sample, "d1") is None
    assert store.queued_runs(None) == ()
    store.freeze(sample.repo, "main", "")
    assert [run.id for run in store.queued_runs(None)] == ["d1"]
    assert store.target("s3/net").frozen == ""
    assert _claim(store, sample, "d1") is not None


def test_runs_whose_turn_has_not_come_do_not_hide_those_that_can_be_taken(store, sample, planned):
    planned(1, runs=(sample.deploy("d1", order=1),), intents=(sample.intent(1, order=1),))
    blocked = tuple(sample.deploy(f"late{number}", 2, order=2) for number in range(5))
    planned(2, runs=(*blocked, sample.run("p1", 2)), intents=(sample.intent(2, order=2),))
    assert [run.id for run in store.queued_runs(None, limit=2)] == ["d1", "p1"]


# ------------------------------------------------------------------------------------------------- finishing


def test_a_deploy_that_succeeds_is_what_stands_on_its_target(store, sample, planned, clock):
    planned(1, runs=(sample.deploy("d1", order=1),), intents=(sample.intent(1, order=1),))
    planned(2, runs=(sample.deploy("d2", 2, order=2),), intents=(sample.intent(2, order=2),))
    store.finish_run(_claim(store, sample, "d1"), Step.DIFFER, sample.at, sample.entry())
    running = _claim(store, sample, "d2")
    for number in (1, 2):
        _clean(store, sample.ref(number), sample)
    at = clock.forward(seconds=5)
    done = store.finish_run(running, Step.SUCCEED, at, sample.entry(action="run.deployed"))
    target = store.target("s3/net")
    assert (done.state, done.finished_at, done.lease_until) == (RunState.SUCCEEDED, at, None)
    assert (target.deployed_sha, target.deployed_order, target.deployed_at) == ("c" * 40, 2, at)
    assert (target.deployed_repo, target.locked_by, target.locked_since) == (str(sample.repo), "", None)
    assert (_intents(store, 1, sample), _intents(store, 2, sample)) == (
        [IntentState.SUPERSEDED],
        [IntentState.DEPLOYED],
    )
    assert store.intents_on(["s3/net"]) == {"s3/net": ()}
    assert set(store.due_changes(at)) == {sample.ref(1), sample.ref(2)}
    assert not store.change(sample.ref(2)).refetch
    assert store.audit_rows()[-1].entry.action == "run.deployed"


def test_whoever_waits_for_the_target_hears_that_it_is_free(store, sample, planned):
    planned(1, runs=(sample.deploy("d1", order=1),), intents=(sample.intent(1, order=1),))
    planned(2, runs=(sample.deploy("d2", 2, order=2),), intents=(sample.intent(2, order=2),))
    running = _claim(store, sample, "d1")
    store.finish_run(running, Step.FAIL, sample.at, sample.entry())
    assert sample.ref(2) in store.due_changes(sample.at)


def test_finishing_keeps_what_the_run_found(store, sample, planned):
    planned(1, runs=(sample.run("r1"),))
    running = _claim(store, sample, "r1")
    plan = PlanResult("f" * 24, "1.9.0", artifact="plan-1")
    done = store.finish_run(replace(running, plan=plan, log="log:r1"), Step.SUCCEED, sample.at, sample.entry())
    assert store.run("r1") == done
    assert (done.plan, done.log) == (plan, "log:r1")


def test_a_finish_with_an_old_token_writes_nothing(store, sample, planned):
    planned(1, runs=(sample.deploy("d1"),), intents=(sample.intent(),))
    running = _claim(store, sample, "d1")
    _clean(store, sample.ref(), sample)
    stale = replace(running, token=running.token - 1)
    for write in (
        lambda: store.finish_run(stale, Step.SUCCEED, sample.at, sample.entry()),
        lambda: store.mark_applying(stale, PlanResult("f")),
        lambda: store.set_holder(stale, sample.other),
        lambda: store.bury_run(stale, sample.at, "dead"),
    ):
        with pytest.raises(StoreConflict, match="d1"):
            write()
    assert not store.renew_run(stale, sample.at, sample.minute)
    assert store.run("d1") == running
    assert store.target("s3/net").locked_by == "d1"
    assert store.audit_rows() == store.due_changes(sample.at) == ()


def test_a_deploy_found_superseded_or_cancelled_lets_go_of_its_target(store, sample, planned):
    planned(1, runs=(sample.deploy("d1", order=1),), intents=(sample.intent(1, order=1),))
    store.finish_run(_claim(store, sample, "d1"), Step.CANCEL, sample.at, sample.entry())
    assert (store.target("s3/net").locked_by, _intents(store, 1, sample)) == ("", [IntentState.WAITING])
    planned(1, runs=(sample.deploy("d2", order=1),))
    store.finish_run(_claim(store, sample, "d2"), Step.SUPERSEDE, sample.at, sample.entry())
    assert (store.target("s3/net").locked_by, _intents(store, 1, sample)) == ("", [IntentState.SUPERSEDED])
    assert store.target("s3/net").deployed_sha == ""


def test_a_run_is_finished_once(store, sample, planned):
    planned(1, runs=(sample.run("r1"),))
    running = _claim(store, sample, "r1")
    store.finish_run(running, Step.FAIL, sample.at, sample.entry())
    with pytest.raises(StoreConflict):
        store.finish_run(running, Step.SUCCEED, sample.at, sample.entry())
    assert store.run("r1").state is RunState.FAILED


def test_a_step_the_table_does_not_have_is_refused(store, sample, planned):
    planned(1, runs=(sample.run("r1"),))
    running = _claim(store, sample, "r1")
    with pytest.raises(BadTransition):
        store.finish_run(running, Step.EXPIRE, sample.at, sample.entry())
    assert store.run("r1").state is RunState.RUNNING


def test_that_applying_began_is_written_down_and_never_forgotten(store, sample, planned):
    planned(1, runs=(sample.deploy("d1"),), intents=(sample.intent(),))
    running = _claim(store, sample, "d1")
    plan = PlanResult("f")
    assert store.mark_applying(running, plan).applying
    assert (store.run("d1").applying, store.run("d1").plan) == (True, plan)
    done = store.finish_run(running, Step.FAIL, sample.at, sample.entry())
    assert done.applying


# ------------------------------------------------------------------------------------------- leases, the dead


def test_a_renewed_lease_lasts_and_an_unrenewed_deploy_becomes_suspect_with_its_lock(store, sample, planned):
    planned(1, runs=(sample.deploy("d1"),), intents=(sample.intent(),))
    running = _claim(store, sample, "d1")
    assert store.renew_run(running, sample.at + sample.minute, sample.minute)
    assert store.expire_runs(sample.at + 2 * sample.minute) == ()
    _clean(store, sample.ref(), sample)
    late = sample.at + 2 * sample.minute + timedelta(seconds=1)
    (suspect,) = store.expire_runs(late)
    assert suspect.state is RunState.SUSPECT
    assert store.target("s3/net").locked_by == "d1"
    assert store.due_changes(late) == (sample.ref(),)
    assert store.gauges(late)["suspect_runs"] == 1
    assert store.expire_runs(late) == ()


def test_a_plan_whose_lease_ran_out_is_lost(store, sample, planned):
    planned(1, runs=(sample.run("r1"),))
    running = _claim(store, sample, "r1")
    _clean(store, sample.ref(), sample)
    (lost,) = store.expire_runs(sample.at + timedelta(hours=1))
    assert (lost.state, store.run("r1")) == (RunState.LOST, lost)
    assert store.due_changes(sample.at) == (sample.ref(),)
    assert not store.renew_run(running, sample.at, sample.minute)


def test_a_suspect_that_was_only_slow_may_still_finish(store, sample, planned):
    planned(1, runs=(sample.deploy("d1"),), intents=(sample.intent(),))
    running = _claim(store, sample, "d1")
    store.expire_runs(sample.at + timedelta(hours=1))
    assert store.renew_run(running, sample.at + timedelta(hours=1), sample.minute), "half an apply is worse"
    done = store.finish_run(running, Step.SUCCEED, sample.at + timedelta(hours=1), sample.entry())
    assert done.state is RunState.SUCCEEDED
    assert store.target("s3/net").deployed_order == 1


def test_a_buried_deploy_frees_its_lock_and_leaves_its_intent_waiting(store, sample, planned):
    planned(1, runs=(sample.deploy("d1"),), intents=(sample.intent(),))
    running = _claim(store, sample, "d1")
    lost = store.bury_run(running, sample.at, "its process is gone")
    assert (lost.state, lost.failure.message) == (RunState.LOST, "its process is gone")
    assert store.target("s3/net").locked_by == ""
    assert _intents(store, 1, sample) == [IntentState.WAITING]
    assert sample.ref() in store.due_changes(sample.at)
    planned(1, runs=(replace(sample.deploy("d2"), attempt=2, readback=True),))
    assert _claim(store, sample, "d2") is not None


def test_a_lock_is_released_by_a_person_only_when_its_run_is_suspect(store, sample, planned):
    planned(1, runs=(sample.deploy("d1"),), intents=(sample.intent(),))
    _claim(store, sample, "d1")
    planned(1, release=("s3/net", "never-seen"))
    assert store.target("s3/net").locked_by == "d1", "its holder is alive"
    store.expire_runs(sample.at + timedelta(hours=1))
    planned(1, release=("s3/net",))
    assert store.target("s3/net").locked_by == ""
    assert store.run("d1").state is RunState.LOST


def test_a_cancelled_plan_stops_and_a_queued_one_never_starts(store, sample, planned):
    planned(1, runs=(sample.run("queued"), sample.run("running"), sample.deploy("deploy")))
    running, deploy = _claim(store, sample, "running"), _claim(store, sample, "deploy")
    planned(1, cancel=("queued", "running", "deploy", "nothing"))
    assert store.run("queued").state is RunState.CANCELLED
    assert _claim(store, sample, "queued") is None
    assert not store.renew_run(running, sample.at, sample.minute)
    assert store.renew_run(deploy, sample.at, sample.minute)
    store.finish_run(running, Step.CANCEL, sample.at, sample.entry())
    assert store.run("running").state is RunState.CANCELLED


def test_the_holder_is_noted_as_it_is(store, sample, planned):
    planned(1, runs=(sample.run("r1"),))
    moved = store.set_holder(_claim(store, sample, "r1"), sample.other)
    assert moved.holder == store.run("r1").holder == sample.other


def test_an_intent_written_again_stays_as_it_is(store, sample, planned):
    planned(1, intents=(sample.intent(),))
    planned(1, intents=(replace(sample.intent(), state=IntentState.STOPPED, order=9),))
    assert store.intents_on(["s3/net"])["s3/net"] == store.intents_of(sample.ref()) == (sample.intent(),)
