"""External status checks: services are asked about every state of a merge request and answer for its head."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from bot.forge import Forge


def _register(lab: Any, url: str) -> int:
    wish = {"name": "QA", "external_url": url, "shared_secret": "s3cret"}
    made = lab.call("ann", "POST", "/:p/external_status_checks", json=wish)
    assert (made.status_code, made.json()["hmac"]) == (201, True)
    assert lab.call("ann", "POST", "/:p/external_status_checks", json=wish).status_code == 400
    assert "s3cret" not in made.text
    return int(made.json()["id"])


def test_a_service_is_asked_signed_and_with_its_own_rule(lab: Any, mailbox: Any) -> None:
    number = _register(lab, mailbox.url)
    pull = lab.change()
    pull.comment("bo", "no service is asked for words")
    pull.approve("bo")
    lab.repo.commit("port", {"a": "2"}, "dee")
    assert lab.forge.courier.settle()
    assert len(mailbox.letters) == 3
    headers, body = mailbox.letters[0]
    assert headers["X-Gitlab-Signature"] == hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    assert json.loads(body)["external_approval_rule"]["id"] == number
    assert json.loads(mailbox.letters[2][1])["object_attributes"]["last_commit"]["id"] == pull.head_sha
    assert lab.project("ann").hooks.list(get_all=True) == [], "a service is no webhook"


def test_an_answer_counts_for_the_head_alone_and_may_be_needed_for_a_merge(lab: Any, mailbox: Any) -> None:
    number = _register(lab, mailbox.url)
    lab.call("ann", "PUT", "/:p", json={"only_allow_merge_if_all_status_checks_passed": True})
    pull = lab.change()
    path = "/:p/merge_requests/1"

    def answer(sha: str, status: str) -> requests.Response:
        words = {"sha": sha, "external_status_check_id": number, "status": status}
        return lab.call("hg-bot", "POST", f"{path}/status_check_responses", json=words)  # type: ignore[no-any-return]

    def standing() -> tuple[str, str]:
        word = lab.call("bo", "GET", f"{path}/status_checks").json()[0]["status"]
        return word, lab.call("bo", "GET", path).json()["detailed_merge_status"]

    assert standing() == ("pending", "status_checks_must_pass")
    assert answer("0" * 40, "passed").status_code == 409
    assert answer(pull.head_sha, "failed").status_code == 201
    assert standing() == ("failed", "status_checks_must_pass")
    assert lab.call("hg-bot", "POST", f"{path}/status_checks/{number}/retry").status_code == 202
    assert answer(pull.head_sha, "passed").status_code == 201
    assert standing() == ("passed", "mergeable")
    assert lab.call("hg-bot", "POST", f"{path}/status_checks/{number}/retry").status_code == 422
    lab.repo.commit("port", {"a": "2"}, "dee")
    assert standing() == ("pending", "status_checks_must_pass")
    assert lab.call("bo", "PUT", f"{path}/merge").status_code == 405
    assert lab.call("ann", "DELETE", f"/:p/external_status_checks/{number}").status_code == 204
    assert lab.call("bo", "PUT", f"{path}/merge").json()["state"] == "merged"


def test_silence_fails_after_two_minutes(tmp_path: Path, mailbox: Any) -> None:
    now = [datetime(2030, 1, 1, tzinfo=UTC)]
    forge = Forge(tmp_path / "forge", lambda: now[0], face="gitlab")
    token = {"PRIVATE-TOKEN": forge.add_user("ann")}
    repo = forge.create_repo("acme/infra", {"a": "1"}, {"ann": "maintain"})
    forge.start()
    project = f"{forge.api_url}/projects/acme%2Finfra"
    wish = {"name": "QA", "external_url": mailbox.url}
    requests.post(f"{project}/external_status_checks", json=wish, headers=token, timeout=20)
    repo.commit("port", {"a": "2"}, "ann")
    repo.open_pull("T", "port", "ann")
    words = []
    for _ in range(2):
        shown = requests.get(f"{project}/merge_requests/1/status_checks", headers=token, timeout=20).json()
        words.append(shown[0]["status"])
        now[0] += timedelta(seconds=121)
    assert words == ["pending", "failed"]
    forge.stop()
