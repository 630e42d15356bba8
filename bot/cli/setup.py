"""``headgate setup``: webhook and branch protection of a repository, or of all of a group; shown first, done only
when asked to."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import cast

import click

from bot.cli.new_app import NewAppWanted, run
from bot.cli.options import config_option
from bot.core.config.server import looked_after, rules_for
from bot.core.decide.publishing import GATE
from bot.core.errors import HostDenied, HostGone
from bot.core.model import RepoRef
from bot.core.rules import Mode
from bot.hosts.github.settings import from_operator
from bot.hosts.setup import Finding, SetsUp, SetupStep, Wanted, apply
from bot.ports import Host
from bot.wiring import Wiring, config_path


@click.command()
@config_option
@click.argument("host")
@click.argument("repo", metavar="OWNER/NAME", default="")
@click.option("--group", default="", help="One webhook for a whole group or organisation, and all its branches.")
@click.option("--status-check", is_flag=True, help="On GitLab Ultimate: have it ask us before each merge, too.")
@click.option("--ruleset", is_flag=True, help="On GitHub: require the check by a ruleset, not by branch protection.")
@click.option("--app", is_flag=True, help="Register a GitHub App instead: one click in the browser.")
@click.option("--owner", default="", help="With --app: the organisation that it is to belong to.")
@click.option("--name", default="headgate", help="With --app: what it is called; unique on GitHub.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.option("--dry-run", is_flag=True, help="Only show what would be changed.")
def command(config: str, host: str, repo: str, group: str, status_check: bool, ruleset: bool, app: bool, owner: str,
            name: str, yes: bool, dry_run: bool) -> None:  # fmt: skip
    """Set up OWNER/NAME or a whole --group on HOST (a name of the settings). A second run changes nothing."""
    wiring = Wiring(config_path(config))
    found = wiring.hosts().get(host)
    if found is None:
        raise click.UsageError(f"no host is called {host!r}; there are: {', '.join(wiring.settings.hosts)}")
    if sum(map(bool, (repo, group, app))) > 1:
        raise click.UsageError("OWNER/NAME, --group and --app each stand alone")
    if app:
        _register(wiring, host, owner, name, dry_run=dry_run)
        return
    if status_check and wiring.settings.hosts[host].kind != "gitlab":
        raise click.UsageError("only GitLab has external status checks: elsewhere our check is required by its name")
    if ruleset and wiring.settings.hosts[host].kind != "github":
        raise click.UsageError("only GitHub has rulesets: elsewhere the branch's own protection does it")
    asks = Asks(wiring, host, found, external=status_check, ruleset=ruleset)
    planned = _of_group(asks, group) if group else _of_repository(asks, repo)
    _take(planned, yes=yes, dry_run=dry_run)


@dataclass(frozen=True, slots=True)
class Asks:
    """What the operator asks for: ``external`` whether the host shall ask us before each merge, ``ruleset`` whether
    our check is required by a ruleset."""

    wiring: Wiring
    name: str
    host: Host
    external: bool
    ruleset: bool = False

    def plan(self, repo: RepoRef, *, of_group: bool = False) -> tuple[SetupStep, ...]:
        """The steps of one repository, whose group has the webhook for all or not."""
        wanted = wanted_of(self.wiring, self.name, repo)
        wanted = replace(wanted, external=self.external, ruleset=self.ruleset)
        return _sets_up(self.host).plan_setup(repo, replace(wanted, url="") if of_group else wanted)


@dataclass(frozen=True, slots=True)
class Planned:
    """Steps, and what stands in the way of others, in words."""

    steps: tuple[SetupStep, ...]
    refused: tuple[str, ...] = ()


def _take(planned: Planned, *, yes: bool, dry_run: bool) -> None:
    """Show the steps and take them, if somebody says so. Exit code 1 when something stood in the way."""
    for step in planned.steps:
        click.echo(str(step))
    for line in planned.refused:
        click.echo(f"! {line}")
    left = [step for step in planned.steps if not step.done]
    if not left:
        click.echo("nothing else to change" if planned.refused else "everything is set up; nothing to change")
    elif dry_run:
        click.echo(f"{len(left)} to change; nothing was done (--dry-run)")
    else:
        if not yes:
            click.confirm(f"change {len(left)}?", abort=True)
        click.echo(f"{apply(planned.steps)} changed")
    if planned.refused:
        sys.exit(1)


def _of_repository(asks: Asks, repo: str) -> Planned:
    if repo.count("/") < 1 or repo.startswith("/") or repo.endswith("/"):
        raise click.UsageError(f"not a repository: {repo!r} (wanted OWNER/NAME)")
    ref = RepoRef(asks.name, repo)
    rules = rules_for(asks.wiring.settings, ref)
    if rules is None:
        raise click.UsageError(f"{ref} is not looked after: no entry of `repositories` matches it")
    steps = asks.plan(ref)
    if rules.mode is not Mode.ENFORCE:
        click.echo(f"mode is {rules.mode.value}: nothing is required of its branches before it is enforce")
    return Planned(steps)


def _of_group(asks: Asks, group: str) -> Planned:
    """One webhook for all, then what each repository that is looked after needs besides."""
    group = group.strip("/")
    shown = looked_after(asks.wiring.settings, asks.name, asks.host.repositories())
    below = [repo for repo in shown if repo.path.lower().startswith(f"{group.lower()}/")]
    if not below:
        text = "no entry of `repositories` matches one that our account has a part in"
        raise click.UsageError(f"no repository of {group!r} is looked after: {text}")
    steps, refused = list[SetupStep](), list[str]()
    if url := wanted_of(asks.wiring, asks.name, below[0]).url:
        steps += _sets_up(asks.host).plan_group(group, url)
    else:
        click.echo("no webhook is wanted: `listen.public_url` is not set, so the host is polled")
    for repo in below:
        try:
            each = asks.plan(repo, of_group=True)
        except (HostDenied, HostGone) as error:
            refused.append(f"{repo.path}: {error}")
            continue
        steps += [replace(step, what=f"{repo.path}: {step.what}") for step in each]
    return Planned(tuple(steps), tuple(refused))


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
