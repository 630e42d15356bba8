"""The command line as an operator uses it: what a verb said and how it ended."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from bot.cli import cli

Run = Callable[..., Result]


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
