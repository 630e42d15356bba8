"""GitHub Enterprise Server: its addresses, its own limits or none, what older ones lack, and its own descriptions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from apps import as_app
from hosts.github.published import Court

from bot.core.errors import HostDenied
from bot.core.record import CheckConclusion
from bot.core.rules import HostSettings
from bot.core.runs import RunKind
from bot.hosts.github.addresses import api_address, web_root
from bot.hosts.github.settings import from_operator
from bot.hosts.setup import Wanted, apply
from bot.ports import Annotation, CheckToSet, MergeOutcome

URL = "https://headgate.example.com/webhooks/gh"


@pytest.mark.parametrize(
    ("written", "api", "pages"),
    [
        ("", "https://api.github.com", "https://github.com"),
        ("https://github.com/", "https://api.github.com", "https://github.com"),
        ("https://api.github.com/", "https://api.github.com", "https://github.com"),
        ("https://git.example.com", "https://git.example.com/api/v3", "https://git.example.com"),
        ("https://git.example.com/api/v3/", "https://git.example.com/api/v3", "https://git.example.com"),
        ("https://git.example.com/api/graphql", "https://git.example.com/api/v3", "https://git.example.com"),
        ("https://git.example.com:8443/api", "https://git.example.com:8443/api/v3", "https://git.example.com:8443"),
        ("https://github.example.com/", "https://github.example.com/api/v3", "https://github.example.com"),
        ("https://acme.ghe.com", "https://api.acme.ghe.com", "https://acme.ghe.com"),
        ("https://api.acme.ghe.com/", "https://api.acme.ghe.com", "https://acme.ghe.com"),
        ("https://api.example.com/api/v3", "https://api.example.com/api/v3", "https://api.example.com"),
        ("http://127.0.0.1:8401/api/v3", "http://127.0.0.1:8401/api/v3", "http://127.0.0.1:8401"),
    ],
)
def test_the_api_is_found_by_its_address_or_by_where_people_look(written: str, api: str, pages: str) -> None:
    assert api_address(written) == api
    assert web_root(api) == pages
    assert from_operator(HostSettings("gh", "github", url=written), lambda _: "", "main").api_url == api


# ----------------------------------------------------------------------------------- as each version is described


def a_day(world: Any, host: Any) -> None:
    """Everything that the adapter says to a host in a day."""
    pull = world.pull()
    ref, check = world.ref(pull), CheckToSet("headgate/gate", pull.head_sha, CheckConclusion.PENDING, "waits")
    assert host.own_login() and host.repositories() == (world.repo,)
    assert host.home(world.repo).repo == world.repo
    host.people(world.repo)
    for body in ("plan", "newer"):
        made = host.put_comment(ref, "", f"<!-- headgate:main:page:1 -->\n{body}")
        host.put_comment(ref, made, f"<!-- headgate:main:page:1 -->\n{body}!")
    host.drop_comment(ref, made)
    host.set_check(world.repo, check)
    done = CheckToSet("headgate/gate", pull.head_sha, CheckConclusion.SUCCESS, "open", URL, "text")
    host.set_check(world.repo, CheckToSet(*_parts(done), annotations=(Annotation("web/site.yaml", 1, "risky"),)))
    for name in ("dee", "eve", "nobody"):
        host.permission(world.repo, name)
    facts = host.change(ref, known=None, checks=True)
    assert facts.change.head_sha == pull.head_sha and facts.complete
    deployment = host.set_deployment(world.repo, "", pull.head_sha, "prod", "in_progress", URL, "deploying")
    host.set_deployment(world.repo, deployment, pull.head_sha, "prod", "success", URL, "deployed")
    assert host.merge(ref, pull.head_sha, "squash", "T") is MergeOutcome.MERGED
    assert host.moved_changes(world.repo, None) == ()
    world.later(minutes=2)
    assert [each.open for each in host.moved_changes(world.repo, world.forge.state.now() - timedelta(hours=1))] == [
        False
    ]
    assert host.changes_of_commit(world.repo, world.story.sha("main")) == (ref.number,)
    for wanted in (Wanted(), Wanted(ruleset=True)):
        apply(host.plan_setup(world.repo, wanted))
        assert all(step.done for step in host.plan_setup(world.repo, wanted))
        host.examine(world.repo, wanted)
    host.redeliver(world.repo, URL, world.forge.state.now())


def _parts(check: CheckToSet) -> tuple[Any, ...]:
    return (check.name, check.sha, check.conclusion, check.summary, check.url, check.text)


@pytest.mark.parametrize("version", ["ghes-3.17", "ghes-3.18", "ghes-3.19"])
@pytest.mark.parametrize("signed_in", ["token", "app"])
def test_what_is_said_to_a_server_is_as_its_version_describes_it(plain: Any, version: str, signed_in: str) -> None:
    world, court = plain, Court(version)
    world.forge.state.enterprise = version.removeprefix("ghes-") + ".1"
    problems = court.watch(world.forge.app)
    administers = {"administration": "write", "checks": "write", "contents": "write", "deployments": "write"}
    a_day(world, world.host() if signed_in == "token" else world.app(administers))
    # The local host writes a bot's login into addresses as it is, which the description forbids.
    found = [each for each in problems() if "headgate[bot]" not in each]
    assert not found, "\n".join(found[:20])


# ------------------------------------------------------------------------------------- limits, and what is missing


@pytest.fixture
def server(plain: Any) -> Any:
    """A server of no great age, whose administrator set no limits."""
    plain.forge.state.enterprise = "3.16.4"
    return plain


def test_a_server_without_limits_is_not_kept_to_github_coms(server: Any) -> None:
    host = server.host(clock=lambda: 0.0)
    for number in range(300):
        host.set_check(server.repo, CheckToSet(f"c{number}", server.story.sha(), CheckConclusion.PENDING, "w"))
    assert host.budget().limit is None


def test_a_server_with_limits_is_asked_with_the_same_care_as_github_com(server: Any) -> None:
    host = server.host(clock=lambda: 0.0)
    host.default_branch(server.repo)
    assert not host._account.client("")._limited
    server.forge.state.enterprise = ""
    host.people(server.repo)
    assert host.budget().limit == 5000 and host._account.client("")._limited


def test_doctor_says_which_version_it_is(server: Any) -> None:
    texts = [each.text for each in server.host().examine(server.repo, Wanted())]
    assert "hg-bot can read it, on GitHub Enterprise Server 3.16.4" in texts


def test_an_old_server_gates_by_branch_protection_and_says_that_it_has_no_rulesets(server: Any) -> None:
    server.forge.state.enterprise = "3.10.2"
    host = server.host()
    with pytest.raises(HostDenied, match="this host knows no rulesets"):
        host.plan_setup(server.repo, Wanted(ruleset=True))
    apply(host.plan_setup(server.repo, Wanted()))
    assert all(step.done for step in host.plan_setup(server.repo, Wanted()))
    pull = server.pull()
    facts = host.change(server.ref(pull), known=None, checks=True)
    assert facts.complete and facts.pushers == {pull.head_sha: ""}, "who pushed is told by webhooks alone"


@pytest.mark.parametrize("app", [False, True], ids=["token", "app"])
@pytest.mark.parametrize("version", ["3.10.2", "3.19.0"])
def test_a_day_on_a_server_is_a_day(make_world: Callable[..., Any], version: str, app: bool) -> None:
    world = make_world(enterprise=version)
    if app:
        as_app(world)
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    assert world.gate(pull) == "pending"
    world.push(pull, {"prod/web/wanted": "a=3\n"}, by="cy")
    world.approve(pull, "cy")
    assert world.gate(pull) == "pending", "who pushed does not approve, whoever tells of it"
    world.approve(pull, "bo")
    assert world.gate(pull) == "success"
    world.merge(pull, "dee")
    assert world.deployed("prod_web") == "a=3"
    assert world.run_states(pull, RunKind.DEPLOY) == [("prod-web", "succeeded")]
