"""``headgate setup``: a repository's webhook and branch protection; shown first, done only when asked to."""

from __future__ import annotations

from typing import cast

import click

from bot.cli.new_app import NewAppWanted, run
from bot.cli.options import config_option
from bot.core.config.server import rules_for
from bot.core.decide.publishing import GATE
from bot.core.model import RepoRef
from bot.core.rules import Mode
from bot.hosts.github.settings import from_operator
from bot.hosts.setup import Finding, SetsUp, Wanted, apply
from bot.ports import Host
from bot.wiring import Wiring, config_path


@click.command()
@config_option
@click.argument("host")
@click.argument("repo", metavar="OWNER/NAME", default="")
@click.option("--app", is_flag=True, help="Register a GitHub App instead: one click in the browser.")
@click.option("--owner", default="", help="With --app: the organisation that it is to belong to.")
@click.option("--name", default="headgate", help="With --app: what it is called; unique on GitHub.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.option("--dry-run", is_flag=True, help="Only show what would be changed.")
def command(config: str, host: str, repo: str, app: bool, owner: str, name: str, yes: bool, dry_run: bool) -> None:
    """Set up OWNER/NAME on HOST (a name of the settings). A second run changes nothing."""
    wiring = Wiring(config_path(config))
    found = wiring.hosts().get(host)
    if found is None:
        raise click.UsageError(f"no host is called {host!r}; there are: {', '.join(wiring.settings.hosts)}")
    if app:
        _register(wiring, host, owner, name, dry_run=dry_run)
        return
    if repo.count("/") < 1 or repo.startswith("/") or repo.endswith("/"):
        raise click.UsageError(f"not a repository: {repo!r} (wanted OWNER/NAME)")
    ref = RepoRef(host, repo)
    rules = rules_for(wiring.settings, ref)
    if rules is None:
        raise click.UsageError(f"{ref} is not looked after: no entry of `repositories` matches it")
    steps = _sets_up(found).plan_setup(ref, wanted_of(wiring, host, ref))
    if rules.mode is not Mode.ENFORCE:
        click.echo(f"mode is {rules.mode.value}: nothing is required of its branches before it is enforce")
    for step in steps:
        click.echo(str(step))
    left = [step for step in steps if not step.done]
    if not left:
        click.echo("everything is set up; nothing to change")
        return
    if dry_run:
        click.echo(f"{len(left)} to change; nothing was done (--dry-run)")
        return
    if not yes:
        click.confirm(f"change {len(left)}?", abort=True)
    click.echo(f"{apply(steps)} changed")


def _register(wiring: Wiring, host: str, owner: str, name: str, *, dry_run: bool) -> None:
    """A GitHub App by manifest; its files lie beside the operator's."""
    settings = wiring.settings.hosts[host]
    if settings.kind != "github":
        raise click.UsageError("only GitHub has apps of this kind")
    api_url = from_operator(settings, wiring.secret, wiring.settings.instance).api_url
    wanted = NewAppWanted(name, owner, api_url, wiring.settings.webhook_url(host), wiring.path.parent)
    run(wanted, host, dry_run=dry_run)


def wanted_of(wiring: Wiring, host: str, repo: RepoRef) -> Wanted:
    """How the operator's settings want a repository to be set up."""
    settings = wiring.settings
    rules = rules_for(settings, repo)
    hook = settings.webhook_url(host)
    url = "" if settings.hosts[host].poll is not None and not hook else hook
    # The gate's check is published in this mode alone: required in another one it would block every merge for ever.
    checks = (GATE,) if rules is not None and rules.mode is Mode.ENFORCE else ()
    return Wanted(branches=rules.branches if rules else (), checks=checks, url=url)


def examined(host: Host, repo: RepoRef, wanted: Wanted) -> tuple[Finding, ...]:
    """What the host's own doctor finds."""
    return _sets_up(host).examine(repo, wanted)


def _sets_up(host: Host) -> SetsUp:
    if not hasattr(host, "plan_setup"):
        raise click.UsageError("this kind of host cannot be set up from here")
    return cast(SetsUp, host)
