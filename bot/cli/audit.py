"""``headgate audit``: the record, verified and exported."""

from __future__ import annotations

import json
import sys

import click

from bot.cli.options import config_option, json_option
from bot.core.errors import StoreConflict
from bot.flow.homes import called
from bot.ports import Store
from bot.stores.keyring import roots
from bot.wiring import Wiring, config_path


@click.group()
def command() -> None:
    """Verify, list or export the append-only, hash-chained record."""


@command.command()
@config_option
@json_option
def verify(config: str, as_json: bool) -> None:
    """Exit 0 when every row's chain holds, 1 naming the first that does not."""
    try:
        wiring = Wiring(config_path(config))
        store = wiring.store()
        rows = store.verify_audit()
        signed = store.verify_checkpoints(roots(store, *wiring.keyring().keys()).audit)
    except StoreConflict as error:
        if as_json:
            click.echo(json.dumps({"whole": False, "problem": str(error)}))
        click.echo(f"broken: {error}", err=True)
        sys.exit(1)
    if as_json:
        click.echo(json.dumps({"whole": True, "rows": rows, "checkpoints": signed}))
    else:
        click.echo(f"every chain holds; rows verified: {rows}, signed checkpoints: {signed}")


@command.command()
@config_option
@click.option(
    "--subject", default=None, help="Only this change, e.g. github/acme/infra!12, whatever its repository was called."
)
@click.option("--after", default=0, help="Only rows after this number.")
def export(config: str, subject: str | None, after: int) -> None:
    """One JSON document per line, oldest first, with the hashes needed to verify it elsewhere."""
    store = Wiring(config_path(config)).store()
    for name in called(store, subject) if subject else (None,):
        _export(store, name, after)


def _export(store: Store, subject: str | None, after: int) -> None:
    while rows := store.audit_rows(subject, after=after, limit=1000):
        for row in rows:
            entry = row.entry
            click.echo(
                json.dumps(
                    {
                        "seq": row.seq,
                        "at": row.at.isoformat(),
                        "actor": entry.actor,
                        "action": entry.action,
                        "subject": entry.subject,
                        "detail": dict(entry.detail),
                        "previous": row.previous,
                        "hash": row.hash,
                    },
                    ensure_ascii=False,
                )
            )
        after = rows[-1].seq
