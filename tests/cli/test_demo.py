"""The demo's last words: what a person does next, on the host that it is like."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from bot.cli.demo.narrator import Narrator
from bot.cli.demo.stage import Stage


@pytest.mark.parametrize(
    ("host", "name", "page", "merge"),
    [
        ("github", "pull request #1", "/acme/infra/pull/1 ", "then Merge."),
        ("gitlab", "merge request !1", "/acme/infra/-/merge_requests/1 ", "then write the comment `headgate merge`."),
    ],
)
def test_who_stays_is_told_how_to_approve_and_merge_there(
    tmp_path: Path, host: str, name: str, page: str, merge: str
) -> None:
    stage = Stage(tmp_path / "demo", ports=(0, 0, 0), host=host)
    try:
        stage.furnish()
        stage.repo.commit("more", files={"a": "1"}, author="dee")
        pull = stage.repo.open_pull("More", head="more", author="dee")
        out = io.StringIO()
        Narrator(out).invite(stage, pull)
    finally:
        stage.stop()
    said = out.getvalue()
    assert f"open {name}, sign in as bo, press" in said and merge in said
    assert stage.forge_url + page in said
    assert f"Open a {name.partition(' ')[0]} request" in (stage.repo.read("README.md") or "")
