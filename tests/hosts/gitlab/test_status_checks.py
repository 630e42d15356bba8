"""External status checks: GitLab's question before a merge is taken for a hint, and answered for the very head."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hosts.gitlab.conftest import HOOK, Lab

from bot.core.errors import ConfigError, HostDenied, MalformedDelivery, SignatureError
from bot.core.events import ChangeTouched, GateAsked
from bot.core.record import CheckConclusion
from bot.hosts.gitlab.host import GitLab
from bot.hosts.gitlab.inbox import Webhooks
from bot.hosts.gitlab.settings import GitLabSettings
from bot.hosts.setup import Level, Wanted, apply
from bot.ports import CheckToSet

AT = datetime(2030, 1, 1, 12, 0, 30, tzinfo=UTC)
WANTED = Wanted(("main",), url=HOOK, external=True)
QUESTION: dict[str, Any] = {
    "object_kind": "merge_request",
    "event_type": "merge_request",
    "user": {"username": "root"},
    "project": {"id": 6, "path_with_namespace": "flightjs/Flight"},
    "object_attributes": {
        "iid": 4,
        "updated_at": "2022-12-07 07:53:43 UTC",
        "last_commit": {"id": "141be9714669a4c1ccaa013c6a7f3e462ff2a40f"},
    },
    "changes": {},
    "external_approval_rule": {"id": 1, "name": "QA", "external_url": "https://example.com/"},
}
"""https://docs.gitlab.com/api/status_checks/#example-payload-sent-to-external-service, what of it is used."""


class Clock:
    """Seconds as a test says."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def inbox(*secrets: str) -> Webhooks:
    return Webhooks(GitLabSettings("lab", None, tuple(lambda each=each: each for each in secrets)))


def signed(body: bytes, secret: str = "s3cret") -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", "X-Gitlab-Signature": digest}


# -------------------------------------------------------------------------------------------- the question


def test_a_question_is_a_hint_and_asks_for_our_gate() -> None:
    body = json.dumps(QUESTION).encode()
    delivery = inbox("other", "s3cret").receive(signed(body), body, AT)
    touched, asked = inbox("s3cret").decode(delivery, "hg-bot")
    assert isinstance(touched, ChangeTouched) and isinstance(asked, GateAsked)
    assert (str(touched.ref), touched.head[:7]) == ("lab/flightjs/Flight!4", "141be97")
    assert (asked.ref, asked.id, asked.by) == (touched.ref, delivery.id, "1")


def test_a_signing_token_may_be_the_shared_secret_too() -> None:
    body = json.dumps(QUESTION).encode()
    token = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    assert inbox(token).receive(signed(body, token), body, AT)


@pytest.mark.parametrize("signature", ["", "0" * 64, "é"])
def test_what_is_not_signed_over_its_bytes_is_refused_whatever_token_comes_along(signature: str) -> None:
    body = json.dumps(QUESTION).encode()
    with pytest.raises(SignatureError):
        inbox("s3cret").receive({"X-Gitlab-Signature": signature, "X-Gitlab-Token": "s3cret"}, body, AT)
    with pytest.raises(SignatureError):
        inbox("s3cret").receive(signed(body), body + b" ", AT)


def test_a_secret_that_cannot_be_read_puts_the_question_off() -> None:
    def gone() -> str:
        raise ConfigError(())

    body = json.dumps(QUESTION).encode()
    with pytest.raises(ConfigError):
        Webhooks(GitLabSettings("lab", None, (gone,))).receive(signed(body), body, AT)


def test_the_same_question_asked_again_minutes_later_is_another_one() -> None:
    body = json.dumps(QUESTION).encode()
    first, soon, later = (
        inbox("s3cret").receive(signed(body), body, AT + timedelta(seconds=seconds)).id for seconds in (0, 20, 120)
    )
    assert first == soon != later


@pytest.mark.parametrize("body", [b"[" * 200, b"{}", b"null", b'{"object_kind": "merge_request"}'])
def test_an_odd_question_asks_for_nothing(body: bytes) -> None:
    try:
        delivery = inbox("s3cret").receive(signed(body), body, AT)
    except MalformedDelivery:
        return
    assert not any(isinstance(hint, GateAsked) for hint in inbox("s3cret").decode(delivery, ""))


def test_a_webhook_that_names_a_rule_asks_for_nothing() -> None:
    body = json.dumps(QUESTION).encode()
    headers = {"X-Gitlab-Event": "Merge Request Hook", "X-Gitlab-Token": "s3cret"}
    (hint,) = inbox("s3cret").decode(inbox("s3cret").receive(headers, body, AT), "")
    assert isinstance(hint, ChangeTouched)


# ---------------------------------------------------------------------------------------------- the answer


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def host(lab: Lab, clock: Clock) -> GitLab:
    """The adapter, which knows its public address."""
    settings = GitLabSettings(
        "lab", lambda: lab.tokens["hg-bot"], (lambda: "plain",), lab.forge.url, webhook_url=HOOK
    )
    return GitLab(settings, clock)


def register(lab: Lab, name: str, url: str = HOOK) -> int:
    words = {"name": name, "external_url": url, "shared_secret": "plain"}
    return int(lab.project().external_status_checks.create(words).id)


def gate(lab: Lab, pull: Any, conclusion: CheckConclusion, sha: str = "") -> CheckToSet:
    return CheckToSet("headgate/gate", sha or pull.head_sha, conclusion, "said", change=lab.ref(pull))


def standing(lab: Lab, pull: Any) -> dict[str, str]:
    """What each service says of a change."""
    there = lab.project().mergerequests.get(pull.number).status_checks.list(get_all=True)
    return {each.name: each.status for each in there}


@pytest.mark.parametrize(
    ("conclusion", "word"),
    [
        (CheckConclusion.SUCCESS, "passed"),
        (CheckConclusion.FAILURE, "failed"),
        (CheckConclusion.PENDING, "pending"),
    ],
)
def test_our_gate_is_the_answer_of_who_is_called_so_or_asks_us_and_of_nobody_else(
    lab: Lab, host: GitLab, conclusion: CheckConclusion, word: str
) -> None:
    register(lab, "headgate/gate", "https://older.example.com/")
    register(lab, "The gate")
    register(lab, "QA", "https://qa.example.com/")
    pull = lab.open()
    host.set_check(lab.repo, gate(lab, pull, conclusion))
    assert standing(lab, pull) == {"headgate/gate": word, "The gate": word, "QA": "pending"}


def test_the_plans_check_answers_nothing_and_a_check_of_no_change_neither(lab: Lab, host: GitLab) -> None:
    register(lab, "headgate/gate")
    pull = lab.open()
    words = (pull.head_sha, CheckConclusion.SUCCESS, "said")
    host.set_check(lab.repo, CheckToSet("headgate/plan", *words, change=lab.ref(pull)))
    host.set_check(lab.repo, CheckToSet("headgate/gate", *words))
    assert standing(lab, pull) == {"headgate/gate": "pending"}


def test_an_answer_is_given_again_whenever_the_gate_is_set_though_the_status_stands(lab: Lab, host: GitLab) -> None:
    number = register(lab, "headgate/gate")
    pull = lab.open()
    host.set_check(lab.repo, gate(lab, pull, CheckConclusion.FAILURE))
    path = f"/projects/{lab.project().id}/merge_requests/{pull.number}/status_checks/{number}/retry"
    lab.project().manager.gitlab.http_post(path)
    assert standing(lab, pull) == {"headgate/gate": "pending"}
    host.set_check(lab.repo, gate(lab, pull, CheckConclusion.FAILURE))
    assert standing(lab, pull) == {"headgate/gate": "failed"}


def test_of_a_head_that_moved_on_nothing_is_told(lab: Lab, host: GitLab) -> None:
    register(lab, "headgate/gate")
    pull = lab.open()
    old = pull.head_sha
    lab.story.commit("topic", {"b.txt": "2\n"}, "dee")
    host.set_check(lab.repo, gate(lab, pull, CheckConclusion.SUCCESS, old))
    assert standing(lab, pull) == {"headgate/gate": "pending"}


def test_a_tier_without_them_is_asked_once_in_a_while(lab: Lab, host: GitLab, clock: Clock) -> None:
    lab.forge.state.paid = False
    pull = lab.open()

    def asked() -> int:
        made = lab.forge.trouble.requests("api")
        return sum(1 for each in made if each.path.endswith("/external_status_checks"))

    for conclusion in CheckConclusion:
        host.set_check(lab.repo, gate(lab, pull, conclusion))
    assert asked() == 1
    clock.now += 601
    host.set_check(lab.repo, gate(lab, pull, CheckConclusion.PENDING))
    assert asked() == 2


def test_who_asked_us_signed_is_answered_under_any_name_and_address_as_long_as_it_is_there(
    lab: Lab, host: GitLab
) -> None:
    pull = lab.open()
    host.set_check(lab.repo, gate(lab, pull, CheckConclusion.SUCCESS))
    number = register(lab, "Gate of the house", "https://inside.example.com/webhooks/lab")
    told = {**QUESTION, "project": {"id": 1, "path_with_namespace": "acme/infra"}}
    told |= {"object_attributes": {"iid": pull.number}, "external_approval_rule": {"id": number}}
    body = json.dumps(told).encode()
    host.decode(host.receive(signed(body, "plain"), body, AT))
    host.set_check(lab.repo, gate(lab, pull, CheckConclusion.SUCCESS))
    assert standing(lab, pull) == {"Gate of the house": "passed"}

    lab.project().external_status_checks.delete(number)
    for _ in range(2):
        host.set_check(lab.repo, gate(lab, pull, CheckConclusion.SUCCESS))
    answers = [each for each in lab.forge.trouble.requests("api") if each.path.endswith("/status_check_responses")]
    assert [each.status for each in answers] == [201, 404]


# ----------------------------------------------------------------------------------------- set-up and doctor


def test_set_up_has_gitlab_ask_us_and_wait_and_a_second_run_changes_nothing(lab: Lab, host: GitLab) -> None:
    steps = host.plan_setup(lab.repo, WANTED)
    assert [step.what for step in steps[2:]] == [
        f"external status check headgate/gate asks {HOOK}",
        "merges wait for external status checks",
    ]
    assert "plain" not in repr(steps) + "".join(map(str, steps))
    assert apply(steps) == 4
    (check,) = lab.project().external_status_checks.list(get_all=True)
    assert (check.name, check.external_url, check.hmac) == ("headgate/gate", HOOK, True)
    assert [each["name"] for each in check.protected_branches] == ["main"]
    assert lab.project().only_allow_merge_if_all_status_checks_passed is True
    assert all(step.done for step in host.plan_setup(lab.repo, WANTED))
    assert "external status check headgate/gate; merges wait for it" in found(lab, host, Level.OK)


def found(lab: Lab, host: GitLab, level: Level, wanted: Wanted = WANTED) -> list[str]:
    return [each.text for each in host.examine(lab.repo, wanted) if each.level is level]


def test_one_that_is_there_is_mended(lab: Lab, host: GitLab, clock: Clock) -> None:
    words = {"name": "headgate/gate", "external_url": "https://older.example.com/"}
    lab.project().external_status_checks.create(words)
    (text,) = found(lab, host, Level.WARNING)
    assert "it asks https://older.example.com/; its questions are not signed" in text
    assert "it is asked about every branch, and answered for main" in text
    apply(host.plan_setup(lab.repo, WANTED))
    clock.now += 61
    assert found(lab, host, Level.WARNING) == []
    assert len(lab.project().external_status_checks.list(get_all=True)) == 1
    assert all(step.done for step in host.plan_setup(lab.repo, WANTED))


def test_a_rule_for_many_branches_is_as_good(lab: Lab, host: GitLab) -> None:
    words = {
        "name": "ma*",
        "push_access_level": 0,
        "allowed_to_merge": [{"user_id": lab.forge.state.account("hg-bot").id}],
    }
    lab.project().protectedbranches.create(words)
    apply(host.plan_setup(lab.repo, WANTED))
    assert all(step.done for step in host.plan_setup(lab.repo, WANTED))


def test_without_being_asked_to_set_up_makes_none(lab: Lab, host: GitLab) -> None:
    apply(host.plan_setup(lab.repo, Wanted(("main",), url=HOOK)))
    assert lab.project().external_status_checks.list(get_all=True) == []


def test_in_a_mode_that_publishes_no_gate_nobody_would_answer(lab: Lab, host: GitLab) -> None:
    watching = Wanted(("main",), checks=(), external=True)
    assert host.plan_setup(lab.repo, watching) == ()
    register(lab, "headgate/gate")
    assert any("nobody answers it in this mode" in text for text in found(lab, host, Level.WARNING, watching))
    lab.story.settings.external_checks_must_pass = True
    assert any("nothing can be merged" in text for text in found(lab, host, Level.PROBLEM, watching))


def test_without_the_tier_or_an_address_set_up_says_so(lab: Lab, host: GitLab) -> None:
    with pytest.raises(HostDenied, match="an external status check asks us at our public address"):
        lab.host.plan_setup(lab.repo, WANTED)
    lab.forge.state.paid = False
    with pytest.raises(HostDenied, match="need Ultimate"):
        host.plan_setup(lab.repo, WANTED)
