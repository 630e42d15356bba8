"""``headgate db``: the store's schema."""

from __future__ import annotations

import json

import click

from bot.cli.options import config_option, json_option
from bot.wiring import Wiring, config_path


@click.group()
def command() -> None:
    """Migrate the store, or say what it needs."""


@command.command()
@config_option
def migrate(config: str) -> None:
    """Bring the schema up to date (``serve``, ``web`` and ``worker`` do this by themselves when they start)."""
    store = Wiring(config_path(config)).store()
    store.migrate()
    click.echo("the schema is current")


@command.command()
@config_option
@json_option
def status(config: str, as_json: bool) -> None:
    """Exit 0 when the schema is current, 1 when a migration is missing."""
    store = Wiring(config_path(config)).store()
    current = store.schema_current()
    words = "the schema is current" if current else "the schema needs `headgate db migrate`"
    click.echo(json.dumps({"current": current}) if as_json else words)
    raise SystemExit(0 if current else 1)
