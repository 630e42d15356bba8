"""The real server as fixtures; one per test process, skipped with the reason where it cannot be had."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from hosts.gitea.building import CannotBuild, built
from hosts.gitea.ground import Catcher, Ground
from hosts.gitea.server import Server, running
from hosts.gitea.swagger import judge_of, problems


@pytest.fixture(scope="session")
def gitea_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running Gitea."""
    try:
        folder = built(now=False)
    except CannotBuild as why:
        if os.environ.get("CI"):
            pytest.fail(f"the tests against a real server may not be left out here: {why}")
        pytest.skip(str(why))
    with running(folder, tmp_path_factory.mktemp("gitea")) as server:
        yield server


@pytest.fixture(scope="session")
def gitea_judge(gitea_server: Server) -> Any:
    """Judges exchanges by the Swagger that the server publishes of itself."""
    return judge_of(requests.get(f"{gitea_server.url}/swagger.v1.json", timeout=30).json())


@pytest.fixture
def ground(gitea_server: Server, gitea_judge: Any, tmp_path: Path) -> Iterator[Ground]:
    """A fresh repository; every request the adapter makes about it must be as the server describes it."""
    made = Ground(gitea_server, {"web/site.yaml": "port: 80\n"}, tmp_path)
    yield made
    made.wire.stop()
    found = problems(gitea_judge, made.wire.exchanges)
    assert not found, "\n".join(found[:20])


@pytest.fixture
def catcher() -> Iterator[Catcher]:
    """Where webhooks come in."""
    made = Catcher()
    yield made
    made.stop()
