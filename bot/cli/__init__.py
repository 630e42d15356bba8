"""The command line: one file per verb, listed in ``COMMANDS``.

Exit codes: 0 done · 1 the answer is no (a failed check, a broken chain) · 2 wrong usage or configuration ·
3 something outside failed (store, host, tool).
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import click

from bot import __version__
from bot.core.errors import ConfigError, HeadgateError

COMMANDS: Final[dict[str, str]] = {
    "serve": "Everything in one: web service, workers, sweeps, and a Redis of its own where none is configured.",
    "web": "Only the web services: webhooks, pages, API, metrics.",
    "worker": "Only a worker: absorbs, advances, runs, notifies, sweeps.",
    "demo": "A Git host, Headgate and an infrastructure repository on this machine, and a tour of it.",
    "plan": "Print the very comment a change of this checkout would get.",
    "config": "Check configuration files.",
    "policy": "Check, try, explain and import rules about who must agree.",
    "replay": "Print the effects Headgate would perform for a change now; performs none.",
    "doctor": "Say what is missing, and the command that mends it.",
    "setup": "Set up a repository on its host: webhook and branch protection. Shows first what it will change.",
    "notify": "Send a test message to the chat destinations.",
    "identity": "Say whom id tokens of runs come from and what they say; make a new key.",
    "audit": "Verify, list or export the record.",
    "secrets": "Change the key of stored plans and logs; search the whole store for secrets.",
    "db": "Migrate the store, or say what it needs.",
    "pause": "Stop deploys and keep plans going; or resume.",
}
"""Verb -> what it does. ``bot/cli/VERB.py`` holds its click command, ``command``."""


@contextmanager
def in_clear_words() -> Iterator[None]:
    """Headgate's own errors become one clear message and an exit code."""
    try:
        yield
    except ConfigError as error:
        count = len(error.problems)
        click.echo(f"{count} problem{'s' * (count != 1)} in the configuration:\n{error}", err=True)
        sys.exit(2)
    except HeadgateError as error:
        click.echo(f"headgate: {error}", err=True)
        sys.exit(3)


class Verbs(click.Group):
    """Loads a verb's module only when it is asked for, so that ``--help`` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"bot.cli.{name}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb."""
        with in_clear_words():
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="headgate")
@click.option("-v", "--verbose", is_flag=True, help="Say more in the log.")
def cli(verbose: bool) -> None:
    """Headgate: the merge request is the only way to change infrastructure."""
    set_up_logging(verbose=verbose)


def set_up_logging(*, verbose: bool) -> None:
    """To stderr, without the libraries' chatter."""
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for noisy in ("rq", "rq.worker", "rq.queue", "rq.job", "urllib3", "github", "werkzeug", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def main() -> Any:
    """The entry point."""
    return cli.main(standalone_mode=True)
