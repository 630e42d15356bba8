"""Commit statuses on the GitLab face, with the quirks that the real host has."""

from __future__ import annotations

from typing import Any

import pytest


def _say(lab: Any, sha: str, state: str, login: str = "hg-bot", **words: Any) -> Any:
    return lab.call(login, "POST", f"/:p/statuses/{sha}", json={"state": state, "name": "gate", **words})


def test_a_report_without_a_ref_finds_a_branch_or_is_refused(lab: Any) -> None:
    head = lab.change().head_sha
    assert _say(lab, head, "running").json()["ref"] == "port"
    fork = lab.repo.fork("eve")
    fork.commit("theirs", {"a": "1"}, "eve")
    lab.repo.open_pull("T", "eve:theirs", "eve")
    foreign = lab.repo.pull(2).head_sha
    answer = _say(lab, foreign, "running")
    assert (answer.status_code, answer.json()["message"]) == (404, "404 References for commit Not Found")
    assert _say(lab, foreign, "running", ref="refs/merge-requests/2/head").status_code == 201
    assert _say(lab, "f" * 40, "running").json()["message"] == "404 Commit Not Found"


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        ("running", "running", 400),
        ("pending", "pending", 400),
        ("running", "pending", 400),
        ("running", "success", 201),
        ("pending", "failed", 201),
        ("success", "success", 201),
        ("success", "running", 201),
        ("failed", "success", 201),
    ],
)
def test_only_some_steps_can_be_taken(lab: Any, first: str, second: str, status: int) -> None:
    head = lab.change().head_sha
    made = _say(lab, head, first).json()
    answer = _say(lab, head, second)
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["message"].startswith("Cannot transition status via :")
    elif first in ("success", "failed"):
        assert answer.json()["id"] != made["id"], "what was finished stays, and a new job stands in for it"
    else:
        assert answer.json()["id"] == made["id"]


def test_reports_join_the_newest_pipeline_of_the_ref_or_the_one_named(lab: Any) -> None:
    head = lab.change().head_sha
    first = _say(lab, head, "success", ref="port").json()
    other = _say(lab, head, "success", ref="refs/merge-requests/1/head").json()
    assert first["pipeline_id"] != other["pipeline_id"], "another ref makes another external pipeline"
    named = _say(lab, head, "failed", name="lint", ref="port", pipeline_id=other["pipeline_id"]).json()
    assert named["pipeline_id"] == other["pipeline_id"]
    assert lab.project("bo").mergerequests.get(1).head_pipeline["status"] == "failed"
    assert _say(lab, head, "success", pipeline_id=1).status_code == 404
    rows = lab.call("bo", "GET", f"/:p/repository/commits/{head}/statuses", params={"ref": "port"}).json()
    assert [row["name"] for row in rows] == ["gate", "lint"]


def test_another_user_under_the_same_name_stands_in_for_the_older_job(lab: Any) -> None:
    head = lab.change().head_sha
    _say(lab, head, "failed")
    _say(lab, head, "success", login="dee")
    path = f"/:p/repository/commits/{head}/statuses"
    shown = lab.call("bo", "GET", path).json()
    assert [(row["status"], row["author"]["username"]) for row in shown] == [("success", "dee")]
    assert len(lab.call("bo", "GET", path, params={"all": "true"}).json()) == 2


def test_words_and_lengths_and_addresses_are_judged(lab: Any) -> None:
    head = lab.change().head_sha
    assert _say(lab, head, "green").status_code == 400
    assert _say(lab, head, "success", description="x" * 256).status_code == 400
    assert _say(lab, head, "success", target_url="javascript:alert(1)").status_code == 400
    assert _say(lab, head, "success", login="eve").status_code == 403


def test_both_faces_see_the_same_status_each_in_its_words(lab: Any) -> None:
    head = lab.change().head_sha
    _say(lab, head, "failed", description="denied")
    status = lab.repo.statuses(head)["gate"]
    assert (status.state, status.description) == ("failure", "denied")
    lab.repo.set_status(head, "lint", "pending", "hg-bot")
    rows = lab.call("bo", "GET", f"/:p/repository/commits/{head}/statuses").json()
    assert {row["name"]: row["status"] for row in rows} == {"gate": "failed", "lint": "pending"}
