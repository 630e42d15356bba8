"""The builders of the core's tests, and the small world in which decisions are carried out."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

HERE = Path(__file__).parent


def _loaded(name: str, path: Path) -> ModuleType:
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def build() -> SimpleNamespace:
    """Every builder of the core's tests."""
    return _loaded("headgate_test_builders", HERE.parent / "core" / "conftest.py").BUILDERS


@pytest.fixture(scope="session")
def new_world(build: SimpleNamespace) -> Any:
    """Makes a world: a change that nobody planned yet, and a host that obeys or refuses."""
    world = _loaded("headgate_test_world", HERE / "world.py")
    return lambda *projects, **fields: world.World(build, projects, **fields)
