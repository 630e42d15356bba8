"""The log's first lines tell what a run was given, by name and form and until when."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.core.model import ChangeRef, RepoRef
from bot.core.project import Project
from bot.core.rules import Grant, Network
from bot.core.runs import Run, RunKind
from bot.flow.announcing import announcement
from bot.ports import Given

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
END = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)
CHANGE = ChangeRef(RepoRef("github", "acme/infra"), 1)
EARLY = "before this step's time limit"
RUN = Run("r", CHANGE, RunKind.PLAN, Project("web", "web", "command"), "c" * 40, "", NOW)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ((), "variables given: none; "),
        ((Given("variables given", ("B", "A")), Given("files", ("K",))), "variables given: A, B; files: K; "),
        ((Given("program", ("A",), END),), "program: A (until 2026-05-01 12:30:00 UTC); "),
        ((Given("program", ("A",), NOW),), f"program: A (until 2026-05-01 12:00:00 UTC, {EARLY}); "),
    ],
)
def test_each_form_is_told_with_its_names_and_its_end(given: tuple[Given, ...], told: str) -> None:
    text = announcement(RUN, Grant(), Network(), given, END)

    assert text == f"plan of web at cccccccccccc; {told}directories: none; network: none\n"
