"""The guard over a selection: whose rules, compared with what, and nothing that a reader stumbles over passes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from trees import Tree

from bot.core.guard.model import EntryKind, Finding, Judged, Level, Listing
from bot.core.guard.rules import GuardRules
from bot.core.model import RepoRef
from bot.core.project import Affected, Layout, Project, Selection, Standing
from bot.core.rules import Environment, RepoRules, Settings
from bot.flow.guarding import MOST, Guard
from bot.tools import TOOLS

REPO = RepoRef("github", "acme/infra")
NET = Project("net", "net", "terraform", "dev", target="s3/net")
EXTERNAL = 'data "external" "x" {\n}\n'


@dataclass
class Mirror:
    """Two trees, base and head, and how often each was asked for."""

    base: Mapping[str, str]
    head: Mapping[str, str]
    kinds: Mapping[str, EntryKind] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def tree(self, sha: str) -> str:
        return f"tree-{sha}"

    def source(self, sha: str) -> Listing:
        self.asked.append(sha)
        files = self.base if sha == "base" else self.head
        return Tree({path: text.encode() for path, text in files.items()}, self.kinds)


@dataclass
class Stumbling:
    """A tool whose reader raises, or never ends."""

    endless: bool
    executables: bool = True

    def guard(self, project: Project, source: Listing) -> Iterable[Finding]:
        if not self.endless:
            raise RuntimeError(project.name)
        return self._all(source)

    def _all(self, source: Listing) -> Iterator[Finding]:
        while True:
            yield Finding("provider", source.paths()[0], "a provider", "registry.terraform.io/hashicorp/aws")


def judged(
    mirror: Mirror, affected: Affected, layout: Layout, settings: Settings | None = None, **tools: Any
) -> tuple[Judged, ...]:
    known = {**{name: make() for name, make in TOOLS.items()}, **tools}
    guard = Guard(settings or Settings(), known)
    selection = Selection("head", "base", commit="head")
    changed = sorted({path for path in mirror.head if mirror.head.get(path) != mirror.base.get(path)})
    return guard.selection(mirror, REPO, RepoRules("**"), selection, (affected,), layout, changed)  # type: ignore[arg-type]


def told(found: tuple[Judged, ...]) -> list[tuple[str, str, Level]]:
    return [(each.finding.rule, each.finding.path, each.level) for each in found]


def test_what_the_change_adds_is_denied_and_what_was_there_is_told() -> None:
    existing, layout = Affected(NET, Standing.EXISTING), Layout((NET,))
    mirror = Mirror({"net/main.tf": EXTERNAL}, {"net/main.tf": EXTERNAL, "net/more.tf": EXTERNAL})
    assert told(judged(mirror, existing, layout)) == [
        ("external", "net/more.tf", Level.DENY),
        ("external", "net/main.tf", Level.NOTE),
    ]


def test_code_that_was_there_but_never_ran_is_no_less_new_for_a_new_project() -> None:
    files = {"net/main.tf": EXTERNAL, "net/.gitattributes": "* filter=lfs\n"}
    found = judged(Mirror(files, files), Affected(NET, Standing.NEW), Layout())
    assert ("external", "net/main.tf", Level.DENY) in told(found)
    assert ("gitattributes-filter", "net/.gitattributes", Level.NOTE) in told(found)


def test_a_moved_project_keeps_its_state() -> None:
    backend = 'terraform {\n  backend "s3" {\n    bucket = "b"\n  }\n}\n'
    old = Project("old", "old", "terraform", "dev", target="s3/net")
    mirror = Mirror({"old/main.tf": backend}, {"net/main.tf": backend})
    assert judged(mirror, Affected(NET, Standing.REBOUND, wanted=NET), Layout((old,))) == ()


def test_a_new_project_does_not_write_what_another_environment_writes_and_an_existing_one_is_told() -> None:
    copy = Project("copy", "copy", "terraform", "prod", target="s3/net")
    mirror = Mirror({"net/main.tf": ""}, {"net/main.tf": "", "copy/main.tf": ""})
    new = judged(mirror, Affected(copy, Standing.NEW), Layout((NET,)))
    assert told(new) == [("target-environment", "copy", Level.DENY)]
    existing = judged(mirror, Affected(copy, Standing.EXISTING), Layout((NET, copy)))
    assert told(existing) == [("target-environment", "copy", Level.NOTE)]


def test_a_removed_project_runs_nothing_and_is_not_read() -> None:
    mirror = Mirror({"net/main.tf": EXTERNAL}, {})
    assert judged(mirror, Affected(NET, Standing.REMOVED), Layout((NET,))) == ()
    assert mirror.asked == []


def test_an_altered_binding_is_judged_by_both_environments_and_both_tools() -> None:
    wanted = Project("net", "net", "ansible", "prod", options={"playbook": "site.yml"})
    settings = Settings(environments={"dev": Environment("dev", guard=GuardRules({"on-worker": Level.IGNORE}))})
    mirror = Mirror({"net/main.tf": ""}, {"net/main.tf": "", "net/site.yml": "- hosts: localhost\n"})
    found = judged(mirror, Affected(NET, Standing.REBOUND, wanted=wanted), Layout((NET,)), settings)
    assert told(found) == [("on-worker", "net/site.yml", Level.DENY)]


def test_what_a_reader_stumbles_over_is_denied() -> None:
    project = Project("net", "net", "odd")
    mirror = Mirror({"net/x": ""}, {"net/x": "1"})
    raised = judged(mirror, Affected(project, Standing.NEW), Layout(), odd=Stumbling(endless=False))
    assert told(raised) == [("unreadable", "net", Level.DENY)]
    endless = judged(mirror, Affected(project, Standing.NEW), Layout(), odd=Stumbling(endless=True))
    assert [each.finding.what for each in endless] == [f"more than {MOST} things to judge"]


def test_a_tree_is_read_once_however_often_it_is_judged() -> None:
    guard = Guard(Settings(), {name: make() for name, make in TOOLS.items()})
    mirror = Mirror({"net/main.tf": ""}, {"net/main.tf": EXTERNAL})
    selection, each = Selection("head", "base", commit="head"), Affected(NET, Standing.EXISTING)
    for _ in range(3):
        guard.selection(mirror, REPO, RepoRules("**"), selection, (each,), Layout((NET,)), ())  # type: ignore[arg-type]
    assert mirror.asked.count("head") == 1
