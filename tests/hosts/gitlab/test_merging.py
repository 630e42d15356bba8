"""The merge on GitLab: what it may refuse, and by way of a merge train where the project has them."""

from __future__ import annotations

from typing import Any

import pytest
from hosts.gitlab.conftest import Lab

from bot.core.errors import HostBusy, HostDenied, HostUnclear
from bot.hosts.gitlab.parse import left_line
from bot.ports import MergeOutcome


@pytest.fixture
def yard(lab: Lab) -> Lab:
    """A project with merge trains on."""
    lab.story.settings.trains = True
    return lab


def passed(lab: Lab, branch: str = "topic", word: str = "success") -> Any:
    """A change whose pipeline came to this."""
    pull = lab.open(branch)
    lab.story.set_status(pull.head_sha, "ci", word, "bo")
    return pull


def merge(lab: Lab, pull: Any, method: str = "merge") -> MergeOutcome:
    return lab.host.merge(lab.ref(pull), pull.head_sha, method, "T")


def queued(lab: Lab, pull: Any) -> bool:
    return lab.host.change(lab.ref(pull), known=None, checks=False).change.queued


def test_a_draft_is_not_merged_and_somebody_elses_rule_is_told(lab: Lab) -> None:
    draft = lab.open("draft", draft=True)
    assert lab.host.merge(lab.ref(draft), draft.head_sha, "merge", "T") is MergeOutcome.NOT_MERGEABLE
    pull = lab.open("other")
    pull.request_changes("bo")
    with pytest.raises(HostDenied, match="requested changes"):
        lab.host.merge(lab.ref(pull), pull.head_sha, "merge", "T")


def test_who_may_not_merge_into_the_branch_is_denied(lab: Lab) -> None:
    pull = lab.open()
    lab.project().protectedbranches.create({"name": "main", "merge_access_level": 0, "push_access_level": 0})
    with pytest.raises(HostDenied, match="may not merge"):
        lab.host.merge(lab.ref(pull), pull.head_sha, "merge", "T")


def test_a_squash_is_asked_for_and_its_commit_is_the_changes(lab: Lab) -> None:
    pull = lab.open()
    lab.story.commit("topic", {"more.txt": "2\n"}, "dee")
    assert lab.host.merge(lab.ref(pull), pull.head_sha, "squash", "Both\n\nof them") is MergeOutcome.MERGED
    change = lab.host.change(lab.ref(pull), known=None, checks=False).change
    assert lab.host.changes_of_commit(lab.repo, change.merge_sha) == (pull.number,)


def test_with_merge_trains_on_a_merge_is_a_place_on_the_train(yard: Lab) -> None:
    pull = passed(yard)
    assert not queued(yard, pull)
    assert merge(yard, pull) is MergeOutcome.QUEUED
    assert (yard.story.train(), queued(yard, pull), pull.state) == ([pull.number], True, "open")
    assert merge(yard, pull) is MergeOutcome.QUEUED, "a second time changes nothing"
    assert yard.story.train() == [pull.number]
    pull.tried("bo", "success")
    assert merge(yard, pull) is MergeOutcome.MERGED


def test_another_head_does_not_board(yard: Lab) -> None:
    pull = passed(yard)
    judged = pull.head_sha
    yard.story.commit("topic", {"more.txt": "2\n"}, "dee")
    yard.story.set_status(pull.head_sha, "ci", "success", "bo")
    assert yard.host.merge(yard.ref(pull), judged, "merge", "T") is MergeOutcome.HEAD_MOVED
    assert yard.story.train() == []


def test_it_is_taken_off_the_train_and_being_off_is_as_good(yard: Lab) -> None:
    pull = passed(yard)
    merge(yard, pull)
    yard.host.leave_line(yard.ref(pull))
    assert (yard.story.train(), queued(yard, pull)) == ([], False)
    yard.host.leave_line(yard.ref(pull))
    landed = passed(yard, "other")
    landed.merge("bo")
    yard.host.leave_line(yard.ref(landed))


def test_what_has_a_pipeline_that_still_runs_boards_when_it_has_passed(yard: Lab) -> None:
    pull = passed(yard, word="running")
    assert merge(yard, pull) is MergeOutcome.QUEUED
    assert (yard.story.train(), queued(yard, pull)) == ([], True)
    yard.story.set_status(pull.head_sha, "ci", "success", "bo")
    assert yard.story.train() == [pull.number]


def test_why_the_train_does_not_take_it_is_told(yard: Lab) -> None:
    with pytest.raises(HostDenied, match="only what has a pipeline"):
        merge(yard, yard.open("bare"))
    draft = passed(yard, "draft")
    draft.set_draft("dee")
    assert merge(yard, draft) is MergeOutcome.NOT_MERGEABLE
    judged = passed(yard, "judged")
    judged.request_changes("bo")
    with pytest.raises(HostDenied, match="requested changes"):
        merge(yard, judged)
    yard.story.commit("main", {"judged.txt": "other\n"}, "ann")
    judged.approve("bo")
    assert merge(yard, judged) is MergeOutcome.NOT_MERGEABLE
    first, behind = passed(yard, "one"), yard.open("two")
    yard.story.commit("two", {"one.txt": "mine\n"}, "dee")
    yard.story.set_status(behind.head_sha, "ci", "success", "bo")
    assert merge(yard, first) is MergeOutcome.QUEUED
    with pytest.raises(HostDenied, match="Failed to merge"):
        merge(yard, behind)


def test_while_gitlab_still_looks_it_takes_the_order_and_does_nothing(yard: Lab) -> None:
    pull = passed(yard)
    yard.forge.state.repo("acme/infra").pulls[0].null_reads = 2
    with pytest.raises(HostBusy):
        merge(yard, pull)
    yard.forge.state.repo("acme/infra").pulls[0].null_reads = 0
    assert merge(yard, pull) is MergeOutcome.QUEUED


def test_who_may_not_merge_neither_boards_nor_gets_it_off(yard: Lab) -> None:
    pull = passed(yard)
    merge(yard, pull)
    yard.story.protect("main", merge_by=("ann",))
    with pytest.raises(HostDenied, match="may not take it off"):
        yard.host.leave_line(yard.ref(pull))
    with pytest.raises(HostDenied, match="may not merge"):
        merge(yard, passed(yard, "other"))


def test_an_answer_that_got_lost_is_made_good_by_asking_again(yard: Lab) -> None:
    pull = passed(yard)
    yard.forge.trouble.lose_answers = 1
    with pytest.raises((HostUnclear, HostBusy)):
        merge(yard, pull)
    assert merge(yard, pull) is MergeOutcome.QUEUED


def test_a_squash_is_asked_for_on_the_train_too(yard: Lab) -> None:
    pull = passed(yard)
    yard.story.commit("topic", {"more.txt": "2\n"}, "dee")
    yard.story.set_status(pull.head_sha, "ci", "success", "bo")
    assert merge(yard, pull, "squash") is MergeOutcome.QUEUED
    pull.tried("bo", "success")
    tip = yard.story.log("main")[0]
    assert yard.story.log(tip.parents[1])[0].parents == (tip.parents[0],)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (
            "removed this merge request from the merge train because the pipeline did not succeed. "
            "[Learn more](/help/ci/pipelines/merge_trains.md#merge-request-dropped-from-the-merge-train).",
            "the pipeline did not succeed",
        ),
        (
            "removed this merge request from the merge train because source branch was updated",
            "source branch was updated",
        ),
        ("removed this merge request from the merge train", "bo took it off"),
        ("aborted automatic add to merge train because it is a draft", "it is a draft"),
        ("cancelled automatic add to merge train", "bo took it off"),
    ],
)
def test_gitlabs_own_notes_say_why_it_left_the_train(body: str, why: str) -> None:
    """https://docs.gitlab.com/ci/pipelines/merge_trains/#merge-request-dropped-from-the-merge-train"""
    note = {"system": True, "body": body, "created_at": "2026-01-02T03:04:05.678Z", "author": {"username": "bo"}}
    boarded = {**note, "body": "started a merge train"}
    found = left_line([boarded, note])
    assert found is not None
    assert (found.why, found.at.isoformat()) == (why, "2026-01-02T03:04:05.678000+00:00")
    assert left_line([boarded, {**note, "system": False}, {**note, "created_at": None}]) is None
