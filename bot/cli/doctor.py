"""``headgate doctor``: what is missing, and the command that mends it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass

import click

from bot.cli.granted import tried
from bot.cli.options import config_option, json_option
from bot.cli.queueing import configured_url, open_queue
from bot.cli.setup import examined, wanted_of
from bot.core.config.server import listed_repositories, looked_after, names_by_pattern, rules_for
from bot.core.errors import ConfigError, HeadgateError, HostBusy, HostGone
from bot.core.model import Permission, RepoRef
from bot.core.rules import Isolation, Mode
from bot.flow.access import Kept
from bot.hosts.setup import Level
from bot.ports import SHUT_OUT, Host
from bot.queues.server import find_server
from bot.sandbox.cgroup import bounds_processes
from bot.sandbox.enclosure import unavailable
from bot.stores.keyring import bind
from bot.wiring import Wiring, config_path

STATES = {Level.OK: "good", Level.WARNING: "warning", Level.PROBLEM: "bad"}
LOOKED_OVER = 20
"""Repositories found by a pattern that are examined one by one."""
MARKS = {"good": "✓", "warning": "!", "bad": "✗"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: how it is, and how to mend it."""

    state: str
    what: str
    text: str
    mend: str = ""


@click.command()
@config_option
@json_option
@click.option(
    "--environment", "environments", multiple=True, help="Ask only for this one's credentials (repeatable)."
)
def command(config: str, as_json: bool, environments: tuple[str, ...]) -> None:
    """Look at everything that has to be right; exit 1 when something is not."""
    findings = list(examine_all(config, environments))
    width = max(len(finding.what) for finding in findings)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
    else:
        for finding in findings:
            click.echo(f"  {MARKS[finding.state]} {finding.what:<{width}}  {finding.text}")
            if finding.mend:
                click.echo(f"    {'':<{width}}  → {finding.mend}")
    sys.exit(1 if any(finding.state == "bad" for finding in findings) else 0)


def examine_all(config: str, environments: Collection[str] = ()) -> Iterator[Finding]:
    """Every finding, in the order in which they have to be mended."""
    path = config_path(config)
    try:
        wiring = Wiring(path)
    except ConfigError as error:
        mend = f"headgate config check {path}" if path.exists() else "name the operator's file with --config FILE"
        for problem in error.problems:
            yield Finding("bad", "configuration", str(problem), mend)
        return
    yield Finding("good", "configuration", str(path))
    yield from _store(wiring)
    yield from _queue(wiring)
    yield from _tools(wiring)
    yield from _isolation(wiring)
    yield from _credentials(wiring, environments or wiring.settings.environments)
    yield from _hosts(wiring)


def _store(wiring: Wiring) -> Iterator[Finding]:
    store = wiring.store()
    try:
        if not store.schema_current():
            text = "empty, or of an older version; the next start brings it up to date"
            yield Finding("warning", "store", text, f"headgate db migrate --config {wiring.path}")
            return
        bind(store, *wiring.keyring().keys())
        shut_out = store.settings(SHUT_OUT)
    except HeadgateError as error:
        yield Finding("bad", "store", str(error))
        return
    finally:
        store.close()
    yield Finding("good", "store", "reachable, schema current, artifact key fits")
    for owner, text in shut_out.items():
        kept = Kept.parse(text)
        yield Finding(
            "bad", owner, f"{kept.why}; nothing works there since {kept.since:%Y-%m-%d %H:%M} UTC", kept.remedy
        )


def _queue(wiring: Wiring) -> Iterator[Finding]:
    if configured_url(wiring):
        try:
            yield Finding("good", "queue", open_queue(wiring, consumes=False).ping())
        except ConnectionError as error:
            yield Finding("bad", "queue", f"the configured redis cannot be reached: {error}")
        return
    _, words = find_server()
    if words:
        yield Finding("good", "queue", f"{words} (started by `headgate serve`)")
    else:
        mend = "apt-get install redis-server, or pip install 'headgate[embedded]'"
        yield Finding("warning", "queue", "no Redis: one worker queues in its own memory", mend)


def _tools(wiring: Wiring) -> Iterator[Finding]:
    if shutil.which("git") is None:
        yield Finding("bad", "git", "not found", "apt-get install git")
    for name in ("terraform", "tofu", "ansible-playbook"):
        found = shutil.which(name, path=wiring.settings.path or None)
        if found:
            yield Finding("good", name, found)


def _isolation(wiring: Wiring) -> Iterator[Finding]:
    problem, wanted = unavailable(), wiring.settings.sandbox.isolation
    mend = "apt-get install bubblewrap" if "not installed" in problem else "see docs/security.md, Isolation"
    if wanted is Isolation.OFF:
        text = "off: changes run beside us, and strangers' changes not at all"
        yield Finding("warning", "isolation", text, "remove `sandbox.isolation: off`")
    elif problem and wanted is Isolation.REQUIRED:
        yield Finding("bad", "isolation", f"{problem}: nothing will be planned", mend)
    elif problem:
        yield Finding("warning", "isolation", f"{problem}: changes of strangers will not be planned", mend)
    else:
        yield Finding("good", "isolation", "bubblewrap works")
    if not problem and not bounds_processes() and os.geteuid() == 0:
        text = "we run as root without a control group of our own: the kernel will not stop a fork bomb"
        yield Finding("warning", "isolation", text, "run workers as a user of their own, or delegate a control group")


def _credentials(wiring: Wiring, environments: Collection[str]) -> Iterator[Finding]:
    for where, given, wrong in tried(wiring, environments):
        mend = "mend that, or name with --environment what this worker serves" if wrong else ""
        yield Finding("bad" if wrong else "good", where, wrong or given, mend)


def _hosts(wiring: Wiring) -> Iterator[Finding]:
    for name, host in wiring.hosts().items():
        try:
            login = host.own_login()
        except (HostBusy, HostGone) as error:
            where = wiring.settings.hosts[name].url or "the host"
            mend = f"check `hosts.{name}.url`: the API's address, such as https://HOST/api/v3 for GitHub Enterprise"
            yield Finding("bad", name, f"{where} does not answer as it should: {error}", mend)
            continue
        except HeadgateError as error:
            yield Finding("bad", name, f"the host refuses us: {error}", "check token_file or app_key_file")
            continue
        listed = listed_repositories(wiring.settings, name)
        count = f"{len(listed)} {'repository is' if len(listed) == 1 else 'repositories are'}"
        yield Finding("good", name, f"we are {login}; {count} listed by name")
        for repo in listed:
            yield from _repository(wiring, name, repo)
        if names_by_pattern(wiring.settings, name):
            yield from _by_pattern(wiring, name, host)


def _by_pattern(wiring: Wiring, name: str, host: Host) -> Iterator[Finding]:
    """What patterns name of what our account sees; of many only some are looked over, at several calls each."""
    try:
        shown = host.repositories()
    except HeadgateError as error:
        yield Finding("bad", name, f"which repositories there are is not told: {error}")
        return
    named = set(listed_repositories(wiring.settings, name))
    found = [repo for repo in looked_after(wiring.settings, name, shown) if repo not in named]
    if not found:
        text = f"no pattern names any of the {len(shown)} repositories that our account has a part in"
        yield Finding("warning", name, text, "give the account access to them, or install the App there")
        return
    some = f"; {LOOKED_OVER} of them are looked over here" if len(found) > LOOKED_OVER else ""
    yield Finding("good", name, f"{len(found)} more found by their patterns{some}")
    for repo in found[:LOOKED_OVER]:
        yield from _repository(wiring, name, repo)


def _repository(wiring: Wiring, name: str, repo: RepoRef) -> Iterator[Finding]:
    host, rules = wiring.hosts()[name], rules_for(wiring.settings, repo)
    try:
        for each in examined(host, repo, wanted_of(wiring, name, repo)):
            yield Finding(STATES[each.level], each.subject, each.text, each.remedy)
        people = host.people(repo)
    except HeadgateError as error:
        yield Finding("bad", repo.path, str(error))
        return
    if rules is not None and rules.mode is not Mode.ENFORCE:
        text = f"mode is {rules.mode.value}: it blocks nothing and deploys nothing"
        yield Finding("good", repo.path, text, "when you like what it says: `mode: enforce`, then `headgate setup`")
    yield from _approvers(wiring, repo, sum(1 for each in people.values() if each >= Permission.WRITE))


def _approvers(wiring: Wiring, repo: RepoRef, writers: int) -> Iterator[Finding]:
    """A gate that nobody can open is a deadlock, and is better said now than on the first change."""
    needed = max((each.approvals for each in wiring.settings.environments.values()), default=0)
    # Our own account writes too, and the author of a change does not count.
    if writers and needed > writers - 2:
        could = max(writers - 2, 0)
        text = f"{needed} approvals are needed, but at most {could} people besides an author could give one"
        yield Finding("warning", repo.path, text, "give more people write permission, or lower `approvals`")
