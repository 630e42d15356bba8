"""The merge on the GitLab face: what stands against it, in which words, and that it can wait."""

from __future__ import annotations

from typing import Any

import pytest


def _merge(lab: Any, login: str = "bo", **words: Any) -> Any:
    return lab.call(login, "PUT", "/:p/merge_requests/1/merge", json=words)


def _status(lab: Any) -> str:
    return str(lab.call("bo", "GET", "/:p/merge_requests/1").json()["detailed_merge_status"])


def test_another_head_is_refused_with_409(lab: Any) -> None:
    pull = lab.change()
    answer = _merge(lab, sha="0" * 40)
    assert answer.status_code == 409
    assert answer.json()["message"] == f"SHA does not match HEAD of source branch: {pull.head_sha}"
    assert _merge(lab, sha=pull.head_sha).json()["state"] == "merged"


def test_what_one_may_not_merge_is_401_and_what_cannot_be_is_405(lab: Any) -> None:
    pull = lab.change()
    assert _merge(lab, "eve").status_code == 401
    pull.set_draft("dee")
    assert (_merge(lab).status_code, _status(lab)) == (405, "draft_status")
    pull.set_draft("dee", draft=False)
    pull.close("dee")
    assert (_merge(lab).status_code, _status(lab)) == (405, "not_open")


def test_a_conflict_is_422(lab: Any) -> None:
    lab.change()
    lab.repo.commit("main", {"web/site.yaml": "port: 1\n"}, "dee")
    assert (_merge(lab).status_code, _status(lab)) == (422, "conflict")


@pytest.mark.parametrize(
    ("setting", "word", "cure"),
    [
        ("pipeline_must_succeed", "ci_must_pass", "pipeline"),
        ("threads_must_be_resolved", "discussions_not_resolved", "thread"),
        ("rule", "not_approved", "approval"),
    ],
)
def test_what_a_project_wants_is_named_and_an_auto_merge_waits_for_it(
    lab: Any, setting: str, word: str, cure: str
) -> None:
    pull = lab.change()
    if setting == "rule":
        lab.repo.add_approval_rule("one", 1)
    else:
        setattr(lab.repo.settings, setting, True)
    thread = lab.project("dee").mergerequests.get(1).discussions.create({"body": "why?"})
    assert (_merge(lab).status_code, _status(lab)) == (405, word)
    assert _merge(lab, auto_merge=True, sha=pull.head_sha).json()["merge_when_pipeline_succeeds"]
    assert pull.state == "open"
    match cure:
        case "pipeline":
            lab.repo.set_status(pull.head_sha, "ci", "pending", "hg-bot")
            assert _status(lab) == "ci_still_running"
            lab.repo.set_status(pull.head_sha, "ci", "success", "hg-bot")
        case "thread":
            thread = lab.project("dee").mergerequests.get(1).discussions.get(thread.id)
            lab.call("dee", "PUT", f"/:p/merge_requests/1/discussions/{thread.id}", json={"resolved": True})
        case _:
            pull.approve("ann")
    assert pull.state == "merged"


def test_a_push_cancels_an_auto_merge(lab: Any) -> None:
    lab.repo.settings.pipeline_must_succeed = True
    pull = lab.change()
    _merge(lab, merge_when_pipeline_succeeds=True)
    lab.repo.commit("port", {"a": "2"}, "dee")
    lab.repo.set_status(pull.head_sha, "ci", "success", "hg-bot")
    assert pull.state == "open"
    cancel = "/:p/merge_requests/1/cancel_merge_when_pipeline_succeeds"
    assert lab.call("bo", "POST", cancel).status_code == 406
    assert _merge(lab).json()["state"] == "merged"


def test_mergeability_may_be_unknown_at_first(lab: Any) -> None:
    lab.forge.trouble.null_mergeable_reads = 2
    lab.change()
    assert [_status(lab) for _ in range(3)] == ["checking", "checking", "mergeable"]


def test_a_fast_forward_project_wants_a_rebase_and_makes_no_merge_commit(lab: Any) -> None:
    lab.project("ann").mergerequests.gitlab.http_put("/projects/acme%2Finfra", post_data={"merge_method": "ff"})
    pull = lab.change()
    lab.repo.commit("main", {"other": "1"}, "dee")
    assert (_merge(lab).status_code, _status(lab)) == (405, "need_rebase")
    assert lab.call("dee", "PUT", "/:p/merge_requests/1/rebase").status_code == 202
    merged = _merge(lab).json()
    assert (merged["state"], merged["merge_commit_sha"]) == ("merged", None)
    assert lab.repo.sha("main") == pull.head_sha


def test_the_source_branch_goes_where_that_was_wanted(lab: Any) -> None:
    lab.change()
    _merge(lab, should_remove_source_branch=True)
    branches = {branch.name for branch in lab.project("bo").branches.list(get_all=True)}
    assert branches == {"main"}


def test_a_squash_lies_below_a_merge_commit(lab: Any) -> None:
    lab.change()
    merged = _merge(lab, squash=True).json()
    tip = lab.repo.log("main")[0]
    assert (tip.sha, tip.parents[1]) == (merged["merge_commit_sha"], merged["squash_commit_sha"])
