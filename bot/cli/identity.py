"""``headgate identity``: who signs id tokens, what they say, and a new key."""

from __future__ import annotations

import getpass
import json

import click

from bot.cli.options import config_option, json_option
from bot.core.config.server import listed_repositories, rules_for
from bot.core.errors import ConfigError, Problem
from bot.core.identity import AHEAD, Bearer, SigningKey, signer, subject
from bot.core.model import RepoRef
from bot.core.rules import Settings
from bot.credentials import Ring
from bot.ports import AuditEntry
from bot.stores.sqlstore import SqlStore
from bot.wiring import Wiring, config_path


@click.group()
def command() -> None:
    """Id tokens of runs: show what to tell a cloud, or change the key that signs them."""


@command.command()
@config_option
@json_option
def show(config: str, as_json: bool) -> None:
    """The issuer, its keys, and the subjects and audiences of every environment's tokens."""
    wiring, _, ring = _opened(config)
    ring.ensure()
    signing = signer(ring.known(), wiring.clock.now())
    keys = [{"id": key.id, "made_at": key.made_at.isoformat(), "signs": key == signing} for key in ring.known()]
    tokens = [{"audience": audience, "subject": said} for audience, said in _tokens(wiring.settings)]
    if as_json:
        click.echo(json.dumps({"issuer": wiring.settings.issuer, "keys": keys, "tokens": tokens}))
        return
    click.echo(f"issuer   {wiring.settings.issuer}")
    for key in keys:
        click.echo(f"key      {key['id']}  since {key['made_at']}{'  signs' if key['signs'] else ''}")
    for token in tokens:
        click.echo(f"token    {token['subject']}  for {token['audience']}")


@command.command()
@config_option
@click.option("--at-once", is_flag=True, help="The key was stolen: forget the others; their tokens end now.")
def rotate(config: str, at_once: bool) -> None:
    """Make a new signing key. The old one signs for another hour, and is shown for as long as its tokens hold."""
    wiring, store, ring = _opened(config)
    key: SigningKey = ring.rotate(at_once=at_once)
    detail = {"key": key.id, "at_once": at_once}
    store.audit(AuditEntry(getpass.getuser(), "identity.rotated", "installation", detail), wiring.clock.now())
    when = "signs from now on" if at_once else f"signs from {key.made_at + AHEAD:%Y-%m-%d %H:%M:%S} UTC on"
    click.echo(f"key {key.id} {when}")


def _opened(config: str) -> tuple[Wiring, SqlStore, Ring]:
    """Raises ConfigError where nobody signs."""
    wiring = Wiring(config_path(config))
    if not wiring.settings.issuer:
        raise ConfigError((Problem(str(wiring.path), 0, "identity.issuer", "is not set, so nobody signs id tokens"),))
    store = wiring.store()
    store.migrate()
    return wiring, store, wiring.ring(store)


def _tokens(settings: Settings) -> list[tuple[str, str]]:
    """(audience, subject) of what runs of the repositories that are named in full may be given."""
    found = []
    for host in settings.hosts:
        for repo in listed_repositories(settings, host):
            found += _of_repository(settings, repo)
    return list(dict.fromkeys(found))


def _of_repository(settings: Settings, repo: RepoRef) -> list[tuple[str, str]]:
    rules = rules_for(settings, repo)
    found = []
    for name in rules.environments if rules else ():
        environment = settings.environment(name)
        for step, grant in (("plan", environment.plan), ("deploy", environment.apply)):
            audiences = [each.audience for each in grant.identities] + [each.audience for each in grant.processes]
            found += [(audience, subject(Bearer(repo, name, step))) for audience in audiences if audience]
    return found
