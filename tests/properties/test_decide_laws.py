"""Laws of ``decide``, whatever people, tools and the host do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.core.decide.decision import decide
from bot.core.decide.gating import gate_open
from bot.core.decide.planning import over_quota
from bot.core.decide.quotas import WINDOW
from bot.core.effects import PublishCheck, StartRun
from bot.core.effectset import Action, EffectSet
from bot.core.guard.model import Finding, Judged, Level
from bot.core.model import ReviewState
from bot.core.project import DeployMode
from bot.core.record import IntentState, Verb
from bot.core.rules import Environment, Limits, Mode, RepoRules
from bot.core.runs import RunKind

LAW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

PEOPLE = ("ann", "bo", "cy", "mel", "ro", "nobody")
OUTCOMES = ("succeed", "succeed", "succeed", "fail", "differ", "lose", "cancel", "expire")
login = st.sampled_from(PEOPLE)

happening = st.one_of(
    st.tuples(st.just("push"), st.sampled_from(("ann", "bo"))),
    st.tuples(st.just("review"), login, st.sampled_from(list(ReviewState))),
    st.tuples(st.just("review"), st.sampled_from(("bo", "cy")), st.just(ReviewState.APPROVED)),
    st.tuples(st.just("say"), st.sampled_from(list(Verb)), login),
    st.tuples(st.just("say"), st.just(Verb.MERGE), st.sampled_from(("ann", "bo"))),
    st.tuples(st.just("accept"), login),
    st.tuples(st.just("merge_now"), login),
    st.tuples(st.just("turn")),
    st.tuples(st.just("fall")),
    st.tuples(st.just("close"), st.booleans()),
    st.tuples(st.just("draft"), st.booleans()),
    st.tuples(st.just("wait"), st.sampled_from((1, 30, 600, 50000))),
    st.tuples(st.just("pause"), st.sampled_from(("", "maintenance"))),
    st.tuples(st.just("freeze"), st.sampled_from(("", "rewritten"))),
    st.tuples(st.just("ahead"), st.booleans()),
    st.tuples(st.just("run_all"), st.sampled_from(OUTCOMES), st.integers(0, 3)),
    st.tuples(st.just("run_all"), st.just("succeed"), st.just(0)),
)
PLANNED = (("wait", 1), ("run_all", "succeed", 0), ("wait", 2))
APPROVED = (*PLANNED, ("review", "bo", ReviewState.APPROVED), ("wait", 2))
BEGINNINGS = (
    (),
    PLANNED,
    APPROVED,
    (*PLANNED, ("merge_now", "ann"), ("run_all", "succeed", 2)),
    (*APPROVED, ("merge_now", "ann")),
    (*APPROVED, ("say", Verb.MERGE, "ann")),
    (*APPROVED, ("merge_now", "ann"), ("run_all", "differ", 2)),
    (*APPROVED, ("merge_now", "ann"), ("run_all", "expire", 0)),
)
story = st.builds(lambda start, rest: [*start, *rest], st.sampled_from(BEGINNINGS), st.lists(happening, max_size=18))


def effects_of(build: SimpleNamespace, number: int) -> Any:
    """Four plans: the usual one, another, a destroying one, and one that does nothing."""
    made = (
        build.an_effect_set(),
        build.an_effect_set(build.an_effect("aws_bucket.other")),
        build.an_effect_set(build.an_effect(action=Action.DELETE)),
        EffectSet(),
    )
    return made[number]


def happen(world: Any, build: SimpleNamespace, event: tuple[Any, ...]) -> None:
    kind, *given_ = event
    match kind:
        case "pause":
            world.paused = given_[0]
        case "freeze":
            world.frozen = given_[0]
        case "ahead":
            earlier = build.an_intent(change=replace(build.REF, number=3), order=3)
            world.ahead = {"state/app": (earlier,)} if given_[0] else {}
        case "run_all":
            world.run_all(given_[0], effects_of(build, given_[1]))
        case _:
            getattr(world, kind)(*given_)


def a_world(new_world: Any, build: SimpleNamespace, **fields: Any) -> Any:
    """Two environments, one after the other; three projects that depend on one another."""
    projects = (
        build.a_project("net", environment="stage"),
        build.a_project("app", depends_on=("net",)),
        build.a_project("web", deploy=DeployMode.ON_COMMAND, depends_on=("app",)),
    )
    environments = {"stage": Environment("stage"), "prod": Environment("prod", approvals=1, after=("stage",))}
    return new_world(*projects, environments=environments, **fields)


@LAW
@given(
    events=story, mode=st.sampled_from((Mode.ENFORCE, Mode.ENFORCE, Mode.COMMENT, Mode.OBSERVE)), lines=st.booleans()
)
def test_in_an_obeying_world_every_story_comes_to_rest(
    new_world: Any, build: SimpleNamespace, events: list[Any], mode: Mode, lines: bool
) -> None:
    world = a_world(new_world, build, rules=RepoRules("acme/infra", mode=mode, auto_merge=lines), lines=lines)
    world.settle()
    for event in events:
        happen(world, build, event)
        world.settle()
        world.wait(1)
    if mode is Mode.OBSERVE:
        assert not world.memory.published.pages
        assert not world.memory.published.checks
    if mode is not Mode.ENFORCE:
        assert not [run for run in world.started if run.kind is RunKind.DEPLOY]


@LAW
@given(events=story)
def test_nothing_stands_in_the_hosts_line_while_its_gate_is_closed(
    new_world: Any, build: SimpleNamespace, events: list[Any]
) -> None:
    world = a_world(new_world, build, lines=True)
    world.settle()
    for event in events:
        happen(world, build, event)
        world.settle()
        snapshot = world.snapshot()
        assert not snapshot.in_line or gate_open(snapshot)
        assert not snapshot.in_line or snapshot.change.queued or world.memory.host.read_at is None
        world.wait(1)


@LAW
@given(events=story)
def test_nothing_of_a_project_that_the_guard_denies_is_ever_started(
    new_world: Any, build: SimpleNamespace, events: list[Any]
) -> None:
    world = a_world(new_world, build)
    denied = (Judged(Finding("external", "app/main.tf", "a program"), Level.DENY, "app"),)
    world.memory = replace(world.memory, selection=replace(world.memory.selection, guard=denied))
    world.settle()
    for event in events:
        happen(world, build, event)
        world.settle()
        world.wait(1)
    assert "app" not in {run.project.name for run in world.started}
    assert not world.memory.records


@LAW
@given(events=story)
def test_in_a_refusing_world_nothing_is_tried_before_its_time(
    new_world: Any, build: SimpleNamespace, events: list[Any]
) -> None:
    world = a_world(new_world, build, refuses=True)
    world.settle()
    for event in events:
        happen(world, build, event)
        last = world.settle()
        waits = [refusal.not_before for refusal in world.memory.refusals.values() if refusal.not_before > world.now]
        assert not waits or (last.wake_at is not None and last.wake_at <= min(waits))
        world.wait(1)
    assert not world.memory.published.pages
    assert not [run for run in world.started if run.kind is RunKind.DEPLOY and run.accepted_by == ()] or (
        world.memory.merge.admitted
    )


@LAW
@given(events=story, plans=st.integers(1, 4))
def test_never_more_plans_start_within_an_hour_than_the_operator_allows_and_waiting_ones_start_in_time(
    new_world: Any, build: SimpleNamespace, events: list[Any], plans: int
) -> None:
    world = a_world(new_world, build)
    world.share = plans
    for event in events:
        happen(world, build, event)
        rest = world.settle()
        started = [run.created_at for run in world.started if run.kind is RunKind.PLAN]
        assert all(sum(at <= other < at + WINDOW for other in started) <= plans for at in started)
        if over_quota(world.snapshot()):
            before = len(started)
            world.now = rest.wake_at
            world.settle()
            while not [run for run in world.started if run.kind is RunKind.PLAN][before:]:
                # woken for something else first: a word due, a reminder
                world.now = world.settle().wake_at
                assert world.now is not None
                if not over_quota(world.snapshot()):
                    break
        world.wait(1)


@LAW
@given(
    events=story,
    share=st.floats(0, 0.999),
    refuses=st.booleans(),
    plans=st.sampled_from((0, 0, 2)),
    lines=st.booleans(),
)
def test_a_decision_stays_the_same_until_the_time_it_names(
    new_world: Any, build: SimpleNamespace, events: list[Any], share: float, refuses: bool, plans: int, lines: bool
) -> None:
    world = a_world(new_world, build, refuses=refuses, lines=lines)
    world.share = plans
    for event in events:
        happen(world, build, event)
        world.wait(1)
    rest = world.settle()
    until = rest.wake_at or world.now + timedelta(days=400)
    assert until > world.now
    later = replace(world.snapshot(), now=world.now + (until - world.now) * share)
    again = decide(later)
    assert again.state == ()
    assert again.host == ()
    assert again.wake_at == rest.wake_at


@LAW
@given(events=story)
def test_a_refusing_host_gets_everything_once_it_obeys(
    new_world: Any, build: SimpleNamespace, events: list[Any]
) -> None:
    world, obeyed = a_world(new_world, build, refuses=True), a_world(new_world, build)
    for event in events:
        if event[0] != "say" or event[1] is not Verb.MERGE:
            for each in (world, obeyed):
                happen(each, build, event)
                each.settle()
                each.wait(1)
    world.refuses = False
    world.wait(30000)
    world.settle()
    assert not world.memory.refusals or all(
        refusal.not_before <= world.now for refusal in world.memory.refusals.values()
    )


@LAW
@given(before=story)
def test_nothing_starts_on_a_target_while_an_earlier_merge_has_not_deployed(
    new_world: Any, build: SimpleNamespace, before: list[Any]
) -> None:
    world = a_world(new_world, build)
    world.ahead = {f"state/{name}": (build.an_intent(order=1),) for name in ("net", "app", "web")}
    for event in before:
        if event[0] != "ahead":
            happen(world, build, event)
            world.settle()
    assert not [run for run in world.started if run.kind is RunKind.DEPLOY]


def test_the_usual_way_deploys_in_order(new_world: Any, build: SimpleNamespace) -> None:
    world = a_world(new_world, build)
    world.settle()
    world.run_all()
    world.settle()
    world.wait(5)
    world.review("bo")
    world.settle()
    world.wait(5)
    world.say(Verb.MERGE, "ann")
    world.settle()
    assert world.memory.merge is not None
    assert world.memory.merge.admitted
    order = []
    for _ in range(3):
        order.append([run.project.name for run in world.runs if not run.state.over])
        world.run_all()
        world.settle()
        world.wait(5)
        world.say(Verb.DEPLOY, "ann", "web")
        world.settle()
    assert order == [["net"], ["app"], ["web"]]
    assert {intent.state for intent in world.intents} == {IntentState.DEPLOYED}


def test_a_merge_without_approval_deploys_nothing_until_somebody_else_accepts(
    new_world: Any, build: SimpleNamespace
) -> None:
    world = new_world()
    world.settle()
    world.run_all()
    world.settle()
    world.merge_now("ann")
    world.settle()
    assert world.memory.merge.why_not
    for login_ in ("ann", "ro", "nobody"):
        world.wait(5)
        world.accept(login_)
        world.settle()
    assert [run for run in world.started if run.kind is RunKind.DEPLOY] == []
    world.wait(5)
    world.accept("bo")
    world.settle()
    assert [run.accepted_by for run in world.started if run.kind is RunKind.DEPLOY] == [("bo",)]


def test_the_record_is_written_one_look_before_the_check_is_green(new_world: Any, build: SimpleNamespace) -> None:
    world = new_world(environments={})
    world.round()
    world.run_all()
    seen = []
    for _ in range(6):
        decision = world.round()
        seen += [
            "record" if type(effect).__name__ == "OpenGate" else "green"
            for effect in decision.effects()
            if type(effect).__name__ == "OpenGate"
            or (isinstance(effect, PublishCheck) and effect.name == "headgate/gate")
        ]
    assert seen == ["record", "green"]


@LAW
@given(quiet=st.floats(0, 100), waited=st.floats(0, 200))
def test_a_slow_plan_is_announced_when_it_is_due_and_not_before(
    new_world: Any, build: SimpleNamespace, quiet: float, waited: float
) -> None:
    world = new_world(limits=Limits(quiet_plan=quiet))
    decided = world.round()
    assert any(isinstance(effect, StartRun) for effect in decided.state)
    world.settle()
    world.wait(waited)
    world.settle()
    since = world.memory.planning_since
    assert bool(world.memory.published.pages) == (world.now - since >= timedelta(seconds=quiet))
