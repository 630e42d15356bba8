"""Who we are: a token, or an App whose installation tokens are replaced before they end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bot.core.errors import HostBusy, HostDenied
from bot.core.model import RepoRef
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
    assert not world.sent("GET", "Other/one/installation"), "whose installation it is was listed"


def test_an_app_that_was_installed_again_is_listed_and_signs_in_with_its_new_number(world: Any) -> None:
    host = world.app()
    assert host.default_branch(world.repo) == "main"
    installations = world.forge.state.installations
    (old,) = installations
    world.forge.install_app(world.forge.state.apps[installations[old].app_id], "acme")
    del installations[old]
    assert [repo.path for repo in host.repositories()] == ["acme/infra"]
    next(iter(host._account._installations.values())).renew()
    assert host.default_branch(world.repo) == "main"


def test_one_organisation_that_shuts_the_app_out_does_not_hide_the_others(plain: Any) -> None:
    world, forge = plain, plain.forge
    host, app = world.app(), next(iter(forge.state.apps.values()))
    forge.add_org("strict")
    number = forge.install_app(app, "strict")
    forge.trouble.fail_next(status=403, path_contains=f"/installations/{number}/")
    assert [repo.path for repo in host.repositories()] == ["acme/infra"]


def test_a_revoked_installation_token_is_replaced_at_the_next_call(world: Any) -> None:
    host = world.app()
    host.default_branch(world.repo)
    _, token = host.git_credentials(world.repo)
    del world.forge.state.tokens[token]
    with pytest.raises(HostDenied):
        host.default_branch(world.repo)
    assert host.default_branch(world.repo) == "main"


def test_an_app_that_is_not_installed_says_so(world: Any) -> None:
    world.forge.add_org("other")
    world.forge.create_repo("other/infra", {"a": "1"})
    with pytest.raises(HostDenied, match="not installed where other/infra is"):
        world.app().default_branch(RepoRef("gh", "other/infra"))


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
