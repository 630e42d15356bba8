"""Whose a state lock is: a killed run's is recognised and released, a living terraform's never (law 10)."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psutil
import pytest
from serving import in_background

from bot.core.errors import ToolFailed, ToolKilled
from bot.ports import Job
from bot.sandbox.enclosure import unavailable
from bot.tools.terraform import tool as terraform_tool
from bot.tools.terraform.tool import Terraform

pytestmark = [
    pytest.mark.real_tool,
    pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed"),
]
isolated = pytest.mark.skipif(bool(unavailable()), reason=f"no isolation here: {unavailable()}")

MakeJob = Callable[..., Job]
TOOL = Terraform()
LOCK = "/state/live.tfstate.tflock"
EMPTY = (
    b"<ListBucketResult><Name>state</Name><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>"
)


class Bucket(ThreadingHTTPServer):
    """As much of S3 as Terraform's backend needs, with the conditional writes that its lock file is made of."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.objects: dict[str, bytes] = {}
        self.one = threading.Lock()

    @property
    def holder(self) -> str:
        """Who holds the lock; empty when nobody does."""
        note = self.objects.get(LOCK)
        return str(json.loads(note)["Who"]) if note else ""

    def hold(self, who: str) -> None:
        note = {"ID": "11111111-2222", "Operation": "OperationTypeApply", "Who": who, "Version": "1.11.4"}
        self.objects[LOCK] = json.dumps(
            {**note, "Info": "", "Created": "2025-01-01T00:00:00Z", "Path": "state/live.tfstate"}
        ).encode()


class Answer(BaseHTTPRequestHandler):
    server: Bucket
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _end(self, code: int, body: bytes = b"") -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"x"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refuse(self, code: int, name: str) -> None:
        self._end(code, f"<Error><Code>{name}</Code><Message>{name}</Message></Error>".encode())

    def _handle(self) -> None:
        body = _plain(self.rfile.read(int(self.headers.get("Content-Length") or 0)), self.headers)
        place, _, query = self.path.partition("?")
        with self.server.one:
            objects = self.server.objects
            if "list-type" in query:
                self._end(200, EMPTY)
            elif self.command == "PUT" and self.headers.get("If-None-Match") and place in objects:
                self._refuse(412, "PreconditionFailed")
            elif self.command == "PUT":
                objects[place] = body
                self._end(200)
            elif self.command == "DELETE":
                objects.pop(place, None)
                self._end(204)
            elif place in objects:
                self._end(200, objects[place])
            else:
                self._refuse(404, "NoSuchKey")

    do_GET = do_HEAD = do_PUT = do_DELETE = _handle  # noqa: N815 - the names that http.server looks for


def _plain(body: bytes, headers: Any) -> bytes:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html"""
    if "aws-chunked" not in (headers.get("Content-Encoding") or ""):
        return body
    plain = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size.partition(b";")[0], 16)
        if not length:
            break
        plain, body = plain + body[:length], body[length + 2 :]
    return plain


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with in_background(Bucket()) as server:
        yield server


@pytest.fixture
def code(shop: Any, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    monkeypatch.setattr(terraform_tool, "LOCK_WAIT", "0s")
    skipped = (
        "credentials_validation",
        "region_validation",
        "requesting_account_id",
        "metadata_api_check",
        "s3_checksum",
    )
    settings = "".join(f"    skip_{name} = true\n" for name in skipped)
    backend = (
        'terraform {\n  backend "s3" {\n    bucket = "state"\n    key = "live.tfstate"\n    region = "us-east-1"\n'
        '    use_lockfile = true\n    use_path_style = true\n    access_key = "a"\n    secret_key = "b"\n'
        f'{settings}    endpoints = {{ s3 = "http://127.0.0.1:{bucket.server_address[1]}" }}\n  }}\n}}\n'
    )

    def write(value: str, command: str = "true") -> None:
        provisioner = f'  provisioner "local-exec" {{\n    command = "{command}"\n  }}\n'
        body = f'  triggers_replace = "{value}"\n{provisioner}'
        shop.write({"main.tf": f'{backend}resource "terraform_data" "a" {{\n{body}}}\n'})

    return write


def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def applying(code: Any, job: MakeJob, bucket: Bucket, shop: Any) -> Iterator[tuple[Job, threading.Thread, list[Any]]]:
    """A deploy in the middle of its apply, which holds the lock."""
    code("1", "touch begun; exec sleep 100")
    here = job("terraform", deploy=True)
    TOOL.validate(here)
    planned = TOOL.plan(here)
    outcome: list[Any] = []

    def apply() -> None:
        with contextlib.suppress(ToolKilled):
            outcome.append(TOOL.apply(here, planned))

    thread = threading.Thread(target=apply)
    thread.start()
    until(lambda: bucket.holder and (shop.directory / "begun").exists())
    yield here, thread, outcome
    shop.cancel.set()
    thread.join(60)


@isolated
def test_the_lock_of_a_run_that_was_killed_is_released_by_the_one_that_knows_it_is_dead(
    applying: Any, bucket: Bucket, job: MakeJob
) -> None:
    dead, thread, _ = applying
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # the walls of one that was killed fall with it
            process.kill()
    thread.join(60)
    assert bucket.holder.endswith(f"@{dead.run_id}")
    with pytest.raises(ToolFailed, match="locked by somebody else"):
        TOOL.plan(job("terraform", deploy=True))
    assert not TOOL.unlock(job("terraform", deploy=True), "another")
    assert not TOOL.unlock(job("terraform", deploy=True), "")
    assert bucket.holder
    assert TOOL.unlock(job("terraform", deploy=True), dead.run_id)
    assert not bucket.holder
    assert not TOOL.plan(job("terraform", deploy=True)).effects.empty


@isolated
def test_an_apply_that_is_told_to_stop_releases_its_lock_itself(applying: Any, bucket: Bucket, shop: Any) -> None:
    """SIGINT, as a terminal would send it: Terraform writes the state and gives the lock back."""
    _, thread, outcome = applying
    shop.cancel.set()
    thread.join(60)
    assert not bucket.holder
    (applied,) = outcome
    assert applied.failure is not None
    assert applied.done == ()
    assert "/state/live.tfstate" in bucket.objects


@pytest.mark.parametrize("who", ["cy@laptop", "", f"cy@{socket.gethostname()}", "cy@run0-other"])
def test_a_lock_that_no_dead_run_of_ours_took_stays_whatever_machine_it_names(
    code: Any, bucket: Bucket, job: MakeJob, who: str
) -> None:
    """A terraform that lives on the worker's own machine has its name, as an unisolated run had."""
    code("1")
    TOOL.validate(job("terraform", deploy=True))
    bucket.hold(who)
    note = bucket.objects[LOCK]
    for dead in ("run0", f"{socket.gethostname()}:1:2"):
        assert not TOOL.unlock(job("terraform", deploy=True), dead)
    assert bucket.objects[LOCK] == note


def test_a_person_may_say_that_nobody_holds_it(code: Any, bucket: Bucket, job: MakeJob) -> None:
    code("1")
    TOOL.validate(job("terraform", deploy=True))
    bucket.hold("cy@laptop")
    assert TOOL.unlock(job("terraform", deploy=True), "*")
    assert not bucket.holder


def test_what_a_partly_applied_plan_left_is_planned_again_and_never_applied_with_it(
    code: Any, job: MakeJob, bucket: Bucket, shop: Any
) -> None:
    code("1", "test -e fixed")
    here = job("terraform", deploy=True)
    TOOL.validate(here)
    planned = TOOL.plan(here)
    assert TOOL.apply(job("terraform", deploy=True), planned).failure is not None
    shop.write({"fixed": ""})
    refused = TOOL.apply(job("terraform", deploy=True), planned).failure
    assert refused is not None
    assert refused.message == "the state moved since the plan was made"
    assert TOOL.apply(job("terraform", deploy=True), TOOL.plan(job("terraform", deploy=True))).failure is None
