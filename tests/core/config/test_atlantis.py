"""Files of Atlantis: what becomes of each key, that ours is valid, and that nothing is dropped without a word."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bot.core.config.atlantis import Imported, imported
from bot.core.config.repository import RepoConfig, parse_repository
from bot.core.config.server import parse_server
from bot.core.errors import Problem
from bot.core.rules import Settings
from bot.tools import TOOLS

SCHEMAS = {name: make().option_schema() for name, make in TOOLS.items()}

REPOSITORY = """\
version: 3
automerge: true
parallel_plan: true
parallel_apply: false
projects:
- name: net
  dir: live/net
  workspace: prod
  terraform_version: v1.9.0
  autoplan:
    when_modified: ["*.tf", "../../modules/**/*.tf", "!generated/**", "../../../outside"]
  apply_requirements: [approved, mergeable, undiverged, policies_passed]
  workflow: prod
- dir: live/app
  depends_on: [net]
  execution_order_group: 1
  terraform_distribution: opentofu
- dir: stacks/*
- dir: .
  branch: /main/
  workflow: elsewhere
  autoplan: {enabled: false}
workflows:
  prod:
    plan:
      steps:
      - show
      - init: {extra_args: ["-backend-config=prod.hcl", "-upgrade"]}
      - plan: {extra_args: ["-var-file", "prod.tfvars", "-var=size=2", "-target=x", "-var-file=$WORKSPACE.tfvars"]}
      - env: {name: A, value: b}
      - run: ./check.sh
"""


def translated(text: str) -> tuple[dict[str, Any], Imported]:
    found = imported(text, "atlantis.yaml")
    assert isinstance(found, Imported)
    return yaml.safe_load(found.text), found


def test_projects_keep_their_place_order_and_arguments() -> None:
    value, found = translated(REPOSITORY)

    assert value["projects"] == [
        {
            "name": "net",
            "path": "live/net",
            "tool": "terraform",
            "workspace": "prod",
            "when_changed": ["modules/**/*.tf"],
            "backend_config": ["prod.hcl"],
            "var_files": ["prod.tfvars"],
            "vars": {"size": "2"},
        },
        {"name": "live-app", "path": "live/app", "tool": "tofu", "depends_on": ["net", "root"]},
        {"name": "root", "path": ".", "tool": "terraform"},
    ]
    assert value["discover"] == [{"path": "stacks/*", "tool": "terraform"}]
    assert not found.server
    assert isinstance(parse_repository(found.text, SCHEMAS), RepoConfig)


@pytest.mark.parametrize(
    "note",
    [
        "automerge: say `auto_merge: true`",
        "parallel_apply: deploys run in parallel",
        "projects[0].terraform_version: the worker's own",
        "projects[0].autoplan.when_modified: `!generated/**`: a project's own files always plan it",
        "projects[0].autoplan.when_modified: `../../../outside` leaves the repository",
        "projects[0].apply_requirements: `approved`: say `approvals: 1`",
        "projects[0].apply_requirements: `policies_passed` has no counterpart",
        "workflows.prod.plan: `-target` was not taken over",
        "workflows.prod.plan: `-var-file` was not taken over",
        "workflows.prod.plan: `env`: variables are granted by the operator",
        "workflows.prod.plan: `run`: no other programs run",
        "projects[3].branch: target branches are the operator's",
        "projects[3].workflow: `elsewhere` is not in this file",
        "projects[3].autoplan.enabled: what a change affects is always planned",
    ],
)
def test_what_has_no_counterpart_is_said_with_where_it_belongs(note: str) -> None:
    _, found = translated(REPOSITORY)
    assert [each for each in found.notes if each.startswith(note)]


def test_what_needs_no_word_gets_none() -> None:
    _, found = translated(REPOSITORY)
    assert not [each for each in found.notes if each.startswith(("parallel_plan", "version", "projects[0].name"))]


def test_discovery_is_kept_on_or_off_as_it_was() -> None:
    assert translated("version: 3\nautodiscover: {mode: disabled}\n")[0] == {"version": 1, "discover": []}
    assert translated("version: 3\n")[0] == {"version": 1}
    both, _ = translated("projects: [{dir: a}]\nautodiscover: {mode: enabled, ignore_paths: [b]}\n")
    assert both["discover"] == [{"tool": "terraform", "path": "**"}]


REPOS = """\
repos:
- id: /.*/
  apply_requirements: [approved]
  allowed_overrides: [workflow]
- id: github.com/acme/infra
  branch: /^(main|release)$/
  workflow: custom
- id: /gitlab.com\\/acme\\/.+/
  branch: /release-.*/
- id: /github.com/(a|b)/
metrics: {prometheus: {endpoint: /metrics}}
"""


def test_repositories_begin_as_observed_with_the_approvals_they_had() -> None:
    value, found = translated(REPOS)

    assert found.server
    assert [each["match"] for each in value["repositories"]] == ["*/**/*", "github/acme/infra", "gitlab/acme/**"]
    assert {each["mode"] for each in value["repositories"]} == {"observe"}
    assert value["repositories"][1]["branches"] == ["main", "release"]
    assert value["environments"] == {"default": {"approvals": 1}}
    assert isinstance(parse_server(found.text), Settings)
    for note in (
        "repos[0].allowed_overrides: ",
        "repos[1].workflow: ",
        "repos[2].branch: ",
        "repos[3].id: ",
        "metrics: ",
        "mode: every repository begins with `observe`",
    ):
        assert [each for each in found.notes if each.startswith(note)], note


@pytest.mark.parametrize("text", ["", "[]", "a: 1", "repos: [", "x: &a [*a]"])
def test_what_is_no_file_of_atlantis_is_a_problem(text: str) -> None:
    found = imported(text, "x.yaml")
    assert isinstance(found, tuple)
    assert all(isinstance(each, Problem) for each in found)


words = st.text("abc*./-!$ ", max_size=8)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | words,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["dir", "name", "workspace", "autoplan", "when_modified", "workflow", "plan", "steps", "extra_args",
             "run", "init", "id", "branch", "depends_on", "execution_order_group", "apply_requirements", "mode"]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["projects", "repos", "workflows", "autodiscover", "version"]), anything))
def test_no_shape_raises(raw: dict[str, Any]) -> None:
    imported(yaml.safe_dump(raw), "x.yaml")
