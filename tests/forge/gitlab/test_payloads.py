"""Webhooks of the GitLab face: which deed sends which event, and that payloads look as documented."""

from __future__ import annotations

import json
from typing import Any

import pytest
from forge.gitlab.facts import PAYLOADS, wrong_payload


@pytest.fixture
def heard(lab: Any, mailbox: Any) -> Any:
    """Gives the letters so far as (event, action, payload), once they have arrived."""
    lab.repo.add_hook(mailbox.url, "s3cret")

    def letters() -> list[tuple[str, str | None, dict[str, Any]]]:
        assert lab.forge.courier.settle()
        found = []
        for headers, body in mailbox.letters:
            payload = json.loads(body)
            assert wrong_payload(headers["X-Gitlab-Event"], payload) == []
            found.append((headers["X-Gitlab-Event"], payload.get("object_attributes", {}).get("action"), payload))
        mailbox.letters.clear()
        return found

    return letters


def _names(letters: list[Any]) -> list[tuple[str, str | None]]:
    return [(event.removesuffix(" Hook"), action) for event, action, _ in letters]


def test_a_merge_request_tells_of_its_opening_its_pushes_and_its_merge(lab: Any, heard: Any) -> None:
    pull = lab.change()
    assert _names(heard()) == [("Push", None), ("Merge Request", "open")]
    old = pull.head_sha
    lab.repo.commit("port", {"a": "2"}, "dee")
    letters = heard()
    assert _names(letters) == [("Push", None), ("Merge Request", "update")]
    assert letters[1][2]["object_attributes"]["oldrev"] == old
    pull.merge("bo")
    letters = heard()
    assert _names(letters) == [("Merge Request", "merge"), ("Push", None)]
    assert letters[0][2]["object_attributes"]["state"] == "merged"


def test_only_a_push_has_an_old_revision(lab: Any, heard: Any) -> None:
    pull = lab.change()
    heard()
    pull.label("bo", "risky")
    pull.set_draft("dee")
    pull.edit("dee", title="Other")
    pull.close("dee")
    pull.reopen("dee")
    letters = heard()
    assert [action for _, action in _names(letters)] == ["update", "update", "update", "close", "reopen"]
    assert not any("oldrev" in payload["object_attributes"] for _, _, payload in letters)
    changes = [payload["changes"] for _, _, payload in letters]
    assert [one["title"] for one in changes[0]["labels"]["current"]] == ["risky"]
    assert changes[0]["labels"]["previous"] == []
    assert changes[1]["draft"] == {"previous": False, "current": True}
    assert letters[1][2]["object_attributes"]["title"] == "Draft: Serve"
    assert changes[2]["title"]["previous"] == "Serve"


def test_an_approval_that_completes_the_rules_has_another_name(lab: Any, heard: Any) -> None:
    lab.repo.add_approval_rule("two", 2)
    pull = lab.change()
    heard()
    pull.approve("bo")
    pull.approve("ann")
    assert _names(heard()) == [("Merge Request", "approval"), ("Merge Request", "approved")]
    lab.project("ann").mergerequests.get(1).unapprove()
    lab.project("bo").mergerequests.get(1).unapprove()
    assert _names(heard()) == [("Merge Request", "unapproved"), ("Merge Request", "unapproval")]


def test_approvals_reset_by_a_push_say_so(lab: Any, heard: Any) -> None:
    lab.repo.settings.reset_approvals_on_push = True
    pull = lab.change()
    pull.approve("bo")
    heard()
    lab.repo.commit("port", {"a": "2"}, "dee")
    last = heard()[-1][2]["object_attributes"]
    assert (last["action"], last["system"]) == ("unapproved", True)
    assert last["system_action"] == "approvals_reset_on_push"
    assert lab.project("bo").mergerequests.get(1).approvals.get().approved_by == []


def test_notes_tell_of_creation_and_change_but_not_of_deletion(lab: Any, heard: Any) -> None:
    pull = lab.change()
    heard()
    said = pull.comment("bo", "hello")
    pull.edit_comment("bo", said, "hello again")
    pull.delete_comment("bo", said)
    letters = heard()
    assert _names(letters) == [("Note", "create"), ("Note", "update")]
    assert letters[0][2]["merge_request"]["last_commit"]["id"] == pull.head_sha
    assert letters[0][2]["object_attributes"]["created_at"].endswith(" UTC")


def test_what_the_host_writes_itself_is_a_note_but_no_event(lab: Any, heard: Any) -> None:
    pull = lab.change()
    pull.approve("bo")
    pull.comment("bo", "fine")
    assert "Note" in [event for event, _ in _names(heard())]
    notes = lab.project("bo").mergerequests.get(1).notes.list(get_all=True, sort="asc")
    assert [(note.system, note.body) for note in notes] == [(True, "approved this merge request"), (False, "fine")]


def test_a_pipeline_tells_when_its_state_changes_and_only_then(lab: Any, heard: Any) -> None:
    pull = lab.change()
    heard()
    for word in ("pending", "pending", "success"):
        lab.repo.set_status(pull.head_sha, "lint", word, "hg-bot")
    lab.repo.set_status(pull.head_sha, "unit", "success", "hg-bot")
    letters = heard()
    assert [payload["object_attributes"]["status"] for _, _, payload in letters] == ["pending", "success"]
    assert letters[0][2]["merge_request"]["iid"] == 1
    assert [job["name"] for job in letters[1][2]["builds"]] == ["lint"]


def test_a_push_shows_twenty_commits_and_counts_all(lab: Any, heard: Any) -> None:
    lab.repo.push("many", lab.repo.sha("main"), "dee")
    heard()
    tip = lab.repo.sha("main")
    with lab.forge.state.lock:
        git = lab.forge.state.git(lab.forge.state.repo("acme/infra"))
        who = git.run("log", "-1", "--format=%an", tip)
        assert who
        for number in range(23):
            tree = git.tree_of(tip)
            tip = git.commit_tree(tree, (tip,), f"c{number}", _sign(lab))
    lab.repo.push("many", tip, "dee")
    payload = heard()[0][2]
    assert (payload["total_commits_count"], len(payload["commits"])) == (23, 20)
    assert payload["commits"][-1]["id"] == tip
    assert payload["user_username"] == "dee"


def _sign(lab: Any) -> Any:
    from bot.forge.repos import signature

    return signature(lab.forge.state, "dee")


def test_deployments_and_reactions_are_events(lab: Any, heard: Any) -> None:
    lab.change()
    heard()
    project = lab.project("hg-bot")
    sha = lab.repo.sha("main")
    made = project.deployments.create(
        {"environment": "prod", "sha": sha, "ref": "main", "tag": "false", "status": "running"}
    )
    made.status = "success"
    made.save()
    project.mergerequests.get(1).awardemojis.create({"name": "eyes"})
    letters = heard()
    words = [payload.get("status") for event, _, payload in letters if event == "Deployment Hook"]
    assert words[-2:] == ["running", "success"]
    assert letters[-1][:2] == ("Emoji Hook", "award")


def test_the_judge_of_payloads_is_not_blind(lab: Any, heard: Any) -> None:
    lab.change()
    payload = heard()[1][2]
    assert wrong_payload("Merge Request Hook", payload) == []
    del payload["object_attributes"]["last_commit"]
    payload["project"]["id"] = "1"
    assert len(wrong_payload("Merge Request Hook", payload)) == 2
    assert wrong_payload("No Such Hook", payload) == ["No Such Hook: no such event is documented"]
    assert set(PAYLOADS) >= {"Push Hook", "Note Hook", "Pipeline Hook"}
