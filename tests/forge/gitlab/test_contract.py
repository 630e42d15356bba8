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


def test_a_moved_project_leads_reads_on_and_takes_no_writes_under_its_old_name(lab: Any) -> None:
    lab.change()
    lab.repo.move("acme/platform-infra")
    old = lab.client("dee").projects.get("acme/infra")
    assert old.path_with_namespace == "acme/platform-infra"
    assert lab.call("dee", "GET", "/:p/merge_requests/1?x=1").url.endswith(f"/projects/{old.id}/merge_requests/1?x=1")
    answer = lab.call("dee", "POST", "/:p/merge_requests/1/notes", json={"body": "x"})
    assert answer.status_code == 405
    old.mergerequests.get(1).notes.create({"body": "still here"})
    assert lab.repo.pull(1).comments[0].body == "still here"


def test_a_fork_proposes_a_merge_request_to_its_source(lab: Any) -> None:
    fork = lab.project("eve").forks.create({})
    mine = lab.client("eve").projects.get(fork.id)
    lab.forge.repo("eve/infra").commit("idea", {"a": "1"}, "eve")
    made = mine.mergerequests.create(
        {
            "source_branch": "idea",
            "target_branch": "main",
            "title": "Draft: idea",
            "target_project_id": lab.project("eve").id,
            "labels": "risky",
        }
    )
    seen = lab.project("dee").mergerequests.get(made.iid)
    assert (seen.source_project_id, seen.target_project_id) == (mine.id, lab.project("dee").id)
    assert (seen.draft, seen.title, seen.labels) == (True, "Draft: idea", [])
    assert mine.forked_from_project["path_with_namespace"] == "acme/infra"


def test_a_merge_request_is_changed_in_every_way(lab: Any) -> None:
    pull = lab.change()
    lab.repo.push("release", lab.repo.sha("main"), "dee")
    seen = lab.project("dee").mergerequests.get(1)
    seen.title, seen.description, seen.target_branch, seen.labels = "[Draft] New", "why", "release", ["a", "b"]
    seen.save()
    assert (pull.draft, pull.base_ref, pull.labels) == (True, "release", ["a", "b"])
    seen = lab.project("dee").mergerequests.get(1)
    seen.labels, seen.state_event, seen.title = ["b"], "close", "New"
    seen.save()
    assert (pull.draft, pull.labels, pull.state) == (False, ["b"], "closed")
    bo = lab.client("bo").users.list(username="bo")[0]
    seen.reviewer_ids, seen.state_event = [bo.id], "reopen"
    seen.save()
    reviewers = seen.reviewer_details.list(get_all=True)
    assert [(one.user["username"], one.state) for one in reviewers] == [("bo", "unreviewed")]
    assert lab.call("dee", "PUT", "/:p/merge_requests/1", json={"description": "x" * 1_048_577}).status_code == 400


def test_approval_rules_name_people_and_groups(lab: Any) -> None:
    project = lab.project("ann")
    platform = lab.client("ann").groups.get("acme/platform")
    rule = project.approvalrules.create({"name": "platform", "approvals_required": 1, "group_ids": [platform.id]})
    pull = lab.change()
    pull.approve("ann")
    seen = lab.project("dee").mergerequests.get(1)
    state = seen.approval_state.get()
    assert [(one["name"], one["approved"]) for one in state.rules] == [("platform", True)], "ann owns the group above"
    ann = lab.client("ann").users.list(username="hg-bot")[0]
    rule.user_ids, rule.group_ids, rule.approvals_required = [ann.id], [], 1
    rule.save()
    approvals = seen.approvals.get()
    assert (approvals.approved, approvals.approvals_left, approvals.approvals_required) == (False, 1, 1)
    pull.approve("hg-bot")
    assert seen.approvals.get().approved
    assert lab.call("dee", "PUT", "/:p/merge_requests/1/reset_approvals").status_code == 401
    assert lab.call("hg-bot", "PUT", "/:p/merge_requests/1/reset_approvals").status_code == 202
    assert seen.approvals.get().approved_by == []
    rule.delete()
    assert project.approvalrules.list(get_all=True) == []


def test_files_trees_commits_and_comparisons_can_be_read(lab: Any) -> None:
    project = lab.project("eve")
    first = lab.repo.sha("main")
    head = lab.repo.commit("feature/x", {"web/site.yaml": "port: 81\n", "README.md": None}, "dee")
    assert project.files.get("web/site.yaml", ref="feature/x").decode() == b"port: 81\n"
    assert lab.call("eve", "GET", "/:p/repository/files/web%2Fsite.yaml/raw?ref=feature%2Fx").text == "port: 81\n"
    assert {item["name"] for item in project.repository_tree(ref="main", get_all=True)} == {"README.md", "db", "web"}
    assert project.branches.get("feature/x").commit["id"] == head
    assert project.repository_compare("main", "feature/x")["commits"][0]["id"] == head
    assert project.repository_merge_base(["main", "feature/x"])["id"] == first
    assert [c.id for c in project.commits.list(ref_name="feature/x", get_all=True)] == [head, first]
    assert {d["new_path"]: d["deleted_file"] for d in project.commits.get(head).diff(get_all=True)} == {
        "README.md": True,
        "web/site.yaml": False,
    }
    rows = lab.call("eve", "GET", "/:p/events?action=pushed").json()
    assert [(row["author_username"], row["push_data"]["action"]) for row in rows] == [("dee", "created")]
    assert rows[0]["push_data"]["commit_to"] == head


def test_more_files_than_the_host_keeps_are_left_out_and_said_so(lab: Any) -> None:
    lab.repo.commit("big", {f"f/{number}": "x\n" for number in range(1001)}, "dee")
    lab.repo.open_pull("Big", "big", "dee")
    seen = lab.project("dee").mergerequests.get(1).changes()
    assert (len(seen["changes"]), seen["overflow"], seen["changes_count"]) == (1000, True, "1000+")


def test_a_project_is_set_up(lab: Any) -> None:
    project = lab.project("ann")
    project.only_allow_merge_if_pipeline_succeeds = True
    project.squash_option = "always"
    project.merge_method = "rebase_merge"
    project.save()
    seen = lab.project("dee")
    assert (seen.only_allow_merge_if_pipeline_succeeds, seen.squash_option, seen.merge_method) == (
        True,
        "always",
        "rebase_merge",
    )
    with pytest.raises(gitlab.GitlabUpdateError):
        seen.squash_option = "never"
        seen.save()
    settings = project.approvals.get()
    settings.reset_approvals_on_push = True
    settings.save()
    assert lab.repo.settings.reset_approvals_on_push


def test_the_leave_to_merge_is_changed_row_by_row(lab: Any) -> None:
    project = lab.project("ann")
    bot = lab.client("ann").users.list(username="hg-bot")[0]
    made = project.protectedbranches.create({"name": "main"})
    assert [row["access_level"] for row in made.merge_access_levels] == [40]
    gone = {"id": made.merge_access_levels[0]["id"], "_destroy": True}
    path = "/:p/protected_branches/main"
    lab.call("ann", "PATCH", path, json={"allowed_to_merge": [gone, {"user_id": bot.id}]})
    rows = project.protectedbranches.get("main").merge_access_levels
    assert [row["user_id"] for row in rows] == [bot.id]
    assert lab.call("dee", "GET", path).status_code == 403
    project.protectedbranches.get("main").delete()
    assert project.protectedbranches.list(get_all=True) == []
