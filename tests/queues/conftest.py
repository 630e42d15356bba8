"""A Redis of our own for each test, wherever a server can be had."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.queues.server import OwnServer, find_server


@pytest.fixture
def until() -> Callable[..., None]:
    """Waits for a condition, with a deadline."""

    def wait(holds: Callable[[], bool], seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, "it did not come true in time"
            threading.Event().wait(0.01)

    return wait


@pytest.fixture
def program() -> str:
    path, _ = find_server()
    if not path:
        pytest.skip("no redis server here: neither on PATH (package redis-server) nor the extra 'embedded'")
    return path


@pytest.fixture
def server(program: str, tmp_path: Path) -> Iterator[OwnServer]:
    server = OwnServer(program, tmp_path)
    server.start()
    yield server
    server.stop()
