"""What a decision adds up to: memory, rows and the record of who did what."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from bot.core.effects import (
    CancelRun,
    CloseGate,
    Decision,
    Judge,
    MergeChange,
    Note,
    NotePlanning,
    OpenGate,
    PublishCheck,
    PublishComment,
    PublishDeployment,
    RecordMerge,
    ReleaseTarget,
    Say,
    StartRun,
    Tell,
    ThawBranch,
    WakeAt,
    key_of,
)
from bot.core.fold import RECORDS_KEPT, SAID_KEPT, fold, having_said
from bot.core.model import Permission
from bot.core.record import CheckConclusion, Judgement, Memory, Verb


def actions(folded: Any) -> list[tuple[str, str]]:
    return [(entry.actor, entry.action) for entry in folded.audit]


def test_runs_are_started_and_cancelled_and_only_deploys_are_audited(build: SimpleNamespace) -> None:
    plan, deploy = build.a_plan_run(), build.a_deploy_run()
    folded = fold(build.a_snapshot(), (StartRun(plan), StartRun(deploy), CancelRun("old", "newer")))
    assert (folded.runs, folded.cancel) == ([plan, deploy], ["old"])
    assert actions(folded) == [("headgate", "deploy.start"), ("headgate", "run.cancel")]
    assert folded.audit[0].detail["reviewed"] == deploy.reviewed


def test_a_record_is_closed_before_the_next_is_opened(build: SimpleNamespace) -> None:
    snapshot = build.an_approved()
    folded = fold(snapshot, (CloseGate("record", "pushed"), OpenGate(build.an_open_record(id="next"))))
    assert [(each.id, each.closed_at) for each in folded.memory.records] == [("record", build.NOW), ("next", None)]
    assert actions(folded) == [("headgate", "gate.close"), ("headgate", "gate.open")]
    assert folded.audit[1].detail["approvals"] == ["bo"]


def test_old_records_and_sayings_are_forgotten(build: SimpleNamespace) -> None:
    opened = [OpenGate(build.a_record(id=str(number))) for number in range(RECORDS_KEPT + 5)]
    assert len(fold(build.a_snapshot(), opened).memory.records) == RECORDS_KEPT
    memory = Memory()
    for number in range(SAID_KEPT + 5):
        memory = having_said(memory, str(number))
    assert len(memory.said) == SAID_KEPT
    assert memory.said[-1] == str(SAID_KEPT + 4)


def test_a_request_is_judged_with_permission_and_answer(build: SimpleNamespace) -> None:
    asked = (build.a_request(Verb.PLAN, answer="kept"), build.a_request(None, "cy", answer="kept"))
    snapshot = build.a_snapshot(requests=asked)
    effects = (
        Judge(asked[0].id, Judgement.REFUSED, Permission.READ, "no"),
        Judge(asked[1].id, Judgement.DONE, Permission.WRITE),
    )
    folded = fold(snapshot, effects)
    found = [(each.judgement, each.permission, each.answer) for each in folded.memory.requests]
    assert found == [(Judgement.REFUSED, Permission.READ, "no"), (Judgement.DONE, Permission.WRITE, "kept")]
    assert [entry.detail["verb"] for entry in folded.audit] == ["plan", "unknown"]


def test_a_refusal_without_words_leaves_no_older_answer(build: SimpleNamespace) -> None:
    asked = build.a_request(Verb.PLAN, answer="granted!")
    folded = fold(build.a_snapshot(requests=(asked,)), (Judge(asked.id, Judgement.REFUSED, Permission.NONE),))
    assert folded.memory.requests[0].answer == ""


def test_a_merge_is_recorded_with_its_claims(build: SimpleNamespace) -> None:
    merge = build.a_merge_record(by="")
    folded = fold(build.a_snapshot(), (RecordMerge(merge, (build.an_intent(),)),))
    assert (folded.memory.merge, folded.intents) == (merge, [build.an_intent()])
    assert actions(folded) == [("unknown", "change.merged")]


def test_people_release_and_thaw(build: SimpleNamespace) -> None:
    folded = fold(build.a_snapshot(), (ReleaseTarget("state/app", "mel"), ThawBranch("main", "mel")))
    assert (folded.release, folded.thaw) == (["state/app"], "main")
    assert actions(folded) == [("mel", "target.release"), ("mel", "branch.thaw")]


def test_what_was_told_and_noted_is_remembered(build: SimpleNamespace) -> None:
    tell = Tell("k", "failed", "prod", "title", "body")
    folded = fold(build.a_snapshot(), (tell, Note("n"), NotePlanning(build.NOW)))
    assert folded.tells == [tell]
    assert folded.memory.said == ("tell:k", "n")
    assert folded.memory.planning_since == build.NOW


def test_a_refusal_is_remembered_under_what_was_refused(build: SimpleNamespace) -> None:
    effects = (
        PublishComment((), build.a_face()),
        PublishCheck("headgate/gate", "sha", CheckConclusion.PENDING, ""),
        Say("k", ""),
        MergeChange("head", "merge", ""),
        PublishDeployment("run", "sha", "prod", "queued", ""),
    )
    assert [key_of(each) for each in effects] == [
        "comment", "check:headgate/gate:sha", "say:k", "merge:head", "deployment:run",
    ]  # fmt: skip


def test_a_decision_lists_its_effects_and_its_alarm(build: SimpleNamespace) -> None:
    assert Decision((Note("n"),), (Say("k", ""),), build.NOW).effects() == (
        Note("n"),
        Say("k", ""),
        WakeAt(build.NOW),
    )
    assert Decision().effects() == ()
