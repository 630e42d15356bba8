"""Limits, lost connections, refusals, and hostile answers: in the port's words, without a secret in them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bot.core.errors import ConfigError, HostBusy, HostDenied, HostError, HostGone, HostUnclear, Problem
from bot.core.rules import HostSettings
from bot.hosts import answers
from bot.hosts.gitea import client as module
from bot.hosts.gitea.client import Client, kind_of
from bot.hosts.gitea.settings import from_operator

TOKEN = "canaryCanaryCanary"


@dataclass
class Answering:
    """A server that answers what it is told to; the last answer again and again."""

    url: str
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def say(self, status: int, body: str | bytes = "{}", **headers: str) -> None:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.append((status, told, body.encode() if isinstance(body, str) else body))

    @property
    def client(self) -> Client:
        return Client(self.url, lambda: TOKEN)


@pytest.fixture
def server() -> Iterator[Answering]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            made.asked.append((self.command, self.path, self.headers.get("Authorization", "")))
            status, headers, text = made.answers.pop(0) if len(made.answers) > 1 else made.answers[0]
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in {"Content-Length": str(len(text)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = answer  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    made = Answering(f"http://127.0.0.1:{http.server_port}")
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield made
    http.shutdown()
    http.server_close()


@pytest.mark.parametrize(
    ("status", "read", "written"),
    [
        (401, HostDenied, HostDenied),
        (403, HostDenied, HostDenied),
        (404, HostGone, HostGone),
        (422, HostDenied, HostDenied),
        (423, HostDenied, HostDenied),
        (429, HostBusy, HostBusy),
        (500, HostBusy, HostUnclear),
        (503, HostBusy, HostUnclear),
        (0, HostBusy, HostUnclear),
        (302, HostDenied, HostDenied),
    ],
)
def test_every_failure_has_one_meaning(server: Any, status: int, read: type[HostError], written: Any) -> None:
    server.say(status, '{"message": "told so"}')
    with pytest.raises(read) as caught:
        server.client.get("/repos/acme/infra")
    assert TOKEN not in str(caught.value)
    assert "told so" in str(caught.value) or status in (0, 302)
    with pytest.raises(written):
        server.client.write("POST", "/repos/acme/infra/hooks", {})


def test_a_limit_of_a_proxy_is_kept_to(server: Any) -> None:
    server.say(429, "slow down", Retry_After="37")
    client = server.client
    with pytest.raises(HostBusy) as caught:
        client.get("/user")
    assert caught.value.retry_after == 37
    with pytest.raises(HostBusy, match="asked us to wait"):
        client.get("/user")
    assert len(server.asked) == 1


def test_no_redirection_leaves_the_server_or_its_api(server: Any) -> None:
    for target in (
        "http://127.0.0.2:1/api/v1/user",
        f"{server.url}/user/login",
        f"{server.url}.evil/api/v1/user",
        "http://[",
        "//",
    ):
        server.answers.clear()
        server.asked.clear()
        server.say(301, Location=target)
        with pytest.raises(HostDenied, match="moved"):
            server.client.get("/user")
        assert len(server.asked) == 1


def test_a_read_goes_after_what_was_renamed_and_a_write_does_not(server: Any) -> None:
    server.say(301, Location="/api/v1/repos/acme/new")
    server.say(200, '{"id": 1}')
    assert server.client.get("/repos/acme/old") == {"id": 1}
    assert [path for _, path, _ in server.asked] == ["/api/v1/repos/acme/old", "/api/v1/repos/acme/new"]
    server.say(301, Location="/api/v1/repos/acme/new/hooks")
    server.answers.pop(0)
    with pytest.raises(HostDenied):
        server.client.write("POST", "/repos/acme/old/hooks", {})


def test_renames_without_an_end_are_given_up(server: Any) -> None:
    for n in range(20):
        server.say(301, Location=f"/api/v1/{n}")
    with pytest.raises(HostDenied):
        server.client.get("/user")
    assert len(server.asked) == module.REDIRECTIONS + 1


def test_an_answer_without_an_end_is_not_read_to_it(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MOST_BYTES", 1000)
    server.say(200, "[" + "0," * 1000 + "0]")
    with pytest.raises(HostDenied, match="longer"):
        server.client.whole("/x")
    server.say(301, "x" * 2000, Location="/api/v1/y")
    server.answers.pop(0)
    with pytest.raises(HostDenied, match="longer"):
        server.client.whole("/x")


@pytest.mark.parametrize("body", ["", "null", "[1]", '"x"', "<html>", "[" * 5000, b"\xff"])
def test_what_is_no_object_is_asked_for_again_later(server: Any, body: str | bytes) -> None:
    server.say(200, body)
    with pytest.raises(HostBusy):
        server.client.get("/user")


def test_a_netrc_puts_no_other_account_in_place_of_ours(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login other password other\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    server.say(200, '{"login": "us"}')
    server.client.get("/user")
    assert [signed for _, _, signed in server.asked] == [f"token {TOKEN}"]


@pytest.mark.parametrize("token", ["", " ", "a\nb", "é"])
def test_what_is_no_token_is_never_sent(server: Any, token: str) -> None:
    server.say(200)
    with pytest.raises(HostDenied, match="no token"):
        Client(server.url, lambda: token).get("/user")
    with pytest.raises(HostDenied, match="no token"):
        Client(server.url, None).get("/user")
    assert server.asked == []


def test_a_token_that_cannot_be_read_is_denied_in_words(server: Any) -> None:
    def unreadable() -> str:
        raise ConfigError((Problem("", 0, "", "token_file cannot be read"),))

    with pytest.raises(HostDenied, match="cannot be read"):
        Client(server.url, unreadable).get("/user")


def test_a_page_of_nothing_does_not_end_a_list_that_has_more(server: Any) -> None:
    server.say(200, "null", X_Total_Count="51")
    server.say(200, '[{"id": 51}]', X_Total_Count="51")
    server.say(200, "[]", X_Total_Count="51")
    assert server.client.all("/x", 100) == ([{"id": 51}], True)


def test_a_list_is_cut_where_it_is_said_and_tells_so(server: Any) -> None:
    server.say(200, '[{"id": 1}, {"id": 2}, {"id": 3}]')
    assert server.client.all("/x", 2) == ([{"id": 1}, {"id": 2}], False)


def test_calls_are_counted_by_what_they_are_about() -> None:
    kinds = {
        "/user": "user",
        "/repos/a/b": "repository",
        "/repos/a/b/pulls/1/reviews?page=1": "reviews",
        "/repos/a/pulls/statuses/x": "statuses",
        "/x": "other",
    }
    assert {path: kind_of(path) for path in kinds} == kinds


def test_a_server_without_an_address_is_a_mistake_of_the_settings() -> None:
    with pytest.raises(ConfigError, match=r"hosts\.git\.url"):
        from_operator(HostSettings("git", "gitea"), lambda ref: "", "main")
    made = from_operator(HostSettings("git", "gitea", "https://git.example.com/x/api/v1/"), lambda ref: "", "main")
    assert made.url == "https://git.example.com/x"
