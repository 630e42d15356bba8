"""What GitLab gives away and what it sells: on a free instance no rule names anybody and no approval is required."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from bot.forge import Forge


@pytest.fixture
def free(tmp_path: Path) -> Iterator[Forge]:
    """An instance without a licence; ann maintains acme/infra, dee writes, hg-bot maintains."""
    forge = Forge(tmp_path / "forge", face="gitlab", paid=False)
    for login in ("ann", "dee", "hg-bot"):
        forge.add_user(login, token=f"token-{login}")
    people = {"ann": "maintain", "dee": "write", "hg-bot": "maintain"}
    forge.create_repo("acme/infra", {"a": "1"}, people)
    forge.start()
    yield forge
    forge.stop()


def _call(forge: Forge, login: str, method: str, path: str, **body: Any) -> requests.Response:
    url = f"{forge.api_url}/{path.replace(':p', 'projects/acme%2Finfra')}"
    return requests.request(method, url, headers={"PRIVATE-TOKEN": f"token-{login}"}, json=body or None, timeout=20)


def test_a_protected_branch_names_no_people(free: Forge) -> None:
    wish = {"name": "main", "push_access_level": 0, "allowed_to_merge": [{"user_id": 1}]}
    made = _call(free, "ann", "POST", ":p/protected_branches", **wish).json()
    assert [sorted(row) for row in made["merge_access_levels"]] == [
        ["access_level", "access_level_description", "id"]
    ]
    assert [row["access_level"] for row in made["merge_access_levels"]] == [40]
    repo = free.repo("acme/infra")
    repo.commit("port", {"a": "2"}, "dee")
    repo.open_pull("T", "port", "dee")
    assert _call(free, "dee", "PUT", ":p/merge_requests/1/merge").status_code == 401
    assert _call(free, "hg-bot", "PUT", ":p/merge_requests/1/merge").json()["state"] == "merged"


def test_approvals_are_taken_and_none_is_required(free: Forge) -> None:
    repo = free.repo("acme/infra")
    repo.protect("main", approvals=2)
    repo.add_approval_rule("two", 2)
    repo.commit("port", {"a": "2"}, "dee")
    pull = repo.open_pull("T", "port", "dee")
    seen = _call(free, "ann", "POST", ":p/merge_requests/1/approve").json()
    assert (seen["approvals_required"], [one["user"]["username"] for one in seen["approved_by"]]) == (0, ["ann"])
    assert pull.blockers() == []


@pytest.mark.parametrize(
    "path",
    [
        ":p/approval_rules",
        ":p/approvals",
        ":p/merge_requests/1/approval_state",
        "groups/acme/hooks",
        ":p/merge_trains",
    ],
)
def test_what_is_sold_is_not_found(free: Forge, path: str) -> None:
    assert _call(free, "ann", "GET", path).status_code == 404


def test_graphql_tells_whose_the_addresses_of_commits_are(lab: Any) -> None:
    lab.change()
    query = (
        "query($path: ID!, $iid: String!) { project(fullPath: $path) { mergeRequest(iid: $iid) {"
        " commits { nodes { authorEmail author { username } } } } } }"
    )

    def ask(login: str, words: str = query, path: str = "acme/infra") -> requests.Response:
        body = {"query": words, "variables": {"path": path, "iid": "1"}}
        token = {"Authorization": f"Bearer {lab.tokens.get(login, 'x')}"}
        return requests.post(f"{lab.forge.url}/api/graphql", json=body, headers=token, timeout=20)

    nodes = ask("eve").json()["data"]["project"]["mergeRequest"]["commits"]["nodes"]
    assert [(n["authorEmail"], n["author"]["username"]) for n in nodes] == [("dee@users.noreply.example.com", "dee")]
    assert ask("cy").json()["data"]["project"] is None
    assert ask("eve", path="no/such").json()["data"]["project"] is None
    assert "errors" in ask("eve", "{ currentUser { id } }").json()
    assert ask("nobody").status_code == 401


def test_a_private_address_is_found_by_administrators_alone(lab: Any) -> None:
    lab.tokens["root"] = lab.forge.add_user("root", admin=True)
    search = {"params": {"search": "dee@users.noreply.example.com"}}
    assert lab.call("ann", "GET", "/users", **search).json() == []
    assert [one["username"] for one in lab.call("root", "GET", "/users", **search).json()] == ["dee"]


def test_others_notes_are_changed_by_maintainers_alone_and_that_is_told(lab: Any, mailbox: Any) -> None:
    pull = lab.change()
    said = pull.comment("hg-bot", "plan")
    path = f"/:p/merge_requests/1/notes/{said.id}"
    assert lab.call("dee", "PUT", path, json={"body": "mine"}).status_code == 403
    assert lab.call("dee", "DELETE", path).status_code == 403
    lab.repo.add_hook(mailbox.url, "s")
    assert lab.call("bo", "PUT", path, json={"body": "mine"}).status_code == 200
    assert lab.forge.courier.settle()
    attributes = json.loads(mailbox.letters[-1][1])["object_attributes"]
    assert attributes["updated_by_id"] != attributes["author_id"]
    assert lab.call("bo", "DELETE", path).status_code == 204
