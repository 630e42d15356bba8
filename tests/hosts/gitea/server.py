"""A real Gitea of our own on the loopback, with SQLite in a folder; and people who do things on it."""

from __future__ import annotations

import base64
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

CONFIG = """\
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
APP_NAME = Git
RUN_MODE = prod
WORK_PATH = {work}
[server]
PROTOCOL = http
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = http://127.0.0.1:{port}/
LOCAL_ROOT_URL = http://127.0.0.1:{port}/
STATIC_ROOT_PATH = {static}
OFFLINE_MODE = true
DISABLE_SSH = true
LFS_START_SERVER = false
[database]
DB_TYPE = sqlite3
PATH = {work}/gitea.db
SQLITE_JOURNAL_MODE = WAL
[security]
INSTALL_LOCK = true
SECRET_KEY = {secret}
INTERNAL_TOKEN = {internal}
PASSWORD_HASH_ALGO = pbkdf2$1$16
MIN_PASSWORD_LENGTH = 1
PASSWORD_CHECK_PWN = false
[oauth2]
ENABLED = false
[service]
DISABLE_REGISTRATION = true
ENABLE_NOTIFY_MAIL = false
[webhook]
ALLOWED_HOST_LIST = loopback
DELIVER_TIMEOUT = 10
[indexer]
ISSUE_INDEXER_TYPE = db
[queue]
TYPE = channel
[cron]
ENABLED = false
[actions]
ENABLED = false
[packages]
ENABLED = false
[federation]
ENABLED = false
[picture]
DISABLE_GRAVATAR = true
[session]
PROVIDER = memory
[log]
MODE = file
LEVEL = Warn
ROOT_PATH = {work}/log
"""
STARTS_IN = 90.0
PASSWORD = "a"
WITH_US = '"$@" & server=$!; cat > /dev/null; kill $server; wait $server'
"""Runs a command until its own standard input ends, which it does with us, however we end."""
ADMIN = "root-admin"


class Server:
    """A running Gitea, and its administrator's view of it."""

    def __init__(self, url: str, token: str, work: Path) -> None:
        self.url = url
        self.work = work
        self._token = token
        self._session = requests.Session()
        self._tokens: dict[str, str] = {}

    def call(self, verb: str, path: str, body: Any = None, *, by: str = "", expect: int = 0) -> Any:
        """A call of the API as somebody; the answer's JSON."""
        answer = self.ask(verb, path, body, by=by)
        fine = answer.status_code == expect if expect else answer.ok
        assert fine, f"{verb} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content and "json" in answer.headers.get("Content-Type", "") else None

    def ask(self, verb: str, path: str, body: Any = None, *, by: str = "") -> requests.Response:
        """A call of the API as somebody, whatever comes of it."""
        headers = {"Authorization": f"token {self._token}", **({"Sudo": by} if by else {})}
        return self._session.request(verb, f"{self.url}/api/v1{path}", json=body, headers=headers, timeout=30)

    def token(self, login: str) -> str:
        """Somebody's token; the account is made when there is none yet."""
        if login not in self._tokens:
            person = {"username": login, "email": f"{login}@example.com", "password": PASSWORD}
            self.call("POST", "/admin/users", {**person, "must_change_password": False, "visibility": "public"})
            wanted = {"name": "tests", "scopes": ["all"]}
            made = self._session.post(
                f"{self.url}/api/v1/users/{login}/tokens", json=wanted, auth=(login, PASSWORD), timeout=30
            )
            self._tokens[login] = made.json()["sha1"]
        return self._tokens[login]


def settled(wanted: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Whether it comes true within so many seconds: the server works some things off behind the answer."""
    end = time.monotonic() + seconds
    while not wanted():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@contextmanager
def running(folder: Path, work: Path) -> Iterator[Server]:
    """A server from a built folder, working in another one; ended with the block."""
    config, port = _configured(folder, work)
    words = [str(folder / "gitea"), "--config", str(config), "--work-path", str(work)]
    home = {**_clean(), "HOME": str(work), "GITEA_WORK_DIR": str(work)}
    _made(words, home, ["migrate"])
    person = ["--username", ADMIN, "--password", PASSWORD, "--email", "root@example.com", "--admin"]
    told = _made(words, home, ["admin", "user", "create", *person, "--must-change-password=false", "--access-token"])
    token = told.rpartition("token was successfully created... ")[2].split()[0]
    with (work / "out").open("wb") as out:
        process = subprocess.Popen(
            ["sh", "-c", WITH_US, "sh", *words, "web"], env=home, stdin=subprocess.PIPE, stdout=out, stderr=out
        )
    try:
        url = f"http://127.0.0.1:{port}"
        assert settled(lambda: _answers(url), STARTS_IN), (work / "out").read_text()[-2000:]
        yield Server(url, token, work)
    finally:
        process.communicate(timeout=20)


def _configured(folder: Path, work: Path) -> tuple[Path, int]:
    work.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = work / "app.ini"
    internal = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    config.write_text(
        CONFIG.format(work=work, port=port, static=folder / "static", secret=secrets.token_hex(32), internal=internal)
    )
    return config, port


def _clean() -> dict[str, str]:
    kept = ("PATH", "LANG", "TMPDIR", "TZ")
    return {name: os.environ[name] for name in kept if name in os.environ}


def _made(words: list[str], env: dict[str, str], more: list[str]) -> str:
    done = subprocess.run([*words, *more], env=env, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/api/v1/version", timeout=5).ok
    except requests.RequestException:
        return False
