"""The pages of a host like GitLab: its own words and marks, and its own rules beside the merge."""

from __future__ import annotations

from typing import Any

from forge.test_pages import Viewer

_PATH = "/acme/infra/-/merge_requests/1"
_ACT = "/acme/infra/pull/1"


def test_a_change_is_a_merge_request_with_an_exclamation_mark(lab: Any) -> None:
    pull = lab.change()
    assert pull.url.endswith(_PATH)
    dee = Viewer(lab, "dee")
    page = dee.get(_PATH)
    assert "Serve · !1</title>" in page and '<span class="number">!1</span>' in page and "#1" not in page
    assert ">Merge</button>" in page and "headgate plan" in page
    listed = dee.get("/acme/infra")
    assert "<h1>Merge requests</h1>" in listed and "!1 by dee" in listed and "ull request" not in listed


def test_who_alone_may_merge_is_said_to_all_others_and_no_rule_is_called_met_while_a_check_waits(
    lab: Any,
) -> None:
    pull = lab.change()
    lab.repo.protect("main", merge_by=("hg-bot",), push_by=())
    for login in (None, "dee", "ann"):
        page = Viewer(lab, login).get(_PATH)
        assert "Merging is blocked" in page and "Only hg-bot may merge into main." in page
        assert "is met" not in page
    lab.repo.protect("main", merge_by=("ann",))
    ann = Viewer(lab, "ann")
    assert "Every rule of main is met." in ann.get(_PATH)
    lab.repo.set_status(pull.head_sha, "headgate/gate", "pending", "hg-bot")
    assert "is met" not in ann.get(_PATH)
    lab.repo.settings.pipeline_must_succeed = True
    assert "Pipeline must succeed: it is still running." in ann.get(_PATH)
    assert "it is still running" in ann.post(f"{_ACT}/merge", method="merge")
    lab.repo.set_status(pull.head_sha, "headgate/gate", "success", "hg-bot")
    ann.post(f"{_ACT}/merge", method="squash")
    assert (pull.state, len(lab.repo.log("main")[0].parents)) == ("merged", 2)


def test_what_is_written_there_is_read_as_gitlab_reads_it(lab: Any) -> None:
    pull = lab.change()
    bo = Viewer(lab, "bo")
    bo.get(_PATH)
    bo.post(f"{_ACT}/comment", body="headgate plan\n/approve")
    assert [each.body for each in pull.comments] == ["headgate plan"]
    assert [each.author for each in pull.reviews] == ["bo"]
    ann = Viewer(lab, "ann")
    ann.get(_PATH)
    ann.post(f"{_ACT}/approve", body="fine")
    assert [each.author for each in pull.reviews] == ["bo", "ann"]
    assert [each.body for each in pull.comments] == ["headgate plan", "fine"]
