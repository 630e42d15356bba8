"""What a merged change's claims wait for, and what they are called meanwhile."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from bot.core.decide.claiming import claim_effects
from bot.core.decide.deploying import MAX_READBACKS
from bot.core.effects import MoveIntent
from bot.core.fold import fold
from bot.core.project import DeployMode
from bot.core.record import IntentState, Verb
from bot.core.rules import Environment
from bot.core.runs import RunState

WAITING, PARKED, STOPPED = IntentState.WAITING, IntentState.PARKED, IntentState.STOPPED


def moves(snapshot: Any) -> dict[str, tuple[IntentState, str]]:
    found = [effect for effect in claim_effects(snapshot) if isinstance(effect, MoveIntent)]
    return {each.intent.project: (each.state, each.reason) for each in found}


def chain(build: SimpleNamespace, *deploys: Any, **states: IntentState) -> Any:
    """db depends on app, app on net; and one that depends on nothing."""
    projects = (
        build.a_project("net"),
        build.a_project("app", depends_on=("net",)),
        build.a_project("db", depends_on=("app",)),
        build.a_project("alone"),
    )
    return build.a_merged(
        affected=tuple(build.an_affected(each) for each in projects),
        records=(build.an_open_record(effects={each.name: "f" for each in projects}),),
        intents=tuple(build.an_intent(each.name, states.get(each.name, WAITING)) for each in projects),
        deploys=deploys,
    )


def test_a_change_that_is_not_merged_claims_nothing(build: SimpleNamespace) -> None:
    assert claim_effects(build.an_approved()) == ()


def test_claims_that_wait_for_their_turn_stay_as_they_are(build: SimpleNamespace) -> None:
    assert moves(chain(build)) == {}


def test_what_goes_after_a_failed_deploy_is_parked_and_nothing_else(build: SimpleNamespace) -> None:
    failed = build.a_deploy_run("net", RunState.FAILED)
    assert moves(chain(build, failed, net=STOPPED)) == {
        "app": (PARKED, "it waits for net"),
        "db": (PARKED, "it waits for app"),
    }


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.RUNNING, RunState.SUSPECT])
def test_what_a_person_set_going_again_waits_for_its_turn_again(build: SimpleNamespace, state: RunState) -> None:
    again = build.a_deploy_run("net", state)
    found = moves(chain(build, again, net=STOPPED, app=PARKED, db=PARKED))
    assert found == {"net": (WAITING, ""), "app": (WAITING, ""), "db": (WAITING, "")}


def test_a_deploy_on_command_is_parked_until_somebody_says_it(build: SimpleNamespace) -> None:
    project = build.a_project(deploy=DeployMode.ON_COMMAND)
    snapshot = build.a_merged(affected=(build.an_affected(project),))
    assert moves(snapshot) == {"app": (PARKED, "it waits for `/deploy`")}
    said = build.remembering(snapshot, requests=(build.granted(Verb.DEPLOY, "bo", at=build.ago(1)),))
    parked = replace(said, intents=(build.an_intent(state=PARKED),))
    assert moves(parked) == {"app": (WAITING, "")}


def test_an_environment_after_one_that_waits_for_a_command_is_parked_too(build: SimpleNamespace) -> None:
    first = build.a_project("one", environment="stage", deploy=DeployMode.ON_COMMAND)
    second = build.a_project("two")
    snapshot = build.a_merged(
        affected=(build.an_affected(first), build.an_affected(second)),
        intents=(build.an_intent("one"), build.an_intent("two")),
        environments={"stage": Environment("stage"), "prod": Environment("prod", after=("stage",))},
    )
    assert {name: state for name, (state, _) in moves(snapshot).items()} == {"one": PARKED, "two": PARKED}


def test_a_deploy_that_never_came_to_an_end_is_stopped(build: SimpleNamespace) -> None:
    lost = build.a_deploy_run(state=RunState.LOST, attempt=MAX_READBACKS)
    assert moves(build.a_merged(deploys=(lost,))) == {"app": (STOPPED, "its deploy never came to an end")}


def test_what_is_over_stays_as_it_is(build: SimpleNamespace) -> None:
    for over in (IntentState.DEPLOYED, IntentState.SUPERSEDED):
        assert moves(build.a_merged(intents=(build.an_intent(state=over),))) == {}


def test_a_move_is_written_down_and_recorded(build: SimpleNamespace) -> None:
    lost = build.a_deploy_run(state=RunState.LOST, attempt=MAX_READBACKS)
    snapshot = build.a_merged(deploys=(lost,))
    folded = fold(snapshot, claim_effects(snapshot))
    assert [each.state for each in folded.moves] == [STOPPED]
    assert [each.action for each in folded.audit] == ["intent.move"]
