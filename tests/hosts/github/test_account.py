"""Who we are: a token, or an App whose installation tokens are replaced before they end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bot.core.errors import HostBusy, HostDenied, HostGone, ShutOut
from bot.core.model import ChangeRef, RepoRef
from bot.core.rules import HostSettings, SecretRef
from bot.hosts import HOSTS
from bot.hosts.github.host import GitHub
from bot.hosts.github.settings import App, GitHubSettings, from_operator


def test_an_app_is_its_bot_and_reads_and_writes_with_an_installation_token(plain: Any) -> None:
    world = plain  # the local host writes a bot's login into addresses as it is, which the description forbids
    pull, host = world.pull(), world.app()
    assert host.capabilities().rich_checks
    assert host.own_login() == "headgate[bot]"
    made = host.put_comment(world.ref(pull), "", "<!-- headgate:main:page:1 -->\nplan")
    (comment,) = host.change(world.ref(pull), known=None, checks=False).comments
    assert (comment.id, comment.author, comment.ours) == (made, "headgate[bot]", True)
    user, password = host.git_credentials(world.repo)
    assert (user, world.forge.state.actor_of(password).login) == ("x-access-token", "headgate[bot]")


def test_an_installation_token_serves_all_calls_of_an_owner_until_shortly_before_its_end(world: Any) -> None:
    host = world.app()
    for _ in range(3):
        host.default_branch(world.repo)
        host.git_credentials(world.repo)
    assert len(world.sent("POST", "/access_tokens")) == 1
    installation = next(iter(host._account._installations.values()))
    installation._ends -= timedelta(minutes=56)
    first = host.git_credentials(world.repo)
    assert len(world.sent("POST", "/access_tokens")) == 2
    assert host.git_credentials(world.repo) == first


def test_an_apps_repositories_are_those_where_it_is_installed_and_not_suspended(world: Any) -> None:
    forge, host = world.forge, world.app()
    app = next(iter(forge.state.apps.values()))
    for owner in ("Other", "asleep", "partly", "without"):
        forge.add_org(owner)
        for name in ("one", "two"):
            forge.create_repo(f"{owner}/{name}", {"a": "1"})
    forge.install_app(app, "Other")
    asleep = forge.install_app(app, "asleep")
    forge.state.installations[asleep].suspended_at = forge.state.now()
    forge.install_app(app, "partly", ("partly/two",))
    assert [repo.path for repo in host.repositories()] == ["Other/one", "Other/two", "acme/infra", "partly/two"]
    assert host.default_branch(RepoRef("gh", "Other/one")) == "main"
    assert not world.sent("GET", "/orgs/other/installation"), "whose installation it is was listed"


def test_an_app_that_was_installed_again_is_listed_and_signs_in_with_its_new_number(world: Any) -> None:
    host = world.app()
    assert host.default_branch(world.repo) == "main"
    installations = world.forge.state.installations
    (old,) = installations
    world.forge.install_app(world.forge.state.apps[installations[old].app_id], "acme")
    del installations[old]
    assert [repo.path for repo in host.repositories()] == ["acme/infra"]
    next(iter(host._account._installations.values())).forget()
    assert host.default_branch(world.repo) == "main"


def test_one_organisation_that_shuts_the_app_out_does_not_hide_the_others(plain: Any) -> None:
    world, forge = plain, plain.forge
    host, app = world.app(), next(iter(forge.state.apps.values()))
    forge.add_org("strict")
    number = forge.install_app(app, "strict")
    forge.trouble.fail_next(status=403, path_contains=f"/installations/{number}/")
    assert [repo.path for repo in host.repositories()] == ["acme/infra"]


def test_a_revoked_installation_token_is_replaced_by_the_call_that_finds_it_out(plain: Any) -> None:
    world = plain  # see above: a comment by a bot
    pull, host = world.pull(), world.app()
    for write in (False, True):
        _, token = host.git_credentials(world.repo)
        del world.forge.state.tokens[token]
        if write:
            host.put_comment(world.ref(pull), "", "<!-- headgate:main:page:1 -->\nplan")
        else:
            assert host.default_branch(world.repo) == "main"
    assert len(pull.comments) == 1


@pytest.mark.parametrize("signed_in", [True, False])
def test_an_owner_who_has_not_or_no_more_installed_the_app_shuts_it_out(world: Any, signed_in: bool) -> None:
    host = world.app()
    if signed_in:
        host.default_branch(world.repo)
    world.forge.app_story(world.forge.state.apps[host._account.app_id]).uninstall("acme", "ann")
    with pytest.raises(ShutOut, match="the App is not installed at acme") as caught:
        host.default_branch(world.repo)
    assert caught.value.remedy == "Install the App at acme again."


@pytest.mark.parametrize("signed_in", [True, False])
def test_a_suspended_app_says_since_when_by_whom_and_where_it_is_put_right(world: Any, signed_in: bool) -> None:
    host = world.app()
    story = world.forge.app_story(world.forge.state.apps[host._account.app_id])
    if signed_in:
        host.default_branch(world.repo)
    story.suspend("acme", "ann")
    for _ in range(2):
        with pytest.raises(ShutOut, match=r"the App is suspended at acme since \d{4}-.* UTC, by ann") as caught:
            host.put_comment(ChangeRef(world.repo, 1), "", "words")
        assert f"{world.forge.url}/organizations/acme/settings/installations/" in caught.value.remedy
    story.unsuspend("acme", "ann")
    assert host.default_branch(world.repo) == "main"


def test_an_apps_first_repository_need_not_be_among_those_it_was_given(world: Any) -> None:
    world.forge.create_repo("acme/other", {"a": "1"})
    host = world.app()
    world.forge.app_story(world.forge.state.apps[host._account.app_id]).choose("acme", ("acme/other",), "ann")
    with pytest.raises(HostGone):
        host.default_branch(world.repo)
    assert host.default_branch(RepoRef("gh", "acme/other")) == "main"


def test_an_app_works_for_a_person_as_for_an_organization(world: Any) -> None:
    world.forge.create_repo("dee/notes", {"a": "1"})
    host = world.app()
    world.forge.install_app(world.forge.state.apps[host._account.app_id], "dee")
    assert host.default_branch(RepoRef("gh", "dee/notes")) == "main"


def test_a_lost_answer_while_signing_in_is_busy_to_a_reader(world: Any) -> None:
    host = world.app()
    world.forge.trouble.lose_answers = 1
    with pytest.raises(HostBusy):
        host.default_branch(world.repo)
    assert host.default_branch(world.repo) == "main"


def test_a_key_that_is_none_is_denied_without_showing_it(world: Any) -> None:
    settings = GitHubSettings("gh", App(1, lambda: "canary, no key"), api_url=world.forge.api_url)
    with pytest.raises(HostDenied) as caught:
        GitHub(settings).own_login()
    assert "canary" not in str(caught.value)


def test_decoding_asks_the_host_nothing(world: Any, post: Any) -> None:
    host = world.host()
    host.decode(post.receive(b"{}", event="push"))
    assert world.sent() == []


def test_the_operators_words_become_a_host(world: Any) -> None:
    words = HostSettings("gh", "github", url=world.forge.api_url + "/", token=SecretRef("env", "TOKEN"))
    host = HOSTS["github"](words, lambda ref: {"TOKEN": world.tokens["hg-bot"]}[ref.where], "main")
    assert host.own_login() == "hg-bot"
    assert from_operator(HostSettings("gh", "github"), lambda _: "", "main").auth is None
    app = from_operator(
        HostSettings("gh", "github", app_id=7, app_key=SecretRef("file", "k")), lambda r: r.where, "x"
    )
    assert isinstance(app.auth, App)
    assert (app.auth.id, app.auth.private_key(), app.api_url) == (7, "k", "https://api.github.com")


@pytest.mark.parametrize(
    ("api", "clone"),
    [
        ("https://api.github.com", "https://github.com/acme/infra.git"),
        ("https://git.example.com/api/v3", "https://git.example.com/acme/infra.git"),
        ("https://api.example.com/api/v3", "https://api.example.com/acme/infra.git"),
        ("https://api.acme.ghe.com", "https://acme.ghe.com/acme/infra.git"),
        ("http://127.0.0.1:8401/api/v3", "http://127.0.0.1:8401/acme/infra.git"),
    ],
)
def test_where_git_clones_from_follows_from_the_apis_address(api: str, clone: str) -> None:
    assert GitHub(GitHubSettings("gh", None, api_url=api)).clone_url(RepoRef("gh", "acme/infra")) == clone
