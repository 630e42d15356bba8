"""The operator's policies are read from where the operator's file says; what is wrong with one is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.cli import cli
from bot.core.errors import ConfigError
from bot.wiring import load_settings

RULE = "version: 1\nrules:\n  - name: a\n    require: {count: 1, people: {users: [x]}}\n"
SERVER = "version: 1\nhosts: {github: {token_file: t}}\nrepositories: [{match: github/acme/*}]\n"


def test_files_and_patterns_are_in_force_in_every_repository_and_cases_are_none(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    for name in ("b", "a", "a.cases"):
        (tmp_path / "p" / f"{name}.yaml").write_text(RULE)
    config = tmp_path / "server.yaml"
    config.write_text(SERVER + "policies: [p/*.yaml]\n")
    (rules,) = load_settings(config).repositories
    assert [policy.file for policy in rules.policies] == ["p/a.yaml", "p/b.yaml"]
    config.write_text(SERVER)
    (plain,) = load_settings(config).repositories
    assert plain.policies == () and plain.digest != rules.digest


def test_a_shipped_policy_is_in_force_by_its_name_beside_files(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(RULE)
    config = tmp_path / "server.yaml"
    config.write_text(SERVER + 'policies: ["library:two-people-for-production", a.yaml]\n')
    (rules,) = load_settings(config).repositories
    assert [policy.file for policy in rules.policies] == ["library:two-people-for-production", "a.yaml"]


@pytest.mark.parametrize(
    ("name", "says"),
    [("two-peple-for-production", "Did you mean `two-people-for-production`"), ("../schema", "is not a shipped"),
     ("image-provenance", "headgate policy library image-provenance > policies/image-provenance.yaml")],
)  # fmt: skip
def test_a_shipped_policy_that_there_is_not_or_that_wants_your_own_stops_the_start(
    tmp_path: Path, name: str, says: str
) -> None:
    config = tmp_path / "server.yaml"
    config.write_text(SERVER + f'policies: ["library:{name}"]\n')
    with pytest.raises(ConfigError) as told:
        load_settings(config)
    assert says in str(told.value) and "policies: " in str(told.value)
    checked = CliRunner().invoke(cli, ["config", "check", str(config)])
    assert checked.exit_code == 2 and says in checked.stderr


@pytest.mark.parametrize(("text", "says"), [(None, "cannot be read"), ("version: 2\n", "must be 1")])
def test_one_that_is_missing_or_wrong_stops_the_start(tmp_path: Path, text: str | None, says: str) -> None:
    if text is not None:
        (tmp_path / "a.yaml").write_text(text)
    config = tmp_path / "server.yaml"
    config.write_text(SERVER + "policies: [a.yaml]\n")
    with pytest.raises(ConfigError, match=says):
        load_settings(config)
