"""One story, told without a word of any host, comes out the same through either face."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from bot.forge import Forge, Refused
from bot.forge.faces import FACES


@pytest.fixture(params=sorted(FACES))
def forge(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Forge]:
    host = Forge(tmp_path / "forge", face=request.param)
    for login in ("ann", "bo", "cy", "dee"):
        host.add_user(login)
    host.add_org("acme", owners=("ann",))
    files = {"site.yaml": "port: 80\n"}
    host.create_repo("acme/infra", files, {"dee": "write", "bo": "write", "cy": "read"})
    host.start()
    yield host
    host.stop()


def test_a_change_is_opened_pushed_discussed_judged_and_merged(forge: Forge) -> None:
    repo = forge.repo("acme/infra")
    repo.commit("port", {"site.yaml": "port: 81\n"}, "dee")
    pull = repo.open_pull("Serve", "port", "dee", draft=True)
    head = repo.commit("port", {"site.yaml": "port: 82\n"}, "dee")
    assert (pull.head_sha, pull.draft, pull.state) == (head, True, "open")
    with pytest.raises(Refused):
        pull.merge("bo")
    pull.set_draft("dee", draft=False)
    pull.label("bo", "risky")
    said = pull.comment("cy", "@bot plan")
    pull.edit_comment("cy", said, "@bot plan please")
    assert [comment.body for comment in pull.comments] == ["@bot plan please"]
    review = pull.approve("bo")
    assert (review.author, review.commit_id) == ("bo", head)
    pull.dismiss("ann", review)
    assert [one.state for one in pull.reviews] == ["DISMISSED"]
    pull.request_changes("bo", "Please not.")
    pull.approve("bo")
    repo.set_status(head, "lint", "pending", "dee")
    repo.set_status(head, "lint", "success", "dee")
    assert {name: check.outcome for name, check in pull.checks().items()} == {"lint": "success"}
    assert pull.blockers() == []
    landed = pull.merge("bo", sha=head)
    assert (pull.state, pull.merge_sha, repo.sha("main")) == ("merged", landed, landed)
    assert requests.get(pull.url, timeout=20).status_code == 200


def test_a_change_is_retargeted_rewritten_closed_and_reopened(forge: Forge) -> None:
    repo = forge.repo("acme/infra")
    repo.push("release", repo.sha("main"), "dee")
    repo.commit("port", {"a": "1"}, "dee")
    pull = repo.open_pull("T", "port", "dee")
    pull.retarget("dee", "release")
    head = repo.force_push("port", {"a": "2"}, "dee", parent="main")
    assert (pull.base_ref, pull.head_sha) == ("release", head)
    pull.close("dee")
    pull.reopen("dee")
    assert pull.state == "open"
    repo.delete_branch("release", "ann")
    assert pull.state == "closed"


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_every_way_of_merging_lands_the_same_files(forge: Forge, method: str) -> None:
    repo = forge.repo("acme/infra")
    repo.commit("port", {"site.yaml": "port: 82\n"}, "dee")
    repo.commit("port", {"b": "1"}, "dee")
    pull = repo.open_pull("T", "port", "dee")
    repo.commit("main", {"c": "1"}, "dee")
    pull.merge("bo", method)
    assert (repo.read("site.yaml"), repo.read("b"), repo.read("c")) == ("port: 82\n", "1", "1")


def test_a_fork_proposes_a_change(forge: Forge) -> None:
    fork = forge.repo("acme/infra").fork("cy")
    fork.commit("idea", {"a": "1"}, "cy")
    pull = forge.repo("acme/infra").open_pull("Idea", "cy:idea", "cy")
    head = fork.commit("idea", {"a": "2"}, "cy")
    assert pull.head_sha == head
    pull.merge("bo")
    assert forge.repo("acme/infra").read("a") == "2"


def test_who_alone_may_merge_is_alone_but_for_an_owner_who_goes_around(forge: Forge) -> None:
    repo = forge.repo("acme/infra")
    repo.protect("main", merge_by=("dee",), push_by=())
    for name in ("one", "two"):
        repo.commit(name, {name: "1"}, "dee")
        repo.open_pull(name, name, "dee")
    with pytest.raises(Refused):
        repo.pull(1).merge("bo")
    with pytest.raises(Refused):
        repo.commit("main", {"x": "1"}, "bo")
    repo.pull(1).merge("dee")
    repo.pull(2).merge("ann", bypass=True)
    assert [pull.state for pull in repo.pulls()] == ["merged", "merged"]


def test_required_approvals_block_either_way(forge: Forge) -> None:
    repo = forge.repo("acme/infra")
    repo.protect("main", approvals=1)
    repo.commit("port", {"a": "1"}, "dee")
    pull = repo.open_pull("T", "port", "dee")
    assert len(pull.blockers()) == 1
    with pytest.raises(Refused):
        pull.merge("bo")
    with pytest.raises(Refused):
        pull.approve("dee")
    pull.approve("bo")
    pull.merge("bo")
    assert pull.state == "merged"


def test_a_hook_hears_the_story_in_the_words_of_the_face(forge: Forge, mailbox: Any) -> None:
    repo = forge.repo("acme/infra")
    repo.add_hook(mailbox.url, "s3cret")
    repo.commit("port", {"a": "1"}, "dee")
    pull = repo.open_pull("T", "port", "dee")
    pull.comment("bo", "hello")
    pull.approve("bo")
    assert forge.courier.settle()
    header = {"github": "X-Github-Event", "gitlab": "X-Gitlab-Event"}[forge.state.face]
    events = [headers[header] for headers, _ in mailbox.letters if headers[header] != "ping"]
    words = {
        "github": ["push", "pull_request", "issue_comment", "pull_request_review"],
        "gitlab": ["Push Hook", "Merge Request Hook", "Note Hook", "Merge Request Hook"],
    }
    assert events == words[forge.state.face]
    assert all(json.loads(body) for _, body in mailbox.letters)


def test_both_faces_show_the_same_change_at_once(forge: Forge) -> None:
    repo = forge.repo("acme/infra")
    token = forge.add_user("eve")
    repo.grant("eve", "read")
    head = repo.commit("port", {"a": "1"}, "dee")
    repo.open_pull("T", "port", "dee")
    bearer = {"Authorization": f"Bearer {token}"}
    one = requests.get(f"{forge.url}/api/v3/repos/acme/infra/pulls/1", headers=bearer, timeout=20).json()
    two = requests.get(
        f"{forge.url}/api/v4/projects/acme%2Finfra/merge_requests/1", headers=bearer, timeout=20
    ).json()
    assert one["head"]["sha"] == two["sha"] == head
    assert (one["title"], one["number"], one["id"]) == (two["title"], two["iid"], two["id"])
