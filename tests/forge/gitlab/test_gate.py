"""The GitLab face's manners: who is let in, how lists come, what a bad day looks like."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests


def test_no_token_and_a_wrong_token_are_refused(lab: Any) -> None:
    assert lab.call(None, "GET", "/user").json() == {"message": "401 Unauthorized"}
    lab.tokens["nobody"] = "forge_wrong"
    assert lab.call("nobody", "GET", "/user").status_code == 401


def test_a_token_may_come_as_header_as_bearer_or_as_parameter(lab: Any) -> None:
    token = lab.tokens["dee"]
    for words in ({"headers": {"Authorization": f"Bearer {token}"}}, {"params": {"private_token": token}}):
        assert lab.call(None, "GET", "/user", **words).json()["username"] == "dee"


def test_errors_say_what_is_wrong_in_the_hosts_words(lab: Any) -> None:
    pull = lab.change()
    assert lab.call("dee", "POST", "/:p/merge_requests/1/notes", json={}).json() == {"error": "body is missing"}
    assert lab.call("dee", "GET", "/no/such/thing").json() == {"error": "404 Not Found"}
    assert lab.call("dee", "GET", "/:p/merge_requests/99").json() == {"message": "404 Not Found"}
    assert lab.call("dee", "GET", "/:p/merge_requests/1/notes/1").json() == {"message": "404 Note Not Found"}
    assert lab.call("dee", "PUT", "/:p/merge_requests/1/approve").status_code == 405
    assert lab.call("dee", "POST", "/:p/merge_requests/1/approve").status_code == 401, "authors do not approve"
    wrong = lab.call("bo", "POST", "/:p/merge_requests/1/approve", json={"sha": "0" * 40})
    assert wrong.json()["message"] == f"SHA does not match HEAD of source branch: {pull.head_sha}"
    again = {"source_branch": "port", "target_branch": "main", "title": "T"}
    assert lab.call("dee", "POST", "/:p/merge_requests", json=again).status_code == 409
    for data in (b"{", b"[1]", b"\xff"):
        sent = {"data": data, "headers": {"Content-Type": "application/json"}}
        assert lab.call("dee", "POST", "/:p/merge_requests", **sent).status_code == 400


def test_the_limit_is_told_and_then_kept(lab: Any) -> None:
    lab.forge.trouble.rate_limit = 2
    first = lab.call("dee", "GET", "/user")
    assert (first.headers["RateLimit-Limit"], first.headers["RateLimit-Remaining"]) == ("2", "1")
    lab.call("dee", "GET", "/user")
    spent = lab.call("dee", "GET", "/user")
    assert (spent.status_code, spent.text) == (429, "Retry later\n")
    assert 0 < int(spent.headers["Retry-After"]) <= 60
    assert lab.call("bo", "GET", "/user").status_code == 200


def test_a_limit_may_come_without_a_word_on_when_to_return(lab: Any) -> None:
    lab.forge.trouble.limit_next(status=429, retry_after_s=None)
    lab.forge.trouble.limit_next(status=429, retry_after_s=7)
    answers = [lab.call("dee", "GET", "/user") for _ in range(3)]
    assert [a.status_code for a in answers] == [429, 429, 200]
    assert [a.headers.get("Retry-After") for a in answers] == [None, "7", None]


def test_the_host_can_fail_lose_answers_cut_them_and_lag_behind(lab: Any) -> None:
    pull, trouble = lab.change(), lab.forge.trouble
    path = "/:p/merge_requests/1"
    trouble.fail_next(status=502, path_contains="/merge_requests")
    assert [lab.call("dee", "GET", path).status_code for _ in range(2)] == [502, 200]
    trouble.lose_answers = 1
    assert lab.call("dee", "POST", f"{path}/notes", json={"body": "said"}).status_code == 502
    assert [comment.body for comment in pull.comments] == ["said"]
    trouble.stale_reads = 1
    pull.edit("dee", title="New")
    titles = [lab.call("dee", "GET", path).json()["title"] for _ in range(2)]
    assert titles == ["Serve", "New"]
    trouble.cut_answers = 1
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        lab.call("dee", "GET", path)
    assert lab.call("dee", "GET", path).status_code == 200


def test_git_takes_the_token_as_a_password_and_finds_the_refs_of_merge_requests(lab: Any, tmp_path: Path) -> None:
    pull = lab.change()
    lab.forge.add_group("acme/edge", {"dee": "write"})
    lab.forge.create_repo("acme/edge/dns", {"a": "1"})
    for path, wanted in (("acme/infra", f"{pull.head_sha}\trefs/merge-requests/1/head"), ("acme/edge/dns", "HEAD")):
        url = f"http://oauth2:{lab.tokens['dee']}@{lab.forge.url.removeprefix('http://')}/{path}.git"
        done = subprocess.run(["git", "ls-remote", url], capture_output=True, text=True, check=True)
        assert wanted in done.stdout
    away = f"http://oauth2:wrong@{lab.forge.url.removeprefix('http://')}/acme/infra.git"
    assert subprocess.run(["git", "ls-remote", away], capture_output=True, check=False, cwd=tmp_path).returncode != 0


def test_the_page_of_a_merge_request_lies_where_the_host_says(lab: Any) -> None:
    pull = lab.change()
    shown = lab.call("dee", "GET", "/:p/merge_requests/1").json()["web_url"]
    assert shown == pull.url == f"{lab.forge.url}/acme/infra/-/merge_requests/1"
    assert requests.get(shown, timeout=20).status_code == 200


def test_every_request_is_on_record(lab: Any) -> None:
    lab.call("dee", "GET", "/user")
    assert [(r.method, r.path, r.login) for r in lab.forge.trouble.requests()] == [("GET", "/api/v4/user", "dee")]


def test_pages_of_projects_in_subgroups_and_their_links_open(lab: Any) -> None:
    lab.forge.add_group("acme/edge", {"dee": "write"})
    repo = lab.forge.create_repo("acme/edge/dns", {"a": "1"})
    repo.commit("port", {"a": "2"}, "dee")
    pull = repo.open_pull("T", "port", "dee")
    page = requests.get(pull.url, timeout=20).text
    links = {link for link in re.findall(r'href="(/[^"]+)"', page) if link.startswith("/acme")}
    assert "/acme/edge/dns" in links
    answers = {link: requests.get(f"{lab.forge.url}{link}", timeout=20).status_code for link in links}
    assert set(answers.values()) == {200}, answers
