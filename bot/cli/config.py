"""``headgate config``: is this file right, and what would another bot's file be here?"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from bot.cli.options import config_option, json_option
from bot.core.config.atlantis import Imported, imported
from bot.core.config.repository import CONFIG_FILE, RepoConfig, parse_repository
from bot.core.errors import Problem
from bot.core.rules import Settings
from bot.policy_files import with_policies
from bot.tools import TOOLS
from bot.wiring import checked_settings, config_path


@click.group()
def command() -> None:
    """Check configuration files, or make them of another bot's."""


@command.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@config_option
@json_option
def check(config: str, files: tuple[Path, ...], as_json: bool) -> None:
    """Check FILES (a ``.headgate.yaml`` is a repository's, anything else an operator's); exit 2 on any problem."""
    named = (*files, config_path(config)) if config else files
    problems = [problem for file in named or _here() for problem in _problems(file)]
    if as_json:
        click.echo(json.dumps([_row(problem) for problem in problems]))
    else:
        for problem in problems:
            click.echo(str(problem), err=True)
        if not problems:
            click.echo("no problems")
    sys.exit(2 if problems else 0)


@command.command("import")
@click.argument("origin", metavar="atlantis", type=click.Choice(["atlantis"]))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def import_(origin: str, file: Path, as_json: bool) -> None:
    """Print what FILE (an ``atlantis.yaml`` or ``repos.yaml``) is as a file of ours, and what has no counterpart."""
    del origin
    found = imported(file.read_bytes(), str(file))
    if not isinstance(found, Imported):
        for problem in found:
            click.echo(str(problem), err=True)
        sys.exit(2)
    name = "headgate-server.yaml" if found.server else CONFIG_FILE
    if as_json:
        click.echo(json.dumps({"file": name, "text": found.text, "notes": list(found.notes)}, ensure_ascii=False))
        return
    click.echo(f"# {name}, from {file.name}\n{found.text}", nl=False)
    for note in found.notes:
        click.echo(f"not taken over: {note}", err=True)


def _here() -> tuple[Path, ...]:
    found = tuple(path for name in (CONFIG_FILE, "headgate-server.yaml") if (path := Path(name)).exists())
    if not found:
        raise click.UsageError(f"neither {CONFIG_FILE} nor headgate-server.yaml is here; name a file")
    return found


def _problems(file: Path) -> tuple[Problem, ...]:
    if file.name == CONFIG_FILE:
        schemas = {name: make().option_schema() for name, make in TOOLS.items()}
        config = parse_repository(file.read_bytes(), schemas, str(file))
        return () if isinstance(config, RepoConfig) else config
    parsed = checked_settings(file.read_bytes(), str(file))
    settings = with_policies(parsed, file) if isinstance(parsed, Settings) else parsed
    return () if isinstance(settings, Settings) else settings


def _row(problem: Problem) -> dict[str, object]:
    return {"file": problem.file, "line": problem.line, "path": problem.path, "message": problem.message}
