"""What people can set, say, run or watch is in the documents; a missing row fails here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bot.chats import CHATS
from bot.cli import COMMANDS, cli
from bot.core.commands import HELP
from bot.core.config.reference import PAGES
from bot.hosts import HOSTS
from bot.tools import TOOLS
from bot.web.metrics import METRICS, OTHERS

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
OPERATING = (DOCS / "operating.md").read_text()
EVERYTHING = "\n".join(path.read_text() for path in (ROOT / "README.md", *sorted(DOCS.glob("*.md"))))


def leaves(
    command: click.Command, context: click.Context, words: tuple[str, ...]
) -> Iterator[tuple[str, click.Command]]:
    """Every command that can be run, with the words that name it."""
    if not isinstance(command, click.Group):
        yield " ".join(words), command
        return
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from leaves(inner, context, (*words, name))


LEAVES = dict(leaves(cli, click.Context(cli), ()))
OPTIONS = sorted(
    {
        (name, max(option.opts, key=len))
        for name, command in LEAVES.items()
        for option in command.params
        if isinstance(option, click.Option)
    }
)


@pytest.mark.parametrize("page", PAGES)
def test_a_generated_page_is_what_its_source_makes_now(page: str) -> None:
    assert (DOCS / f"{page}.md").read_text() == PAGES[page]()


@pytest.mark.parametrize("row", HELP, ids=lambda row: row.usage)
def test_every_command_of_comments_is_documented(row: object) -> None:
    assert f"`/{row.usage}`" in (DOCS / "commands.md").read_text()  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", [*METRICS, *OTHERS])
def test_every_metric_is_documented(name: str) -> None:
    assert f"`headgate_{name}`" in OPERATING


def test_no_metric_is_documented_that_is_not_there() -> None:
    assert set(re.findall(r"`headgate_(\w+)`", OPERATING)) == {*METRICS, *OTHERS}


@pytest.mark.parametrize("name", LEAVES)
def test_every_verb_is_documented(name: str) -> None:
    assert re.search(rf"^\| `headgate {name}` ", OPERATING, re.MULTILINE)


@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_every_option_of_a_verb_is_documented_in_its_row(name: str, option: str) -> None:
    rows = re.findall(rf"^\| `headgate {name}`.*$", OPERATING, re.MULTILINE)
    shared = re.findall(r"^Shared options:.*$", OPERATING, re.MULTILINE)

    assert any(f"`{option}" in row for row in (*rows, *shared)), f"headgate {name} {option}"


@pytest.mark.parametrize("name", TOOLS)
def test_every_tool_is_documented(name: str) -> None:
    assert f"`{name}`" in (DOCS / "tools.md").read_text()


@pytest.mark.parametrize(
    ("tool", "key"), [(name, key) for name, make in TOOLS.items() for key in make().option_schema()]
)
def test_every_setting_of_a_tool_is_documented(tool: str, key: str) -> None:
    assert re.search(rf"[`{{ ]{key}\b", (DOCS / "tools.md").read_text()), f"{tool}: {key}"


@pytest.mark.parametrize("name", CHATS)
def test_every_kind_of_chat_is_documented_with_its_settings(name: str) -> None:
    [row] = re.findall(rf"^\| `{name}` .*$", OPERATING, re.MULTILINE)
    kind = CHATS[name]

    assert all(f"`{key}`" in row for key in kind.options)
    assert all(f"`{key}_file`" in row for key in kind.secrets)


@pytest.mark.parametrize("name", HOSTS)
def test_every_kind_of_host_is_documented(name: str) -> None:
    assert name in EVERYTHING.lower()


@pytest.mark.parametrize("code", range(4))
def test_every_exit_code_is_documented(code: int) -> None:
    [line] = re.findall(r"^Exit codes:.*$", OPERATING, re.MULTILINE)

    assert re.search(rf"\b{code} \w", line)


def test_every_exit_code_that_the_program_uses_has_a_meaning() -> None:
    used = {
        int(code)
        for path in (ROOT / "bot" / "cli").rglob("*.py")
        for code in re.findall(r"sys\.exit\((\d+)", path.read_text())
    }

    assert used <= {0, 1, 2, 3}


def test_every_threat_names_its_control_and_tests_that_exist() -> None:
    text = (DOCS / "security.md").read_text()
    rows = re.findall(r"^\| (?:\d|any).*$", text, re.MULTILINE)
    named = [re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row) for row in rows]

    assert len(rows) > 12
    assert all(len(row.split(" | ")) == 3 for row in rows)
    assert all(named)
    for path, test in (each for row in named for each in row):
        assert re.search(rf"^def {test}\b", (ROOT / path).read_text(), re.MULTILINE), f"{path}::{test}"


def test_the_verbs_named_in_the_documents_exist() -> None:
    named = set(re.findall(r"`headgate ([a-z]+)\b", EVERYTHING))
    spoken = {row.usage.split()[0] for row in HELP}

    assert named <= {*COMMANDS, *spoken}
