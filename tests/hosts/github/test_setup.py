"""Set-up changes what is missing and nothing else; doctor finds what set-up would mend."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bot.core.errors import HostDenied
from bot.core.model import RepoRef
from bot.forge.model import RequiredCheck
from bot.hosts.github.inbox import EVENTS
from bot.hosts.setup import Finding, Level, Wanted, apply

URL = "https://headgate.example.com/webhooks/gh"
SECRET = "canary-of-the-hook"
WANTED = Wanted(url=URL)


def sure(world: Any, login: str = "hg-bot") -> Any:
    return world.host(login, webhook_secrets=(lambda: SECRET,))


def bad(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.text for finding in findings if finding.level is not Level.OK]


def test_planning_changes_nothing_and_says_what_will_be(world: Any) -> None:
    steps = sure(world).plan_setup(world.repo, WANTED)
    assert [step.done for step in steps] == [False, False]
    assert "+ main requires headgate/gate" in str(steps[1])
    assert SECRET not in repr(steps) + "".join(map(str, steps))
    assert {each.method for each in world.sent()} == {"GET"}


def test_what_was_set_up_is_complete_and_stays(world: Any) -> None:
    host = sure(world)
    assert apply(host.plan_setup(world.repo, WANTED)) == 2
    (hook,) = world.forge.state.repo("acme/infra").hooks.values()
    assert (hook.url, hook.secret, set(hook.events), hook.active) == (URL, SECRET, set(EVENTS), True)
    assert world.story.protection().checks == (RequiredCheck("headgate/gate"),)
    again = host.plan_setup(world.repo, WANTED)
    assert all(step.done for step in again)
    assert apply(again) == 0


def test_the_rules_that_are_there_are_kept(world: Any) -> None:
    lint = RequiredCheck("lint", 4711)
    world.story.protect(checks=(lint,), approvals=2, enforce_admins=True, strict=True, dismiss_stale=True)
    before = world.story.protection()
    steps = sure(world).plan_setup(world.repo, Wanted())
    assert "kept: lint" in str(steps[0])
    apply(steps)
    after = world.story.protection()
    assert after.checks == (lint, RequiredCheck("headgate/gate"))
    names = ("strict", "approvals", "enforce_admins", "dismiss_stale", "allow_force_pushes", "code_owners")
    assert [getattr(after, name) for name in names] == [getattr(before, name) for name in names]


def test_an_app_requires_its_checks_from_itself(world: Any) -> None:
    world.story.protect(checks=("headgate/gate",))
    permissions = {"administration": "write", "checks": "write", "contents": "write", "metadata": "read"}
    host = world.app(permissions)
    assert any("not from our App" in text for text in bad(host.examine(world.repo, Wanted())))
    apply(host.plan_setup(world.repo, Wanted()))
    (check,) = world.story.protection().checks
    assert check.app_id == host._account.app_id
    assert not [text for text in bad(host.examine(world.repo, Wanted())) if "App" in text]


def test_a_check_required_from_another_app_is_put_right(world: Any) -> None:
    world.story.protect(checks=(RequiredCheck("headgate/gate", 4711),))
    host = sure(world)
    assert any("which a token is not" in text for text in bad(host.examine(world.repo, Wanted())))
    apply(host.plan_setup(world.repo, Wanted()))
    assert world.story.protection().checks == (RequiredCheck("headgate/gate"),)


def test_a_webhook_of_ours_is_mended_and_other_webhooks_are_left_alone(world: Any) -> None:
    world.story.add_hook("https://other.example.com", "theirs", ("push",))
    mine = world.story.add_hook(URL, "", ("push", "release"))
    mine.active = False
    steps = sure(world).plan_setup(world.repo, WANTED)
    assert "it is switched off" in str(steps[0])
    assert "it has no secret" in str(steps[0])
    apply(steps)
    theirs, ours = world.forge.state.repo("acme/infra").hooks.values()
    assert (theirs.secret, theirs.events) == ("theirs", ("push",))
    assert (ours.secret, set(ours.events), ours.active) == (SECRET, {*EVENTS, "release"}, True)


def test_without_a_secret_no_webhook_is_made(world: Any) -> None:
    with pytest.raises(HostDenied, match="webhook_secret"):
        world.host().plan_setup(world.repo, WANTED)


def test_who_is_no_administrator_is_told_so(world: Any) -> None:
    with pytest.raises(HostDenied):
        sure(world, "dee").plan_setup(world.repo, WANTED)
    with pytest.raises(HostDenied):
        sure(world, "dee").plan_setup(world.repo, Wanted())


# --------------------------------------------------------------------------------------------- doctor


@dataclass
class Door:
    """Where webhooks come in: and what it answers."""

    url: str
    answer: int = 202


@pytest.fixture
def door() -> Iterator[Door]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(made.answer)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Door(f"http://127.0.0.1:{server.server_port}/webhooks/gh")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


def test_doctor_finds_what_set_up_mends(world: Any, door: Door) -> None:
    host, wanted = sure(world), Wanted(url=door.url)
    found = bad(host.examine(world.repo, wanted))
    assert "does not require headgate/gate: people can merge past it" in found
    assert f"no webhook goes to {door.url}" in found
    world.story.protect(enforce_admins=True)
    apply(host.plan_setup(world.repo, wanted))
    assert world.forge.courier.settle()
    assert bad(host.examine(world.repo, wanted)) == []


def test_a_secret_that_differs_is_seen_by_the_answer_and_set_again(world: Any, door: Door) -> None:
    hook, host, wanted = world.story.add_hook(door.url, "older", EVENTS), sure(world), Wanted(url=door.url)
    door.answer = 401
    world.pull()
    assert world.forge.courier.settle()
    assert any("was answered 401" in text for text in bad(host.examine(world.repo, wanted)))
    steps = host.plan_setup(world.repo, wanted)
    assert "its secret is another one than ours" in str(steps[0])
    apply(steps)
    assert hook.secret == SECRET


def test_doctor_looks_with_a_readers_token(world: Any) -> None:
    world.story.protect(checks=("headgate/gate",))
    found = sure(world, "eve").examine(world.repo, Wanted())
    assert "our account may only read it" in bad(found)
    assert any("administrators can merge past it" in text for text in bad(found))
    assert {each.method for each in world.sent()} == {"GET"}


def test_doctor_tells_of_a_webhook_not_used_or_switched_off(world: Any, door: Door) -> None:
    hook, host, wanted = world.story.add_hook(door.url, SECRET, EVENTS), sure(world), Wanted(url=door.url)
    assert world.forge.courier.settle()
    hook.deliveries.clear()
    found = host.examine(world.repo, wanted)
    assert f"webhook to {door.url}, not used yet" in [finding.text for finding in found]
    hook.active = False
    assert f"the webhook to {door.url} is switched off" in bad(host.examine(world.repo, wanted))


def test_doctor_ends_at_a_repository_it_cannot_see(world: Any) -> None:
    (finding,) = sure(world).examine(RepoRef("gh", "acme/other"), WANTED)
    assert (finding.level, finding.text) == (Level.PROBLEM, "our account cannot see it")


def test_doctor_ends_at_a_token_that_is_not_taken(world: Any) -> None:
    host = world.host(auth=lambda: "forge_wrong")
    (finding,) = host.examine(world.repo, WANTED)
    assert "Bad credentials" in finding.text


# ------------------------------------------------------------------------- organisations, and the App


def owned(world: Any) -> Any:
    world.forge.state.members["acme"]["hg-bot"] = "admin"
    return sure(world)


def test_one_webhook_of_an_organisation_is_made_mended_and_left_alone(world: Any) -> None:
    host = owned(world)
    (step,) = host.plan_group("acme", URL)
    assert str(step).startswith(f"+ webhook of the organisation acme to {URL}")
    assert SECRET not in repr(step) + str(step)
    apply((step,))
    (hook,) = world.forge.state.shared_hooks["acme"].values()
    assert (hook.url, hook.secret, set(hook.events), hook.active) == (URL, SECRET, set(EVENTS), True)
    assert host.plan_group("acme", URL)[0].done

    hook.active, hook.events = False, ("push",)
    (step,) = host.plan_group("acme", URL)
    assert "it is switched off" in str(step) and "events it lacks: pull_request" in str(step)
    apply((step,))
    assert (hook.active, set(hook.events)) == (True, set(EVENTS))


def test_a_repository_whose_organisation_has_the_webhook_gets_none_of_its_own(world: Any) -> None:
    host = owned(world)
    apply(host.plan_group("acme", URL))
    hook, _ = host.plan_setup(world.repo, WANTED)
    assert hook.done and "the organisation acme" in hook.what
    texts = [each.text for each in host.examine(world.repo, WANTED)]
    assert f"webhook of the organisation acme to {URL}" in texts


def test_a_repository_with_a_webhook_of_its_own_keeps_it(world: Any) -> None:
    host = owned(world)
    apply(host.plan_setup(world.repo, WANTED))
    apply(host.plan_group("acme", URL))
    assert host.plan_setup(world.repo, WANTED)[0].what == f"webhook to {URL}"


def test_who_does_not_own_an_organisation_is_told_so(world: Any) -> None:
    with pytest.raises(HostDenied, match="no owner of it, or its token may not"):
        sure(world).plan_group("acme", URL)


def sure_app(world: Any) -> Any:
    made = world.app()
    return type(made)(replace(made._settings, webhook_secrets=(lambda: SECRET,)))


def test_an_apps_own_webhook_tells_of_all_and_gets_our_address(world: Any) -> None:
    host = sure_app(world)
    (app,) = world.forge.state.apps.values()
    wanted = Wanted(checks=(), url=URL)
    assert f"the App's webhook goes to nowhere, not to {URL}" in bad(host.examine(world.repo, wanted))
    world.forge.app_story(app).hear("https://elsewhere.example.com/", "", ("push",))
    (step,) = host.plan_setup(world.repo, wanted)
    assert host.plan_group("acme", URL) == (step,)
    assert "it goes to https://elsewhere.example.com/" in str(step)
    assert "by hand: pull_request, pull_request_review" in str(step)
    apply((step,))
    assert (app.hook.url, app.hook.secret) == (URL, SECRET)
    assert world.forge.state.repo("acme/infra").hooks == {}
    assert host.plan_setup(world.repo, wanted)[0].done

    assert any("is not told of pull_request" in text for text in bad(host.examine(world.repo, wanted)))
    app.events = EVENTS
    assert bad(host.examine(world.repo, wanted)) == []
    assert host.plan_group("acme", URL)[0].detail == ()
