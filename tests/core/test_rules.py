"""What a worker of some environments keeps of the operator's settings, and what it must not even inherit."""

from __future__ import annotations

from bot.core.config.server import parse_server
from bot.core.rules import Grant, SecretRef, Settings

TEXT = """\
database: env:DATABASE
hosts: {github: {token: env:TOKEN, webhook_secret: env:HOOK}}
chat: [{to: {webhook: {url: "https://c.example", secret: env:CHAT}}}]
environments:
  dev: {plan: {env: {A: env:DEV, B: env:BOTH}}}
  prod:
    plan:
      env: {A: env:PROD, B: env:BOTH, C: env:CHAT, D: {file: d}}
      files: {E: env:PROD_FILE}
      process: [{command: [/c], env: {F: env:PROD_PROGRAM}}]
    deploy:
      identity:
        - {token_file: t, external_account: {G: env:PROD_ACCOUNT}}
        - {token_file: u, variable: H, exchange: {url: "https://s", client_id: me, client_secret: env:PROD_CLIENT}}
        - {token_file: v, variable: I, exchange: {url: "https://s"}}
"""


def settings() -> Settings:
    found = parse_server(TEXT)
    assert isinstance(found, Settings)
    return found


def test_a_worker_of_an_environment_keeps_its_grants_and_no_others() -> None:
    whole = settings()

    kept = whole.serving(["dev"])

    assert kept.environments["dev"] == whole.environments["dev"]
    assert (kept.environments["prod"].plan, kept.environments["prod"].apply) == (Grant(), Grant())
    assert kept.serving(["dev"]) == kept


def test_variables_of_other_environments_are_foreign_unless_something_of_ours_needs_them() -> None:
    theirs = {"PROD", "PROD_FILE", "PROD_PROGRAM", "PROD_ACCOUNT", "PROD_CLIENT"}

    assert settings().foreign_variables(["dev"]) == theirs
    assert settings().foreign_variables(["prod"]) == {"DEV"}
    assert settings().foreign_variables(["dev", "prod"]) == set()


def test_every_place_of_a_secret_is_known() -> None:
    prod = settings().environments["prod"]
    places = {ref.where for ref in (*prod.plan.references(), *prod.apply.references())}

    named = {"PROD", "BOTH", "CHAT", "PROD_FILE", "PROD_PROGRAM", "PROD_ACCOUNT", "PROD_CLIENT"}
    assert places == named | {"d", "t", "u", "v"}
    assert SecretRef("file", "d") in set(prod.plan.references())
