"""What an id token says, which key signs it, and how long a key is shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.core.identity import AHEAD, CLAIMS, KEPT, Bearer, SigningKey, claims, discovery, shown, signer, subject
from bot.core.model import ChangeRef, RepoRef
from bot.core.project import Project
from bot.core.runs import Run, RunKind

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
REPO = RepoRef("github", "acme/infra")
WEB = Project("web", "web", "command", "prod")
RUN = Run("run-1", ChangeRef(REPO, 7), RunKind.DEPLOY, WEB, "c" * 40, "", NOW, stranger=True)


def said(bearer: Bearer) -> dict[str, object]:
    until = NOW + timedelta(minutes=5)
    return claims(bearer, issuer="https://hg.example", audience="aud", now=NOW, until=until, token_id="t")


def test_a_token_says_whose_run_it_is_and_for_how_long() -> None:
    assert said(Bearer.of(RUN)) == {
        "iss": "https://hg.example",
        "aud": "aud",
        "sub": "repo:github/acme/infra:environment:prod:step:deploy",
        "iat": int(NOW.timestamp()),
        "nbf": int(NOW.timestamp()) - 60,
        "exp": int(NOW.timestamp()) + 300,
        "jti": "t",
        "repository": "github/acme/infra",
        "environment": "prod",
        "step": "deploy",
        "project": "web",
        "change": "7",
        "commit": "c" * 40,
        "run_id": "run-1",
        "stranger": "true",
    }


def test_every_claim_is_announced() -> None:
    assert set(said(Bearer(REPO, "dev", "plan"))) == set(CLAIMS)
    assert discovery("https://hg.example") == {
        "issuer": "https://hg.example",
        "jwks_uri": "https://hg.example/.well-known/jwks.json",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid"],
        "claims_supported": list(CLAIMS),
    }


@pytest.mark.parametrize(
    ("path", "environment", "step"),
    [
        ("a/b:environment:prod:step:deploy", "dev", "plan"),
        ("a/b", "prod:step:deploy", "plan"),
        ("a/b%3Aenvironment", "dev", "plan"),
        ("a/b\n*?", "dev", "plan"),
    ],
)
def test_no_name_makes_a_subject_say_something_else(path: str, environment: str, step: str) -> None:
    found = subject(Bearer(RepoRef("github", path), environment, step))

    assert found.count(":") == 5
    assert found.isprintable() and not set("*? ") & set(found)
    assert found != subject(Bearer(RepoRef("github", "a/b"), "prod", "deploy"))


def test_different_bearers_have_different_subjects() -> None:
    bearers = [
        Bearer(RepoRef(host, path), environment, step)
        for host in ("github", "ghes")
        for path in ("a/b", "a%2Fb", "a:b", "a%3Ab")
        for environment in ("prod", "dev")
        for step in ("plan", "deploy")
    ]

    assert len({subject(each) for each in bearers}) == len(bearers)


def key(name: str, made_at: datetime) -> SigningKey:
    return SigningKey(made_at, {"kid": name}, b"")


def test_a_new_key_signs_only_after_it_was_shown_long_enough() -> None:
    old, new = key("old", NOW - timedelta(days=90)), key("new", NOW)

    assert signer((old, new), NOW + AHEAD - timedelta(seconds=1)) == old
    assert signer((old, new), NOW + AHEAD) == new


def test_the_first_key_signs_at_once_and_without_any_nobody_does() -> None:
    only = key("only", NOW)

    assert signer((only,), NOW) == only
    assert signer((), NOW) is None


def test_a_key_is_shown_until_no_token_of_it_can_be_good() -> None:
    old, new = key("old", NOW - timedelta(days=90)), key("new", NOW)

    assert shown((old, new), NOW + AHEAD + KEPT - timedelta(seconds=1)) == (old, new)
    assert shown((old, new), NOW + AHEAD + KEPT) == (new,)
    assert shown((), NOW) == ()


def test_a_setting_is_named_as_the_operator_wrote_it() -> None:
    assert Bearer(REPO, "prod", "plan").setting("files", "A") == "environments.prod.plan.files.A"
