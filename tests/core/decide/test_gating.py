"""A record stands exactly while the gate is open, and says everything a deploy will rely on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from bot.core.decide.gating import gate_effects, gate_open
from bot.core.effects import CloseGate, OpenGate
from bot.core.gate import judge
from bot.core.model import ChangeState
from bot.core.record import Covered, Verb
from bot.core.rules import Mode, RepoRules


def effects(snapshot: Any) -> tuple[Any, ...]:
    return gate_effects(snapshot, judge(snapshot))


def test_the_gate_opens_on_approval_and_the_record_names_everything(build: SimpleNamespace) -> None:
    (opened,) = effects(build.an_approved(records=()))
    assert isinstance(opened, OpenGate)
    record = opened.record
    assert (record.head, record.base_ref, record.base) == (build.HEAD, "main", build.BASE)
    assert (record.tree, record.rules_digest, record.opened_at) == ("tree", "rules", build.NOW)
    assert [each.login for each in record.approvals] == ["bo"]
    assert record.effects == {"app": build.printed(build.an_effect_set())}


def test_a_record_that_fits_is_kept(build: SimpleNamespace) -> None:
    assert effects(build.an_approved()) == ()
    assert gate_open(build.an_approved())


def test_without_approval_no_record_is_written(build: SimpleNamespace) -> None:
    assert effects(build.a_snapshot()) == ()
    assert not gate_open(build.a_snapshot())


def test_the_gate_closes_with_the_reason(build: SimpleNamespace) -> None:
    held = build.an_approved(requests=(build.granted(Verb.HOLD, reason="friday"),))
    assert effects(held) == (CloseGate("record", "bo holds it: friday"),)


@pytest.mark.parametrize(
    "different",
    [
        {"head": "e" * 40},
        {"base_ref": "release"},
        {"rules_digest": "other"},
        {"effects": {"app": "other"}},
        {"approvals": ()},
    ],
)
def test_a_record_of_something_else_is_replaced(build: SimpleNamespace, different: dict[str, Any]) -> None:
    snapshot = build.an_approved(records=(build.an_open_record(**different),))
    closed, opened = effects(snapshot)
    assert closed == CloseGate("record", "something it stands on changed")
    assert isinstance(opened, OpenGate)


def test_a_moved_base_with_the_same_effects_keeps_the_record(build: SimpleNamespace) -> None:
    older = build.an_open_record(base="0" * 40, tree="other", approvals=(Covered("bo", build.ago(5), ""),))
    assert effects(build.an_approved(records=(older,))) == ()


@pytest.mark.parametrize("state", [ChangeState.MERGED, ChangeState.CLOSED])
def test_records_of_a_merged_or_closed_change_stay_as_evidence(build: SimpleNamespace, state: ChangeState) -> None:
    assert effects(build.an_approved(change=build.a_change(state=state), reviews=())) == ()


def test_only_enforcing_writes_records(build: SimpleNamespace) -> None:
    comment = RepoRules("acme/infra", mode=Mode.COMMENT)
    assert effects(build.an_approved(records=(), rules=comment)) == ()


def test_a_closed_record_does_not_stand(build: SimpleNamespace) -> None:
    assert not gate_open(build.an_approved(records=(build.an_open_record(closed_at=build.ago(1)),)))
    assert not gate_open(build.an_approved(records=(build.an_open_record(head="e" * 40),)))
