"""A tree's projects: found, listed, granted their environments; or every problem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import layout
from bot.core.config.reference import REPOSITORY_EXAMPLE
from bot.core.config.repository import MAX_PROJECTS, RepoConfig, parse_repository
from bot.core.discovery import MAX_NAME, Discoverer, Tree, TreeSource, clean_path, readable
from bot.core.errors import ToolFailed
from bot.core.layout import NAME, granted_environments, lay_out
from bot.core.model import RepoRef
from bot.core.project import DeployMode, Layout, Project
from bot.core.rules import Environment, RepoRules

REPO = RepoRef("github", "acme/infra")
RULES = RepoRules("github/acme/*", environments={"prod": ("live/prod/**", "edge", "charts/**"), "dev": ("**",)})
TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}


class Files:
    """A tree of empty files."""

    def __init__(self, *paths: str) -> None:
        self._paths = sorted(paths)

    def paths(self) -> Sequence[str]:
        return self._paths

    def read(self, path: str) -> bytes | None:
        return b"" if path in self._paths else None


@dataclass(frozen=True)
class Found:
    path: str
    options: Mapping[str, object] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True)
class BySuffix:
    """Recognises directories that hold a file with this suffix."""

    suffix: str
    schema: Mapping[str, object]
    by_file: bool = False
    target: str = "local:{path}"
    inputs: tuple[str, ...] = ()

    def option_schema(self) -> Mapping[str, object]:
        return self.schema

    def discover(self, source: TreeSource) -> Sequence[Found]:
        files = [path for path in source.paths() if self.suffix and path.endswith(self.suffix)]
        if self.by_file:
            return [Found(path.rpartition("/")[0] or ".", {"playbook": path}, path) for path in files]
        return [Found(path) for path in sorted({path.rpartition("/")[0] or "." for path in files})]

    def inspect(self, project: Project, source: TreeSource) -> tuple[str, tuple[str, ...]]:
        if source.read(f"{project.path}/broken") is not None:
            raise ToolFailed("it is broken")
        return self.target.format(path=project.path), self.inputs


@dataclass(frozen=True)
class Lost(BySuffix):
    """Cannot find its projects."""

    def discover(self, source: TreeSource) -> Sequence[Found]:
        raise ToolFailed("lost")


TOOLS: Mapping[str, Discoverer] = {
    "terraform": BySuffix(
        ".tf", {"var_files": TEXTS, "parallelism": {"type": "integer"}}, inputs=("modules/a", "../out", "modules/a/")
    ),
    "helm": BySuffix("Chart.yaml", {"release": TEXT, "namespace": TEXT, "values": TEXTS}, target="cluster/{path}"),
    "command": BySuffix("", {"plan": TEXTS, "mode": {"type": "string", "pattern": "^[ab]$"}}, target=""),
}


def lay(text: str | None, *paths: str, rules: RepoRules = RULES, **environments: Environment) -> Layout:
    config = None
    if text is not None:
        config = parse_repository(text, {name: tool.option_schema() for name, tool in TOOLS.items()})
        assert isinstance(config, RepoConfig), config
    return lay_out(Files(*paths), config, TOOLS, rules, repo=REPO, environments=environments)


def names(layout: Layout) -> list[str]:
    assert not layout.problems
    return [project.name for project in layout.projects]


def problems(layout: Layout) -> list[str]:
    assert layout.problems and not layout.projects
    return [str(problem) for problem in layout.problems]


@dataclass(frozen=True)
class Dreaming(BySuffix):
    """Finds what is not there."""

    def discover(self, source: TreeSource) -> Sequence[Found]:
        return [Found("nowhere"), Found("../outside")]


# ------------------------------------------------------------------------- without a configuration


def test_without_a_configuration_every_tool_finds_its_own() -> None:
    found = lay(
        None, "live/prod/web/main.tf", "live/dev/web/main.tf", "main.tf", "charts/shop/Chart.yaml", "README.md"
    )

    assert names(found) == ["terraform", "charts-shop", "live-dev-web", "live-prod-web"]
    web = found.named("live-prod-web")
    assert web is not None
    assert (web.path, web.tool, web.environment, web.discovered) == ("live/prod/web", "terraform", "prod", True)
    assert [project.environment for project in found.projects] == ["dev", "prod", "dev", "prod"]


def test_what_tools_and_package_managers_fill_is_not_looked_at() -> None:
    found = lay(None, ".git/x.tf", "a/.terraform/modules/m/main.tf", "web/node_modules/y/main.tf", "a/main.tf")

    assert names(found) == ["a"]


def test_names_that_meet_get_the_tool_then_a_number() -> None:
    assert names(lay(None, "a-b/main.tf", "a/b/main.tf", "a/b/Chart.yaml", "a_b/main.tf")) == [
        "a-b",
        "a-b-helm",
        "a-b-terraform",
        "a_b",
    ]


def test_many_projects_of_one_place_have_names_of_their_own() -> None:
    playbooks = {"ansible": BySuffix(".yml", {}, by_file=True)}
    found = lay_out(Files("site.yml", "a/b.yml", "a-b.yml", "a--b.yml"), None, playbooks, RULES)

    assert sorted(names(found)) == ["a--b.yml", "a-b.yml", "a-b.yml-ansible", "site.yml"]
    many = lay_out(Files("a b.yml", "a:b.yml", "a;b.yml", "a?b.yml"), None, playbooks, RULES)
    assert sorted(names(many)) == ["a-b.yml", "a-b.yml-ansible", "a-b.yml-ansible-2", "a-b.yml-ansible-3"]


def test_a_path_that_nobody_granted_has_no_environment() -> None:
    rules = RepoRules("x", environments={"prod": ("live/prod/**",)})

    assert [project.environment for project in lay(None, "other/main.tf", rules=rules).projects] == [""]


def test_a_tool_that_cannot_look_or_read_is_a_problem_not_a_crash() -> None:
    lost = lay_out(Files("a/main.tf"), None, {"terraform": Lost(".tf", {})}, RULES)

    assert problems(lost) == ["terraform: its projects could not be found: lost"]
    assert problems(lay(None, "a/main.tf", "a/broken")) == ["a: terraform cannot read it: it is broken"]


def test_a_tool_cannot_name_a_directory_that_is_not_there() -> None:
    found = lay_out(Files("a/main.tf"), None, {"terraform": Dreaming(".tf", {})}, RULES)

    assert problems(found) == ["nowhere: there is no directory `nowhere`"]


def test_an_empty_tree_has_no_projects() -> None:
    assert lay(None) == Layout()
    assert lay("") == Layout()


# ---------------------------------------------------------------------------- with a configuration


def test_the_documented_example_is_laid_out() -> None:
    found = lay(
        REPOSITORY_EXAMPLE,
        "live/prod/web/main.tf",
        "live/dev/web/main.tf",
        "live/dev/notes/x.md",
        "other/main.tf",
        "edge/main.tf",
        "charts/shop/Chart.yaml",
    )

    assert names(found) == ["edge-dev", "edge-prod", "shop-dev", "shop-prod", "web-dev", "web-prod"]
    shop = found.named("shop-prod")
    assert shop is not None
    assert (shop.environment, shop.depends_on) == ("prod", ("edge-prod",))
    assert shop.options == {"release": "shop", "namespace": "shop", "values": ["values/prod.yaml"]}
    assert [project.environment for project in found.projects] == ["dev", "prod", "dev", "prod", "dev", "prod"]
    assert [project.discovered for project in found.projects] == [False] * 4 + [True] * 2


def test_targets_that_mean_something_only_here_carry_the_repositorys_name() -> None:
    found = lay("projects: [{name: c, path: ., tool: command}]", "charts/shop/Chart.yaml", "x")
    discovered = lay(None, "charts/shop/Chart.yaml", "a/main.tf")

    assert [project.target for project in found.projects] == ["local:github/acme/infra/command/.#default"]
    assert [project.target for project in discovered.projects] == ["local:github/acme/infra/a", "cluster/charts/shop"]
    alone = lay_out(Files("a/main.tf"), None, TOOLS, RULES)
    assert alone.projects[0].target == "local:a"


def test_inputs_outside_the_tree_are_left_out() -> None:
    assert lay(None, "a/main.tf").projects[0].inputs == ("modules/a",)


def test_a_listed_project_replaces_a_discovered_one_by_name_or_by_place() -> None:
    text = """
discover: [{tool: terraform, path: "live/{environment}/{service}", name: "{service}-{environment}"}]
projects:
  - {name: web-dev, path: other, tool: terraform}
  - {name: shop, path: live/dev/shop, tool: terraform}
"""
    found = lay(text, "live/dev/web/main.tf", "live/dev/shop/main.tf", "other/x")

    assert [(project.name, project.path) for project in found.projects] == [
        ("web-dev", "other"),
        ("shop", "live/dev/shop"),
    ]


def test_a_place_that_several_patterns_match_belongs_to_the_first() -> None:
    text = 'discover: [{tool: terraform, path: "a/*", workspace: first}, {tool: terraform, path: "**"}]'
    found = lay(text, "a/x/main.tf", "b/main.tf", "main.tf")

    assert {(project.path, project.workspace) for project in found.projects} == {
        ("a/x", "first"),
        ("b", "default"),
        (".", "default"),
    }


def test_the_root_can_be_named() -> None:
    assert names(lay('discover: [{tool: terraform, path: "."}]', "main.tf", "a/main.tf")) == ["terraform"]


def test_a_tool_that_recognises_nothing_takes_every_matching_directory_with_files() -> None:
    text = 'discover: [{tool: command, path: "jobs/{job}", plan: [sh, "{job}.sh"], name: "{job}"}]'
    found = lay(text, "jobs/a/x", "jobs/b/y", "jobs/c/deep/z", "x")

    assert [(project.name, project.options["plan"]) for project in found.projects] == [
        ("a", ["sh", "a.sh"]),
        ("b", ["sh", "b.sh"]),
    ]
    assert lay('discover: [{tool: command, path: "jobs/*"}]', "jobs/a/x") == Layout()


def test_the_environment_says_when_to_deploy_unless_the_project_waits_longer() -> None:
    text = "projects: [{name: a, path: a, tool: terraform}, {name: b, path: b, tool: terraform, deploy: on_command}]"
    plain = lay(text, "a/x", "b/x")
    later = lay(text, "a/x", "b/x", dev=Environment("dev", deploy=DeployMode.ON_COMMAND))

    assert [project.deploy for project in plain.projects] == [DeployMode.ON_MERGE, DeployMode.ON_COMMAND]
    assert [project.deploy for project in later.projects] == [DeployMode.ON_COMMAND] * 2


def test_a_repository_that_waits_for_commands_waits_with_every_project() -> None:
    found = lay("environments: {dev: {deploy: on_command}}", "a/main.tf")

    assert found.projects[0].deploy is DeployMode.ON_COMMAND


def one(more: str, name: str = "a", path: str = "a") -> str:
    return f'projects: [{{name: "{name}", path: "{path}", tool: terraform, {more}}}]'


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (one("environment: prod"), ".headgate.yaml:1 projects[0].environment: the operator does "
         "not grant environment `prod` to `a`. Granted: dev."),
        (one("for_each: {environment: [prod]}"), "projects[0].for_each: the operator does not grant"),
        ('discover: [{tool: terraform, path: "{environment}"}]', "discover[0].path: the operator does not grant"),
        (one("", name="a b"), "projects[0].name: `a b` is not a name of letters"),
        (one("workspace: a/b"), "projects[0].workspace: `a/b` is not a name of a workspace"),
        (one("", path="../x"), "projects[0].path: `../x` is not a directory inside the repository"),
        (one("", path="/x"), "is not a directory inside"),
        (one("", path=".git/x"), "is not a directory inside"),
        (one("", path="a/main.tf"), "there is no directory `a/main.tf`"),
        (one("", path="none"), "there is no directory `none`"),
        (one("for_each: {x: ['..']}, when_changed: ['{x}/a']"), "projects[0].when_changed: `../a` must not contain"),
        (one("depends_on: [b]").replace("projects", "discover: []\nprojects"),
         ".headgate.yaml:2 projects[0].depends_on[0]: no project is called `b`. There are: a."),
        (one("depends_on: [a]"), ".headgate.yaml:1: projects wait for each other: a → a"),
        ("environments: {staging: {approvals: 2}}", "`staging` is not an environment that the operator grants"),
        ("projects: [{name: a, path: a, tool: command, mode: '{x}', for_each: {x: [c]}}]",
         "projects[0].mode: breaks"),
        ("projects: [{name: n, path: a, tool: command},\n {name: n, path: a, tool: helm}]",
         ".headgate.yaml:2 projects[1].name: `n` is also the name of the project in `a` (line 1)"),
        ('discover: [{tool: terraform, path: "*", name: x}]\nprojects: []',
         "`x` is also the name of the project in `a`"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_where_it_is(text: str, wanted: str) -> None:
    found = problems(lay(text, "a/main.tf", "b/main.tf"))

    assert any(wanted in problem for problem in found), found


def test_a_repository_cannot_make_its_environment_deploy_sooner() -> None:
    found = lay(one("deploy: on_merge"), "a/x", dev=Environment("dev", deploy=DeployMode.ON_COMMAND))

    assert "a repository cannot make that laxer" in problems(found)[0]


def test_fewer_approvals_than_the_operator_wants_are_a_problem() -> None:
    found = lay("environments: {prod: {approvals: 1}}", prod=Environment("prod", approvals=2))

    assert "the operator wants 2 approvals here" in problems(found)[0]


def test_projects_and_environments_that_wait_for_each_other_are_a_problem() -> None:
    text = """
projects:
  - {name: a, path: a, tool: terraform, environment: dev, depends_on: [b]}
  - {name: b, path: live/prod/b, tool: terraform}
"""
    found = lay(text, "a/x", "live/prod/b/x", prod=Environment("prod", after=("dev",)))

    assert problems(found) == [".headgate.yaml:3: projects wait for each other: a → b → environment prod → a"]


def test_too_many_discovered_projects_are_a_problem() -> None:
    tree = [f"d/{number}/main.tf" for number in range(MAX_PROJECTS + 5)]

    wanted = [f".headgate.yaml: there are more than {MAX_PROJECTS:,} projects; list fewer, or use narrower patterns"]
    assert problems(lay(None, *tree)) == wanted
    assert problems(lay('discover: [{tool: terraform, path: "**"}]', *tree)) == wanted


def test_discovered_projects_with_too_many_values_are_a_problem() -> None:
    text = f'discover: [{{tool: terraform, path: "**", var_files: [{"x, " * 2000}]}}]'

    found = problems(lay(text, *(f"d/{number}/main.tf" for number in range(600))))
    assert found == [".headgate.yaml:1 discover[0].path: the discovered projects have more than 1,000,000 values"]


def test_the_environments_of_a_path_come_in_the_operators_order() -> None:
    assert granted_environments(RULES, "live/prod/x") == ("prod", "dev")
    assert granted_environments(RULES, "live/production/x") == ("dev",)
    assert granted_environments(RULES, ".") == ("dev",)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [("./a/", "a"), ("", "."), (".", "."), ("./", "."), ("a//b", ""), ("a\\b", ""), ("a\nb", ""), ("a" * 501, "")],
)
def test_a_directory_has_one_spelling(path: str, wanted: str) -> None:
    assert clean_path(path) == wanted


@given(st.text(max_size=150))
def test_any_text_gives_a_usable_name_or_none(text: str) -> None:
    found = readable(text)

    assert not found or (NAME.match(found) and len(found) <= MAX_NAME)


@given(st.lists(st.lists(st.sampled_from(["a", "b-c", "x y", "é", ".git", "main.tf"]), min_size=1, max_size=4)))
def test_names_are_unique_whatever_the_tree(paths: list[list[str]]) -> None:
    found = lay(None, *("/".join(path) for path in paths))

    assert not found.problems
    assert len({project.name for project in found.projects}) == len(found.projects)


def test_a_path_without_end_costs_no_more_than_the_longest_that_is_looked_at() -> None:
    path = "a/" * 100_000 + "b"
    tree = Tree(Files(path, "x/y"))
    assert {".", "x", "a", "a/a"} <= tree.directories
    assert len(tree.directories) < 300


def test_patterns_that_would_take_minutes_to_compare_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "MAX_COMPARED", 10)
    tree = [f"live/prod/{number}/x" for number in range(6)]
    text = "projects:\n" + "".join(
        f"  - {{name: p{number}, path: live/prod/{number}, tool: terraform, when_changed: ['**/*.md']}}\n"
        for number in range(3)
    )
    (found,) = problems(lay(text, *tree))
    assert found.startswith(".headgate.yaml:3 projects[1].when_changed: with this one all `when_changed` would be")
    assert found.endswith("begin them with the names of directories")
    narrow = text.replace("**/*.md", "live/prod/0/*.md")
    assert lay(narrow, *tree).problems == ()
