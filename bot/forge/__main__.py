"""``python -m bot.forge``: the local Git host as a process of its own; what it knows is gone when it ends."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from bot.forge.faces import FACES
from bot.forge.model import Refused
from bot.forge.seed import plant
from bot.forge.server import Forge


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8401, show_default=True, help="Port to listen on; 0 takes any free one.")
@click.option(
    "--data", type=click.Path(path_type=Path), help="New directory for git data (default: a temporary one)."
)
@click.option("--seed", type=click.Path(path_type=Path, exists=True), help="YAML file with people and repositories.")
@click.option("--face", type=click.Choice(sorted(FACES)), default="github", help="Whose API to name when started.")
def main(host: str, port: int, data: Path | None, seed: Path | None, face: str) -> None:
    """Run a local Git host that speaks GitHub's and GitLab's API, until it is interrupted."""
    with TemporaryDirectory(prefix="forge-") as scratch:
        forge = Forge(data if data is not None else Path(scratch), face=face)
        if seed is not None:
            try:
                plant(forge, seed)
            except (ValueError, Refused) as problem:
                raise click.ClickException(str(problem)) from problem
        ended = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: ended.set())
        click.echo(f"Git host {forge.start(host, port)}  (API {forge.api_url})")
        ended.wait()
        forge.stop()


if __name__ == "__main__":
    main()
