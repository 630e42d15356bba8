"""The command line as an operator uses it: a story's world, real stores, and what a verb said and how it ended."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bot.cli import cli

STORIES = Path(__file__).resolve().parent.parent / "stories" / "conftest.py"

Run = Callable[..., Result]


def _world() -> Any:
    if "stories_conftest" not in sys.modules:
        spec = importlib.util.spec_from_file_location("stories_conftest", STORIES)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["stories_conftest"] = module
        spec.loader.exec_module(module)
    return sys.modules["stories_conftest"].World


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Say ``headgate WORDS…``; an exception that is no exit is a defect and is raised."""
    monkeypatch.delenv("HEADGATE_CONFIG", raising=False)

    def say(*words: object, answer: str = "") -> Result:
        result = CliRunner().invoke(cli, [str(word) for word in words], input=answer)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return say


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Any]:
    world = _world()(tmp_path)
    yield world
    world.stop()
