"""Webhooks look as GitHub describes them, are signed, arrive in order, and can be delivered again."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from typing import Any

import pytest

SECRET = "s3cret"


@pytest.fixture
def told(world: Any, mailbox: Any) -> Any:
    """The world with a hook to the mailbox for every event."""
    world.repo.add_hook(mailbox.url, SECRET, ("*",))
    return world


def _a_busy_day(world: Any) -> None:
    repo = world.repo
    repo.commit("port", {"web/site.yaml": "port: 8080\n"}, "dee")
    pull = repo.open_pull("Serve on 8080", "port", "dee", body="why", draft=True)
    pull.set_draft("dee", False)
    pull.request_review("dee", "bo", teams=("platform",))
    repo.commit("port", {"web/site.yaml": "port: 8081\n", "README.md": None, "db/x.tf": "#\n"}, "dee", "second")
    pull.label("bo", "risky")
    pull.unlabel("bo", "risky")
    said = pull.comment("hg-bot", "plan")
    pull.edit_comment("hg-bot", said, "newer plan")
    pull.delete_comment("hg-bot", said)
    review = pull.approve("bo")
    pull.dismiss("ann", review)
    repo.push("release", repo.sha("main"), "dee")
    pull.retarget("dee", "release")
    pull.retarget("dee", "main")
    pull.edit("dee", title="Better title", body="because")
    repo.set_status(pull.head_sha, "headgate/gate", "success", "hg-bot", "open", "https://example.com/x")
    hg = world.seen_by("hg-bot")
    hg.create_deployment("main", required_contexts=[], auto_merge=False).create_status("success")
    pull.close("dee")
    pull.reopen("dee")
    pull.merge("dee")
    repo.delete_branch("release", "dee")


def test_every_payload_is_as_github_describes_it(told: Any, mailbox: Any, webhook_judge: Any) -> None:
    _a_busy_day(told)
    assert told.forge.courier.settle()
    problems = [
        problem
        for headers, body in mailbox.letters
        for problem in webhook_judge.judge_payload(headers["X-Github-Event"], json.loads(body))
    ]
    assert not problems, "\n".join(problems[:15])
    actions = {action for event, action in mailbox.events() if event == "pull_request"}
    assert actions == {
        "opened",
        "ready_for_review",
        "review_requested",
        "synchronize",
        "labeled",
        "unlabeled",
        "edited",
        "closed",
        "reopened",
    }


def test_each_letter_is_signed_over_its_very_bytes(told: Any, mailbox: Any) -> None:
    told.repo.commit("port", {"a": "ü\n"}, "dee")
    assert told.forge.courier.settle()
    assert len(mailbox.letters) == 2
    for headers, body in mailbox.letters:
        expected = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        assert headers["X-Hub-Signature-256"] == f"sha256={expected}"


def test_a_hook_without_a_secret_sends_no_signature(world: Any, mailbox: Any) -> None:
    world.repo.add_hook(mailbox.url, "", ("push",))
    assert world.forge.courier.settle()
    assert "X-Hub-Signature-256" not in mailbox.letters[0][0]


def test_a_hook_hears_only_what_it_asked_for(world: Any, mailbox: Any) -> None:
    world.repo.add_hook(mailbox.url, SECRET, ("issue_comment",))
    world.repo.commit("port", {"a": "1"}, "dee")
    world.repo.open_pull("T", "port", "dee").comment("bo", "hi")
    assert world.forge.courier.settle()
    assert mailbox.events() == [("ping", None), ("issue_comment", "created")]


def test_a_redelivery_keeps_guid_and_body(told: Any, mailbox: Any) -> None:
    mailbox.answer = 500
    told.repo.commit("port", {"a": "1"}, "dee")
    assert told.forge.courier.settle()
    mailbox.answer = 202
    hook = told.call("ann", "GET", "/repos/acme/infra/hooks").json()[0]["id"]
    failed = told.call("ann", "GET", f"/repos/acme/infra/hooks/{hook}/deliveries").json()[0]
    assert (failed["event"], failed["status_code"]) == ("push", 500)
    path = f"/repos/acme/infra/hooks/{hook}/deliveries/{failed['id']}/attempts"
    assert told.call("ann", "POST", path).status_code == 202
    assert told.forge.courier.settle()
    (first_headers, first), (again_headers, again) = mailbox.letters[-2:]
    assert first == again
    assert first_headers["X-Github-Delivery"] == again_headers["X-Github-Delivery"]
    log = told.call("ann", "GET", f"/repos/acme/infra/hooks/{hook}/deliveries").json()
    assert (log[0]["redelivery"], log[0]["status_code"], log[0]["guid"]) == (True, 202, failed["guid"])
    assert log[0]["id"] > failed["id"]


@pytest.fixture
def app(world: Any, mailbox: Any) -> Any:
    """An application whose one hook hears of everything where it is installed."""
    made = world.forge.add_app("headgate", "ann", "no key")
    story = world.forge.app_story(made)
    story.hear(mailbox.url, SECRET, ("push", "issue_comment"))
    world.forge.install_app(made, "acme", ("acme/infra",))
    return story


def test_an_application_is_told_what_becomes_of_it_as_github_describes_it(
    world: Any, app: Any, mailbox: Any, webhook_judge: Any
) -> None:
    world.forge.create_repo("acme/other", {"a": "1"})
    app.choose("acme", ("acme/infra", "acme/other"), "ann")
    app.choose("acme", ("acme/infra",), "ann")
    app.suspend("acme", "ann")
    app.unsuspend("acme", "ann")
    app.uninstall("acme", "ann")
    assert world.forge.courier.settle()
    found = [(headers["X-Github-Event"], json.loads(body)) for headers, body in mailbox.letters]
    assert [f"{event}.{body['action']}" for event, body in found] == [
        "installation.created",
        "installation_repositories.added",
        "installation_repositories.removed",
        "installation.suspend",
        "installation.unsuspend",
        "installation.deleted",
    ]
    problems = [problem for event, body in found for problem in webhook_judge.judge_payload(event, body)]
    assert not problems, "\n".join(problems[:15])
    assert {headers["X-Github-Hook-Installation-Target-Type"] for headers, _ in mailbox.letters} == {"integration"}


def test_an_application_hears_of_its_repositories_while_it_is_let_in(world: Any, app: Any, mailbox: Any) -> None:
    other = world.forge.create_repo("acme/other", {"a": "1"})
    other.commit("port", {"a": "2"}, "ann")
    world.repo.commit("port", {"a": "1"}, "dee")
    app.suspend("acme", "ann")
    world.repo.commit("port", {"a": "2"}, "dee")
    app.unsuspend("acme", "ann")
    world.repo.commit("port", {"a": "3"}, "dee")
    assert world.forge.courier.settle()
    assert [each["repository"]["full_name"] for each in mailbox.of("push")] == ["acme/infra"] * 2


def test_letters_arrive_in_order(told: Any, mailbox: Any) -> None:
    told.repo.commit("port", {"a": "0"}, "dee")
    pull = told.repo.open_pull("T", "port", "dee")
    for number in range(20):
        pull.comment("bo", f"comment {number}")
    assert told.forge.courier.settle()
    assert [p["comment"]["body"] for p in mailbox.of("issue_comment")] == [f"comment {n}" for n in range(20)]


def test_letters_can_be_lost_repeated_and_shuffled(told: Any, mailbox: Any) -> None:
    told.repo.commit("port", {"a": "0"}, "dee")
    pull = told.repo.open_pull("T", "port", "dee")
    told.forge.trouble.lose_deliveries = 1
    pull.comment("bo", "lost")
    told.forge.trouble.repeat_deliveries = 1
    pull.comment("bo", "twice")
    told.forge.courier.hold()
    for number in range(10):
        pull.comment("bo", f"{number}")
    assert told.forge.courier.release(random.Random(1)) == 10
    assert told.forge.courier.settle()
    bodies = [p["comment"]["body"] for p in mailbox.of("issue_comment")]
    assert bodies[:2] == ["twice", "twice"]
    assert sorted(bodies[2:]) == [str(n) for n in range(10)]
    assert bodies[2:] != [str(n) for n in range(10)]


def test_an_address_nobody_listens_on_is_recorded_as_failed(world: Any) -> None:
    hook = world.repo.add_hook("http://127.0.0.1:9/hook", SECRET)
    assert world.forge.courier.settle()
    assert [(d.status_code, d.status) for d in hook.deliveries] == [(0, "failed to connect to host")]


def test_a_push_payload_names_pusher_and_files(told: Any, mailbox: Any) -> None:
    before = told.repo.sha("main")
    after = told.repo.commit(
        "main", {"README.md": None, "new": "x", "web/site.yaml": "port: 1\n"}, "dee", pusher="bo"
    )
    assert told.forge.courier.settle()
    push = mailbox.of("push")[-1]
    assert (push["before"], push["after"], push["pusher"]["name"]) == (before, after, "bo")
    commit = push["commits"][0]
    assert (commit["added"], commit["removed"], commit["modified"]) == (["new"], ["README.md"], ["web/site.yaml"])
    assert commit["author"]["username"] == "dee"
