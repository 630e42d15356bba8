"""Merge trains on the GitLab face: who may board, in which order cars land, and how one falls off."""

from __future__ import annotations

from typing import Any

import pytest

from bot.forge import Refused

ON = "/:p/merge_trains/merge_requests/{}"


@pytest.fixture
def yard(lab: Any) -> Any:
    """A project with merge trains on."""
    lab.repo.settings.trains = True
    return lab


def ready(yard: Any, branch: str = "port") -> Any:
    """A change whose pipeline has passed."""
    yard.repo.commit(branch, {f"{branch}.txt": "1\n"}, "dee")
    pull = yard.repo.open_pull(f"Serve {branch}", branch, "dee")
    yard.repo.set_status(pull.head_sha, "ci", "success", "hg-bot")
    return pull


def board(yard: Any, pull: Any, login: str = "bo", **words: Any) -> Any:
    return yard.call(login, "POST", ON.format(pull.number), json={"sha": pull.head_sha, **words})


def said(yard: Any, pull: Any) -> list[str]:
    """GitLab's own words in the conversation about the train."""
    notes = yard.call("bo", "GET", f"/:p/merge_requests/{pull.number}/notes?activity_filter=only_activity").json()
    return [note["body"] for note in reversed(notes) if "train" in note["body"]]


def test_a_project_without_trains_lets_nobody_board(lab: Any) -> None:
    pull = ready(lab)
    assert [board(lab, pull).status_code, lab.call("bo", "GET", "/:p/merge_trains").status_code] == [403, 403]


def test_who_boards_is_on_the_train_until_its_pipeline_passes(yard: Any) -> None:
    pull = ready(yard)
    assert yard.call("bo", "GET", ON.format(1)).status_code == 404
    made = board(yard, pull)
    assert (made.status_code, [car["status"] for car in made.json()]) == (201, ["fresh"])
    assert yard.call("bo", "GET", "/:p/merge_requests/1").json()["merge_when_pipeline_succeeds"]
    car = yard.call("bo", "GET", ON.format(1)).json()
    assert (car["pipeline"]["ref"], car["pipeline"]["status"]) == ("refs/merge-requests/1/train", "created")
    assert board(yard, pull).status_code == 201, "boarding twice is boarding once"

    pull.tried("hg-bot", "running")
    assert pull.state == "open"
    pull.tried("hg-bot", "success")
    assert (pull.state, yard.repo.train()) == ("merged", [])
    assert yard.call("bo", "GET", ON.format(1)).json()["status"] == "merged"
    assert [
        len(yard.call("bo", "GET", f"/:p/merge_trains?scope={each}").json()) for each in ("active", "complete")
    ] == [
        0,
        1,
    ]


def test_another_head_somebody_without_the_right_and_what_cannot_be_merged_do_not_board(yard: Any) -> None:
    pull = ready(yard)
    assert board(yard, pull, sha="0" * 40).status_code == 409
    assert board(yard, pull, "eve").status_code == 403
    yard.repo.protect("main", merge_by=("ann",))
    assert board(yard, pull).status_code == 401
    yard.repo.unprotect("main")
    pull.set_draft("dee")
    assert (board(yard, pull).status_code, board(yard, pull).json()["message"]) == (400, "Failed to merge")


def test_a_change_without_a_pipeline_or_whose_pipeline_runs_does_not_board_now(yard: Any) -> None:
    yard.repo.commit("port", {"port.txt": "1\n"}, "dee")
    pull = yard.repo.open_pull("Serve", "port", "dee")
    assert board(yard, pull).status_code == 400
    yard.repo.set_status(pull.head_sha, "ci", "running", "hg-bot")
    assert board(yard, pull).status_code == 400
    later = board(yard, pull, auto_merge=True)
    assert (later.status_code, later.json(), yard.repo.train()) == (202, [], [])
    yard.repo.set_status(pull.head_sha, "ci", "success", "hg-bot")
    assert yard.repo.train() == [1]


def test_cars_land_in_their_order_each_on_top_of_those_before_it(yard: Any) -> None:
    first, second = ready(yard, "one"), ready(yard, "two")
    for pull in (first, second):
        board(yard, pull)
    second.tried("hg-bot", "success")
    assert (first.state, second.state) == ("open", "open")
    listed = yard.call("bo", "GET", "/:p/merge_trains/main?sort=asc").json()
    assert [car["merge_request"]["iid"] for car in listed] == [1, 2]
    first.tried("hg-bot", "success")
    assert (first.state, second.state) == ("merged", "merged")
    tip = yard.repo.log("main")[0]
    assert (tip.sha, tip.parents[0]) == (second.merge_sha, first.merge_sha)


def test_a_car_whose_pipeline_fails_falls_off_and_those_behind_are_tried_anew(yard: Any) -> None:
    first, second = ready(yard, "one"), ready(yard, "two")
    for pull in (first, second):
        board(yard, pull)
    before = yard.call("bo", "GET", ON.format(2)).json()["pipeline"]
    first.tried("hg-bot", "failed")
    assert (first.state, yard.repo.train()) == ("open", [2])
    assert said(yard, first)[-1].startswith(
        "removed this merge request from the merge train because the pipeline did not succeed."
    )
    assert not yard.call("bo", "GET", "/:p/merge_requests/1").json()["merge_when_pipeline_succeeds"]
    after = yard.call("bo", "GET", ON.format(2)).json()["pipeline"]
    assert (before["id"] == after["id"], after["status"]) == (False, "created")
    second.tried("hg-bot", "success")
    assert second.state == "merged"
    with pytest.raises(Refused):
        first.tried("hg-bot", "success")


def test_when_the_branch_moves_another_way_the_train_is_made_anew(yard: Any) -> None:
    pull = ready(yard)
    board(yard, pull)
    yard.repo.commit("main", {"other.txt": "1\n"}, "ann")
    car = yard.call("bo", "GET", ON.format(1)).json()["pipeline"]
    assert yard.repo.log(car["sha"])[0].parents[0] == yard.repo.sha("main")


def test_what_no_longer_fits_behind_the_others_falls_off(yard: Any) -> None:
    pull = ready(yard)
    board(yard, pull)
    yard.repo.commit("main", {"port.txt": "another\n"}, "ann")
    assert (pull.state, yard.repo.train()) == ("open", [])
    assert "because Merge conflicts must be resolved" in said(yard, pull)[-1]


def test_a_draft_and_what_is_not_approved_any_more_fall_off(yard: Any) -> None:
    draft, judged = ready(yard, "one"), ready(yard, "two")
    for pull in (draft, judged):
        board(yard, pull)
    draft.set_draft("dee")
    judged.request_changes("bo")
    judged.tried("hg-bot", "running")
    assert yard.repo.train() == [judged.number]
    judged.tried("hg-bot", "success")
    assert yard.repo.train() == []
    assert "marked as draft" in said(yard, draft)[-1]
    assert "failed to merge" in said(yard, judged)[-1]


def test_a_push_and_a_close_take_it_off_and_so_does_who_cancels(yard: Any) -> None:
    pushed, closed, cancelled = ready(yard, "one"), ready(yard, "two"), ready(yard, "three")
    for pull in (pushed, closed, cancelled):
        board(yard, pull)
    yard.repo.commit("one", {"one.txt": "2\n"}, "dee")
    closed.close("dee")
    assert yard.repo.train() == [cancelled.number]
    cancel = f"/:p/merge_requests/{cancelled.number}/cancel_merge_when_pipeline_succeeds"
    assert yard.call("bo", "POST", cancel).status_code == 201
    assert yard.repo.train() == []
    assert said(yard, cancelled)[-1] == "removed this merge request from the merge train"


def test_a_project_that_only_moves_forward_lands_the_commits_themselves(yard: Any) -> None:
    yard.project("ann").mergerequests.gitlab.http_put("/projects/acme%2Finfra", post_data={"merge_method": "ff"})
    first, second = ready(yard, "one"), ready(yard, "two")
    for pull in (first, second):
        board(yard, pull)
    first.tried("hg-bot", "success")
    second.tried("hg-bot", "success")
    assert second.state == "merged"
    assert all(len(each.parents) < 2 for each in yard.repo.log("main"))
