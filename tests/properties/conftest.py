"""The builders of the core's tests, and the small world in which decisions are carried out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from core.conftest import BUILDERS
from properties.world import World


@pytest.fixture(scope="session")
def build() -> SimpleNamespace:
    """Every builder of the core's tests."""
    return BUILDERS


@pytest.fixture(scope="session")
def new_world(build: SimpleNamespace) -> Any:
    """Makes a world: a change that nobody planned yet, and a host that obeys or refuses."""
    return lambda *projects, **fields: World(build, projects, **fields)
