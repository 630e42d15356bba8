"""What tests of several folders stand on: a story's world, a PostgreSQL server and a Gitea of our own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import databases
import pytest
from hosts.gitea.fixtures import gitea_judge, gitea_server
from hypothesis import settings
from worlds import World

from bot.stores.database import Database

__all__ = ["gitea_judge", "gitea_server"]

# A machine that does something else meanwhile makes no test false; what takes too long is stopped by pytest-timeout.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What has to do with Gitea is marked, so that everything else can run while the server is still built."""
    for item in items:
        if "gitea" in item.nodeid:
            item.add_marker("gitea")


@pytest.fixture(scope="session", autouse=True)
def seen_before_any_fork(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Coverage takes a lock when it first sees a file. What a store does in a forked child must not be such a first
    time: another thread may have held that lock when the child was made, which then waits for ever."""
    Database(f"sqlite:///{tmp_path_factory.mktemp('seen')}/seen.db", "kill").after_fork()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The socket folder of a server of our own."""
    with databases.server() as folder:
        yield folder


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Makes worlds, and ends them after the test."""
    made: list[World] = []

    def make(**words: Any) -> World:
        made.append(World(tmp_path, **words))
        return made[-1]

    yield make
    for world in made:
        world.stop()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """Everything of one story."""
    return make_world()
