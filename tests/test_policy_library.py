"""The shipped policies: each lets pass, keeps out and tells apart what its cases say, and is found in a package."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from bot.core.policy import case_schema, schema
from bot.core.policy.cases import Case, parse_cases, run_cases
from bot.core.policy.lint import lint
from bot.core.policy.model import Policy
from bot.core.policy.read import parse_policy
from bot.core.verdict import Status
from bot.flow.judging import with_found
from bot.judges.cel import CelJudge
from bot.policy_library import names, page

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "policies"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml") if not path.name.endswith(".cases.yaml"))
KINDS = {
    "pass": {Status.APPROVED, Status.SKIPPED},
    "block": {Status.PENDING, Status.DENIED},
    "edge": set(Status),
}


def shipped(name: str) -> Policy:
    found = parse_policy((FOLDER / f"{name}.yaml").read_bytes(), f"library:{name}")
    assert isinstance(found, Policy), found
    return found


def cases_of(name: str) -> tuple[Case, ...]:
    found = parse_cases((FOLDER / f"{name}.cases.yaml").read_bytes(), name)
    assert all(isinstance(each, Case) for each in found), found
    return tuple(each for each in found if isinstance(each, Case))


def test_there_are_a_dozen() -> None:
    assert len(NAMES) >= 12


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_policy_comes_to_what_its_cases_say(name: str) -> None:
    policy = shipped(name)
    assert lint([policy]) == ()
    assert [*run_cases(policy, with_found(CelJudge(), policy, cases_of(name)))] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_policy_has_cases_of_every_kind(name: str) -> None:
    kinds = [(case.name.partition(":")[0], case) for case in cases_of(name)]
    assert {kind for kind, _ in kinds} == set(KINDS)
    assert [case.name for kind, case in kinds if case.expect not in KINDS[kind]] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_rule_of_a_shipped_policy_finds_or_wants_something_in_a_case(name: str) -> None:
    """A rule whose failing no case shows could as well not be there."""
    policy = shipped(name)
    cases = with_found(CelJudge(), policy, cases_of(name))
    found = {each.rule for case in cases for each in case.facts.found if not each.error}
    assert {rule.name for rule in policy.plans} == found


@pytest.mark.parametrize(("file", "made"), [("schema", schema.schema), ("cases.schema", case_schema.schema)])
def test_the_schemas_for_editors_are_those_that_files_are_read_by(file: str, made: object) -> None:
    text = json.dumps(made(), indent=2) + "\n"  # type: ignore[operator]
    assert (FOLDER / f"{file}.json").read_text() == text


def test_the_page_is_what_the_files_say_now() -> None:
    assert (ROOT / "docs" / "policy-library.md").read_text() == page()


@pytest.mark.skipif(find_spec("setuptools") is None, reason="the environment has no setuptools to build with")
def test_a_built_package_has_the_shipped_policies_in_itself(tmp_path: Path) -> None:
    tree, built = tmp_path / "tree", tmp_path / "built"
    tree.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree / name)
    # An environment's own setuptools may be older than what is fetched for a build, and know licences only so.
    settings = (tree / "pyproject.toml").read_text()
    (tree / "pyproject.toml").write_text(
        settings.replace('license = "Apache-2.0"', 'license = {text = "Apache-2.0"}')
    )
    for name in ("bot", "policies"):
        shutil.copytree(ROOT / name, tree / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    build = [sys.executable, "-c", "import setuptools; setuptools.setup()", "-q", "build", "--build-lib", str(built)]
    subprocess.run(build, cwd=tree, check=True, capture_output=True)
    shutil.rmtree(tree)
    ask = "from bot.policy_library import *; print(*names(), all(text_of(each, cases=True) for each in names()))"
    said = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(built)!r}); {ask}"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert said.stdout.split() == [*names(), "True"]
