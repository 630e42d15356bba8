"""``headgate secrets``: the key that stored plans and logs are sealed with, changed over; and the store searched."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable

import click

from bot.cli.options import config_option, json_option
from bot.cli.searching import Search, configured, given
from bot.core.errors import KeyMismatch
from bot.credentials.signing import SETTING as IDENTITY
from bot.stores.artifacts import CHECK, check
from bot.stores.keyring import ROOTS, Keyring, bind, roots, sealed_roots
from bot.stores.resealing import Files, Place, reseal
from bot.stores.sqlstore import SqlStore
from bot.wiring import Wiring, config_path

SETTLING = 60.0
"""Seconds until what was being written when a key was new has been written."""

MOST_NAMED = 20

BY_HAND = """\
This key is the operator's own ({where}), so Headgate does not change it. Put a new one
(`openssl rand -base64 32`) before it:
  1. everywhere: the old key, a blank or a new line, the new key. {restart} Now every process can open both.
  2. everywhere: the new key first, then the old one. {restart}
  3. `headgate secrets rotate` seals everything again with the new key, `--forget` says when the old one can go."""


@click.group()
def command() -> None:
    """Change the key of stored plans and logs; search the store for secrets."""


@command.command()
@config_option
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--forget", is_flag=True, help="Then drop the older keys.")
def rotate(config: str, dry_run: bool, forget: bool) -> None:
    """Seal everything stored with a new key, while all runs on; begun again it goes on where it was stopped."""
    wiring = Wiring(config_path(config))
    store, keyring = wiring.store(), wiring.keyring()
    check(store, *keyring.keys())
    folder = wiring.folder()
    places = (*store.sealed_places(), *([Files(folder)] if folder else []))
    own = wiring.settings.artifact_key is None
    if dry_run:
        _say_what_would_be_done(keyring, places, own=own, forget=forget)
        return
    with keyring.alone() if own else contextlib.nullcontext():
        _begin(wiring, store, keyring, own=own, forget=forget)
        lost = (*_reseal_settings(wiring, store, keyring), *reseal(places, keyring, _tell))
        click.echo(f"everything that can be opened is sealed with the key {_name(keyring)}")
        if forget:
            _forget(keyring, own=own)
    store.close()
    if lost:
        click.echo(
            f"no key at hand opens these, they were left as they are: {', '.join(lost[:MOST_NAMED])}", err=True
        )
        sys.exit(1)


@command.command()
@config_option
@json_option
@click.option(
    "--file", "files", multiple=True, metavar="FILE", help="Look for what is in this file too (repeatable)."
)
@click.option("--env", "names", multiple=True, metavar="NAME", help="… or in this variable (repeatable).")
@click.option("--stdin", is_flag=True, help="… or on the lines of the standard input.")
@click.option("--given-only", is_flag=True, help="Not for the secrets that the settings name.")
def scan(
    config: str, as_json: bool, files: tuple[str, ...], names: tuple[str, ...], stdin: bool, given_only: bool
) -> None:
    """Search the whole store for secrets, in every spelling; exit 1 says where one is, never the value."""
    wiring = Wiring(config_path(config))
    values, unread = ({}, ()) if given_only else configured(wiring)
    values |= given(files, names, sys.stdin if stdin else None)
    if not values:
        raise click.UsageError("there is nothing to look for: name --file, --env or --stdin")
    search = Search(wiring, values)
    findings = search.everywhere()
    if as_json:
        document = {"findings": findings, "searched": search.counts, "unopened": search.unopened,
                    "not_looked_for": sorted({*unread, *search.unsought})}  # fmt: skip
        click.echo(json.dumps(document, ensure_ascii=False))
    else:
        for each in findings:
            click.echo(f"{each['secret']}: {each['where']}")
        click.echo(f"looked for {len(values)} secrets in " + ", ".join(f"{n} {w}" for w, n in search.counts.items()))
        for name in sorted({*unread, *search.unsought}):
            click.echo(f"not looked for (cannot be read here, or too short): {name}", err=True)
        for where in search.unopened[:MOST_NAMED]:
            click.echo(f"not searched, no key at hand opens it: {where}", err=True)
    if findings or search.unopened:
        sys.exit(1 if findings else 3)


def _say_what_would_be_done(keyring: Keyring, places: tuple[Place, ...], *, own: bool, forget: bool) -> None:
    keys = keyring.keys()
    fresh = own and len(keys) == 1 and not forget
    if len(keys) == 1 and not own:
        click.echo("there is one key only; a new one has to be put before it first")
    for place in places:
        count = place.count(b"" if fresh else keyring.header)
        click.echo(f"would be sealed again: {place.what}: {count}")
    if fresh:
        click.echo(f"a new key would be made; the present one ({_name(keyring)}) would stay to open what is left")
    if forget and len(keys) > 1:
        click.echo("would be forgotten: " + ", ".join(each.id.hex() for each in keys[1:]))


def _begin(wiring: Wiring, store: SqlStore, keyring: Keyring, *, own: bool, forget: bool) -> None:
    """The root secrets are kept before there is a new key; there is only ever one new key at a time."""
    bind(store, *keyring.keys())
    if len(keyring.keys()) > 1 or forget:
        click.echo(f"going on with the key {_name(keyring)}")
    elif own:
        keyring.add()
        click.echo(f"a new key was made: {_name(keyring)}; running processes use it from now on")
    else:
        ref = wiring.settings.artifact_key
        assert ref is not None, "else the key is our own"
        restart = "Restart all processes." if ref.kind == "env" else "Running processes read the file again."
        raise click.UsageError(BY_HAND.format(where=f"{ref.kind} {ref.where}", restart=restart))


def _reseal_settings(wiring: Wiring, store: SqlStore, keyring: Keyring) -> list[str]:
    """The few sealed settings; then the store is the new key's. Returns what no key opens."""
    lost: list[str] = []
    again: dict[str, Callable[[str], str]] = {
        ROOTS: lambda _: sealed_roots(roots(store, *keyring.keys()), *keyring.keys()),
        IDENTITY: wiring.ring(store).resealed,
    }
    for name, seal in again.items():
        try:
            while (seen := store.setting(name)) is not None and not store.swap_setting(name, seen, seal(seen)):
                pass
        except KeyMismatch:
            lost.append(f"the setting {name}")
    store.put_setting(CHECK, keyring.keys()[0].id.hex())
    return lost


def _forget(keyring: Keyring, *, own: bool) -> None:
    """Nothing needs the older keys any more."""
    older = ", ".join(each.id.hex() for each in keyring.keys()[1:])
    if not older:
        click.echo("there is no older key")
    elif not own:
        click.echo(f"nothing needs {older} any more: take it out of the file or variable, everywhere")
    elif (rest := SETTLING - (time.time() - keyring.changed_at())) > 0:
        click.echo(
            f"the new key is too young: something may be on its way still. Say it again in {rest:.0f} s", err=True
        )
        sys.exit(1)
    else:
        keyring.forget()
        click.echo(f"forgotten: {older}")


def _tell(what: str, done: int, total: int) -> None:
    click.echo(f"{what}: {done} of {total}", err=True)


def _name(keyring: Keyring) -> str:
    return keyring.keys()[0].id.hex()
