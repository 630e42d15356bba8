"""Short comments and explanations: whom they address, what is new, and the exact words to type."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from bot.core.decide.deploying import positions
from bot.core.effectset import Action
from bot.core.face.explain import explain, help_text, plain_keeping_code, plain_part, sentence
from bot.core.face.sayings import approval_dropped, bypassed, deploy_differs, deploy_failed, merge_waits
from bot.core.gate import concerned, judge
from bot.core.record import Verb
from bot.core.runs import Failure, FailureKind, RunState
from bot.core.verdict import Reason, Status


def test_a_dropped_approval_names_what_is_new_destruction_first(build: SimpleNamespace) -> None:
    now = build.an_effect_set(
        build.an_effect("a.new"),
        build.an_effect("b.gone", Action.DELETE),
        build.an_effect("c.again", Action.REPLACE),
        *(build.an_effect(f"d.n{n}", Action.UPDATE) for n in range(4)),
    )
    review = build.a_review()
    snapshot = build.a_snapshot(now, reviews=(review,), faces=(build.a_face(),), known=(build.an_effect_set(),))
    said = approval_dropped(snapshot, review, concerned(snapshot))
    assert said.startswith(
        "@bo: your approval no longer counts, because `aaaaaaa` now also destroys `b.gone` in **app**"
    )
    assert "replaces `c.again`" in said
    assert "; and 2 more. Please look again." in said


def test_an_approval_of_an_older_commit_names_both(build: SimpleNamespace) -> None:
    review = build.a_review(sha="e" * 40)
    snapshot = build.a_snapshot(reviews=(review,), faces=(build.a_face(head="e" * 40),))
    said = approval_dropped(snapshot, review, concerned(snapshot))
    assert said == "@bo: your approval was for `eeeeeee`; `aaaaaaa` was pushed since. Please look again."


def test_without_a_face_everything_is_new(build: SimpleNamespace) -> None:
    review = build.a_review()
    snapshot = build.a_snapshot(reviews=(review,))
    assert "creates `aws_bucket.logs`" in approval_dropped(snapshot, review, concerned(snapshot))


def test_merge_is_told_what_it_waits_for_and_who_can_change_that(build: SimpleNamespace) -> None:
    request = build.a_request(Verb.MERGE)
    said = merge_waits(judge(build.a_snapshot()), request)
    assert said.startswith("@bo: not yet: prod needs 1 approval and has 0. bo, cy or mel can change that.")
    assert "it is still being looked at" in merge_waits(judge(build.an_approved()), request)


def test_a_failed_deploy_addresses_who_merged(build: SimpleNamespace) -> None:
    failure = Failure(FailureKind.TOOL, "quota")
    run = build.a_deploy_run(state=RunState.FAILED, failure=failure, applied=("a",))
    snapshot = build.a_merged(deploys=(run,))
    said = deploy_failed(snapshot, positions(snapshot)[0])
    assert said.startswith("@bo: **app** failed: quota. What was done (1 so far) stays done and is recorded.")
    unknown = build.a_merged(
        deploys=(build.a_deploy_run(state=RunState.FAILED),), change=build.a_merged_change(merged_by="")
    )
    assert deploy_failed(unknown, positions(unknown)[0]).startswith("@ann: **app** failed: it stopped. Next:")


def test_a_stopped_deploy_addresses_who_may_accept(build: SimpleNamespace) -> None:
    now = build.an_effect_set(build.an_effect("other"))
    run = build.a_deploy_run(state=RunState.DIFFERS, plan=build.a_plan_run(effects=now).plan)
    snapshot = build.a_merged(deploys=(run,), known=(now,))
    said = deploy_differs(snapshot, positions(snapshot)[0])
    assert "@bo, @cy or @mel can look" in said
    assert f"`/deploy app --accept {build.printed(now)[:8]}`" in said
    nobody = build.a_merged(deploys=(run,), people={})
    assert "somebody who did not contribute can look" in deploy_differs(nobody, positions(nobody)[0])


def test_a_bypass_names_who_merged_and_the_ways_on(build: SimpleNamespace) -> None:
    merge = build.a_merge_record(admitted="", why_not="the gate was never open for `aaaaaaa`", by="")
    said = bypassed(build.a_merged(merged=merge), merge)
    assert "merged by somebody although the gate was never open for `aaaaaaa`. Nothing was deployed (app)" in said


@pytest.mark.parametrize(
    ("status", "head"),
    [
        (Status.APPROVED, "The gate is open."),
        (Status.PENDING, "The gate waits."),
        (Status.DENIED, "The gate is closed."),
        (Status.SKIPPED, "No rule concerns this change."),
    ],
)
def test_an_explanation_begins_with_the_outcome(status: Status, head: str) -> None:
    assert explain(Reason("gate", status, "gate")) == head


def test_an_explanation_shows_values_and_ignored_approvals(build: SimpleNamespace) -> None:
    said = explain(judge(build.a_snapshot(reviews=(build.a_review("ann"),), faces=(build.a_face(),))))
    assert "- ⏸ prod needs 1 approval and has 0 · bo, cy or mel: approve on the host" in said
    assert "  - approvals: 0 of 1, projects: app" in said
    assert "  - the approval of ann does not count: contributed to this change" in said


def test_a_sentence_says_who_and_how_only_while_it_matters() -> None:
    assert sentence(Reason("r", Status.PENDING, "x", how="`/hold`")) == "x · `/hold`"
    assert sentence(Reason("r", Status.PENDING, "x", who=("ann",))) == "x · ann"
    assert sentence(Reason("r", Status.PENDING, "x")) == "x"
    assert sentence(Reason("r", Status.APPROVED, "x", who=("ann",), how="y")) == "x"


def test_code_spans_of_our_own_sentences_stay_and_unpaired_ones_do_not() -> None:
    assert plain_keeping_code("see `a*b` or *c*") == "see `a*b` or \\*c\\*"
    assert plain_keeping_code("odd ` one") == "odd \\` one"
    assert plain_part("  ") == "  "


@pytest.mark.parametrize(
    "hostile",
    [
        "x ``` @team <img src=https://evil.example/x> ` y",
        "a `\n\n<img src=https://evil.example/x>\n\n` b",
        "``` [x](https://evil.example) `",
        "`` `@team` ``",
        "`\n> # headline\n`",
    ],
)
def test_backticks_of_strangers_open_nothing(hostile: str) -> None:
    shown = plain_keeping_code(f"The plan of app failed: {hostile}")
    assert "<img" not in shown
    assert "@team" not in shown.replace("`@team`", "")
    assert "https:" not in shown
    assert "\n" not in shown


def test_code_in_a_sentence_hides_nothing_and_ends_no_cell() -> None:
    assert plain_keeping_code("at `a\u202eb|c`") == "at `a\\u202eb¦c`"


def test_help_shows_every_form_of_address() -> None:
    assert "`@bot plan`" in help_text("bot")
    assert "@" not in help_text("").splitlines()[0]


def test_an_explanation_fits_a_comment_and_says_what_is_left_out() -> None:
    many = tuple(Reason(f"r{number}", Status.DENIED, "x" * 200) for number in range(1000))
    said = explain(Reason("gate", Status.DENIED, "gate", children=many))
    assert len(said) < 51_000
    assert said.splitlines()[-1] == f"- … and {1002 - said.count(chr(10))} more lines"
