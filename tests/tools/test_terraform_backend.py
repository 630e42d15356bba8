"""Terraform with a remote state: who may break its lock, and what is kept when the state cannot be written."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from serving import in_background

from bot.core.errors import ToolFailed
from bot.ports import Job
from bot.tools.terraform import tool as terraform_tool
from bot.tools.terraform.tool import Terraform

pytestmark = [
    pytest.mark.real_tool,
    pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed"),
]

MakeJob = Callable[..., Job]
TOOL = Terraform()


class Backend(ThreadingHTTPServer):
    """Terraform's ``http`` backend with locking: LOCK and UNLOCK carry the note of who holds it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.state = b""
        self.lock = b""
        self.full = False
        self.methods: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/state"

    def hold(self, who: str) -> None:
        """Leave the lock behind as a killed terraform does."""
        note = {"ID": "11111111-2222", "Operation": "OperationTypeApply", "Who": who, "Version": "1.11.4"}
        self.lock = json.dumps({**note, "Info": "", "Created": "2025-01-01T00:00:00Z", "Path": ""}).encode()


class Answer(BaseHTTPRequestHandler):
    server: Backend

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _end(self, code: int, body: bytes = b"") -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        backend = self.server
        backend.methods.append(self.command)
        match self.command:
            case "GET":
                self._end(200 if backend.state else 404, backend.state)
            case "LOCK" if backend.lock:
                self._end(423, backend.lock)
            case "LOCK":
                backend.lock = body
                self._end(200)
            case "UNLOCK":
                backend.lock = b""
                self._end(200)
            case _ if backend.full:
                self._end(507)
            case _:
                backend.state = body
                self._end(200)

    do_GET = do_POST = do_LOCK = do_UNLOCK = _handle  # noqa: N815 - the names that http.server looks for


@pytest.fixture
def backend() -> Iterator[Backend]:
    with in_background(Backend()) as server:
        yield server


@pytest.fixture
def code(shop: Any, backend: Backend) -> Callable[[str], None]:
    def write(value: str) -> None:
        places = "".join(f'    {name} = "{backend.url}"\n' for name in ("address", "lock_address", "unlock_address"))
        settings = f'terraform {{\n  backend "http" {{\n{places}    retry_max = 0\n  }}\n}}\n'
        shop.write({"main.tf": settings + f'resource "terraform_data" "a" {{\n  input = "{value}"\n}}\n'})

    return write


@pytest.fixture
def deployed(code: Callable[[str], None], job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    """One deploy is done; the next one waits for no lock."""
    monkeypatch.setattr(terraform_tool, "LOCK_WAIT", "0s")
    code("1")
    here = job("terraform", deploy=True)
    TOOL.validate(here)
    assert TOOL.apply(job("terraform", deploy=True), TOOL.plan(here)).failure is None
    code("2")


def test_a_deploy_locks_the_state_and_a_change_plan_does_not(deployed: None, backend: Backend, job: MakeJob) -> None:
    assert "LOCK" in backend.methods
    assert backend.lock == b""
    backend.methods.clear()
    TOOL.validate(job("terraform"))
    TOOL.plan(job("terraform"))
    assert set(backend.methods) == {"GET"}


@pytest.mark.parametrize("who", ["cy@laptop", "", f"cy@{socket.gethostname()}"])
def test_a_lock_whose_holder_is_not_shown_stays_even_when_the_dead_worker_ran_here(
    deployed: None, backend: Backend, job: MakeJob, who: str
) -> None:
    """The http backend's refusal shows the asker's own note, which always names this machine."""
    backend.hold(who)
    note = backend.lock
    with pytest.raises(ToolFailed, match="locked by somebody else"):
        TOOL.plan(job("terraform", deploy=True))
    assert not TOOL.unlock(job("terraform", deploy=True), f"{socket.gethostname()}:123:456")
    assert backend.lock == note


def test_a_person_who_says_that_nobody_holds_it_releases_any_lock(
    deployed: None, backend: Backend, job: MakeJob
) -> None:
    backend.hold("cy@laptop")
    assert TOOL.unlock(job("terraform", deploy=True), "*")
    assert backend.lock == b""
    assert not TOOL.plan(job("terraform", deploy=True)).effects.empty


def test_a_state_that_could_not_be_written_is_kept(deployed: None, backend: Backend, job: MakeJob, shop: Any) -> None:
    planned = TOOL.plan(job("terraform", deploy=True))
    backend.full = True
    here = job("terraform", deploy=True)
    failure = TOOL.apply(here, planned).failure
    assert failure is not None
    assert "errored.tfstate was kept" in failure.message
    kept = Path(here.cache / f"errored-{here.run_id}.tfstate")
    assert '"2"' in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0
