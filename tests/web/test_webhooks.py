"""The webhook service with the real store: who may post, what is answered, what stays, and when it is ready."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import os
import shutil
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import select
from werkzeug.test import Client, TestResponse

from bot.cli.web import build
from bot.core.model import ChangeRef, RepoRef
from bot.flow.absorb import absorb_all
from bot.flow.services import Services
from bot.ports import JobKind
from bot.queues.inprocess import InProcessQueue
from bot.stores.schema import deliveries
from bot.stores.sqlstore import SqlStore
from bot.web.webhooks import MAX_BODY, create_app
from bot.wiring import Wiring

REF = ChangeRef(RepoRef("github", "acme/infra"), 7)
PULL = {
    "action": "synchronize",
    "number": 7,
    "pull_request": {"number": 7, "head": {"sha": "a" * 40}, "updated_at": "2030-01-01T00:00:00Z"},
    "repository": {"full_name": "acme/infra"},
    "sender": {"login": "dee"},
}
BODY = json.dumps(PULL).encode()
FORM = "application/x-www-form-urlencoded"
SECRETS = ("webhook_secret_file: hook", "webhook_secret_files: [hook, next]")


def settings(folder: Path, secrets: str = SECRETS[0], more: str = "") -> Path:
    for name, value in (("token", "t" * 20), ("hook", "first"), ("next", "second")):
        (folder / name).write_text(f"{value}\n")
    path = folder / "headgate-server.yaml"
    path.write_text(
        f"version: 1\ndata: {folder}/data\n{more}hosts:\n  github: {{token_file: token, {secrets}}}\n"
        "repositories:\n  - {match: github/acme/infra}\n"
    )
    return path


def sign(body: bytes, secret: str) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def post(
    client: Client,
    body: bytes = BODY,
    *,
    secret: str = "first",
    key: str = "d-1",
    event: str = "pull_request",
    **more: Any,
) -> TestResponse:
    """A delivery as GitHub sends it."""
    headers = {
        "X-GitHub-Delivery": key,
        "X-GitHub-Event": event,
        "X-Hub-Signature-256": sign(body, secret),
        "User-Agent": "GitHub-Hookshot/044aadd",
    }
    words = {"data": body, "content_type": "application/json"} | more
    return client.post("/webhooks/github", headers=headers, **words)


@dataclass
class Service:
    """The service as it is wired, and what stands behind it."""

    folder: Path
    store: SqlStore
    queue: InProcessQueue
    services: Services
    client: Client

    def post(self, body: bytes = BODY, **more: Any) -> TestResponse:
        return post(self.client, body, **more)

    def stored(self) -> list[tuple[str, str, bool, str]]:
        """(id, event, absorbed, outcome) of every delivery."""
        query = select(deliveries.c.id, deliveries.c.event, deliveries.c.absorbed, deliveries.c.outcome)
        return self.store._db.read(lambda c: [tuple(row) for row in c.execute(query.order_by(deliveries.c.seq))])

    def dirty(self) -> int:
        row = self.store.change(REF)
        return row.dirty if row else 0

    def hints(self) -> list[tuple[JobKind, str]]:
        taken = []
        while job := self.queue.take(("short",), 0):
            taken.append(job)
        return taken


@pytest.fixture
def secrets() -> str:
    return SECRETS[0]


@pytest.fixture
def service(tmp_path: Path, secrets: str) -> Iterator[Service]:
    wiring, queue = Wiring(settings(tmp_path, secrets)), InProcessQueue()
    store = wiring.store()
    store.migrate()
    services = wiring.services(queue, store)
    app = create_app(store, queue, services.hosts, wiring.clock)
    yield Service(tmp_path, store, queue, services, app.test_client())
    store.close()


def message(answer: TestResponse) -> str:
    return str(answer.get_json()["message"])


# -------------------------------------------------------------------------------------- who may post


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "sha256=",
        "sha1=" + "0" * 40,
        "sha256=" + "0" * 64,
        "sha256=é",
        sign(BODY + b" ", "first"),
        sign(BODY, "second"),
        sign(BODY, ""),
        sign(BODY, "first").removeprefix("sha256="),
    ],
)
def test_what_is_not_signed_with_our_secret_is_401_and_leaves_nothing(
    service: Service, signature: str | None
) -> None:
    headers = {"X-GitHub-Delivery": "d-1", "X-GitHub-Event": "pull_request"}
    headers |= {} if signature is None else {"X-Hub-Signature-256": signature}
    answer = service.client.post("/webhooks/github", data=BODY, headers=headers, content_type="application/json")

    assert answer.status_code == 401
    assert "first" not in answer.get_data(as_text=True)
    assert (service.stored(), service.hints()) == ([], [])


def test_a_host_that_is_not_in_the_settings_is_404(service: Service) -> None:
    assert service.client.post("/webhooks/gitlab", data=BODY).status_code == 404
    assert service.client.get("/webhooks/github").status_code == 405


@pytest.mark.parametrize("secrets", SECRETS[1:])
@pytest.mark.parametrize("secret", ["first", "second"])
def test_while_several_secrets_are_configured_each_signs(service: Service, secret: str) -> None:
    assert service.post(secret=secret).status_code == 202
    assert service.post(secret="third").status_code == 401


def by_writing(path: Path, text: str) -> None:
    path.write_text(text)


def by_renaming(path: Path, text: str) -> None:
    beside = path.with_name("beside")
    beside.write_text(text)
    beside.replace(path)


def by_a_link_as_kubernetes_does(path: Path, text: str) -> None:
    folder = path.with_name(f"of-{text}")
    folder.mkdir()
    (folder / path.name).write_text(text)
    link = path.with_name("data-link")
    link.symlink_to(folder / path.name)
    link.replace(path)


@pytest.mark.parametrize("replace", [by_writing, by_renaming, by_a_link_as_kubernetes_does])
@pytest.mark.parametrize("age", [0, 3600])
def test_a_secret_file_that_is_replaced_counts_from_the_next_delivery(
    service: Service, replace: Any, age: int
) -> None:
    hook = service.folder / "hook"
    moment = hook.stat().st_mtime - age
    os.utime(hook, (moment, moment))
    assert [service.post(key=f"before-{n}").status_code for n in range(3)] == [202] * 3

    for number, secret in enumerate(("other", "third")):  # as long as the first one, so that the size tells nothing
        replace(hook, secret)
        assert service.post(secret="first", key=f"{number}-old").status_code == 401
        assert service.post(secret=secret, key=f"{number}-new").status_code == 202


def test_a_secret_that_cannot_be_read_is_503_until_it_can(service: Service) -> None:
    hook = service.folder / "hook"
    hook.rename(service.folder / "away")
    away = service.post()
    assert away.status_code == 503
    assert str(service.folder) not in message(away)

    hook.write_bytes(b"\xff\xfe")
    assert service.post().status_code == 503
    assert service.stored() == []

    (service.folder / "away").rename(hook)
    assert service.post().status_code == 202


@pytest.mark.parametrize("secrets", SECRETS[1:])
def test_a_secret_that_cannot_be_read_does_not_refuse_what_another_one_signed(service: Service) -> None:
    (service.folder / "hook").unlink()

    assert service.post(secret="second").status_code == 202
    assert service.post(secret="first").status_code == 503


def test_an_emptied_secret_file_trusts_nobody(service: Service) -> None:
    (service.folder / "hook").write_text("\n")

    assert service.post(secret="").status_code == 401


# ------------------------------------------------------------------------------- what is taken and kept


def test_a_delivery_is_stored_hinted_and_answered_202(service: Service) -> None:
    answer = service.post()

    assert (answer.status_code, message(answer)) == (202, "stored")
    assert service.stored() == [("d-1", "pull_request", False, "")]
    assert service.hints() == [(JobKind.ABSORB, "deliveries")]
    assert [each.body for each in service.store.unabsorbed()] == [BODY]


def test_an_unknown_event_is_202_and_recorded_as_ignored(service: Service) -> None:
    assert service.post(event="sponsorship").status_code == 202
    absorb_all(service.services)

    assert service.stored() == [("d-1", "sponsorship", True, "ignored: sponsorship: not used")]
    assert service.dirty() == 0


def test_a_form_is_taken_like_json(service: Service) -> None:
    form = urlencode({"payload": BODY.decode()}).encode()
    assert service.post(form, content_type=FORM).status_code == 202
    absorb_all(service.services)

    assert service.dirty() == 1
    assert "pull_request.synchronize" in service.stored()[0][3]


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", f"{FORM}; charset=utf-8"])
def test_a_content_types_case_and_parameters_do_not_matter(service: Service, kind: str) -> None:
    body = urlencode({"payload": BODY.decode()}).encode() if "form" in kind else BODY

    assert service.post(body, content_type=kind).status_code == 202


def test_the_same_delivery_again_is_stored_once_and_marks_its_change_dirty_again(service: Service) -> None:
    assert message(service.post()) == "stored"
    absorb_all(service.services)
    assert service.dirty() == 1

    again = service.post()
    assert (again.status_code, message(again)) == (202, "stored before; looked at again")
    assert (JobKind.ABSORB, "deliveries") in service.hints()
    absorb_all(service.services)
    assert (len(service.stored()), service.dirty()) == (1, 2)


def test_one_delivery_posted_by_many_at_once_is_new_to_one_of_them(service: Service) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: service.post(key=f"d-{n % 3}"), range(48)))

    assert {answer.status_code for answer in answers} == {202}
    assert sum(message(answer) == "stored" for answer in answers) == 3
    assert sorted(row[0] for row in service.stored()) == ["d-0", "d-1", "d-2"]


# --------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[" * 65 + b"]" * 65, "nested deeper than 64"),
        (b'{"a":' * 30_000, "nested deeper than 64"),
        (urlencode({"payload": "[" * 65}).encode(), "nested deeper than 64"),
    ],
)
def test_a_body_nested_too_deep_is_400_and_leaves_nothing(service: Service, body: bytes, words: str) -> None:
    answer = service.post(body, content_type=FORM if body.startswith(b"payload") else "application/json")

    assert answer.status_code == 400
    assert words in message(answer)
    assert service.stored() == []


@pytest.mark.parametrize(
    "more",
    [
        {"key": ""},
        {"key": "../../etc"},
        {"key": "x" * 101},
        {"event": ""},
        {"event": "Push It"},
        {"content_type": "text/xml"},
        {"content_type": FORM},
    ],
)
def test_signed_requests_that_are_not_githubs_are_400(service: Service, more: dict[str, str]) -> None:
    assert service.post(**more).status_code == 400
    assert service.stored() == []


def test_signed_bytes_that_are_no_json_are_kept_and_recorded_as_ignored(service: Service) -> None:
    assert service.post(b"\xff{not json").status_code == 202
    absorb_all(service.services)

    assert service.stored()[0][3].startswith("ignored: pull_request: the body is not the JSON")


@pytest.mark.parametrize("excess", [0, 1])
@pytest.mark.parametrize("told", [True, False])
def test_a_body_over_25_mb_is_413_whether_its_length_was_told_or_not(
    service: Service, excess: int, told: bool
) -> None:
    body = b'"' + b"x" * (MAX_BODY + excess - 2) + b'"'
    chunked = {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    answer = service.post(body) if told else service.post(body, data=None, environ_overrides=chunked)

    assert answer.status_code == (413 if excess else 202)
    assert len(service.stored()) == (0 if excess else 1)


# ------------------------------------------------------------------------------- down, alive, ready


def test_while_the_store_is_down_a_delivery_is_503_and_taken_when_it_is_back(service: Service) -> None:
    data, away = service.folder / "data", service.folder / "away"
    service.store.close()
    data.rename(away)
    data.touch()
    down = service.post()
    assert down.status_code == 503
    assert str(data) not in message(down)
    assert service.hints() == []
    assert service.client.get("/healthz").status_code == 200
    ready = service.client.get("/readyz")
    assert (ready.status_code, message(ready)[:7]) == (503, "store: ")

    data.unlink()
    away.rename(data)
    assert service.client.get("/readyz").status_code == 200
    assert service.post().status_code == 202


def test_what_stands_behind_is_told_when_ready(service: Service) -> None:
    assert message(service.client.get("/healthz")) == "alive"
    assert message(service.client.get("/readyz")).startswith("ready; queue: in this process")


@pytest.fixture
def asked_on() -> Iterator[dict[str, socket.socket]]:
    """The two sockets that gunicorn would have accepted a request on."""
    sockets = {}
    for name in ("webhooks", "pages"):
        sockets[name] = socket.socket()
        sockets[name].bind(("127.0.0.1", 0))
    yield sockets
    for each in sockets.values():
        each.close()


def test_with_another_artifact_key_it_is_not_ready_says_the_way_out_and_still_takes_webhooks(
    tmp_path: Path, asked_on: dict[str, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADGATE_REDIS", "none")
    ports = {name: each.getsockname()[1] for name, each in asked_on.items()}
    listen = f'listen: {{webhooks: "127.0.0.1:{ports["webhooks"]}", pages: "127.0.0.1:{ports["pages"]}"}}\n'
    path = settings(tmp_path, more=listen)
    client = Client(build(str(path)))

    def get(where: str, page: str) -> TestResponse:
        return client.get(page, environ_overrides={"gunicorn.socket": asked_on[where]})

    assert [get(where, "/readyz").status_code for where in asked_on] == [200, 200]
    key = tmp_path / "data" / "artifact.key"
    shutil.move(key, tmp_path / "key")
    client = Client(build(str(path)))  # a restart without the key makes another one
    for where, page in (("webhooks", "/readyz"), ("pages", "/readyz"), ("pages", "/"), ("pages", "/api/changes")):
        answer = get(where, page)
        assert answer.status_code == 503, (where, page)
        assert "Put that key back" in message(answer)
    assert [get(where, "/healthz").status_code for where in asked_on] == [200, 200]
    taken = post(client, environ_overrides={"gunicorn.socket": asked_on["webhooks"]})
    assert taken.status_code == 202

    shutil.move(tmp_path / "key", key)
    assert [get(where, "/readyz").status_code for where in asked_on] == [200, 200]
    assert get("pages", "/").status_code == 200


def test_a_store_that_is_exchanged_for_anothers_while_running_is_not_ready(
    tmp_path: Path, asked_on: dict[str, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADGATE_REDIS", "none")
    client = Client(build(str(settings(tmp_path))))
    on = {"gunicorn.socket": asked_on["webhooks"]}
    assert client.get("/readyz", environ_overrides=on).status_code == 200

    other = Wiring(tmp_path / "headgate-server.yaml").store()
    other.put_setting("artifact-key", "0" * 16)
    other.close()
    answer = client.get("/readyz", environ_overrides=on)
    assert answer.status_code == 503
    assert "is not the one this store was written with" in message(answer)
