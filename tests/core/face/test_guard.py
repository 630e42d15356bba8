"""The comment tells what the static guard found: strongest first, bounded, with the way out of a denial."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from bot.core.decide.deploying import deploy_effects, positions
from bot.core.decide.guarding import guard_effects
from bot.core.decide.planning import plan_effects
from bot.core.face.checks import gate_check, plan_check
from bot.core.face.compose import compose
from bot.core.face.guard import MOST, guard_notices
from bot.core.fold import FINDINGS_KEPT, fold
from bot.core.gate import judge
from bot.core.guard.model import Finding, Judged, Level
from bot.core.project import Selection
from bot.core.record import CheckConclusion
from bot.core.verdict import Status


def found(level: Level, rule: str = "external", **fields: object) -> Judged:
    finding = Finding(rule, "app/main.tf", "a program is run", str(fields.pop("value", "sh")), 3)
    return Judged(finding, level, **{"project": "app", **fields})  # type: ignore[arg-type]


DENIED = found(Level.DENY)


def notice(*each: Judged) -> str:
    return "\n".join(guard_notices(Selection("h", "b", guard=each)))


def test_without_findings_nothing_is_said() -> None:
    assert notice() == ""


def test_a_denial_comes_first_and_names_its_way_out() -> None:
    lines = notice(found(Level.NOTE), found(Level.LOOK), DENIED).splitlines()
    assert [line[2] for line in lines] == ["⛔", "👀", "ℹ"]
    assert "`app/main.tf:3`" in lines[0] and "take it out" in lines[0]
    assert "take it out" not in lines[1]


def test_what_the_target_branch_has_is_said_with_it() -> None:
    assert "the target branch has it too" in notice(found(Level.LOOK, standing=True))
    assert "(target branch: `s3/ours`)" in notice(found(Level.DENY, "backend", before="s3/ours"))


def test_notes_on_what_the_target_branch_has_too_take_one_line_together() -> None:
    known = [found(Level.NOTE, "lookup", value=f"v{number // 2}", standing=True) for number in range(10)]
    lines = notice(*known, found(Level.NOTE, "on-worker", value="", standing=True), DENIED).splitlines()
    assert len(lines) == 2
    assert lines[1] == "> ℹ The target branch has these too: **lookup** `v0` `v1` `v2`…, **on-worker**  "


def test_a_finding_of_the_whole_change_names_no_project() -> None:
    assert " in **" not in notice(found(Level.NOTE, "headgate-config", project="", value=""))


def test_so_many_are_shown_and_the_others_counted() -> None:
    lines = notice(*[DENIED] * (MOST + 7)).splitlines()
    assert len(lines) == MOST + 1
    assert "7 more findings" in lines[-1]


@pytest.mark.parametrize(
    "hostile", ["`a` @bo <script>", "x\n> ✅ Approved", "--> <!-- headgate:x:page:1 -->", "\u202ea"]
)
def test_words_of_the_change_stay_words(hostile: str) -> None:
    text = notice(Judged(Finding("external", hostile, "a program is run", hostile), Level.DENY, hostile))
    assert len(text.splitlines()) == 1
    assert "\u202e" not in text and "<script>`" not in text


def test_a_denied_project_is_never_planned_and_everything_says_so(build: SimpleNamespace) -> None:
    snapshot = build.a_snapshot(plans=(), selection=build.a_selection(build.an_affected(), guard=(DENIED,)))
    verdict = judge(snapshot)
    assert plan_effects(snapshot) == ()
    assert verdict.status is Status.DENIED
    assert [leaf.rule for leaf in verdict.blockers()] == ["guard.external"]
    conclusion, words, text = gate_check(snapshot, verdict)
    assert conclusion is CheckConclusion.FAILURE and words.startswith("Nothing of app was run")
    assert "app/main.tf:3" in text and "programs" in text
    assert plan_check(snapshot, verdict)[:2] == (CheckConclusion.FAILURE, "Not run: app")
    face = compose(snapshot, verdict)
    assert face is not None
    assert (face.rows[0].result, face.rows[0].rules) == ("not run", "⛔")
    assert "**external** in **app**" in face.notices[0]


def test_a_strangers_change_hears_of_the_denial_before_anybody_is_asked(build: SimpleNamespace) -> None:
    change = build.a_change(author="ro")
    snapshot = build.a_snapshot(
        change=change, plans=(), selection=build.a_selection(build.an_affected(), guard=(DENIED,))
    )
    assert [leaf.rule for leaf in judge(snapshot).blockers()] == ["guard.external", "stranger"]


def test_a_look_is_given_by_somebody_else_for_this_very_commit(build: SimpleNamespace) -> None:
    selection = build.a_selection(build.an_affected(), guard=(found(Level.LOOK), found(Level.LOOK, "executable")))
    waiting = build.a_snapshot(faces=(build.a_face(),), selection=selection)
    (look,) = [leaf for leaf in judge(waiting).leaves() if leaf.rule == "guard.look"]
    assert (look.status, look.how) == (Status.PENDING, "approve on the host")
    assert "(and 1 more)" in look.text and "bo" in look.who and "ann" not in look.who

    seen = build.a_snapshot(faces=(build.a_face(),), reviews=(build.a_review(),), selection=selection)
    (look,) = [leaf for leaf in judge(seen).leaves() if leaf.rule == "guard.look"]
    assert (look.status, look.counted) == (Status.APPROVED, ("bo",))
    old = build.a_snapshot(
        faces=(build.a_face(head="e" * 40),), reviews=(build.a_review(sha="e" * 40),), selection=selection
    )
    (look,) = [leaf for leaf in judge(old).leaves() if leaf.rule == "guard.look"]
    assert look.status is Status.PENDING


def test_nothing_is_deployed_that_the_guard_denies_even_when_the_merge_was_admitted(build: SimpleNamespace) -> None:
    open_ = build.a_merged()
    assert [type(effect).__name__ for effect in deploy_effects(open_)] == ["StartRun"]
    selection = replace(open_.selection, guard=(DENIED,))
    denied = build.remembering(open_, selection=selection)
    assert deploy_effects(denied) == ()
    assert "the static guard" in positions(denied)[0].waits_for


def test_an_outcome_goes_on_the_record_once_and_bounded(build: SimpleNamespace) -> None:
    many = (DENIED,) * (FINDINGS_KEPT + 5)
    snapshot = build.a_snapshot(selection=build.a_selection(build.an_affected(), guard=many))
    effects = guard_effects(snapshot)
    folded = fold(snapshot, effects)
    (row,) = folded.audit
    assert (row.action, row.detail["count"]) == ("guard.judged", FINDINGS_KEPT + 5)
    rows = row.detail["findings"]
    assert isinstance(rows, list) and len(rows) == FINDINGS_KEPT
    assert rows[0] == {
        "rule": "external", "level": "deny", "file": "app/main.tf", "line": 3, "value": "sh", "project": "app"
    }  # fmt: skip
    assert guard_effects(build.remembering(snapshot, said=folded.memory.said)) == ()


def test_notes_are_no_matter_for_the_record(build: SimpleNamespace) -> None:
    selection = build.a_selection(build.an_affected(), guard=(found(Level.NOTE),))
    assert guard_effects(build.a_snapshot(selection=selection)) == ()
