"""Every command: who may give it, when it is granted, and the words with which it is refused."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from bot.core.decide.deploying import deploy_effects
from bot.core.decide.requests import LEAST, RULES, request_effects
from bot.core.effects import Judge, ReleaseTarget, ThawBranch
from bot.core.gate import judge
from bot.core.model import ChangeState, Permission, RepoRef
from bot.core.record import IntentState, Judgement, Refusal, Verb
from bot.core.rules import Mode, RepoRules
from bot.core.runs import Failure, FailureKind, RunState


def outcome(snapshot: Any) -> Judge | None:
    """What became of the only open request."""
    found = [effect for effect in request_effects(snapshot, judge(snapshot)) if isinstance(effect, Judge)]
    assert len(found) <= 1
    return found[0] if found else None


def refused(snapshot: Any) -> str:
    found = outcome(snapshot)
    assert found is not None
    assert found.judgement is Judgement.REFUSED
    return found.answer


def granted(snapshot: Any) -> str:
    found = outcome(snapshot)
    assert found is not None
    assert found.judgement is Judgement.DONE, found.answer
    return found.answer


def test_every_verb_has_a_rule_and_a_least_permission() -> None:
    assert set(RULES) == set(LEAST) == set(Verb)


@pytest.mark.parametrize("verb", [verb for verb in Verb if LEAST[verb] > Permission.NONE])
def test_a_command_needs_permission(build: SimpleNamespace, verb: Verb) -> None:
    text = refused(build.a_snapshot(requests=(build.a_request(verb, "nobody"),)))
    assert text == f"`{verb.value}` needs {LEAST[verb].name.lower()} permission here."


def test_permission_told_by_the_host_outranks_what_was_known_of_people(build: SimpleNamespace) -> None:
    snapshot = build.a_snapshot(requests=(build.a_request(Verb.PLAN),), permissions={"bo": Permission.READ})
    assert "needs write" in refused(snapshot)


@pytest.mark.parametrize("verb", [Verb.PLAN, Verb.HOLD, Verb.UNHOLD, Verb.OK_TO_PLAN, Verb.MERGE])
def test_a_closed_change_takes_no_commands_about_planning_and_merging(build: SimpleNamespace, verb: Verb) -> None:
    closed = build.a_change(state=ChangeState.CLOSED)
    assert "This is closed" in refused(build.a_snapshot(change=closed, requests=(build.a_request(verb),)))


def test_merge_is_granted_by_the_merge_itself_whoever_asked(build: SimpleNamespace) -> None:
    assert granted(build.a_merged(requests=(build.a_request(Verb.MERGE, "nobody"),))) == ""


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.COMMENT])
@pytest.mark.parametrize("verb", [Verb.MERGE, Verb.DEPLOY])
def test_without_enforcing_nothing_is_merged_or_deployed(build: SimpleNamespace, mode: Mode, verb: Verb) -> None:
    rules = RepoRules("acme/infra", mode=mode)
    assert f"`mode: {mode.value}`" in refused(build.a_snapshot(rules=rules, requests=(build.a_request(verb),)))


def test_words_that_were_not_understood_are_answered_with_what_would_have_been(build: SimpleNamespace) -> None:
    snapshot = build.a_snapshot(requests=(build.a_request(None, answer="Did you mean `/plan`?"),))
    assert granted(snapshot) == "Did you mean `/plan`?"


def test_a_judged_request_is_not_judged_again(build: SimpleNamespace) -> None:
    assert request_effects(build.a_snapshot(requests=(build.granted(Verb.HELP),)), judge(build.a_snapshot())) == ()


def test_anybody_gets_help_and_readers_an_explanation(build: SimpleNamespace) -> None:
    assert "| `plan" in granted(build.a_snapshot(requests=(build.a_request(Verb.HELP, "nobody"),)))
    assert "The gate waits." in granted(build.a_snapshot(requests=(build.a_request(Verb.EXPLAIN, "ro"),)))


# ----------------------------------------------------------------------------------------- /plan


def test_plan_is_granted_for_everything_and_for_named_projects(build: SimpleNamespace) -> None:
    granted(build.a_snapshot(requests=(build.a_request(Verb.PLAN),)))
    granted(build.a_snapshot(requests=(build.a_request(Verb.PLAN, "bo", "app"),)))


def test_plan_of_an_unknown_project_names_those_there_are(build: SimpleNamespace) -> None:
    many = tuple(build.an_affected(f"p{number:02d}") for number in range(22))
    text = refused(build.a_snapshot(affected=many, requests=(build.a_request(Verb.PLAN, "bo", "nope"),)))
    assert text.startswith("No project called `nope` is affected by this change. There are: `p00`, ")
    assert text.endswith("`p19` and 2 more.")
    none = build.a_snapshot(affected=(), requests=(build.a_request(Verb.PLAN, "bo", "nope"),))
    assert refused(none).endswith("There are: none.")


def test_plan_waits_until_it_is_known_what_is_affected(build: SimpleNamespace) -> None:
    stale = build.a_selection(build.an_affected(), head="e" * 40)
    assert outcome(build.a_snapshot(selection=stale, requests=(build.a_request(Verb.PLAN),))) is None


def test_the_author_of_a_fork_cannot_plan_before_somebody_looked(build: SimpleNamespace) -> None:
    fork = build.a_change(head_repo=RepoRef("github", "evil/infra"))
    text = refused(build.a_snapshot(change=fork, requests=(build.a_request(Verb.PLAN, "ann"),)))
    assert "`/ok-to-plan`" in text
    granted(build.a_snapshot(change=fork, requests=(build.a_request(Verb.PLAN, "bo"),)))


# ------------------------------------------------------------------------------- /hold and /unhold


def test_hold_is_granted(build: SimpleNamespace) -> None:
    granted(build.a_snapshot(requests=(build.a_request(Verb.HOLD, reason="friday"),)))


def test_unhold_without_a_hold_is_refused(build: SimpleNamespace) -> None:
    assert refused(build.a_snapshot(requests=(build.a_request(Verb.UNHOLD),))) == "Nothing is on hold here."


@pytest.mark.parametrize(("login", "may"), [("bo", True), ("mel", True), ("cy", False)])
def test_a_hold_is_released_by_its_holder_or_a_maintainer(build: SimpleNamespace, login: str, may: bool) -> None:
    snapshot = build.a_snapshot(requests=(build.granted(Verb.HOLD), build.a_request(Verb.UNHOLD, login)))
    if may:
        granted(snapshot)
    else:
        assert refused(snapshot) == "bo holds this; only they or a maintainer can release it."


# ------------------------------------------------------------------------------------- /ok-to-plan


def test_nobody_vouches_for_their_own_code(build: SimpleNamespace) -> None:
    request = build.a_request(Verb.OK_TO_PLAN, "ann", build.HEAD[:12])
    assert "cannot vouch" in refused(build.a_snapshot(requests=(request,)))


@pytest.mark.parametrize(
    ("words", "head", "may"),
    [
        (("a" * 12,), "a" * 40, True),
        (("b" * 12,), "a" * 40, False),
        ((), "a" * 40, False),
        (("a" * 12,), "e" * 40, False),
    ],
)
def test_vouching_is_for_the_very_commit_one_had_in_view(
    build: SimpleNamespace, words: tuple[str, ...], head: str, may: bool
) -> None:
    snapshot = build.a_snapshot(requests=(build.a_request(Verb.OK_TO_PLAN, "bo", *words, head=head),))
    if may:
        granted(snapshot)
    else:
        assert "say `/ok-to-plan aaaaaaaaaaaa`" in refused(snapshot)


def test_a_beginning_that_fits_two_commits_of_the_change_vouches_for_neither(build: SimpleNamespace) -> None:
    head, other = "a" * 40, "a" * 12 + "e" * 28
    request = build.a_request(Verb.OK_TO_PLAN, "bo", "a" * 12, head=head)
    assert f"`/ok-to-plan {head}`" in refused(
        build.a_snapshot(requests=(request,), faces=(build.a_face(head=other),))
    )
    assert "Two commits" in refused(build.a_snapshot(requests=(request,), pushers={other: "ann"}))
    whole = build.a_request(Verb.OK_TO_PLAN, "bo", head, head=head)
    granted(build.a_snapshot(requests=(whole,), faces=(build.a_face(head=other),)))


# ------------------------------------------------------------------------------------------ /merge


def test_merge_waits_for_the_gate(build: SimpleNamespace) -> None:
    assert outcome(build.a_snapshot(requests=(build.a_request(Verb.MERGE),))) is None


@pytest.mark.parametrize(("head", "seen"), [("e" * 40, "eeeeeee"), ("", "no plan")])
def test_merge_is_bound_to_the_commit_one_had_in_view(build: SimpleNamespace, head: str, seen: str) -> None:
    text = refused(build.a_snapshot(requests=(build.a_request(Verb.MERGE, head=head),)))
    assert text.startswith(f"You had `{seen}` before you")


def test_merge_gives_up_when_the_host_keeps_refusing(build: SimpleNamespace) -> None:
    def after(attempts: int) -> Any:
        refusals = {f"merge:{build.HEAD}": Refusal(attempts, build.NOW, "branch is protected")}
        return build.an_approved(requests=(build.a_request(Verb.MERGE),), refusals=refusals)

    assert outcome(after(4)) is None
    assert refused(after(5)) == "The host will not merge it: branch is protected"


# ----------------------------------------------------------------------------------------- /deploy


def test_deploy_before_the_merge_says_what_the_gate_waits_for(build: SimpleNamespace) -> None:
    request = build.a_request(Verb.DEPLOY)
    assert "The gate waits: prod needs 1 approval and has 0." in refused(build.a_snapshot(requests=(request,)))
    assert refused(build.an_approved(requests=(request,))).endswith("this is not merged yet.")


def test_deploy_waits_until_the_merge_is_recorded(build: SimpleNamespace) -> None:
    assert outcome(build.a_merged(merged=None, requests=(build.a_request(Verb.DEPLOY),))) is None


def test_deploy_of_an_unknown_project_is_refused(build: SimpleNamespace) -> None:
    text = refused(build.a_merged(requests=(build.a_request(Verb.DEPLOY, "bo", "nope"),)))
    assert text == "No project called `nope` is deployed by this change. There are: `app`."


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (RunState.RUNNING, "app is being deployed right now."),
        (RunState.SUSPECT, "Nobody knows whether the last deploy of app still runs; a maintainer can say `/unlock`."),
        (RunState.DIFFERS, "Nobody reviewed what app would do now."),
        (RunState.FAILED, ""),
    ],
)
def test_a_plain_deploy_is_for_what_waits_or_failed(build: SimpleNamespace, state: RunState, words: str) -> None:
    plan = build.a_plan_run().plan
    deploys = (build.a_deploy_run(state=state, plan=plan),)
    snapshot = build.a_merged(deploys=deploys, requests=(build.a_request(Verb.DEPLOY, "bo", "app"),))
    if words:
        assert refused(snapshot).startswith(words)
    else:
        granted(snapshot)


@pytest.mark.parametrize(
    ("state", "words"),
    [(IntentState.DEPLOYED, "app is deployed already."), (IntentState.SUPERSEDED, "A newer commit is deployed")],
)
def test_what_is_deployed_is_not_deployed_again(build: SimpleNamespace, state: IntentState, words: str) -> None:
    snapshot = build.a_merged(intents=(build.an_intent(state=state),), requests=(build.a_request(Verb.DEPLOY),))
    assert refused(snapshot).startswith(words)


def bypassed(build: SimpleNamespace, **fields: Any) -> Any:
    merged = build.a_merge_record(admitted="", why_not="the gate was never open")
    given = {"merged": merged, "records": (), "intents": (build.an_intent(state=IntentState.STOPPED),), **fields}
    return build.a_merged(**given)


def test_what_bypassed_the_gate_is_only_deployed_by_accepting_it(build: SimpleNamespace) -> None:
    shown = build.printed(build.an_effect_set())[:8]
    request = build.a_request(Verb.DEPLOY, "cy", "app")
    assert f"`/deploy app --accept {shown}`" in refused(bypassed(build, requests=(request,)))
    assert "still being planned" in refused(bypassed(build, plans=(), requests=(request,)))


@pytest.mark.parametrize(
    ("login", "accept", "words"),
    [
        ("ann", "right", "Not accepted: who contributed to a change cannot accept its effects."),
        ("cy", "abc", "Give at least four characters of the plan's identifier."),
        ("cy", "zzzzzz", "Nothing here waits to be accepted as `zzzzzz`; it may have changed."),
        ("cy", "right", ""),
    ],
)
def test_effects_are_accepted_exactly_and_by_somebody_else(
    build: SimpleNamespace, login: str, accept: str, words: str
) -> None:
    wanted = build.printed(build.an_effect_set())[:8] if accept == "right" else accept
    snapshot = bypassed(build, requests=(build.a_request(Verb.DEPLOY, login, "app", accept=wanted),))
    if words:
        assert refused(snapshot) == words
    else:
        granted(snapshot)


# ----------------------------------------------------------------------------------------- /unlock


def unlocking(build: SimpleNamespace, **fields: Any) -> Any:
    snapshot = build.a_merged(requests=(build.a_request(Verb.UNLOCK, "mel"),), **fields)
    return snapshot, request_effects(snapshot, judge(snapshot))


def test_unlock_releases_suspect_targets(build: SimpleNamespace) -> None:
    snapshot, effects = unlocking(build, deploys=(build.a_deploy_run(state=RunState.SUSPECT),))
    assert effects[0] == ReleaseTarget("state/app", "mel")
    assert granted(snapshot) == "Released: `state/app`."


@pytest.mark.parametrize("state", [RunState.FAILED, RunState.SUSPECT])
def test_unlock_state_lets_the_next_deploy_release_the_tools_lock(build: SimpleNamespace, state: RunState) -> None:
    asked = build.a_request(Verb.UNLOCK, "mel", state=True)
    snapshot = build.a_merged(requests=(asked,), deploys=(build.a_deploy_run(state=state),))
    effects = request_effects(snapshot, judge(snapshot))
    assert "next deploy of app first releases the lock on its state" in effects[-1].answer
    said = (build.granted(Verb.UNLOCK, "mel", state=True, at=build.ago(2)), build.granted(Verb.DEPLOY, "bo"))
    after = build.a_merged(requests=said, deploys=(build.a_deploy_run(state=RunState.FAILED),))
    (start,) = deploy_effects(after)
    assert start.run.unlock == "*"
    plain = build.a_merged(requests=said[1:], deploys=(build.a_deploy_run(state=RunState.FAILED),))
    assert deploy_effects(plain)[0].run.unlock == ""


def test_unlock_state_with_no_deploy_that_could_have_left_a_lock_is_refused(build: SimpleNamespace) -> None:
    asked = build.a_request(Verb.UNLOCK, "mel", state=True)
    snapshot = build.a_merged(requests=(asked,))
    (only,) = request_effects(snapshot, judge(snapshot))
    assert (only.judgement, only.answer) == (Judgement.REFUSED, "Nothing of this change is locked.")


def test_unlock_thaws_a_frozen_branch(build: SimpleNamespace) -> None:
    snapshot, effects = unlocking(build, frozen="it was rewritten")
    assert effects[0] == ThawBranch("main", "mel")
    assert granted(snapshot) == "Released: deploys from `main`."


def test_unlock_with_nothing_locked_says_so_or_who_is_at_work(build: SimpleNamespace) -> None:
    snapshot, _ = unlocking(build)
    assert refused(snapshot) == "Nothing of this change is locked."
    snapshot, _ = unlocking(build, deploys=(build.a_deploy_run(state=RunState.RUNNING),))
    assert refused(snapshot) == "app is running and will release its lock by itself."


def test_a_whole_queue_of_requests_is_judged_in_order(build: SimpleNamespace) -> None:
    asked = tuple(replace(build.a_request(Verb.HELP), id=str(number)) for number in range(3))
    snapshot = build.a_snapshot(requests=asked)
    found = [effect.request_id for effect in request_effects(snapshot, judge(snapshot)) if isinstance(effect, Judge)]
    assert found == ["0", "1", "2"]


def test_an_answer_says_the_words_of_a_tool_as_words(build: SimpleNamespace) -> None:
    failed = build.a_plan_run(state=RunState.FAILED, failure=Failure(FailureKind.TOOL, "@team <img src=x> ``` `"))
    answer = refused(build.a_snapshot(plans=(failed,), requests=(build.a_request(Verb.DEPLOY),)))
    assert "The plan of app failed" in answer
    assert "@team" not in answer
    assert "<img" not in answer
