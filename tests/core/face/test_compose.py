"""The comment in every state a change can be in: what is said first, and the next step."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from bot.core import leftovers
from bot.core.effectset import Action, EffectSet
from bot.core.errors import Problem
from bot.core.face.compose import compose
from bot.core.face.model import Face
from bot.core.gate import judge
from bot.core.model import ChangeRef, ChangeState, Commit, ReviewState
from bot.core.project import DeployMode, Standing
from bot.core.record import IntentState, Verb
from bot.core.rules import Environment, Mode, RepoRules
from bot.core.runs import Failure, FailureKind, Holder, PlanResult, RunState, Verification
from bot.core.snapshot import TargetFact


def face(snapshot: Any) -> Face:
    found = compose(snapshot, judge(snapshot))
    assert found is not None
    return found


def notices(snapshot: Any) -> str:
    return "\n".join(face(snapshot).notices)


# ------------------------------------------------------------------------------------ before it merges


def test_waiting_for_people_says_how_many_and_who(build: SimpleNamespace) -> None:
    found = face(build.a_snapshot())
    assert found.headline == "> **⏸ Waiting for 1 approval** · 1 create · nothing destroyed"
    assert found.next.startswith(
        "one approval by bo, cy or mel (not ann, who wrote it). Then merge, or say `/merge`."
    )
    assert found.next.endswith("On merge Headgate deploys **app**.")
    two = face(build.a_snapshot(environments={"prod": Environment("prod", approvals=2)}))
    assert "Waiting for 2 approvals, has 0" in two.headline


def test_what_holds_it_beside_missing_approvals_is_counted(build: SimpleNamespace) -> None:
    held = build.a_snapshot(requests=(build.granted(Verb.HOLD, "cy"),))
    assert face(held).headline.startswith("> **⏸ Waiting for 1 approval (and 1 more)**")


def test_who_accepted_an_unreviewed_result_is_said(build: SimpleNamespace) -> None:
    done, run = build.an_intent(state=IntentState.DEPLOYED), build.a_deploy_run(accepted_by=("cy",))
    assert face(build.a_merged(intents=(done,), deploys=(run,))).rows[0].rules.endswith(", accepted by cy")


def test_nobody_known_who_could_approve_is_said(build: SimpleNamespace) -> None:
    assert "nobody is known; not ann" in face(build.a_snapshot(people={"ann": build.PEOPLE["ann"]})).next


def test_a_comment_links_to_nothing_where_nothing_serves_it(build: SimpleNamespace) -> None:
    served, alone = face(build.a_snapshot()), face(build.a_snapshot(link=""))
    assert "](" in served.footer and "[log](" in served.sections[0].notes[0]
    assert "](" not in alone.footer and "](" not in "".join(alone.sections[0].notes)
    assert alone.footer.endswith("`/plan` plans again · `/explain` · `/help`")


def test_ready_says_who_approved(build: SimpleNamespace) -> None:
    assert "✅ Approved by bo: ready to merge" in face(build.an_approved()).headline
    assert face(build.an_approved()).next.startswith("merge, or say `/merge`.")
    assert "✅ Ready to merge" in face(build.a_snapshot(environments={})).headline


def test_planning_says_so(build: SimpleNamespace) -> None:
    found = face(build.a_snapshot(plans=(build.a_plan_run(state=RunState.RUNNING),)))
    assert "⏳ Planning" in found.headline
    assert found.rows[0].result == "planning …"
    assert "more when the plans are done" in found.next
    assert face(build.a_snapshot(plans=())).rows[0].result == "not planned"


def test_a_denial_comes_first_and_the_others_are_counted(build: SimpleNamespace) -> None:
    against = build.a_review("cy", ReviewState.CHANGES_REQUESTED)
    found = face(build.a_snapshot(reviews=(against,)))
    assert "⛔ cy asked for changes (and 1 more)" in found.headline
    assert "(1 more: `/explain`)" in found.next


def test_a_hold_and_a_draft_are_what_it_waits_for(build: SimpleNamespace) -> None:
    assert "⏸ bo holds it" in face(build.an_approved(records=(), requests=(build.granted(Verb.HOLD),))).headline
    assert "⏸ It is a draft" in face(build.an_approved(records=(), change=build.a_change(draft=True))).headline


def test_dropped_approvals_are_named(build: SimpleNamespace) -> None:
    worse = build.an_effect_set(build.an_effect(action=Action.DELETE))
    given: dict[str, Any] = {"faces": (build.a_face(),), "known": (build.an_effect_set(),)}
    one = face(build.a_snapshot(worse, reviews=(build.a_review(),), **given))
    assert "The approval of bo no longer counts: the plan is not what that reviewer saw" in one.headline
    assert [danger.effect.address for danger in one.dangers] == ["aws_bucket.logs"]
    assert "nothing destroyed" not in one.headline
    both = face(build.a_snapshot(worse, reviews=(build.a_review(), build.a_review("cy")), **given))
    assert "not what they saw" in both.headline


def test_closed_says_that_nothing_will_happen(build: SimpleNamespace) -> None:
    found = face(build.a_snapshot(change=build.a_change(state=ChangeState.CLOSED)))
    assert "Closed: nothing of this will be deployed" in found.headline
    assert found.next == ""


def test_nothing_affected_any_more(build: SimpleNamespace) -> None:
    assert "Nothing that Headgate manages" in face(build.a_snapshot(affected=())).headline


def test_a_broken_configuration_lists_file_line_and_words(build: SimpleNamespace) -> None:
    problems = (Problem("headgate.yaml", 3, "projects[0]", "no `tool`"), Problem("headgate.yaml", 0, "", "empty"))
    found = face(build.a_snapshot(selection=build.a_selection(problems=problems), plans=()))
    assert "⛔ The configuration has 2 problems" in found.headline
    assert found.notices[0].splitlines()[0].strip() == "> `headgate.yaml:3` `projects[0]`: no `tool`"
    assert found.notices[0].splitlines()[1].strip() == "> `headgate.yaml` empty"


def test_conflicts_list_the_files(build: SimpleNamespace) -> None:
    found = face(build.a_snapshot(selection=build.a_selection(conflicts=("main.tf",))))
    assert "does not merge with `main`" in found.headline
    assert "`main.tf`" in found.notices[0]


def test_a_failed_plan_shows_its_error_open(build: SimpleNamespace) -> None:
    failure = Failure(FailureKind.TOOL, "no credentials", ("line one",))
    found = face(build.a_snapshot(plans=(build.a_plan_run(state=RunState.FAILED, failure=failure),)))
    (section,) = found.sections
    assert section.open
    assert section.notes[1:] == ("⛔ no credentials", "- line one")
    assert (found.rows[0].result, found.rows[0].rules) == ("plan failed", "⛔")


def test_warnings_and_unforeseeable_steps_are_counted(build: SimpleNamespace) -> None:
    made = build.an_effect_set(unpredictable=2)
    run = build.a_plan_run(plan=PlanResult(build.printed(made), warnings=("old provider",)))
    found = face(replace(build.a_snapshot(made), runs=(run,)))
    assert "2 steps that cannot be predicted" in found.headline
    assert found.rows[0].result == "1 create, 2 steps unforeseeable"
    assert found.rows[0].rules == "⏸ 1 approval ⚠ 1 warning"
    assert "⚠ old provider" in found.sections[0].notes


def test_projects_without_changes_share_a_row(build: SimpleNamespace) -> None:
    three = tuple(build.an_affected(name, because=()) for name in ("a", "b", "c"))
    found = face(build.a_snapshot(EffectSet(), EffectSet(), build.an_effect_set(), affected=three))
    assert [(row.projects, row.result) for row in found.rows] == [
        (("**c**",), "1 create"),
        (("a", "b"), "no changes"),
    ]
    assert "3 projects, 2 without changes" in found.subline
    assert len(found.sections) == 1
    assert face(build.a_snapshot(EffectSet())).next == "merge, or say `/merge`."


def test_failing_comes_before_destroying_before_changing(build: SimpleNamespace) -> None:
    three = tuple(build.an_affected(name) for name in ("a", "b", "c"))
    gone = build.an_effect_set(build.an_effect(action=Action.DELETE))
    plans = (build.a_plan_run("a"), build.a_plan_run("b", gone), build.a_plan_run("c", state=RunState.FAILED))
    found = face(build.a_snapshot(build.an_effect_set(), gone, affected=three, plans=plans))
    assert [row.projects[0] for row in found.rows] == ["**c**", "**b**", "**a**"]
    assert [section.project for section in found.sections] == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("affected", "words"),
    [
        ({"standing": Standing.REMOVED}, "is removed by this change"),
        ({"standing": Standing.NEW, "environment": ""}, "is new and no environment is granted to `app`"),
        ({"standing": Standing.REBOUND, "wanted": {"tool": "ansible"}}, "tool `terraform` → `ansible`"),
        ({"standing": Standing.REBOUND, "wanted": {"environment": ""}}, "environment `prod` → `none`"),
        ({"standing": Standing.REBOUND, "wanted": {}}, "bound differently by this change (its options)"),
    ],
)
def test_what_is_special_about_a_project_is_said(build: SimpleNamespace, affected: Any, words: str) -> None:
    fields = dict(affected)
    project = build.a_project(environment=fields.pop("environment", "prod"))
    if "wanted" in fields:
        fields["wanted"] = build.a_project(**fields["wanted"])
    assert words in notices(build.a_snapshot(affected=(build.an_affected(project, **fields),)))


def test_a_new_project_with_an_environment_needs_no_notice(build: SimpleNamespace) -> None:
    assert face(build.a_snapshot(affected=(build.an_affected(standing=Standing.NEW),))).notices == ()
    removed = build.an_affected(standing=Standing.REMOVED)
    assert face(build.a_snapshot(affected=(removed,), plans=())).rows[0].result == "removed"


@pytest.mark.parametrize(
    ("owned", "notice", "result", "badge"),
    [
        (3, "but 3 things it owns would stay behind unmanaged", "removed, owns 3 things", "⛔"),
        (1, "but 1 thing it owns would stay behind unmanaged", "removed, owns 1 thing", "⛔"),
        (0, "is removed by this change, and owns nothing any more", "removed, owns nothing", "✅"),
        (None, "terraform cannot tell what it owns: whatever that is stays behind", "removed", "⏸ 1 approval"),
    ],
)
def test_what_a_removed_project_leaves_behind_is_said(
    build: SimpleNamespace, owned: int | None, notice: str, result: str, badge: str
) -> None:
    removed = build.an_affected(standing=Standing.REMOVED)
    left = leftovers.effects(removed.project, owned)
    run = replace(build.a_plan_run("app", left), plan=PlanResult(build.printed(left), owned=owned))
    found = face(build.a_snapshot(affected=(removed,), plans=(run,), known=(left,)))
    assert "On merge" not in found.next
    free = {"prod": Environment("prod", approvals=0)}
    unruled = face(build.a_snapshot(affected=(removed,), plans=(run,), known=(left,), environments=free))
    assert unruled.rows[0].rules == badge
    assert notice in "".join(found.notices)
    assert [(row.projects, row.result, row.rules) for row in found.rows] == [(("**app**",), result, badge)]


def test_inherited_work_rivals_unknown_hands_and_pauses_are_noticed(build: SimpleNamespace) -> None:
    left = build.an_intent("app", IntentState.STOPPED, change=ChangeRef(build.REPO, 9))
    said = notices(
        build.a_snapshot(
            targets={"state/app": TargetFact("state/app", inherited=(left,))},
            rivals={
                "app": tuple(ChangeRef(build.REPO, 20 + n) for n in range(6)),
                "net": (ChangeRef(build.REPO, 8),),
            },
            commits=(Commit("f" * 40, "", ""),),
            paused="maintenance",
        )
    )
    assert "#9 was merged and left `app` undeployed (it stopped)" in said
    assert "#20, #21, #22, #23, #24… also concern **app**" in said
    assert "#8 also concerns **net**" in said
    assert "The host does not say the author of `fffffff`" in said
    assert "Deploys are paused: maintenance. What is merged now waits." in said


def test_where_nobodys_approval_would_count_the_push_that_is_needed_is_asked_for(build: SimpleNamespace) -> None:
    found = face(build.a_snapshot(commits=(Commit("f" * 40, "", ""),)))

    assert "Waiting for a push by somebody the host knows" in found.headline
    assert "the author of `fffffff` · ann: push again with an account the host knows" in found.next
    assert "one approval by" not in found.next


def test_the_order_of_deploys_is_announced(build: SimpleNamespace) -> None:
    many = tuple(
        build.an_affected(build.a_project(f"p{n}", depends_on=(f"p{n - 1}",) if n else ())) for n in range(8)
    )
    assert "**p0**, then **p1**" in face(build.a_snapshot(affected=many)).next
    assert face(build.a_snapshot(affected=many)).next.endswith("and 2 more.")
    assert "On merge" not in face(build.a_snapshot(rules=RepoRules("x", mode=Mode.COMMENT))).next


# ------------------------------------------------------------------------------------ after the merge


def test_nothing_to_deploy(build: SimpleNamespace) -> None:
    assert "✅ Merged; nothing had to be deployed" in face(build.a_merged(intents=())).headline


@pytest.mark.parametrize(
    ("state", "fields", "headline", "cell"),
    [
        (RunState.RUNNING, {}, "🚀 Deploying app", "🚀 deploying"),
        (RunState.SUSPECT, {}, "⚠ Nobody knows whether the deploy of app still runs", "⚠ nobody knows"),
        (RunState.DIFFERS, {}, "✋ Not deployed: app would now do something that nobody reviewed", "✋ stopped"),
        (RunState.FAILED, {}, "❌ app failed", "❌ failed"),
        (None, {"paused": "x"}, "⏳ Merged; app waits", "⏳ waits for the end of a pause: x"),
    ],
)
def test_each_stage_has_its_words(
    build: SimpleNamespace, state: RunState | None, fields: Any, headline: str, cell: str
) -> None:
    deploys = () if state is None else (build.a_deploy_run(state=state),)
    found = face(build.a_merged(deploys=deploys, **fields))
    assert headline in found.headline
    assert found.rows[0].rules.startswith(cell)


@pytest.mark.parametrize(
    ("verification", "words"),
    [
        (Verification.VERIFIED, ", verified"),
        (Verification.NOT_CONVERGENT, ", ⚠ would still change something"),
        (Verification.INCOMPLETE, ""),
        (None, ""),
    ],
)
def test_deployed_says_when_and_whether_it_was_verified(
    build: SimpleNamespace, verification: Verification | None, words: str
) -> None:
    done = (build.an_intent(state=IntentState.DEPLOYED),)
    found = face(build.a_merged(intents=done, deploys=(build.a_deploy_run(verification=verification),)))
    assert "✅ Deployed by merge of `aaaaaaa` (bo, 11:59 UTC)" in found.headline
    assert found.rows[0].rules == f"✅ deployed 11:59 UTC{words}"
    assert found.next == ""


def test_where_we_merged_it_is_said_who_asked(build: SimpleNamespace) -> None:
    done, deploys = (build.an_intent(state=IntentState.DEPLOYED),), (build.a_deploy_run(),)
    asked = (build.granted(Verb.MERGE, "cy"),)
    by_people = build.a_merged(intents=done, deploys=deploys, requests=asked)
    assert "(bo, 11:59 UTC)" in face(by_people).headline
    assert "(cy, 11:59 UTC)" in face(replace(by_people, bot="bo")).headline


def test_superseded_says_so(build: SimpleNamespace) -> None:
    found = face(build.a_merged(intents=(build.an_intent(state=IntentState.SUPERSEDED),)))
    assert "Superseded: a newer commit is deployed" in found.headline
    assert found.rows[0].rules == "superseded by a newer commit"


def test_on_command_asks_for_the_word(build: SimpleNamespace) -> None:
    manual = build.a_project(deploy=DeployMode.ON_COMMAND)
    found = face(build.a_merged(affected=(build.an_affected(manual),)))
    assert "⏸ Merged; app waits for `/deploy`" in found.headline
    assert found.next == "`/deploy app` when you are ready."
    assert found.rows[0].rules == "⏸ waits for `/deploy`"


def test_a_failed_deploy_says_what_stays_done_and_what_next(build: SimpleNamespace) -> None:
    failure = Failure(FailureKind.TOOL, "quota", ("detail",))
    done = build.a_deploy_run(state=RunState.FAILED, failure=failure, applied=("a", "b"))
    said = notices(build.a_merged(deploys=(done,)))
    assert "quota. What was done (2) stays done" in said
    assert "> - detail" in said
    assert "`/deploy app` tries the rest" in said
    lost = notices(build.a_merged(deploys=(build.a_deploy_run(state=RunState.LOST, attempt=3),)))
    assert "its process died more than once. Nothing was changed" in lost


def test_a_stopped_deploy_shows_reviewed_and_now_and_the_words_to_accept(build: SimpleNamespace) -> None:
    now = build.an_effect_set(*(build.an_effect(f"aws_bucket.b{n}") for n in range(40)), unpredictable=1)
    plan = build.a_plan_run(effects=now).plan
    snapshot = build.a_merged(deploys=(build.a_deploy_run(state=RunState.DIFFERS, plan=plan),), known=(now,))
    found = face(snapshot)
    assert "reviewed: nothing at aws_bucket.b0" in found.notices[0]
    assert "more lines on the page" in found.notices[0]
    assert f"`/deploy app --accept {build.printed(now)[:8]}`" in found.notices[0]
    assert "bo, cy or mel (not ann)" in found.notices[0]
    assert found.next == "see above; nothing else waits for it."
    two = replace(snapshot, environments={"prod": Environment("prod", approvals=2)}, people={})
    assert "Somebody with write permission (not ann), 2 of them," in notices(two)


def test_unpredictable_steps_are_a_difference_of_their_own(build: SimpleNamespace) -> None:
    now = build.an_effect_set(unpredictable=1)
    plan = build.a_plan_run(effects=now).plan
    said = notices(build.a_merged(deploys=(build.a_deploy_run(state=RunState.DIFFERS, plan=plan),), known=(now,)))
    assert "more steps that cannot be predicted" in said


def test_what_waits_behind_something_stopped_is_said(build: SimpleNamespace) -> None:
    both = (build.an_affected("net"), build.an_affected(build.a_project("app", depends_on=("net",))))
    intents = (build.an_intent("net", IntentState.STOPPED), build.an_intent("app"))
    failed = build.a_deploy_run("net", state=RunState.FAILED)
    found = face(build.a_merged(affected=both, intents=intents, deploys=(failed,)))
    assert found.next == "app waits for what is stopped above."


def test_a_suspect_deploy_names_who_stopped_reporting(build: SimpleNamespace) -> None:
    known = build.a_deploy_run(
        state=RunState.SUSPECT, holder=Holder("worker", "boot", 5, 1.0), lease_until=build.ago(90)
    )
    assert "`worker:5` stopped reporting at 11:58 UTC" in notices(build.a_merged(deploys=(known,)))
    unknown = build.a_deploy_run(state=RunState.SUSPECT)
    assert "`somebody` stopped reporting at a while" in notices(build.a_merged(deploys=(unknown,)))


def test_a_merge_past_the_gate_offers_three_ways(build: SimpleNamespace) -> None:
    past = build.a_merge_record(admitted="", why_not="the gate was never open")
    snapshot = build.a_merged(merged=past, records=(), paused="x")
    found = face(snapshot)
    assert "✋ Merged past the gate, so nothing is deployed: the gate was never open" in found.headline
    assert found.rows[0].rules == "✋ not reviewed"
    assert "or supersede it with a new change" in found.notices[0]
    assert "They go on by themselves when resumed." in found.notices[1]
    assert "is being planned, to show" in notices(replace(snapshot, runs=()))
