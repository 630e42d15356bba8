"""References are read back exactly as they are written; anything else is refused."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from bot.core.model import ChangeRef, Permission, RepoRef


def test_a_reference_is_read_back_as_written(build: SimpleNamespace) -> None:
    assert ChangeRef.parse(str(build.REF)) == build.REF
    assert RepoRef.parse("gitlab/a/b/c") == RepoRef("gitlab", "a/b/c")


@pytest.mark.parametrize(
    "text", ["", "github", "github/", "/acme", "github/a!", "github/a!x", "github/a!-1", "a!1", "github/a!²"]
)
def test_what_is_not_a_change_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        ChangeRef.parse(text)


def test_a_number_of_absurd_length_is_refused() -> None:
    with pytest.raises(ValueError, match="not a change"):
        ChangeRef.parse("github/a!" + "1" * 13)


def test_permission_of_somebody_nobody_asked_about_is_none(build: SimpleNamespace) -> None:
    host = build.a_snapshot(permissions={"bo": Permission.READ}).host
    assert (host.permission_of("BO"), host.permission_of("zoe")) == (Permission.READ, Permission.NONE)


def test_a_snapshot_without_host_facts_has_none(build: SimpleNamespace) -> None:
    with pytest.raises(ValueError, match="not read yet"):
        _ = build.remembering(build.a_snapshot(), host=None).host
