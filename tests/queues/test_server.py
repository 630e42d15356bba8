"""A Redis of our own: private, alone on its files, as mortal as we are, and back when only it has died."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from bot.core.errors import ConfigError
from bot.queues.server import SOCKET_LIMIT, OwnServer, connect, embedded_server, find_server

OWNER = """
import sys, threading
from pathlib import Path
from bot.queues.server import OwnServer
server = OwnServer(sys.argv[1], Path(sys.argv[2]))
server.start()
print(server.pid, flush=True)
threading.Event().wait()
"""


def _owner(program: str, data: Path) -> tuple[subprocess.Popen[bytes], int]:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, program, str(data)], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    return owner, int(owner.stdout.readline())


def test_only_we_can_reach_it(server: OwnServer) -> None:
    assert stat.S_IMODE(server.socket.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(server.socket.stat().st_mode) == 0o600
    assert psutil.Process(server.pid).net_connections("inet") == []


def test_what_it_holds_is_on_disk(server: OwnServer) -> None:
    assert connect(server.url).config_get("appendonly") == {"appendonly": "yes"}


def test_one_that_is_killed_is_started_again_at_the_same_place(server: OwnServer, until: Callable[..., None]) -> None:
    first = server.pid
    os.kill(first, signal.SIGKILL)

    until(lambda: server.pid not in (0, first))
    until(lambda: bool(connect(server.url).ping()))


def test_a_socket_that_was_left_behind_does_not_matter(program: str, tmp_path: Path) -> None:
    server = OwnServer(program, tmp_path)
    server.socket.write_text("left behind")
    server.start()
    try:
        assert connect(server.url).ping()
    finally:
        server.stop()


def test_stopping_leaves_no_process(program: str, tmp_path: Path) -> None:
    server = OwnServer(program, tmp_path)
    server.start()
    pid = server.pid

    server.stop()

    assert not psutil.pid_exists(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_it_dies_with_us_and_a_successor_works_on_the_same_files(
    program: str, tmp_path: Path, until: Callable[..., None]
) -> None:
    owner, pid = _owner(program, tmp_path)
    owner.kill()
    owner.wait()
    successor = OwnServer(program, tmp_path)  # at once: its predecessor may still be dying
    successor.start()
    try:
        until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
        assert successor.pid != pid
        assert connect(successor.url).ping()
    finally:
        successor.stop()


def test_a_second_one_keeps_its_hands_off_the_files_of_a_living_one(
    server: OwnServer, program: str, tmp_path: Path
) -> None:
    connect(server.url).set("a", "1")

    with pytest.raises(RuntimeError, match="another redis"):
        OwnServer(program, tmp_path).start()

    assert connect(server.url).get("a") == b"1"


def test_a_damaged_file_is_set_aside_because_it_holds_only_hints(program: str, tmp_path: Path) -> None:
    first = OwnServer(program, tmp_path)
    first.start()
    connect(first.url).set("a", "1" * 100)
    first.stop()
    damaged = [path for path in (tmp_path / "redis").rglob("*") if path.is_file() and ".aof" in path.name]
    assert damaged
    for path in damaged:
        path.write_bytes(b"*9\r\n$not redis at all\r\n" * 50)

    second = OwnServer(program, tmp_path)
    second.start()
    try:
        assert connect(second.url).get("a") is None
        assert list((tmp_path / "redis").glob("*.damaged"))
    finally:
        second.stop()


def test_a_program_that_cannot_be_run_is_an_error_with_its_reason(tmp_path: Path) -> None:
    program = tmp_path / "redis-server"
    program.write_text("not a program")
    program.chmod(0o755)

    with pytest.raises(RuntimeError, match="cannot be run"):
        OwnServer(str(program), tmp_path / "data").start()


def test_a_program_that_ends_at_once_is_an_error(tmp_path: Path) -> None:
    false = shutil.which("false")
    assert false is not None

    with pytest.raises(RuntimeError, match="did not start"):
        OwnServer(false, tmp_path).start()


def test_a_deep_data_directory_gets_a_short_socket_elsewhere(program: str, tmp_path: Path) -> None:
    server = OwnServer(program, tmp_path / ("d" * 60) / ("e" * 60))
    server.start()
    try:
        assert len(str(server.socket)) < SOCKET_LIMIT
        assert connect(server.url).ping()
    finally:
        server.stop()
    assert not server.socket.parent.exists()


def test_a_server_on_the_path_is_preferred_to_the_embedded_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_server()[0] == embedded_server()

    for name in ("redis-server", "valkey-server"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
        path, words = find_server()
        assert path == str(tmp_path / name)
        assert name in words


@pytest.mark.parametrize("url", ["redis://:hunter2#x@host:6379/0", "redis://:hunter2:b@host:port", "hunter2"])
def test_a_url_that_cannot_be_read_is_refused_without_repeating_its_password(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        connect(url)

    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
