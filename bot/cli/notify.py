"""``headgate notify test``: does the chat hear us?"""

from __future__ import annotations

import sys

import click

from bot.cli.options import config_option
from bot.core.errors import HeadgateError
from bot.ports import Message
from bot.wiring import Wiring, config_path


@click.group()
def command() -> None:
    """Chat destinations."""


@command.command()
@config_option
@click.option("--only", default="", metavar="NAME", help="Only this destination.")
def test(config: str, only: str) -> None:
    """Send one message to every destination; exit 1 when one of them did not take it."""
    wiring = Wiring(config_path(config))
    chats = {name: chat for name, chat in wiring.chats().items() if not only or name == only}
    if not chats:
        click.echo("no chat destination is configured" + (f" under the name {only}" if only else ""), err=True)
        sys.exit(2)
    failed = False
    stamp = wiring.clock.now().isoformat(timespec="seconds")
    for name, chat in chats.items():
        message = Message(f"test:{stamp}", "test", "succeeded", "", "Headgate can be heard here", f"Sent {stamp}")
        try:
            chat.send(message)
        except HeadgateError as error:
            failed = True
            click.echo(f"✗ {name}: {error}")
        else:
            click.echo(f"✓ {name}: taken")
    sys.exit(1 if failed else 0)
