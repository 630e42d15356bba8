"""What every job goes through."""

from __future__ import annotations

import logging

import pytest

from bot.ports import JobKind
from bot.queues.entry import perform, set_handler


def test_a_job_is_given_to_the_handler_of_this_process() -> None:
    seen: list[tuple[JobKind, str]] = []
    set_handler(lambda kind, key: seen.append((kind, key)))

    perform("watch", "github/acme/infra@main")

    assert seen == [(JobKind.WATCH, "github/acme/infra@main")]


def test_a_handler_that_fails_is_logged_and_nothing_more(caplog: pytest.LogCaptureFixture) -> None:
    def fail(kind: JobKind, key: str) -> None:
        raise ValueError("as asked")

    set_handler(fail)
    with caplog.at_level(logging.ERROR):
        perform("advance", "a!1")

    assert "job advance a!1" in caplog.text


def test_a_kind_of_a_newer_program_is_logged_and_nothing_more(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []
    set_handler(lambda kind, key: seen.append(key))
    with caplog.at_level(logging.ERROR):
        perform("levitate", "a!1")

    assert seen == []
    assert "job levitate" in caplog.text
