"""The rest of the GitLab face: people and groups, environments, threads, reactions, branches, pipelines."""

from __future__ import annotations

from typing import Any

import gitlab
import pytest


def test_people_can_be_found_and_tell_of_themselves(lab: Any) -> None:
    client = lab.client("dee")
    client.auth()
    assert (client.user.username, client.user.bot) == ("dee", False)
    assert client.users.get(client.user.id).name == "dee"
    assert {one.username for one in client.users.list(search="e", get_all=True)} == {"dee", "eve"}
    assert client.version()[0].startswith("19.")
    assert lab.call("dee", "GET", "/metadata").json()["enterprise"] is True
    assert lab.call("dee", "GET", "/personal_access_tokens/self").json()["user_id"] == client.user.id
    assert lab.call("dee", "GET", "/namespaces/acme").json()["kind"] == "group"


def test_groups_show_their_members_their_subgroups_and_their_projects(lab: Any) -> None:
    lab.forge.add_group("acme/edge", {"dee": "maintain"})
    lab.forge.create_repo("acme/edge/dns", {"a": "1"})
    ann = lab.client("ann")
    group = ann.groups.get("acme")
    assert {m.username: m.access_level for m in group.members.list(get_all=True)} == {"ann": 50, "bo": 5, "dee": 5}
    edge = ann.groups.get("acme/edge")
    below = {m.username: m.access_level for m in edge.members_all.list(get_all=True)}
    assert below == {"ann": 50, "bo": 5, "dee": 40}
    dee = ann.users.list(username="dee")[0]
    assert (edge.members.get(dee.id).access_level, edge.members_all.get(dee.id).access_level) == (40, 40)
    assert {one.full_path for one in group.subgroups.list(get_all=True)} == {"acme/edge", "acme/platform"}
    assert {p.path for p in group.projects.list(get_all=True, include_subgroups=True)} == {"infra", "dns"}
    assert [p.path for p in group.projects.list(get_all=True)] == ["infra"]
    assert {one.full_path for one in ann.groups.list(get_all=True)} == {"acme", "acme/edge", "acme/platform"}
    with pytest.raises(gitlab.GitlabGetError):
        lab.client("cy").groups.get("acme")


def test_members_and_groups_are_let_in_and_put_out(lab: Any) -> None:
    project = lab.project("ann")
    cy = lab.client("ann").users.list(username="cy")[0]
    member = project.members.create({"user_id": cy.id, "access_level": 30})
    assert lab.project("cy").permissions["project_access"]["access_level"] == 30
    member.delete()
    assert lab.call("cy", "GET", "/:p").status_code == 404
    lab.forge.add_group("friends", {"cy": "admin"})
    project.share(lab.client("cy").groups.get("friends").id, 20)
    assert {row["full_path"] for row in lab.call("ann", "GET", "/:p/invited_groups").json()} == {
        "acme/platform",
        "friends",
    }
    levels = {m.username: m.access_level for m in project.members_all.list(get_all=True)}
    assert levels["cy"] == 20, "an invitation limits what the group itself gives"
    assert [m.username for m in project.members_all.list(query="cy", get_all=True)] == ["cy"]


def test_projects_are_listed_as_far_as_one_may_see_them(lab: Any) -> None:
    lab.forge.create_repo("acme/other", {"a": "1"}, {"dee": "read"})
    assert {p.path for p in lab.client("dee").projects.list(get_all=True)} == {"infra", "other"}
    assert {p.path for p in lab.client("dee").projects.list(get_all=True, min_access_level=30)} == {"infra"}
    assert [p.path for p in lab.client("dee").projects.list(get_all=True, search="oth", simple=True)] == ["other"]
    assert lab.client("cy").projects.list(get_all=True) == []
    lab.change()
    assert [m.iid for m in lab.client("dee").mergerequests.list(scope="all", get_all=True)] == [1]
    group = lab.client("ann").groups.get("acme")
    assert [m.iid for m in group.mergerequests.list(get_all=True, author_username="dee", wip="no")] == [1]
    assert group.mergerequests.list(get_all=True, labels="nope") == []


def test_branches_are_made_and_deleted(lab: Any) -> None:
    project = lab.project("dee")
    project.branches.create({"branch": "feature/y", "ref": "main"})
    assert {b.name for b in project.branches.list(get_all=True)} == {"main", "feature/y"}
    project.branches.delete("feature/y")
    for body, status in (({"branch": "z", "ref": "nowhere"}, 400), ({"branch": "main", "ref": "main"}, 400)):
        assert lab.call("dee", "POST", "/:p/repository/branches", json=body).status_code == status
    assert lab.call("dee", "GET", "/:p/repository/branches/gone").json()["message"] == "404 Branch Not Found"
    assert lab.call("eve", "POST", "/:p/repository/branches", json={"branch": "e", "ref": "main"}).status_code == 403


def test_environments_are_announced_used_stopped_and_removed(lab: Any) -> None:
    project = lab.project("hg-bot")
    made = project.environments.create({"name": "prod/eu", "external_url": "https://example.com"})
    assert (made.tier, made.state, made.slug) == ("production", "available", "prod-eu")
    sha = lab.repo.sha("main")
    body = {"environment": "prod/eu", "sha": sha, "ref": "main", "tag": False, "status": "running"}
    deployment = project.deployments.create(body)
    assert project.deployments.get(deployment.id).environment["name"] == "prod/eu"
    deployment.status = "failed"
    deployment.save()
    deployment.status = "success"
    with pytest.raises(gitlab.GitlabUpdateError):
        deployment.save()
    assert [d.status for d in project.deployments.list(environment="prod/eu", get_all=True)] == ["failed"]
    assert project.environments.get(made.id).last_deployment["commit"]["id"] == sha
    with pytest.raises(gitlab.GitlabDeleteError):
        made.delete()
    made.external_url = "https://example.org"
    made.save()
    made.stop()
    made.delete()
    assert project.environments.list(get_all=True) == []
    assert lab.call("hg-bot", "POST", "/:p/deployments", json=body | {"status": "green"}).status_code == 400


def test_a_thread_is_answered_and_resolved(lab: Any) -> None:
    lab.change()
    seen = lab.project("bo").mergerequests.get(1)
    thread = seen.discussions.create({"body": "why?"})
    seen.notes.create({"body": "by the way"})
    thread.notes.create({"body": "because"})
    found = lab.project("bo").mergerequests.get(1).discussions.list(get_all=True)
    assert [(one.attributes["individual_note"], len(one.attributes["notes"])) for one in found] == [
        (False, 2),
        (True, 1),
    ]
    assert not lab.project("bo").mergerequests.get(1).blocking_discussions_resolved
    path = f"/:p/merge_requests/1/discussions/{thread.id}"
    assert lab.call("eve", "PUT", path, json={"resolved": True}).status_code == 403
    thread.resolved = True
    thread.save()
    notes = seen.discussions.get(thread.id).attributes["notes"]
    assert {note["resolved_by"]["username"] for note in notes} == {"bo"}
    assert lab.project("bo").mergerequests.get(1).blocking_discussions_resolved
    assert lab.call("bo", "GET", "/:p/merge_requests/1/discussions/nope").status_code == 404


def test_reactions_are_given_once_and_taken_back_by_their_giver(lab: Any) -> None:
    said = lab.change().comment("bo", "hello")
    seen = lab.project("dee").mergerequests.get(1)
    award = seen.awardemojis.create({"name": "thumbsup"})
    with pytest.raises(gitlab.GitlabCreateError):
        seen.awardemojis.create({"name": "thumbsup"})
    assert lab.project("dee").mergerequests.get(1).upvotes == 1
    note = seen.notes.get(said.id)
    note.awardemojis.create({"name": "eyes"})
    assert [one.name for one in note.awardemojis.list(get_all=True)] == ["eyes"]
    other = f"/:p/merge_requests/1/award_emoji/{award.id}"
    assert lab.call("bo", "DELETE", other).status_code == 403
    award.delete()
    assert seen.awardemojis.list(get_all=True) == []


def test_pipelines_are_listed_by_commit_ref_and_state(lab: Any) -> None:
    head = lab.change().head_sha
    project = lab.project("hg-bot")
    project.commits.get(head).statuses.create({"state": "failed", "name": "lint", "ref": "port"})
    pipeline = project.pipelines.list(sha=head, ref="port", status="failed", get_all=True)[0]
    assert project.pipelines.get(pipeline.id).detailed_status["text"] == "Failed"
    assert project.pipelines.list(status="success", get_all=True) == []
    assert lab.call("bo", "GET", "/:p/pipelines/latest?ref=port").json()["id"] == pipeline.id
    assert [one["id"] for one in lab.call("bo", "GET", "/:p/merge_requests/1/pipelines").json()] == [pipeline.id]
    assert lab.call("bo", "GET", "/:p/pipelines/1").status_code == 404


def test_commits_know_their_branches_and_their_merge_requests(lab: Any) -> None:
    pull = lab.change()
    project = lab.project("eve")
    commit = project.commits.get(pull.head_sha)
    assert [one["name"] for one in commit.refs("branch", get_all=True)] == ["port"]
    assert [one["iid"] for one in commit.merge_requests(get_all=True)] == [1]
    assert [p["username"] for p in lab.call("eve", "GET", "/:p/merge_requests/1/participants").json()] == ["dee"]
    assert lab.call("eve", "GET", "/:p/merge_requests/1/versions").json()[0]["head_commit_sha"] == pull.head_sha
    assert lab.call("eve", "GET", "/:p/merge_requests/1/merge_ref").json()["commit_id"]
    diffs = lab.call("eve", "GET", "/:p/merge_requests/1/diffs").json()
    assert [row["new_path"] for row in diffs] == ["web/site.yaml"]
    shown = lab.call("eve", "GET", "/:p/merge_requests/1?include_diverged_commits_count=true").json()
    assert shown["diverged_commits_count"] == 0
    assert lab.call("ann", "DELETE", "/:p/merge_requests/1").status_code == 204
