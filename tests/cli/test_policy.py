"""``headgate policy``: files are checked and tried, a change's gate is told, and other bots' files are ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from bot.core.runs import RunKind

Run = Callable[..., Result]
SOUND = "version: 1\nrules:\n  - name: a\n    require: {count: 1, people: {users: [bo]}}\n"
CASES = """\
version: 1
facts: {head: c, commits: [{sha: c}]}
cases:
  - {name: nobody yet, expect: pending, reasons: [needs 1 approval]}
  - {name: bo, facts: {reviews: [{by: bo, head: c}]}, expect: approved, counted: [bo]}
"""
REF = "github/acme/infra!1"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "a.yaml"
    found.write_text(SOUND)
    return found


def test_lint_says_what_is_wrong_and_what_is_a_mistake(run: Run, file: Path) -> None:
    assert run("policy", "lint", str(file)).output == "nothing to say\n"
    file.write_text("version: 1\nrules: [{name: a, requires: {}}]\n")
    broken = run("policy", "lint", str(file))
    assert broken.exit_code == 2 and "a.yaml:2" in broken.stderr and "Did you mean `require`?" in broken.stderr
    file.write_text("version: 1\nrules: [{name: a}]\n")
    mistaken = run("policy", "lint", str(file))
    assert mistaken.exit_code == 1 and "is always met" in mistaken.stdout


def test_a_policy_is_tried_on_the_cases_beside_it(run: Run, file: Path) -> None:
    none = run("policy", "test", str(file))
    assert none.exit_code == 1 and "a.cases.yaml is not there" in none.stderr
    cases = file.with_name("a.cases.yaml")
    cases.write_text(CASES)
    assert run("policy", "test", str(file)).stdout == "2 cases, 0 failed\n"
    cases.write_text(CASES.replace("pending", "approved"))
    failed = run("policy", "test", str(file))
    assert failed.exit_code == 1 and "nobody yet: wanted approved, came out pending" in failed.stdout
    cases.write_text(CASES.replace("expect", "expects"))
    assert run("policy", "test", str(file)).exit_code == 2


PLANS = """\
version: 1
plans:
  - {name: open, types: [t], when: '"cidr" in unknown || after["cidr"] == "0.0.0.0/0"'}
  - {name: gone, actions: [destroy]}
"""
PLAN_CASES = """\
version: 1
cases:
  - name: open to all
    facts: &open {projects: [{name: p, plan: {resources: [{address: t.a, after: {cidr: 0.0.0.0/0}}]}}]}
    expect: denied
    rule: open
  - {name: nothing is destroyed, facts: *open, rule: gone, expect: approved, reasons: [gone finds nothing]}
  - name: known later
    facts: {projects: [{name: p, plan: {resources: [{address: t.a, before: {cidr: 10.0.0.0/8}, unknown: [cidr]}]}}]}
    expect: denied
  - name: open to some
    facts: {projects: [{name: p, plan: {resources: [{address: t.a, action: create, after: {cidr: 10.0.0.0/8}}]}}]}
    expect: approved
"""


def test_plan_rules_are_tried_on_the_plans_of_cases(run: Run, file: Path) -> None:
    file.write_text(PLANS)
    file.with_name("a.cases.yaml").write_text(PLAN_CASES)
    assert run("policy", "test", str(file)).stdout == "4 cases, 0 failed\n"
    file.write_text(PLANS.replace("||", "&&"))
    failed = run("policy", "test", str(file))
    assert failed.exit_code == 1 and "open to all: wanted denied, came out approved" in failed.stdout


def test_a_shipped_policy_is_printed_and_passes_its_own_cases_where_it_was_copied_to(
    run: Run, tmp_path: Path
) -> None:
    listed = run("policy", "library").stdout
    assert "blast-radius\n" in listed and "image-provenance (copy it and put your own in)\n" in listed
    name = "no-deletion-of-stateful-resources-without-dba"
    copy, cases = tmp_path / "own.yaml", tmp_path / "own.cases.yaml"
    copy.write_text(run("policy", "library", name).stdout.replace("acme/dba", "we/data"))
    cases.write_text(run("policy", "library", name, "--cases").stdout.replace("acme/dba", "we/data"))
    assert run("policy", "test", str(copy)).stdout.endswith(" 0 failed\n")
    unknown = run("policy", "library", "blastradius")
    assert unknown.exit_code == 2 and "Did you mean `blast-radius`?" in unknown.stderr


def test_the_schemas_are_printed_for_editors(run: Run) -> None:
    assert json.loads(run("policy", "schema").stdout)["title"] == "Headgate policies"
    assert json.loads(run("policy", "schema", "--cases").stdout)["title"] == "Cases of a Headgate policy"


def test_a_changes_gate_is_told_and_supposed(run: Run, world: Any) -> None:
    world.pull({"prod/web/wanted": "a=2\n"})
    config = ("--config", str(world.config))
    told = run("policy", "explain", REF, *config)
    assert told.exit_code == 0 and "prod needs 1 approval and has 0" in told.stdout
    assert json.loads(run("policy", "explain", REF, "--json", *config).stdout)["rule"] == "gate"
    supposed = run("policy", "simulate", REF, "--approve", "bo", *config)
    assert "The gate is open." in supposed.stdout
    assert "prod needs 1 approval and has 0" in run("policy", "explain", REF, *config).stdout
    later = run("policy", "simulate", REF, "--at", "2027-01-01T00:00Z", "--json", *config)
    assert later.exit_code == 0 and json.loads(later.stdout)["children"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [(("explain", "nonsense"), 2, "HOST/OWNER/NAME!NUMBER"), (("explain", "github/acme/infra!9"), 3, "never seen"),
     (("simulate", REF, "--at", "soon"), 2, "--at is a moment"),
     (("simulate", REF, "--at", "2027-01-01"), 2, "needs a zone")],
)  # fmt: skip
def test_a_change_or_time_that_is_none_is_told(
    run: Run, world: Any, words: tuple[str, ...], code: int, says: str
) -> None:
    found = run("policy", *words, "--config", str(world.config))
    assert (found.exit_code, says in found.output + found.stderr) == (code, True)


def test_other_bots_files_are_printed_as_ours(run: Run, tmp_path: Path) -> None:
    theirs = tmp_path / ".policy.yml"
    theirs.write_text("policy: {approval: [a]}\napproval_rules: [{name: a, requires: {count: 1, users: [bo]}}]\n")
    ours = run("policy", "import", "policy-bot", str(theirs))
    assert ours.exit_code == 0 and "people:" in ours.stdout
    theirs.write_text("nothing: here\n")
    assert run("policy", "import", "policy-bot", str(theirs)).exit_code == 2
    owners = tmp_path / "CODEOWNERS"
    owners.write_text("^[Docs]\ndocs/ @a\n")
    found = run("policy", "import", "codeowners", str(owners))
    assert "owners: true" in found.stdout and "[Docs]: optional" in found.stderr


def test_what_other_policies_would_have_decided_is_a_table_of_differences(
    run: Run, world: Any, tmp_path: Path
) -> None:
    first = world.pull({"prod/web/wanted": "a=2\n"}, title="The web")
    world.approve(first, "bo")
    world.merge(first, "dee")
    world.pull({"docs/readme.md": "words\n"}, title="The docs")
    file = tmp_path / "strict.yaml"
    file.write_text(
        "version: 1\nrules:\n  - name: leads\n    if: {environment: prod}\n"
        "    require: {count: 1, people: {users: [cy]}}\n"
    )
    config = ("--config", str(world.config))
    told = run("policy", "replay", str(file), *config)
    assert told.exit_code == 0, told.output
    assert "github/acme/infra!1  approved → pending  The web" in told.stdout
    assert "leads needs 1 approval and has 0" in told.stdout and "The docs" not in told.stdout
    assert told.stdout.endswith("2 changes, 1 decided otherwise\n")
    rows = json.loads(run("policy", "replay", str(file), "--all", "--json", *config).stdout)
    assert {row["change"]: row["then"] for row in rows} == {
        "github/acme/infra!1": "pending", "github/acme/infra!2": "approved",
    }  # fmt: skip
    assert "0 changes" in run("policy", "replay", str(file), "--since", "2999-01-01", *config).stdout
    assert run("policy", "replay", str(file), "--since", "then", *config).exit_code == 2
    assert world.run_states(first, RunKind.DEPLOY) == [("prod-web", "succeeded")]
