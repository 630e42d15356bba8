"""``headgate pause``: stop deploys, keep plans."""

from __future__ import annotations

import getpass

import click

from bot.cli.options import config_option
from bot.ports import AuditEntry
from bot.wiring import Wiring, config_path


@click.command()
@config_option
@click.option("--reason", default="an operator paused them", help="Shown on every change that waits.")
@click.option("--off", is_flag=True, help="Resume.")
def command(config: str, reason: str, off: bool) -> None:
    """Stop deploys and keep plans going; ``--off`` resumes. Running deploys are let finish."""
    wiring = Wiring(config_path(config))
    store = wiring.store()
    store.migrate()
    now = wiring.clock.now()
    store.put_setting("paused", None if off else reason)
    action = "pause.off" if off else "pause.on"
    store.audit(AuditEntry(getpass.getuser(), action, "installation", {"reason": "" if off else reason}), now)
    for row in store.list_changes(limit=1000):
        if row.state in ("open", "merged"):
            store.mark_dirty(row.ref, refetch=False)
    click.echo("deploys go on" if off else f"deploys are paused: {reason}")
