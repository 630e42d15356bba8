"""python-gitlab drives the GitLab face end to end."""

from __future__ import annotations

from typing import Any

import gitlab
import pytest


def test_a_merge_request_lives_from_opening_to_merge(lab: Any) -> None:
    head = lab.repo.commit("port", {"web/site.yaml": "port: 8080\n", "web/new.txt": "x\n"}, "dee")
    made = lab.project("dee").mergerequests.create(
        {"source_branch": "port", "target_branch": "main", "title": "Serve on 8080", "description": "why"}
    )
    assert (made.iid, made.state, made.sha, made.detailed_merge_status) == (1, "opened", head, "mergeable")
    assert {c["new_path"]: c["new_file"] for c in made.changes()["changes"]} == {
        "web/new.txt": True,
        "web/site.yaml": False,
    }
    assert [c.id for c in made.commits()] == [head]
    theirs = lab.project("bo").mergerequests.get(1)
    theirs.approve(sha=head)
    assert [one["user"]["username"] for one in made.approvals.get().approved_by] == ["bo"]
    made.merge(sha=head, squash=True)
    made = lab.project("dee").mergerequests.get(1)
    assert (made.state, made.merged_by["username"]) == ("merged", "dee")
    assert made.merge_commit_sha == lab.repo.sha("main")
    assert made.squash_commit_sha in {c.sha for c in lab.repo.log("main")}
    assert lab.repo.read("web/site.yaml") == "port: 8080\n"


def test_a_project_is_found_by_number_and_by_path_with_its_slashes_encoded(lab: Any) -> None:
    by_path = lab.client("eve").projects.get("acme/infra")
    assert lab.client("eve").projects.get(by_path.id).path_with_namespace == "acme/infra"
    with pytest.raises(gitlab.GitlabGetError) as refused:
        lab.client("cy").projects.get("acme/infra")
    assert refused.value.response_code == 404


def test_projects_lie_in_groups_below_groups(lab: Any) -> None:
    lab.forge.add_group("acme/edge/eu", {"eve": "write"})
    lab.forge.create_repo("acme/edge/eu/dns", {"a": "1"})
    project = lab.client("eve").projects.get("acme/edge/eu/dns")
    assert project.namespace["full_path"] == "acme/edge/eu"
    levels = {m.username: m.access_level for m in project.members_all.list(get_all=True)}
    assert levels == {"ann": 50, "eve": 30}
    assert lab.client("ann").groups.get("acme/edge").parent_id == lab.client("ann").groups.get("acme").id


def test_members_come_directly_by_group_and_by_invitation(lab: Any) -> None:
    project = lab.project("ann")
    levels = {m.username: m.access_level for m in project.members_all.list(get_all=True)}
    assert levels == {"ann": 50, "bo": 40, "dee": 30, "eve": 20, "hg-bot": 40}
    assert {m.username for m in project.members.list(get_all=True)} == {"dee", "eve", "hg-bot"}
    cy = lab.client("ann").users.list(username="cy")[0]
    with pytest.raises(gitlab.GitlabGetError):
        project.members_all.get(cy.id)
    assert [row["group_full_path"] for row in project.shared_with_groups] == ["acme/platform"]


def test_merge_requests_are_listed_by_time_of_change_in_pages(lab: Any) -> None:
    for name in ("one", "two", "three"):
        lab.change(name)
    answer = lab.call("dee", "GET", "/:p/merge_requests?per_page=2&order_by=updated_at&sort=asc&state=opened")
    assert [row["iid"] for row in answer.json()] == [1, 2]
    assert (answer.headers["X-Next-Page"], answer.headers["X-Total"]) == ("2", "3")
    assert 'rel="next"' in answer.headers["Link"]
    last = lab.call("dee", "GET", "/:p/merge_requests?per_page=2&page=2")
    assert last.headers["X-Next-Page"] == ""
    later = lab.project("dee").mergerequests.list(updated_after="2199-01-01T00:00:00Z", get_all=True)
    assert later == []


def test_notes_are_made_changed_and_deleted(lab: Any) -> None:
    lab.change()
    notes = lab.project("hg-bot").mergerequests.get(1).notes
    note = notes.create({"body": "**plan**"})
    note.body = "**newer plan**"
    note.save()
    assert [n.body for n in notes.list(get_all=True)] == ["**newer plan**"]
    with pytest.raises(gitlab.GitlabUpdateError):
        other = lab.project("eve").mergerequests.get(1).notes.get(note.id)
        other.body = "mine"
        other.save()
    note.delete()
    assert notes.list(get_all=True) == []


def test_statuses_make_an_external_pipeline_and_move_in_steps(lab: Any) -> None:
    head = lab.change().head_sha
    project = lab.project("hg-bot")
    commit = project.commits.get(head)
    made = commit.statuses.create({"state": "running", "name": "headgate/gate", "ref": "port"})
    with pytest.raises(gitlab.GitlabCreateError) as refused:
        commit.statuses.create({"state": "running", "name": "headgate/gate", "ref": "port"})
    assert refused.value.response_code == 400
    assert "Cannot transition status via :run from :running" in str(refused.value)
    assert project.pipelines.get(made.pipeline_id).source == "external"
    commit.statuses.create({"state": "success", "name": "headgate/gate", "ref": "port"})
    assert [(s.name, s.status) for s in commit.statuses.list(get_all=True)] == [("headgate/gate", "success")]
    merge = project.mergerequests.get(1)
    assert merge.head_pipeline["status"] == "success"


def test_the_branch_can_be_kept_for_one_who_merges(lab: Any) -> None:
    project = lab.project("ann")
    bot = lab.client("ann").users.list(username="hg-bot")[0]
    project.protectedbranches.create(
        {"name": "main", "push_access_level": 0, "allowed_to_merge": [{"user_id": bot.id}]}
    )
    lab.change()
    with pytest.raises(gitlab.GitlabAuthenticationError) as refused:
        lab.project("bo").mergerequests.get(1).merge()
    assert refused.value.response_code == 401
    lab.project("hg-bot").mergerequests.get(1).merge()
    assert lab.repo.pull(1).state == "merged"
