"""``headgate config``: is this file right?"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from bot.cli.options import config_option, json_option
from bot.core.config.repository import CONFIG_FILE, RepoConfig, parse_repository
from bot.core.errors import Problem
from bot.core.rules import Settings
from bot.tools import TOOLS
from bot.wiring import checked_settings, config_path


@click.group()
def command() -> None:
    """Check configuration files."""


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
    settings = checked_settings(file.read_bytes(), str(file))
    return () if isinstance(settings, Settings) else settings


def _row(problem: Problem) -> dict[str, object]:
    return {"file": problem.file, "line": problem.line, "path": problem.path, "message": problem.message}
