"""Running git: credentials reach the remote and nothing else does; nothing of our own environment reaches git."""

from __future__ import annotations

import base64
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from bot.core.errors import HostBusy, HostDenied, HostError, HostGone
from bot.forge import Forge
from bot.mirror.git import GitMirror

TOKEN = "ghs_verysecrettoken0123456789"
BASIC = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()


@dataclass
class Remote:
    """An HTTP server that git asks, and what could be seen of git on this machine while it asked."""

    status: int = 500
    location: str = ""
    port: int = 0
    authorizations: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    command_lines: list[str] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)


@pytest.fixture
def remote() -> Iterator[Remote]:
    found = Remote()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.authorizations.append(self.headers.get("Authorization", ""))
            found.paths.append(self.path)
            for process in psutil.Process().children(recursive=True):
                found.command_lines.append(" ".join(process.cmdline()))
                found.variables.append(repr(process.environ()))
            self.send_response(found.status)
            if found.location:
                self.send_header("Location", found.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


def asking(remote: Remote, place: Path, name: str = "infra") -> GitMirror:
    url = f"http://127.0.0.1:{remote.port}/acme/{name}.git"
    return GitMirror(place / "m" / "one.git", url, lambda: ("x-access-token", TOKEN))


def everything_written(folder: Path) -> str:
    return "".join(path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("status", "error"), [(401, HostDenied), (403, HostDenied), (404, HostGone), (500, HostBusy)]
)
def test_the_remote_gets_the_credentials_and_no_command_line_variable_file_or_error_holds_them(
    remote: Remote, tmp_path: Path, status: int, error: type[HostError]
) -> None:
    remote.status = status
    with pytest.raises(error) as caught:
        asking(remote, tmp_path).branch_head("main")

    assert set(remote.authorizations) == {f"Basic {BASIC}"}
    assert any("fetch" in line for line in remote.command_lines)
    hidden = (*remote.command_lines, *remote.variables) if sys.platform == "linux" else remote.command_lines
    for seen in (*hidden, everything_written(tmp_path), repr(caught.value), str(caught.value)):
        assert TOKEN not in seen and BASIC not in seen


def test_a_number_in_the_address_is_not_the_hosts_refusal(remote: Remote, tmp_path: Path) -> None:
    with pytest.raises(HostBusy):
        asking(remote, tmp_path, "infra-401-403").branch_head("main")


@pytest.mark.parametrize("status", [301, 302, 307])
def test_credentials_follow_no_redirect(remote: Remote, tmp_path: Path, status: int) -> None:
    remote.status, remote.location = status, f"http://localhost:{remote.port}/elsewhere/info/refs"
    with pytest.raises(HostDenied, match="somewhere else now"):
        asking(remote, tmp_path).branch_head("main")

    assert remote.paths == ["/acme/infra.git/info/refs?service=git-upload-pack"]


def test_a_private_repository_is_fetched_with_credentials_and_not_without(tmp_path: Path, calls: Any) -> None:
    forge = Forge(tmp_path / "git")
    forge.start()
    try:
        token = forge.add_user("acme-bot")
        forge.add_org("acme")
        repo = forge.create_repo("acme/infra", files={"f": "x"}, permissions={"acme-bot": "read"})
        url = repo.clone_url
        mirror = GitMirror(tmp_path / "m" / "one.git", url, lambda: ("x-access-token", token))
        sha = mirror.branch_head("main")
        assert mirror.source(sha).read("f") == b"x"
        mirror.close()
        with pytest.raises(HostError):
            GitMirror(tmp_path / "m" / "two.git", url, lambda: None).branch_head("main")
        assert calls.of("fetch") and not [line for line in calls.said() if token in line]
    finally:
        forge.stop()


def test_nothing_of_our_own_environment_or_configuration_reaches_git(
    origin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha = origin.commit({"f": "x"}, branch="main")
    elsewhere = origin.commit({"f": "other"}, branch="elsewhere")
    ran = tmp_path / "ran"
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".gitconfig").write_text(f'[url "{origin.place}"]\n\tinsteadOf = https://example.com/\n[core]\n'
                                         f'\tfsmonitor = "touch {ran}"\n')  # fmt: skip
    for name, value in {
        "GIT_DIR": str(tmp_path / "nowhere"),
        "GIT_INDEX_FILE": "/dev/null",
        "GIT_EXTERNAL_DIFF": f"touch {ran}",
        "GIT_CONFIG_PARAMETERS": f"'alias.fetch=!touch {ran}'",
        "GIT_TRACE": str(tmp_path / "trace"),
    }.items():
        monkeypatch.setenv(name, value)
    mirror = GitMirror(tmp_path / "m" / "one.git", str(origin.place), lambda: None)
    mirror.fetch((sha, elsewhere), branch="main")

    assert mirror.changed_paths(sha, elsewhere) == ("f",)
    assert not ran.exists() and not (tmp_path / "trace").exists()
    mirror.close()


@pytest.mark.parametrize(
    "url", ["ext::sh -c 'touch {ran}'", "file://{origin}", "ssh://127.0.0.1:1/x", "git://127.0.0.1:1/x"]
)
def test_only_http_and_a_checkout_of_ones_own_are_spoken_to(origin: Any, tmp_path: Path, url: str) -> None:
    """``file:`` is a checkout of one's own when it is the remote itself, never by way of anything else."""
    origin.commit({"f": "x"}, branch="main")
    ran = tmp_path / "ran"
    mirror = GitMirror(tmp_path / "m" / "one.git", url.format(ran=ran, origin=origin.place), lambda: None)
    if url.startswith("file:"):
        assert mirror.branch_head("main")
        return
    with pytest.raises(HostError, match="not allowed"):
        mirror.branch_head("main")

    assert not ran.exists()


def test_a_command_that_takes_too_long_is_ended_and_tried_again_later(origin: Any, tmp_path: Path) -> None:
    origin.commit({"f": "x"}, branch="main")
    mirror = GitMirror(tmp_path / "m" / "one.git", str(origin.place), lambda: None, timeout=0.0001)
    with pytest.raises(HostBusy, match="took longer"):
        mirror.branch_head("main")
