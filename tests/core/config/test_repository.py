"""The repository's own file: what parses, what is refused, all at once."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.ci import CheckRule, NamedCheck
from bot.core.config.reference import REPOSITORY_EXAMPLE
from bot.core.config.repository import Entry, RepoConfig, Tightening, combinations, leaves, parse_repository
from bot.core.config.templates import filled, filled_all, words_of
from bot.core.errors import Problem
from bot.core.project import DeployMode
from bot.core.rules import Survival

TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}
TOOLS = {
    "terraform": {"var_files": TEXTS, "parallelism": {"type": "integer"}},
    "helm": {"release": TEXT, "namespace": TEXT, "values": TEXTS},
    "command": {"plan": TEXTS, "apply": TEXTS},
}


def config(text: str | bytes) -> RepoConfig:
    found = parse_repository(text, TOOLS)
    assert isinstance(found, RepoConfig), found
    return found


def problems(text: str) -> list[str]:
    found = parse_repository(text, TOOLS)
    assert not isinstance(found, RepoConfig)
    return [str(problem).removeprefix(".headgate.yaml:") for problem in found]


def test_the_documented_example_is_read() -> None:
    found = config(REPOSITORY_EXAMPLE.encode())

    [discover] = found.discover
    assert (discover.tool, discover.path, discover.name) == (
        "terraform",
        "live/{environment}/{service}",
        "{service}-{environment}",
    )
    edge, shop = found.projects
    assert edge.for_each == {"environment": ("dev", "prod")}
    assert edge.options == {"var_files": ["{environment}.tfvars"]}
    assert (shop.depends_on, shop.when_changed) == (("edge-{environment}",), ("charts/shop/**",))
    assert (shop.at, shop.line, shop.lines["depends_on"]) == ("projects[1]", 7, 9)
    assert not found.finds_all


def test_without_any_word_about_projects_the_tools_find_their_own() -> None:
    assert config("").finds_all
    assert config("environments: {prod: {approvals: 3}}").finds_all
    assert not config("discover: []").finds_all


def test_rules_are_made_stricter() -> None:
    found = config(
        "environments: {prod: {approvals: 3, required_checks: [ci], survive: same_head, deploy: on_command}, dev: {}}"
    )

    assert found.environments["prod"] == Tightening(
        3, (CheckRule((NamedCheck("ci"),)),), Survival.SAME_HEAD, DeployMode.ON_COMMAND, 1
    )
    assert found.environments["dev"] == Tightening(line=1)


def entry(more: str) -> str:
    return f"projects: [{{name: a, path: p, tool: terraform, {more}}}]"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("- x", "1: must be a mapping"),
        ("a: [", "is not YAML"),
        ("projects: [{name: a}]", "1 projects[0]: `tool` is missing"),
        ("project: []", "`project` is not a setting here. Did you mean `projects`?"),
        (entry("tol: x"), "projects[0].tol: `tol` is not a setting of terraform. Did you mean `tool`?"),
        (entry("var_file: x"), "`var_file` is not a setting of terraform. Did you mean `var_files`?"),
        (entry("var_files: x"), "projects[0].var_files: must be a list"),
        (entry("var_files: [1]"), "projects[0].var_files[0]: must be text"),
        (entry("deploy: always"), "projects[0].deploy: `always` is not one of 2 possible words"),
        (entry("depends_on: [b]"), "projects[0].depends_on[0]: no project is called `b`. There are: a."),
        (entry("when_changed: ['../x']"), "projects[0].when_changed[0]: must not contain"),
        (entry("environment: '{env}'"), "projects[0].environment: `env` is not a variable of `for_each`."),
        (
            entry("for_each: {env: [a]}, workspace: '{evn}'"),
            "`evn` is not a variable of `for_each`. Did you mean `env`?",
        ),
        (
            entry("for_each: {env: [a]}, var_files: ['{evn}.x']"),
            "`evn` is not a variable of `for_each`. Did you mean",
        ),
        (entry("for_each: {}"), "for_each: must not be empty"),
        (entry("for_each: {A: [x]}"), "`A` is not a lower-case word"),
        (entry("for_each: {a: [true]}"), "for_each.a[0]: must be text or a whole number"),
        ("projects: [{name: a, path: p, tool: terrafrom}]", "`terrafrom` is not a tool. Did you mean `terraform`?"),
        ("discover: [{tool: nothing, path: p}]", "`nothing` is not a tool. There are: command, helm, terraform."),
        ("discover: [{tool: helm, path: '{a}/{a}'}]", "discover[0].path: has `{a}` twice"),
        ("discover: [{tool: helm, path: '{a}', name: '{b}'}]", "`b` is not a variable in `path`."),
        ("environments: {prod: {approvals: -1}}", "environments.prod.approvals: must be at least 0"),
        ("environments: {prod: {survive: same_effects}}", "environments.prod.survive: must be `same_head`"),
        ("environments: {prod: {deploy: on_merge}}", "environments.prod.deploy: must be `on_command`"),
    ],
)
def test_what_is_wrong_is_said_where_it_is(text: str, wanted: str) -> None:
    assert any(wanted in problem for problem in problems(text)), problems(text)


def test_all_problems_come_at_once() -> None:
    found = problems(
        "projects:\n  - {name: edge-dev, path: edge, tool: terraform}\n"
        "  - name: x\n    path: x\n    tool: terrafrom\n"
        "  - {name: y, path: y, tool: helm, depends_on: [edge-pord, edge-dev]}\n"
        "  - {name: edge-prod, path: edge, tool: terraform}\n"
    )

    assert found == [
        "5 projects[1].tool: `terrafrom` is not a tool. Did you mean `terraform`?",
        "6 projects[2].depends_on[0]: no project is called `edge-pord`. Did you mean `edge-prod`?",
    ]


@pytest.mark.parametrize(
    "text",
    [
        entry("depends_on: [found-elsewhere]").replace("projects", "discover: []\nprojects"),
        "projects: [{name: a, path: p, tool: helm, depends_on: [b]}, 3]",
        "projects: 3",
    ],
)
def test_names_are_not_judged_before_all_are_known(text: str) -> None:
    found = parse_repository(text, TOOLS)

    assert isinstance(found, RepoConfig) or not any("no project" in problem.message for problem in found)


def test_text_of_other_languages_in_a_tools_settings_is_left_alone() -> None:
    found = config(
        """projects: [{name: "a-{env}", path: ., tool: command, for_each: {env: [x]},
        plan: [sh, -c, "echo ${HOME} {{ x }} {print} ${env}"]}]"""
    )

    assert filled_all(found.projects[0].options["plan"], {"env": "x"}) == [
        "sh",
        "-c",
        "echo ${HOME} {{ x }} {print} ${env}",
    ]


def test_a_value_put_in_for_a_word_is_never_read_again() -> None:
    assert filled("{a}-{b}", {"a": "{b}", "b": "{a}"}) == "{b}-{a}"
    assert filled_all({"k": ["{a}", 3, ("{a}",)]}, {"a": "x"}) == {"k": ["x", 3, ["x"]]}
    assert list(words_of({"k": ["{a}", 3, ("{b}",)]})) == ["a", "b"]


def test_combinations_are_every_one() -> None:
    two = Entry("t", "p", for_each={"a": ("1", "2"), "b": ("x", "y")})

    assert list(combinations(two)) == [{"a": a, "b": b} for a in "12" for b in "xy"]
    assert list(combinations(Entry("t", "p"))) == [{}]


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        (f"for_each: {{a: {list(range(1000))}, b: {list(range(21))}}}", "more than 20,000 projects"),
        (
            f"for_each: {{a: {list(range(1000))}, b: {list(range(20))}}}, when_changed: [x, y, z]",
            "more than 1,000,000 values",
        ),
        (f"for_each: {{a: {list(range(100))}}}, var_files: [{'x, ' * 20_000}]", "more than 1,000,000 values"),
    ],
)
def test_a_small_file_cannot_become_a_huge_layout(more: str, wanted: str) -> None:
    [problem] = problems(entry(more))

    assert problem.startswith("1 projects[0]: ") and wanted in problem


def test_settings_of_any_depth_are_counted() -> None:
    assert leaves({"a": [1, {"b": 2, "c": [3, 4]}], "d": "x"}) == 5


@pytest.mark.parametrize(
    "text",
    [
        "projects:\n"
        + "".join(f"- {{name: a{n}, path: p, tool: terraform, depends_on: [b{n}]}}\n" for n in range(9000)),
        "projects:\n" + "".join(f"- {{name: a{n}, path: p, tool: x, y: 1}}\n" for n in range(9000)),
        "environments:\n" + "".join(f" k{n}: {{approvals: x}}\n" for n in range(9000)),
        "".join(f"k{n}: {{}}\n" for n in range(30_000)),
    ],
)
def test_a_file_full_of_mistakes_does_not_take_long(text: str) -> None:
    before = time.process_time()

    assert len(problems(text)) == 200
    assert time.process_time() - before < 10


KEYS = st.sampled_from(
    ["discover", "projects", "name", "path", "tool", "for_each", "environments", "depends_on", "plan"]
)
JUNK = st.recursive(
    st.one_of(st.none(), st.integers(), st.sampled_from(["command", "{a}", "{b}/x", "**", ".", "/", ""])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=25,
)
ENTRY = st.fixed_dictionaries(
    {"name": st.just("a"), "path": st.sampled_from(["{a}", "/", "a"]), "tool": st.just("command")},
    optional={"plan": JUNK, "depends_on": JUNK, "for_each": st.dictionaries(st.sampled_from("ab"), JUNK)},
)


@given(st.dictionaries(KEYS, st.one_of(JUNK, st.lists(st.one_of(ENTRY, JUNK), max_size=3)), max_size=4))
def test_no_shape_raises(value: dict[str, object]) -> None:
    found = parse_repository(json.dumps(value), TOOLS)

    assert isinstance(found, RepoConfig) or all(isinstance(problem, Problem) for problem in found)


@pytest.mark.parametrize("value", [None, 1, [], {"a": None}, {"a": 1}])
def test_a_setting_of_the_other_list_is_refused_whatever_its_shape(value: object) -> None:
    entry = {"name": "a", "path": "{a}", "tool": "command", "plan": None, "for_each": value}

    found = parse_repository(json.dumps({"version": 1, "discover": [entry]}), TOOLS)

    assert isinstance(found, tuple)
    assert any("for_each" in problem.path for problem in found)
