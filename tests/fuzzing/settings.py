"""The operator's file, the repository's file, and trees of hostile names in which projects are looked for."""

from __future__ import annotations

from fuzzing.subject import Subject, demand
from trees import Tree

from bot.core.config.document import MAX_BYTES, Document, load
from bot.core.config.reference import REPOSITORY_EXAMPLE, SERVER_EXAMPLE
from bot.core.config.repository import RepoConfig, parse_repository
from bot.core.config.schema import MAX_PROBLEMS
from bot.core.config.server import listed_repositories, parse_server, rules_for
from bot.core.discovery import clean_path
from bot.core.errors import Problem
from bot.core.layout import NAME, lay_out
from bot.core.match import Glob, Globs
from bot.core.model import RepoRef
from bot.core.rules import RepoRules, Settings
from bot.tools import TOOLS

REPO = RepoRef("github", "acme/infra")
RULES = RepoRules("github/acme/*", environments={"prod": ("live/prod/**", "edge"), "dev": ("**",)})
KNOWN = {name: make() for name, make in TOOLS.items()}
SCHEMAS = {name: tool.option_schema() for name, tool in KNOWN.items()}


def _problems(found: tuple[Problem, ...], data: bytes) -> None:
    """Every refusal has a place, and is fit for one line of a comment."""
    demand(found and len(found) <= MAX_PROBLEMS, "a file that is refused has problems, and not without end")
    lines = data.count(b"\n") + data.count(b"\r") + data.count(b"\xc2\x85") + data.count(b"\xe2\x80") + 1
    for each in found:
        demand(each.file and each.message and 0 <= each.line <= lines, "a problem has a place in the file")
        demand(str(each).isprintable(), "a problem is one printable line")


def server(data: bytes) -> None:
    """Any text is settings, or problems with their places."""
    found = parse_server(data)
    if not isinstance(found, Settings):
        _problems(found, data)
        return
    rules_for(found, REPO)
    demand(all(repo.host == "github" for repo in listed_repositories(found, "github")), "a host's own repositories")
    demand(parse_server(data) == found, "the same text gives the same settings")


def repository(data: bytes) -> None:
    """Any text is a configuration, or problems with their places; what it lists is laid out or refused."""
    found = parse_repository(data, SCHEMAS)
    if not isinstance(found, RepoConfig):
        _problems(found, data)
        return
    tree = Tree({"live/prod/web/main.tf": b'terraform {\n  backend "s3" {}\n}\n', "edge/x": b""}, {})
    _laid_out(tree, found)


def document(data: bytes) -> None:
    """Any text is plain values with their lines, or problems."""
    found = load(data, "file")
    if not isinstance(found, Document):
        _problems(found, data)
        return
    for path in found.lines:
        demand(found.line(path) > 0, "every part has a line")


def layout(data: bytes) -> None:
    """Any tree of any names and contents gives projects, or problems. ``NAME`` NUL ``CONTENT`` NUL ..."""
    parts = data.split(b"\0")
    names = [part.decode("utf-8", "surrogateescape") for part in parts[::2]]
    files = dict(zip(names, parts[1::2], strict=False))
    config = parse_repository(files.get(".headgate.yaml", b""), SCHEMAS)
    _laid_out(Tree(files, {}), config if isinstance(config, RepoConfig) else None)


def _laid_out(tree: Tree, config: RepoConfig | None) -> None:
    found = lay_out(tree, config, KNOWN, RULES, repo=REPO)
    demand(not (found.projects and found.problems), "projects or problems, never both")
    for problem in found.problems:
        demand(str(problem).isprintable(), "a problem is one printable line")
    for project in found.projects:
        demand(
            NAME.match(project.name) and clean_path(project.path) == project.path, "a project's name and its place"
        )
        demand(project.environment in ("", "prod", "dev"), "an environment that was granted")


def patterns(data: bytes) -> None:
    """Any pattern is usable or has a flaw, and matches any path in time that grows with both alone."""
    pattern, _, path = data.decode("utf-8", "replace").partition("\n")
    if Glob.flaw(pattern.removeprefix("!")) or Glob.flaw(pattern):
        return
    matches = Glob.of(pattern).matches(path)
    demand(
        Globs.of([pattern]).matches(path) == (matches and not pattern.startswith("!")) or pattern[0] == "!", "alike"
    )


PROJECTS = b"""version: 1
projects:
  - {name: "edge-{environment}", path: edge, tool: terraform, for_each: {environment: [dev, prod]},
     var_files: ["{environment}.tfvars"]}
  - {name: site, path: live/prod/web, tool: ansible, playbook: site.yml, depends_on: [edge-dev],
     extra_vars: {a: [1, {b: c}]}}
  - name: own
    path: tools
    tool: command
    plan: [sh, -c, "cat plan.json"]
    apply: "true"
    exit_codes: true
    when_changed: ["tools/**", "!tools/*.md"]
environments:
  prod: {approvals: 2, required_checks: [ci/build], survive: never, deploy: on_command}
"""
ANCHORS = b"version: 1\nx: &a {y: &b [1, 2.5, ~, 'q', \"\\u00e9\"]}\nz:\n  <<: *a\n  w: *b\n? k\n: |-\n  text\n--- \n"
SERVER = b"""version: 1
limits: {runs: 4, plan_timeout: 1h30m, log_bytes: 10MiB, lease: 90}
listen: {webhooks: "0.0.0.0:8080", pages: "127.0.0.1:8081"}
network: {}
sandbox: {isolation: required}
guard: {levels: {link: deny}, providers: ["registry.terraform.io/**", "!**/evil/*"], lookups: ["!vars"]}
"""
SITE = b"- hosts: web\n  tasks:\n    - import_tasks: ../common/a.yml\n    - debug: {msg: &a [x, *b]}\n"
TF = b'terraform {\n  backend "s3" {\n    bucket = "b"\n    key = "k"\n  }\n}\nmodule "m" {\n  source = "../m"\n}\n'
TREES = (
    b"\0".join(
        (b"live/prod/web/main.tf", TF, b"live/m/x.tf", b'variable "x" {}\n', b"edge/ansible.cfg", b"[defaults]\n")
    ),
    b"\0".join((b"edge/site.yml", SITE, b"edge/inventory.ini", b"web1\n", b"shared/a.yml", b"- debug: {}\n")),
    b"\0".join((b".headgate.yaml", PROJECTS, b"edge/main.tf", TF, b"edge/dev.tfvars", b"", b"tools/a", b"")),
)
PATTERNS = (
    b"live/**/[a-z]*-?.tf\nlive/prod/web/a-b.tf",
    b"!**/x/**\na/x/b",
    b"a\\*b/[!x]/**\na*b/y",
    b"*a*b*c*\naabbcc",
)
WORDS = (
    b"projects:",
    b"discover:",
    b"tool: ",
    b"path: ",
    b"for_each: ",
    b"{environment}",
    b"depends_on: ",
    b"{",
    b"}",
    b"!!int ",
    b"repositories:",
    b"environments:",
    b"env: ",
    b"- ",
    b"hosts:",
    b"token_file: ",
    b"guard:",
    b"limits:",
    b"1h30m",
)

SUBJECTS = (
    Subject("server-file", server, (SERVER_EXAMPLE.encode(), SERVER), WORDS, MAX_BYTES, per_byte=5e-6, weight=0.3),
    Subject(
        "repository-file",
        repository,
        (REPOSITORY_EXAMPLE.encode(), PROJECTS),
        WORDS,
        MAX_BYTES,
        per_byte=2e-5,
        weight=0.3,
    ),
    Subject(
        "document",
        document,
        (ANCHORS, PROJECTS, SERVER),
        (*WORDS, b"<<: *a", b"&b ", b"? "),
        MAX_BYTES,
        per_byte=2e-5,
    ),
    Subject(
        "layout",
        layout,
        TREES,
        (*WORDS, b"\0", b"/main.tf\0", b"../", b"backend = 1\n"),
        400_000,
        per_byte=4e-5,
        weight=0.2,
    ),
    Subject("patterns", patterns, PATTERNS, (b"**", b"*", b"[!", b"]", b"/", b"?", b"\\", b"a-"), 2000, weight=1.7),
)
