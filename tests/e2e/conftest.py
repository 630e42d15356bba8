"""The real processes of ``headgate serve`` around a story's world."""

from __future__ import annotations

import uuid
from types import SimpleNamespace

import pytest
from databases import create_database
from serving import Served, answers, until
from worlds import World, project


@pytest.fixture
def postgres_url(postgres: str) -> str:
    """An empty database of a server of our own."""
    name = f"e{uuid.uuid4().hex}"
    create_database(postgres, name, "template0")
    return f"postgresql://headgate@/{name}?host={postgres}"


@pytest.fixture
def e2e() -> SimpleNamespace:
    """What the stories of real processes are told with."""
    return SimpleNamespace(Served=Served, until=until, answers=answers, World=World, project=project)
