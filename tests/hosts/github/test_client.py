"""Limits, lost connections, refusals: in the port's words, without sleeping, and without a secret in them."""

from __future__ import annotations

import json
import logging
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bot.core.errors import ConfigError, HostBusy, HostDenied, HostError, HostGone, HostUnclear, Problem
from bot.core.model import ChangeRef, RepoRef
from bot.hosts.answers import words
from bot.hosts.github.account import Account
from bot.hosts.github.client import Client, kind_of
from bot.hosts.github.host import GitHub
from bot.hosts.github.settings import GitHubSettings
from bot.hosts.github.translating import pause
from bot.ports import MergeOutcome

TOKEN = "ghp_canaryCanaryCanary"
REPO = RepoRef("gh", "acme/infra")


@dataclass
class Stage:
    """A host that answers what it is told to: status, headers, body; the last answer again and again."""

    url: str
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def say(self, status: int, body: str = "{}", **headers: str) -> None:
        self.answers.append(
            (status, {name.replace("_", "-"): value for name, value in headers.items()}, body.encode())
        )

    @property
    def host(self) -> GitHub:
        return GitHub(GitHubSettings("gh", lambda: TOKEN, api_url=self.url))

    @property
    def account(self) -> Account:
        return Account(GitHubSettings("gh", lambda: TOKEN, api_url=self.url))

    @property
    def client(self) -> Client:
        return self.account.client("")


@pytest.fixture
def stage() -> Iterator[Stage]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            made.asked.append((self.command, self.path, body))
            status, headers, text = made.answers.pop(0) if len(made.answers) > 1 else made.answers[0]
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made = Stage(f"http://127.0.0.1:{server.server_port}/api/v3")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


# --------------------------------------------------------------------------------------------- limits


@pytest.mark.parametrize("status", [403, 429])
def test_a_secondary_limit_is_busy_for_as_long_as_the_host_says(stage: Stage, status: int) -> None:
    stage.say(status, '{"message": "You have exceeded a secondary rate limit."}', Retry_After="37")
    client = stage.client
    with pytest.raises(HostBusy) as caught:
        client.get("/user")
    assert caught.value.retry_after == 37
    with pytest.raises(HostBusy, match="asked us to wait"):
        client.write("POST", "/x", {})
    assert len(stage.asked) == 1


def test_the_primary_limit_is_busy_until_it_is_reset(stage: Stage) -> None:
    reset = str(int(time.time()) + 600)
    stage.say(403, "{}", X_RateLimit_Remaining="0", X_RateLimit_Reset=reset, X_RateLimit_Limit="5000")
    client = stage.client
    with pytest.raises(HostBusy) as caught:
        client.get("/user")
    assert 590 <= caught.value.retry_after <= 600
    assert (client.budget().remaining, client.budget().limit) == (0, 5000)


def test_a_limit_without_a_time_is_a_minute() -> None:
    assert pause(429, {}, "") == 60
    assert pause(403, {}, "You have triggered an abuse ... secondary rate limit") == 60
    assert pause(403, {}, "Resource not accessible by integration") is None
    assert pause(403, {"retry-after": "999999"}, "") == 3600
    assert pause(403, {"retry-after": "²"}, "") is None
    assert pause(404, {"retry-after": "5"}, "") is None


# ------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("status", "read", "written"),
    [
        (401, HostDenied, HostDenied),
        (403, HostDenied, HostDenied),
        (404, HostGone, HostGone),
        (410, HostGone, HostGone),
        (422, HostDenied, HostDenied),
        (500, HostBusy, HostUnclear),
        (502, HostBusy, HostUnclear),
        (503, HostBusy, HostUnclear),
        (0, HostBusy, HostUnclear),
        (302, HostDenied, HostDenied),
    ],
)
def test_an_answer_tells_the_caller_what_to_do(
    stage: Stage, status: int, read: type[HostError], written: type[HostError]
) -> None:
    stage.say(status, '{"message": "No."}')
    with pytest.raises(read) as reading:
        stage.client.get("/repos/acme/infra")
    with pytest.raises(written) as writing:
        stage.client.write("POST", "/repos/acme/infra/statuses/x", {"a": 1})
    assert TOKEN not in f"{reading.value!r} {writing.value!r}"
    assert len(stage.asked) == 2


def test_a_host_that_is_not_there_is_busy_to_read_and_unclear_to_write() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/api/v3"
        account = Account(GitHubSettings("gh", lambda: TOKEN, api_url=url))
        with pytest.raises(HostBusy):
            account.own_login()
        with pytest.raises(HostUnclear):
            account.client("").write("POST", "/x", {})


@pytest.mark.parametrize("body", ["", "null", "[]", "<html>", '"x"', "[" * 100_000])
def test_an_answer_that_is_no_object_is_busy_and_no_crash(stage: Stage, body: str) -> None:
    stage.say(200, body)
    with pytest.raises(HostBusy):
        stage.client.get("/user")
    if body != "[]":
        with pytest.raises(HostBusy):
            stage.client.all("/repos/acme/infra/pulls", 10)


def test_a_write_that_names_nothing_it_made_is_unclear(stage: Stage) -> None:
    stage.say(201, "{}")
    with pytest.raises(HostUnclear):
        stage.host.put_comment(ChangeRef(REPO, 1), "", "x")


def test_a_redirect_to_another_host_is_refused_and_gets_no_token(stage: Stage) -> None:
    stage.say(301, "{}", Location="http://evil.example.com/api/v3/user")
    with pytest.raises(HostDenied, match="address is wrong"):
        stage.client.get("/user")
    assert len(stage.asked) == 1


def test_the_next_page_is_taken_from_the_configured_host_whatever_the_link_says(stage: Stage) -> None:
    stage.say(200, '[{"n": 1}]', Link='<http://evil.example.com/api/v3/repositories/1/pulls?page=2>; rel="next"')
    stage.say(200, '[{"n": 2}]')
    assert stage.client.all("/repos/acme/infra/pulls", 10) == ([{"n": 1}, {"n": 2}], True)
    assert [path for _, path, _ in stage.asked] == [
        "/api/v3/repos/acme/infra/pulls?per_page=100",
        "/api/v3/repositories/1/pulls?page=2",
    ]


def test_a_list_is_cut_at_its_limit_and_says_so(stage: Stage) -> None:
    stage.say(200, '[{"n": 1}, {"n": 2}]', Link='</api/v3/x?page=2>; rel="next"')
    stage.say(200, '[{"n": 3}]', Link='</api/v3/x?page=3>; rel="next"')
    assert stage.client.all("/x", 2) == ([{"n": 1}, {"n": 2}], False)
    assert len(stage.asked) == 2


def test_a_list_that_links_to_itself_ends(stage: Stage) -> None:
    stage.say(200, '[{"n": 1}]', Link='</api/v3/x?per_page=100>; rel="next"')
    assert stage.client.all("/x", 10) == ([{"n": 1}], True)


# --------------------------------------------------------------------------------------------- ETags


def test_an_unchanged_answer_is_remembered_and_counted_apart(stage: Stage) -> None:
    stage.say(200, '{"login": "hg"}', ETag='"1"')
    stage.say(304, "", ETag='"1"')
    client = stage.client
    assert client.get("/user") == client.get("/user") == {"login": "hg"}
    assert client.calls() == {("GET", "user"): 1, ("304", "user"): 1}


def test_a_full_last_page_is_never_taken_from_memory(stage: Stage) -> None:
    stage.say(200, f"[{', '.join(['{}'] * 100)}]", ETag='"1"')
    client = stage.client
    client.all("/x", 1000)
    client.all("/x", 1000)
    assert client._etags.get("/x?per_page=100") is None


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/repos/acme/pulls/pulls/7", "pulls"),
        ("/repos/acme/infra/pulls/7/reviews?per_page=100", "reviews"),
        ("/repos/acme/infra/collaborators/dee/permission", "permission"),
        ("/repos/acme/infra", "repository"),
        ("/repositories/17/issues/3/comments?page=2", "comments"),
        ("/app/installations/3/access_tokens", "access_tokens"),
        ("/rate_limit", "other"),
    ],
)
def test_a_call_is_counted_by_its_kind(path: str, kind: str) -> None:
    assert kind_of(path) == kind


# -------------------------------------------------------------------------------------------- secrets


def test_no_token_is_logged_or_raised_whatever_is_logged(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.say(401, '{"message": "Bad credentials"}')
    with caplog.at_level(logging.DEBUG), pytest.raises(HostDenied) as caught:
        stage.client.get("/user")
    assert TOKEN not in caplog.text + repr(caught.value) + str(caught.getrepr())


def test_a_token_is_read_anew_for_every_call(stage: Stage) -> None:
    stage.say(200, '{"login": "hg"}')
    given = ["one", "two"]
    host = GitHub(GitHubSettings("gh", lambda: given.pop(0), api_url=stage.url))
    assert host.git_credentials(REPO) == ("x-access-token", "one")
    assert host.git_credentials(REPO) == ("x-access-token", "two")


def test_a_secret_that_cannot_be_read_is_denied_by_its_place() -> None:
    def unreadable() -> str:
        raise ConfigError((Problem("/run/secrets/github", 0, "", "this secret cannot be read"),))

    with pytest.raises(HostDenied, match="/run/secrets/github"):
        GitHub(GitHubSettings("gh", unreadable, api_url="http://127.0.0.1:9/api/v3")).own_login()
    with pytest.raises(HostDenied, match="neither a token nor an App"):
        GitHub(GitHubSettings("gh", None, api_url="http://127.0.0.1:9/api/v3")).own_login()


@pytest.mark.parametrize("token", ["two\nlines", "käse\u2603", " "])
def test_a_token_that_is_no_header_does_not_show_in_the_error(stage: Stage, token: str) -> None:
    stage.say(200)
    host = GitHub(GitHubSettings("gh", lambda: token, api_url=stage.url))
    with pytest.raises(HostError) as caught:
        host.own_login()
    assert "two" not in str(caught.value)
    assert "käse" not in str(caught.value)


def test_the_hosts_words_come_on_one_printable_line() -> None:
    errors = '[{"message": "too long"}, "odd", {"code": "custom"}]'
    body = '{"message": "Validation\\nFailed\\u001b[31m", "errors": ' + errors + "}"
    assert words(body) == "Validation Failed [31m; too long; odd; custom"
    assert words("[]") == words("<html>") == words(None) == ""


# -------------------------------------------------------------------------------------------- threads


def test_threads_do_not_get_each_others_answers(plain: Any) -> None:
    host = plain.host()
    pulls = [plain.pull(f"branch-{number}") for number in range(4)]
    seen: list[tuple[int, int]] = []

    def read(pull: Any) -> None:
        for _ in range(10):
            facts = host.change(plain.ref(pull), known=None, checks=False)
            seen.append((pull.number, facts.change.ref.number if facts.change.head_sha == pull.head_sha else -1))

    threads = [threading.Thread(target=read, args=(pull,)) for pull in pulls for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(seen) == 80
    assert all(wanted == got for wanted, got in seen)


# ---------------------------------------------------------------------------------------------- merge


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("Pull Request is not mergeable", MergeOutcome.NOT_MERGEABLE),
        ("", MergeOutcome.NOT_MERGEABLE),
        ("Base branch was modified. Review and try the merge again.", HostBusy),
        ("Merge already in progress", HostBusy),
        ('Required status check "headgate/gate" is expected.', HostDenied),
        ("Squash merges are not allowed on this repository.", HostDenied),
    ],
)
def test_a_refused_merge_is_an_outcome_a_passing_state_or_a_rule(stage: Stage, said: str, outcome: Any) -> None:
    stage.say(405, f'{{"message": {json.dumps(said)}}}')
    if isinstance(outcome, MergeOutcome):
        assert stage.host.merge(ChangeRef(REPO, 1), "a" * 40, "merge", "T") is outcome
        return
    with pytest.raises(outcome, match=re.escape(said)):
        stage.host.merge(ChangeRef(REPO, 1), "a" * 40, "merge", "T")
