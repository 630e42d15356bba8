"""The house rules that a linter does not know: sizes, names, and where a host's words may appear."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BOT = sorted((ROOT / "bot").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "manager", "base", "common", "misc"}
HOST_WORDS = re.compile(r"\b(pull_request|merge_request|iid)\b")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", BOT, ids=named)
def test_a_source_file_has_at_most_400_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", TESTS, ids=named)
def test_a_test_file_has_at_most_500_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 500


@pytest.mark.parametrize("path", BOT, ids=named)
def test_a_function_has_at_most_60_lines(path: Path) -> None:
    functions = (
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    long = [node.name for node in functions if (node.end_lineno or 0) - node.lineno + 1 > 60]

    assert long == []


@pytest.mark.parametrize("path", [*BOT, *TESTS], ids=named)
def test_no_module_is_named_for_nothing_in_particular(path: Path) -> None:
    assert path.stem not in FORBIDDEN_NAMES


@pytest.mark.parametrize(
    "path", [path for path in BOT if path.relative_to(ROOT / "bot").parts[0] not in ("hosts", "forge")], ids=named
)
def test_a_hosts_words_stay_in_hosts_and_forge(path: Path) -> None:
    assert HOST_WORDS.findall(path.read_text()) == []


@pytest.mark.parametrize("path", BOT, ids=named)
def test_every_module_says_its_law_first(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())) or not path.read_text().strip()
