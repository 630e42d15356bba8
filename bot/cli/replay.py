"""``headgate replay``: the bot that dry-runs others dry-runs itself."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import click
import msgspec

from bot.cli.options import config_option, json_option
from bot.core.decide.decision import decide
from bot.core.effects import Effect
from bot.core.model import ChangeRef
from bot.flow.gather import gather
from bot.flow.selecting import Selector
from bot.wiring import Wiring, config_path


@click.command()
@config_option
@json_option
@click.argument("change", metavar="HOST/OWNER/NAME!NUMBER")
@click.option("--fresh", is_flag=True, help="Ask the host again instead of deciding on the facts we have.")
def command(config: str, as_json: bool, change: str, fresh: bool) -> None:
    """Print the effects that would be performed for CHANGE now; nothing is written anywhere."""
    try:
        ref = ChangeRef.parse(change)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    wiring = Wiring(config_path(config))
    services = wiring.services()
    row = services.store.change(ref)
    if row is None:
        click.echo(f"{ref} was never seen here", err=True)
        sys.exit(1)
    gathered = gather(
        services, Selector(services.settings, services.tools), replace(row, refetch=fresh or row.refetch)
    )
    if gathered is None:
        click.echo(f"{ref} is not looked after: its repository or target branch is not listed", err=True)
        sys.exit(1)
    effects = decide(gathered.snapshot).effects()
    if as_json:
        click.echo(msgspec.json.encode([{"effect": type(each).__name__, "value": each} for each in effects]).decode())
    else:
        click.echo("\n".join(_line(each) for each in effects) or "nothing to do: everything stands as it should")


def _line(effect: Effect) -> str:
    values = json.loads(msgspec.json.encode(effect))
    short = {key: (value if len(str(value)) < 120 else f"{str(value)[:117]}…") for key, value in values.items()}
    return f"{type(effect).__name__}: " + ", ".join(f"{key}={value}" for key, value in short.items())
