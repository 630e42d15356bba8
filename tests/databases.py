"""One private PostgreSQL server, for the tests that want a real one."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

PLACES = ("/usr/local/bin", *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)))


def _program(name: str) -> str:
    found = shutil.which(name, path=os.pathsep.join((*PLACES, os.environ.get("PATH", ""))))
    if found is None:
        pytest.skip(f"no PostgreSQL server here: {name} is missing (package postgresql)")
    return found


def _as_server_user(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root: hand the folder over and prefix the commands."""
    if os.geteuid() != 0:
        return []
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        user = pwd.getpwnam("nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]


@contextmanager
def server() -> Iterator[str]:
    """The socket folder of a server of our own. Skips the test where none is installed."""
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    folder = Path(tempfile.mkdtemp(prefix="hgpg"))  # short: a socket's path may have 107 characters
    prefix, data = _as_server_user(folder), folder / "data"
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(folder)}
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off -c deadlock_timeout=100ms"
    start = [*prefix, pg_ctl, "-D", str(data), "-l", str(folder / "log"), "-w", "-o", options, "start"]
    try:
        for command in (
            [*prefix, initdb, "-D", str(data), "-A", "trust", "-U", "headgate", "-N", "-E", "UTF8"],
            start,
        ):
            subprocess.run(command, env=env, cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=60)
        yield str(folder)
    finally:
        stop = [*prefix, pg_ctl, "-D", str(data), "-m", "immediate", "stop"]
        subprocess.run(stop, env=env, cwd=folder, check=False, capture_output=True, timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


def create_database(folder: str, name: str, template: str) -> None:
    """A new database of the server at ``folder``."""
    with psycopg.connect(host=folder, user="headgate", dbname="postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
