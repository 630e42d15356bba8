"""Puts up the demo: the local Git host, the chat room, Headgate itself as an operator would start it."""

from __future__ import annotations

import base64
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from bot.cli.demo.narrator import StepFailed
from bot.cli.demo.seed import RECORDS, SERVER, files
from bot.cli.demo.sink import ChatRoom
from bot.cli.processes import REDIS_VARIABLE
from bot.forge import Forge
from bot.forge.faces import FACES
from bot.hosts.github.inbox import EVENTS
from bot.hosts.gitlab.signing import KEY_BYTES, PREFIX

DATABASE_VARIABLE = "HEADGATE_DEMO_DATABASE"
PREFERRED_PORTS = (8401, 8400, 8402)
READY_WITHIN = 60.0


class Stage:
    """Everything the tour plays on. Nothing outlives :meth:`stop`."""

    repo_name = "acme/infra"

    def __init__(
        self,
        data: Path,
        database: str = "",
        redis: str = "",
        ports: tuple[int, int, int] = PREFERRED_PORTS,
        host: str = "github",
    ) -> None:
        self.data, self.host = data, host
        self._database, self._redis = database, redis
        self.live = data / "live"
        self.live.mkdir(parents=True)
        data.chmod(0o700)
        forge_port, pages_port, self._hook_port = (_free(port) for port in ports)
        self.forge = Forge(data / "git", face=host)
        self.forge_url = self.forge.start(port=forge_port)
        self.pages_url = f"http://127.0.0.1:{pages_port}"
        self._pages_port = pages_port
        self.chat_secret = secrets.token_urlsafe(24)
        self.chat = ChatRoom(self.chat_secret)
        self._headgate: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """People, a repository with protection and a webhook, then Headgate. Raises StepFailed."""
        self.furnish()
        self._write_settings()
        self._serve()

    def furnish(self) -> None:
        """The people, and their repository."""
        forge = self.forge
        for login, name in (("dee", "Dee"), ("bo", "Bo"), ("cy", "Cy"), ("ann", "Ann")):
            forge.add_user(login, name=name)
        self.token = forge.add_user("acme-bot", token=secrets.token_urlsafe(24), name="Acme's bot")
        self.hook_secret = self._new_hook_secret()
        forge.add_org("acme")
        forge.add_team("acme/dns", "cy", "acme-bot")
        zone = self.live / "dns" / "zone.txt"
        zone.parent.mkdir()
        zone.write_text(RECORDS)
        self.repo = forge.create_repo(
            self.repo_name,
            files=files(self.live, self.noun),
            permissions={"dee": "write", "bo": "write", "cy": "write", "ann": "admin", "acme-bot": "admin"},
        )
        self.protect()
        hook = f"http://127.0.0.1:{self._hook_port}/webhooks/{self.host}"
        if self.host == "gitlab":
            self.repo.add_hook(hook, signing=self.hook_secret)
        else:
            self.repo.add_hook(hook, self.hook_secret, EVENTS)

    def _new_hook_secret(self) -> str:
        """Made as the host makes them; GitLab's signing tokens are 32 bytes in base64."""
        if self.host == "gitlab":
            return PREFIX + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
        return secrets.token_urlsafe(24)

    def protect(self) -> None:
        """The branch's rule: the gate is required; where no check can be required by name, only Headgate merges."""
        if self.host == "gitlab":
            self.repo.protect("main", merge_by=("acme-bot",), push_by=())
        else:
            self.repo.protect("main", checks=("headgate/gate",), enforce_admins=False)

    @property
    def people_merge(self) -> bool:
        """Whether people merge by themselves, or ask Headgate to."""
        return self.host != "gitlab"

    @property
    def noun(self) -> str:
        """What people of this host call a change."""
        return FACES[self.host].noun

    def name_of(self, number: int) -> str:
        """One change as people of this host call it."""
        return f"{self.noun} {FACES[self.host].mark}{number}"

    def _write_settings(self) -> None:
        for name, value in (("token", self.token), ("hook", self.hook_secret), ("chat", self.chat_secret)):
            place = self.data / name
            place.touch(mode=0o600)
            place.write_text(value)
        self.config = self.data / "headgate-server.yaml"
        self.config.write_text(
            SERVER.format(
                data=self.data,
                live=self.live,
                host=self.host,
                api=self.forge.api_url,
                chat=self.chat.url,
                pages=self._pages_port,
                webhooks=self._hook_port,
            )
            + (f"database: {{env: {DATABASE_VARIABLE}}}\n" if self._database else "")
        )

    def _serve(self) -> None:
        self._log = (self.data / "headgate.log").open("wb")
        self._headgate = subprocess.Popen(
            [sys.executable, "-m", "bot.cli", "serve", "--config", str(self.config)],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **self._given()},
        )
        deadline = time.monotonic() + READY_WITHIN
        while not self._ready():
            if self._headgate.poll() is not None:
                raise StepFailed(f"Headgate did not start (exit code {self._headgate.returncode})")
            if time.monotonic() > deadline:
                raise StepFailed(f"Headgate was not ready within {READY_WITHIN:.0f} s")
            time.sleep(0.05)

    def _given(self) -> dict[str, str]:
        """A database's URL holds a password, so it goes by the environment, not into the settings file."""
        database = {DATABASE_VARIABLE: self._database} if self._database else {}
        return {**database, **({REDIS_VARIABLE: self._redis} if self._redis else {})}

    def _ready(self) -> bool:
        try:
            for port in (self._pages_port, self._hook_port):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2):
                    pass
        except (urllib.error.URLError, OSError):
            return False
        return True

    def wait(self) -> None:
        """Until Headgate ends or somebody presses Ctrl-C."""
        if self._headgate is not None:
            self._headgate.wait()
            raise StepFailed("Headgate stopped by itself")

    def log_tail(self, lines: int = 25) -> str:
        """The end of Headgate's log."""
        place = self.data / "headgate.log"
        return "\n".join(place.read_text(errors="replace").splitlines()[-lines:]) if place.exists() else ""

    def stop(self) -> None:
        """Stop everything that was started, gently first."""
        if self._headgate is not None and self._headgate.poll() is None:
            self._headgate.send_signal(signal.SIGTERM)
            try:
                self._headgate.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(self._headgate.pid, signal.SIGKILL)
        self.chat.stop()
        self.forge.stop()


def _free(preferred: int) -> int:
    """The preferred loopback port when nobody has it, else any free one."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise StepFailed("no free port on the loopback interface")
