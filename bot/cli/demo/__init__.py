"""``headgate demo``: a Git host, Headgate and an infrastructure repository, all on this machine, and a tour."""

from __future__ import annotations

import shutil
import signal
import sys
from pathlib import Path
from typing import NoReturn

import click

from bot.cli.demo.narrator import Narrator, StepFailed
from bot.cli.demo.stage import PREFERRED_PORTS, Stage
from bot.cli.demo.tour import play

DEFAULT_DATA = Path("~/.cache/headgate-demo")


MADE_BY_US = ("git", "live", "headgate-server.yaml")
"""What every demo's directory holds; one that is not empty and lacks any of it is somebody's own."""


class Stopped(KeyboardInterrupt):
    """Somebody pressed Ctrl-C, or ended us with a signal."""

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number


def _stop(number: int, _: object) -> NoReturn:
    raise Stopped(number)


@click.command()
@click.option(
    "--host", type=click.Choice(("github", "gitlab")), default="github", help="Which host the local one is like."
)
@click.option("--once", is_flag=True, help="Play the tour and exit: 0 when every step truly happened, else 1.")
@click.option("--data", default="", metavar="DIR", help=f"Where the demo lives; default {DEFAULT_DATA}.")
@click.option("--database", default="", metavar="URL", help="Use this store instead of SQLite, e.g. a PostgreSQL.")
@click.option("--redis", default="", metavar="URL", help="Use this Redis; `none` does without any.")
@click.option("--keep", is_flag=True, help="Leave the data in place afterwards.")
def command(host: str, once: bool, data: str, database: str, redis: str, keep: bool) -> None:
    """A Git host, Headgate and an infrastructure repository on this machine, and a tour of it."""
    place = Path(data or DEFAULT_DATA).expanduser().absolute()
    _make_room(place)
    # A service manager or a script ends us with SIGTERM; it cleans up like Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    stage, code = Stage(place, database, redis, (0, 0, 0) if once else PREFERRED_PORTS, host), 0
    narrator, invited = Narrator(sys.stdout), False
    try:
        stage.start()
        narrator.curtain(stage)
        left_open = play(stage, narrator)
        if once:
            narrator.close(stage)
        else:
            narrator.invite(stage, left_open)
            invited = True
            stage.wait()
    except StepFailed as failure:
        narrator.failed(failure, stage.log_tail())
        code = 1
    except Stopped as stopped:
        click.echo("\n  Stopping and cleaning up.")
        code = 0 if invited else 128 + stopped.number
    finally:
        stage.stop()
        if keep:
            click.echo(f"  Left in place: {place}")
        else:
            shutil.rmtree(place, ignore_errors=True)
    sys.exit(code)


def _make_room(place: Path) -> None:
    """Remove what an earlier demo left; raises UsageError rather than remove anything else."""
    if not place.exists():
        return
    if not place.is_dir() or (any(place.iterdir()) and not all((place / name).exists() for name in MADE_BY_US)):
        raise click.UsageError(f"{place} holds something that is no demo's; name an empty directory with --data")
    shutil.rmtree(place)
