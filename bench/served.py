"""``headgate serve`` as an operator starts it, beside a Git host with one repository: for benchmarks of the whole."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bot.forge import Forge, RepoStory
from bot.forge.happening import Happening, Topic
from bot.hosts.github.inbox import EVENTS

ROOT = Path(__file__).resolve().parent.parent
SETTLE = 5.0
"""Seconds after the first answer: sweeps have run by then, and what is loaded late is loaded."""
PATIENCE = 90.0
SERVER = """\
version: 1
instance: bench
data: {data}
listen: {{webhooks: "127.0.0.1:{hooks}", pages: "127.0.0.1:{pages}"}}
hosts:
  github: {{url: "{forge}", token_file: token, webhook_secret_file: hook}}
repositories:
  - {{match: github/acme/infra, branches: [main], environments: {{dev: ["**"]}}}}
environments: {{dev: {{approvals: 0, plan: {{readable: ["{live}"]}}}}}}
limits: {{runs: {runs}}}
"""
LIVE = "live"
"""The folder beside everything that stands for what runs: Terraform's state is there."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_up(port: int, limit: float = 60.0) -> None:
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise SystemExit("headgate serve did not answer")


@contextmanager
def headgate_serve(config: Path, port: int) -> Iterator[psutil.Process]:
    """Started, ready and settled; at the end it is told to stop, and what does not is killed."""
    with (config.parent / "serve.log").open("wb") as log:
        serve = subprocess.Popen(
            [sys.executable, "-m", "bot.cli", "serve", "--config", str(config)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches it once, from us
        )
        process = psutil.Process(serve.pid)
        try:
            wait_until_up(port)
            time.sleep(SETTLE)
            yield process
        finally:
            family = process.children(recursive=True)
            serve.send_signal(signal.SIGTERM)
            try:
                serve.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                serve.kill()
            for left in psutil.wait_procs(family, 2)[1]:
                left.kill()


@contextmanager
def serving(folder: Path, files: Mapping[str, str], *, runs: int = 4) -> Iterator[tuple[Forge, RepoStory]]:
    """The Git host with one repository of these files, and ``headgate serve`` doing up to ``runs`` runs at once."""
    forge = Forge(folder / "git")
    forge.start()
    try:
        forge.add_user("dee")
        forge.add_org("acme")
        (folder / "token").write_text(forge.add_user("acme-bot"))
        (folder / "hook").write_text("hook-secret")
        (folder / LIVE).mkdir()
        repo = forge.create_repo("acme/infra", files=files, permissions={"dee": "write", "acme-bot": "admin"})
        hooks, config = free_port(), folder / "headgate-server.yaml"
        values = {"data": folder / "data", "live": folder / LIVE, "forge": forge.api_url, "runs": runs}
        config.write_text(SERVER.format(hooks=hooks, pages=free_port(), **values))
        repo.add_hook(f"http://127.0.0.1:{hooks}/webhooks/github", "hook-secret", EVENTS)
        with headgate_serve(config, hooks):
            yield forge, repo
    finally:
        forge.stop()


class Watch:
    """An audience of the Git host: when a push's webhook left, and when what was awaited was seen there."""

    def __init__(self, forge: Forge) -> None:
        self._wanted: Callable[[Happening], bool] = lambda _: False
        self._seen = threading.Event()
        self._sent = self._shown = 0.0
        forge.state.audiences.append(self)

    def expect(self, wanted: Callable[[Happening], bool]) -> None:
        self._seen.clear()
        self._wanted = wanted

    def hear(self, happening: Happening) -> None:
        """Called under the Git host's lock, at the moment of each event."""
        if happening.topic is Topic.PULL and happening.action in ("opened", "synchronize"):
            self._sent = time.perf_counter()
        elif not self._seen.is_set() and self._wanted(happening):
            self._shown = time.perf_counter()
            self._seen.set()

    def waited(self) -> float:
        """Seconds from webhook to what was awaited, once it was seen."""
        if not self._seen.wait(PATIENCE):
            raise SystemExit(f"what was awaited did not happen within {PATIENCE:.0f} s")
        return self._shown - self._sent
