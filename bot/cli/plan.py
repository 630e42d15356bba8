"""``headgate plan --base main``: the very comment a change of this checkout would get, without any host."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import click

from bot.cli.local import REF, REPO, LocalHost
from bot.cli.options import json_option
from bot.core.config.document import load
from bot.core.config.repository import CONFIG_FILE
from bot.core.errors import HostGone, ToolMissing
from bot.core.guard.model import Level
from bot.core.guard.rules import RULES, GuardRules
from bot.core.rules import Environment, Grant, Isolation, Listen, Mode, RepoRules, SandboxRules, Settings
from bot.core.runs import Run, RunState
from bot.flow.advance import advance
from bot.flow.run import execute
from bot.flow.selecting import Selector
from bot.flow.services import Services
from bot.mirror.git import GitMirror, pull_ref
from bot.wiring import SilentQueue, Wiring
from bot.work.process import current_holder


@click.command()
@click.option(
    "--base", default="main", show_default=True, help="The target: a branch, a remote's (origin/main), any commit."
)
@click.option(
    "--head", default="HEAD", show_default=True, help="The commit to plan; what is not committed is not seen."
)
@click.option(
    "--env", "names", multiple=True, metavar="NAME", help="Give the tools this variable of yours (repeatable)."
)
@json_option
@click.option("--color/--no-color", default=None, help="Colour the diff; default: when printing to a terminal.")
def command(base: str, head: str, names: tuple[str, ...], as_json: bool, color: bool | None) -> None:
    """Plan what HEAD (merged onto BASE) would do, and print the comment. Exit 1 when a plan failed."""
    if missing := [name for name in names if name not in os.environ]:
        raise click.UsageError(f"not set here: {', '.join(missing)}")
    env = {name: os.environ[name] for name in names}
    root = Path(_git("rev-parse", "--show-toplevel"))
    branch, commits = _branch(base), (_commit(base), _commit(head))
    with tempfile.TemporaryDirectory(prefix="headgate-plan-") as folder:
        wiring = Wiring(Path(folder) / "none.yaml", _settings(Path(folder), root, branch, env))
        offered = _offered(Path(folder) / "offered.git", branch, *commits)
        host = LocalHost(offered, branch, *commits, wiring.clock.now())
        runs = _play(wiring, host)
    failed = any(run.state is not RunState.SUCCEEDED for run in runs)
    text = "\n\n".join(re.sub(r"^<!--.*?-->\n", "", body) for body in host.comments.values())
    if as_json:
        document = {"comment": text, "failed": failed, "plans": [_row(run) for run in runs]}
        click.echo(json.dumps(document, ensure_ascii=False))
        sys.exit(1 if failed else 0)
    coloured = sys.stdout.isatty() if color is None else color
    shown = text or "Nothing that Headgate manages is affected."
    click.echo(_coloured(shown) if coloured else shown, color=coloured)
    sys.exit(1 if failed else 0)


def _row(run: Run) -> dict[str, str | None]:
    return {
        "project": run.project.name,
        "environment": run.project.environment,
        "tool": run.project.tool,
        "state": run.state.value,
        "failure": run.failure.message if run.failure else None,
    }


def _branch(base: str) -> str:
    """What the target is called in the comment: a branch's or tag's name, else the start of a commit's."""
    commit = _commit(base)
    full = _git("rev-parse", "--verify", "--symbolic-full-name", "--end-of-options", base)
    found = re.fullmatch(r"refs/(?:heads|remotes|tags)/(.+)", full)
    return found[1] if found else commit[:12]


def _commit(name: str) -> str:
    try:
        return _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    except click.UsageError:
        hint = f"; if a remote has it: origin/{name}" if "/" not in name and not name.startswith("-") else ""
        raise click.UsageError(f"no commit is called {name!r} in this checkout{hint}") from None


def _offered(place: Path, branch: str, base: str, head: str) -> Path:
    """A repository like a host's, with the checkout's objects: the target is a branch there whatever it is here."""
    _git("init", "--quiet", "--bare", str(place))
    where = ("rev-parse", "--path-format=absolute", "--git-path")
    (place / "objects" / "info" / "alternates").write_text(f"{_git(*where, 'objects')}\n")
    shallow = Path(_git(*where, "shallow"))
    if shallow.exists():
        shutil.copyfile(shallow, place / "shallow")
    _git(f"--git-dir={place}", "update-ref", f"refs/heads/{branch}", base)
    _git(f"--git-dir={place}", "update-ref", pull_ref(REF.number), head)
    return place


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise ToolMissing("git is not on PATH") from None
    if done.returncode:
        raise click.UsageError(
            done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"git {words[0]} failed"
        )
    return done.stdout.strip()


def _settings(folder: Path, root: Path, branch: str, env: dict[str, str]) -> Settings:
    """Everything is granted: it is your own checkout, your own credentials, and nothing is deployed."""
    grant = Grant(env=env)
    names = [*_environments(root), "local"]
    environments = {name: Environment(name, plan=grant, apply=grant) for name in names}
    globs = dict.fromkeys(names, ("**",))
    # Nor does the operator's list of what is allowed exist here: what the static guard finds is shown, and planned.
    shown = GuardRules(dict.fromkeys(RULES, Level.NOTE))
    rules = RepoRules(
        match=str(REPO), mode=Mode.COMMENT, branches=(branch,), environments=globs, max_projects=10_000, guard=shown
    )
    # Nor is it anybody else's code: it runs as it would by hand.
    sandbox = SandboxRules(isolation=Isolation.OFF)
    return Settings(
        data=str(folder),
        listen=Listen(pages=""),
        repositories=(rules,),
        environments=environments,
        sandbox=sandbox,
    )


def _environments(root: Path) -> tuple[str, ...]:
    """Every environment that the repository's own file names."""
    place = root / CONFIG_FILE
    document = load(place.read_bytes(), CONFIG_FILE) if place.exists() else None
    value = getattr(document, "value", None)
    return tuple(sorted(set(_named(value)))) if value is not None else ()


def _named(value: object) -> list[str]:
    if isinstance(value, list):
        return [name for each in value for name in _named(each)]
    if not isinstance(value, dict):
        return []
    found: list[str] = []
    for key, inner in value.items():
        if key == "environment":
            found += [each for each in (inner if isinstance(inner, list) else [inner]) if isinstance(each, str)]
        else:
            found += _named(inner)
    return [name for name in found if "{" not in name]


def _play(wiring: Wiring, host: LocalHost) -> tuple[Run, ...]:
    """Advance the one change, carrying its plans out one after another; the plans as they ended."""
    store = wiring.store()
    store.migrate()
    services = wiring.services(SilentQueue(), store)
    mirror = GitMirror(wiring.data / "mirror.git", host.clone_url(REPO), lambda: None)
    services = replace(services, hosts={REPO.host: host}, mirror=lambda _: mirror)
    selector = Selector(services.settings, services.tools)
    store.mark_dirty(REF, refetch=True)
    try:
        advance(services, selector, REF)
        row = store.change(REF)
        if row is None or row.memory.host is None:
            raise HostGone("the checkout cannot be read; the line above says why")
        runs = _run_all(services)
        advance(services, selector, REF)
    finally:
        mirror.close()
        store.close()
    return runs


def _run_all(services: Services) -> tuple[Run, ...]:
    finished = []
    for queued in services.store.queued_runs(None, limit=10_000):
        now = services.clock.now()
        run = services.store.claim_run(queued.id, current_holder(), now, timedelta(hours=1))
        if run is not None:
            click.echo(f"planning {run.project.name} …", err=True)
            finished.append(execute(services, run, lambda: False))
    return tuple(finished)


def _coloured(text: str) -> str:
    colours = {"+": "green", "-": "red", "!": "yellow", "~": "yellow"}
    lines = []
    inside = False
    for line in text.splitlines():
        inside = inside != line.startswith("```")
        colour = colours.get(line.strip()[:1]) if inside else None
        lines.append(click.style(line, fg=colour) if colour else line)
    return "\n".join(lines)
