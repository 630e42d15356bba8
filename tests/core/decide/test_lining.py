"""The host's own line of merges: who stands there is looked at, leaves when the gate closes, is told of a fall."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from bot.core.decide.decision import decide
from bot.core.decide.lining import line_effects, look_due
from bot.core.decide.publishing import host_effects
from bot.core.decide.telling import tell_effects
from bot.core.effects import Judge, LeaveLine, MergeChange, NoteLine, Say, key_of
from bot.core.face.compose import compose
from bot.core.fold import fold
from bot.core.gate import judge
from bot.core.model import ChangeState, LeftLine
from bot.core.record import InLine, Judgement, Published, Verb
from bot.core.rules import Mode, RepoRules


def lined(
    build: SimpleNamespace, *, queued: bool = False, read: float | None = 0, line: Any = None, **fields: Any
) -> Any:
    """Approved, asked to merge, and put into the line a hundred seconds ago; read that many seconds ago."""
    given = {
        "requests": (build.a_request(Verb.MERGE),),
        "published": Published(checks=(build.a_check_shown(),)),
        "line": "merge train",
        "change": build.a_change(queued=queued),
        **fields,
    }
    snapshot = build.an_approved(**given)
    host = replace(snapshot.memory.host, read_at=build.ago(read) if read is not None else None)
    return build.remembering(snapshot, host=host, line=line or InLine(build.HEAD, build.ago(100), "ann"))


def fallen(build: SimpleNamespace, **fields: Any) -> Any:
    """It left the line half a minute ago, and that was noted."""
    gone = InLine(build.HEAD, build.ago(100), "ann", build.ago(30), "its pipeline failed")
    refused = build.a_request(Verb.MERGE, judgement=Judgement.REFUSED)
    return lined(build, line=gone, **{"requests": (refused,), **fields})


def on_host(snapshot: Any, *kinds: type) -> list[Any]:
    return [each for each in host_effects(snapshot, judge(snapshot)) if isinstance(each, kinds)]


def test_what_stands_in_line_is_not_merged_again_and_is_looked_at_in_a_minute(build: SimpleNamespace) -> None:
    snapshot = lined(build, queued=True, read=20)
    assert (line_effects(snapshot), on_host(snapshot, MergeChange, LeaveLine)) == ((), [])
    assert decide(snapshot).wake_at == look_due(snapshot.memory) == build.ago(20) + timedelta(seconds=60)


def test_a_minute_begins_when_it_was_put_there_or_last_read(build: SimpleNamespace) -> None:
    assert look_due(lined(build, read=None).memory) == build.ago(40)
    assert look_due(lined(build, read=5000).memory) == build.ago(40)
    assert look_due(build.an_approved().memory) is None
    assert look_due(fallen(build).memory) is None
    assert look_due(lined(build, change=build.a_merged_change()).memory) is None


@pytest.mark.parametrize("read", [None, 99, 91, 150])
def test_an_answer_that_may_be_older_than_the_line_says_nothing(build: SimpleNamespace, read: float | None) -> None:
    assert line_effects(lined(build, read=read)) == ()


@pytest.mark.parametrize(
    ("left", "why"),
    [
        (LeftLine, "its pipeline failed"),
        (None, "the host does not say why"),
        ("older", "the host does not say why"),
    ],
)
def test_who_left_the_line_unmerged_is_noted_with_the_hosts_words_and_the_request_is_over(
    build: SimpleNamespace, left: Any, why: str
) -> None:
    snapshot = lined(build)
    at = build.ago(500 if left == "older" else 100.5)
    told = LeftLine(at, "its pipeline failed") if left is not None else None
    snapshot = build.remembering(snapshot, host=replace(snapshot.memory.host, left_line=told))
    noted, refused = line_effects(snapshot)
    assert noted == NoteLine(InLine(build.HEAD, build.ago(100), "ann", build.NOW, why))
    assert isinstance(refused, Judge)
    assert (refused.judgement, refused.answer) == (Judgement.REFUSED, "")
    folded = fold(snapshot, (noted, refused))
    assert folded.memory.line == noted.line
    assert [(each.action, each.detail) for each in folded.audit[:1]] == [
        ("line.left", {"head": build.HEAD, "why": why})
    ]


def test_what_is_merged_closed_or_pushed_to_stands_in_no_line(build: SimpleNamespace) -> None:
    changes = (
        build.a_merged_change(),
        build.a_change(state=ChangeState.CLOSED),
        build.a_change(head_sha="e" * 40),
    )
    for change in changes:
        snapshot = lined(build, change=change)
        assert line_effects(snapshot) == (NoteLine(None),)
        folded = fold(snapshot, (NoteLine(None),))
        assert (folded.memory.line, folded.audit) == (None, [])
    assert line_effects(build.an_approved()) == ()


def test_the_gate_that_closed_takes_it_out_and_is_asked_to_until_it_is(build: SimpleNamespace) -> None:
    held = lined(build, queued=True, records=())
    assert on_host(held, MergeChange, LeaveLine) == [LeaveLine(build.HEAD)]
    assert key_of(LeaveLine(build.HEAD)) == f"leave:{build.HEAD}"
    assert on_host(replace(held, rules=RepoRules("x", mode=Mode.COMMENT)), LeaveLine) == []


def test_who_fell_off_is_put_there_again_only_when_somebody_asks(build: SimpleNamespace) -> None:
    auto = RepoRules("x", auto_merge=True, digest="rules")
    assert on_host(fallen(build, rules=auto), MergeChange) == []
    assert line_effects(fallen(build)) == ()
    again = fallen(build, requests=(build.a_request(Verb.MERGE, "cy"),))
    assert on_host(again, MergeChange) == [MergeChange(build.HEAD, "merge", "cy")]


def test_a_fall_is_said_once_to_who_asked_else_to_the_author(build: SimpleNamespace) -> None:
    (said,) = on_host(fallen(build), Say)
    assert said.key == f"left:{build.HEAD[:12]}:20260105T115930"
    assert said.body.startswith("@ann: this left the merge train without being merged: its pipeline failed.")
    assert "`/merge` puts it on the merge train again" in said.body
    assert on_host(build.remembering(fallen(build), said=(said.key,)), Say) == []
    unasked = fallen(build)
    unasked = build.remembering(unasked, line=replace(unasked.memory.line, asked_by=""))
    assert on_host(unasked, Say)[0].body.startswith(f"@{unasked.change.author}: ")


def test_the_chat_is_told_of_a_fall(build: SimpleNamespace) -> None:
    (told,) = tell_effects(fallen(build), judge(fallen(build)))
    assert (told.kind, told.body) == ("waiting", "left the merge train without being merged: its pipeline failed")


def test_the_comment_says_that_it_is_in_line_and_that_it_fell_off(build: SimpleNamespace) -> None:
    face = compose(lined(build, queued=True), judge(lined(build)))
    assert face is not None
    assert face.headline.startswith("> **✅ Approved by bo: on the merge train**")
    assert face.next.startswith("nothing: it is merged when its turn on the merge train comes; `/hold` takes it off")
    face = compose(fallen(build), judge(fallen(build)))
    assert face is not None
    assert face.headline.startswith("> **⚠ It left the merge train without being merged: its pipeline failed**")
    assert face.next.startswith("see what its pipeline there says; `/merge` puts it on the merge train again")
