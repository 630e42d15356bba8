"""What a change concerns: over both layouts, under the target branch's bindings."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.affected import affected
from bot.core.project import Affected, DeployMode, Layout, Project, Standing


def project(name: str, **more: object) -> Project:
    return replace(Project(name, f"live/{name}", "terraform", "prod", target=f"s3/{name}"), **more)  # type: ignore[arg-type]


WEB = project("web", inputs=("modules/net", "shared.tf"))
DB = project("db", when_changed=("sql/**", "!sql/README.md"))
APP = project("app", depends_on=("web",))
TOP = project("top", depends_on=("app",))
BASE = Layout((APP, DB, TOP, WEB))


def select(base: Layout, head: Layout, *changed: str) -> dict[str, Affected]:
    return {each.project.name: each for each in affected(base, head, changed, lambda each: f"files of {each.name}")}


def head(*projects: Project, without: str = "") -> Layout:
    known = {each.name: each for each in BASE.projects if each.name != without}
    return Layout(tuple({**known, **{each.name: each for each in projects}}.values()))


@pytest.mark.parametrize(
    ("changed", "direct", "because"),
    [
        ("live/db/main.tf", {"db"}, "live/db/main.tf changed in its directory"),
        ("live/db", {"db"}, "live/db changed in its directory"),
        ("sql/a/b.sql", {"db"}, "sql/a/b.sql changed, which its `when_changed` names"),
        ("sql/README.md", set(), ""),
        ("live/dbx/main.tf", set(), ""),
        ("modules/net/vpc/main.tf", {"web"}, "modules/net/vpc/main.tf changed, which it includes"),
        ("shared.tf", {"web"}, "shared.tf changed, which it includes"),
        ("modules/network/main.tf", set(), ""),
        ("docs/README.md", set(), ""),
        (".headgate.yaml", set(), ""),
    ],
)
def test_a_changed_path_concerns_who_has_it_includes_it_or_names_it(
    changed: str, direct: set[str], because: str
) -> None:
    found = select(BASE, BASE, changed)

    assert {name for name, each in found.items() if each.direct} == direct
    for name in direct:
        assert found[name].because == (because,)
        assert found[name].standing is Standing.EXISTING


def test_who_depends_on_it_is_concerned_indirectly_all_the_way() -> None:
    found = select(BASE, BASE, "live/web/x", "live/web/y", "live/web/z")

    assert {name: each.direct for name, each in found.items()} == {"web": True, "app": False, "top": False}
    assert found["web"].because == ("live/web/x and 2 more files changed in its directory",)
    assert found["app"].because == ("it depends on web, which is affected",)
    assert found["top"].because == ("it depends on app, which is affected",)


def test_both_sides_of_a_rename_count() -> None:
    assert set(select(BASE, BASE, "live/db/x", "live/top/x")) == {"db", "top"}


def test_every_file_but_the_configuration_concerns_a_project_at_the_root() -> None:
    root = Layout((project("root", path="."),))

    assert select(root, root, "a/b")["root"].because == ("a/b changed in its directory",)
    assert select(root, root, ".headgate.yaml") == {}


def test_what_was_in_the_directory_when_it_became_a_file_counts() -> None:
    layout = Layout((project("a", path="p", when_changed=("q/**",)),))

    assert select(layout, layout, "q", "q/x", "p", "p/x")["a"].because == (
        "p and 1 more file changed in its directory",
        "q changed, which its `when_changed` names",
    )


def test_a_new_project_is_new() -> None:
    new = project("new")
    found = select(BASE, head(new))

    assert found["new"] == Affected(new, Standing.NEW, ("it is new",), found["new"].digest)


def test_a_removed_project_is_still_named_as_it_was() -> None:
    found = select(BASE, head(without="db"), "live/db/main.tf")

    assert (found["db"].standing, found["db"].project) == (Standing.REMOVED, DB)
    assert found["db"].because[0] == "it is removed"


def test_who_depended_on_a_removed_project_is_concerned() -> None:
    later = replace(TOP, depends_on=())
    found = select(head(without=""), Layout((DB, WEB, later)))

    assert found["app"].standing is Standing.REMOVED
    assert found["top"].because == ("its depends_on changes",)


@pytest.mark.parametrize(
    ("change", "because"),
    [
        ({"tool": "command"}, "its tool changes"),
        ({"environment": "dev"}, "its environment changes"),
        ({"workspace": "x"}, "its workspace changes"),
        ({"target": "s3/other"}, "its target changes"),
        ({"deploy": DeployMode.ON_COMMAND}, "its deploy mode changes"),
        ({"options": {"plan": ["evil"]}}, "its plan changes"),
        ({"options": {"a": 1, "b": 2}, "tool": "x"}, "its tool, a, b change"),
    ],
)
def test_the_author_of_a_change_cannot_alter_a_binding_unseen(change: dict[str, object], because: str) -> None:
    wanted = replace(DB, **change, inputs=("more",))  # type: ignore[arg-type]
    found = select(BASE, head(wanted), ".headgate.yaml")["db"]

    assert found.standing is Standing.REBOUND
    assert found.project.binding() == DB.binding()
    assert found.project.inputs == ("more",)
    assert found.wanted == wanted
    assert because in found.because


def test_a_definition_that_changes_without_the_binding_concerns_only_its_project() -> None:
    found = select(BASE, head(replace(DB, when_changed=("x",), line=9)), ".headgate.yaml")

    assert set(found) == {"db"}
    assert (found["db"].standing, found["db"].because) == (Standing.EXISTING, ("its when_changed changes",))
    assert select(BASE, head(replace(DB, line=9, discovered=True)), ".headgate.yaml") == {}


def test_a_project_that_reads_other_files_than_before_is_concerned() -> None:
    found = select(BASE, head(replace(WEB, inputs=())))["web"]

    assert (found.standing, found.because, found.project.inputs) == (
        Standing.EXISTING,
        ("it reads other files than before",),
        (),
    )


def test_a_moved_project_is_planned_where_it_is_now() -> None:
    moved = replace(DB, path="net/db")
    found = select(BASE, head(moved), "live/db/main.tf", "net/db/main.tf")["db"]

    assert (found.standing, found.project, found.wanted) == (Standing.REBOUND, moved, moved)
    assert found.because[0] == "its directory changes"


def test_a_renamed_project_is_neither_new_nor_removed() -> None:
    renamed = replace(DB, name="database", path="live/database")
    found = select(BASE, head(renamed, without="db"))

    assert set(found) == {"database"}
    assert (found["database"].standing, found["database"].project) == (Standing.REBOUND, renamed)
    assert found["database"].because == ("its name, directory change",)


def test_a_renamed_project_with_another_environment_is_one_removed_and_one_new() -> None:
    found = select(BASE, head(replace(DB, name="database", environment="dev"), without="db"))

    assert {name: each.standing for name, each in found.items()} == {
        "db": Standing.REMOVED,
        "database": Standing.NEW,
    }


def test_projects_without_a_target_are_not_taken_for_each_other() -> None:
    base, after = Layout((project("a", target=""),)), Layout((project("b", target=""),))

    assert {each.standing for each in select(base, after).values()} == {Standing.REMOVED, Standing.NEW}


def test_reasons_are_few() -> None:
    everything = replace(WEB, when_changed=("**",), environment="dev", inputs=("modules/net", "x"))

    assert len(select(BASE, head(everything), "live/web/a", "modules/net/b", "x/c")["web"].because) == 3


def test_the_digest_tells_files_and_binding_apart() -> None:
    before = affected(BASE, BASE, ["live/db/x"], {"db": "1"})[0].digest

    assert affected(BASE, BASE, ["live/db/y"], {"db": "1"})[0].digest == before
    assert affected(BASE, BASE, ["live/db/x"], {"db": "2"})[0].digest != before
    assert affected(BASE, BASE, ["live/db/x"], {})[0].digest != before
    other = head(replace(DB, options={"var_files": ["x"]}))
    assert affected(other, other, ["live/db/x"], {"db": "1"})[0].digest != before


NAMES = st.sampled_from(["web", "db", "app", "top"])
PATHS = st.lists(st.sampled_from(["live/web/a", "live/db/b", "modules/net/c", "sql/d", "docs/e"]), max_size=4)
VARIANTS = st.fixed_dictionaries({}, optional={
    "environment": st.sampled_from(["dev", "prod"]),
    "target": st.sampled_from(["s3/db", "s3/web", ""]),
    "path": st.sampled_from(["live/web", "live/x"]),
    "depends_on": st.lists(NAMES, max_size=2).map(tuple),
})  # fmt: skip
LAYOUTS = st.dictionaries(NAMES, VARIANTS).map(lambda each: Layout(tuple(project(n, **v) for n, v in each.items())))


@given(LAYOUTS, LAYOUTS, PATHS)
def test_no_project_of_the_target_branch_is_planned_under_another_environment(
    base: Layout, after: Layout, changed: list[str]
) -> None:
    for each in affected(base, after, changed, {}):
        old = base.named(each.project.name)
        if old is not None:
            assert each.project.environment == old.environment
            assert each.project.tool == old.tool
        assert (each.wanted is not None) is (each.standing is Standing.REBOUND)


@given(LAYOUTS, PATHS)
def test_more_changed_files_never_concern_fewer_projects(layout: Layout, changed: list[str]) -> None:
    some = {each.project.name for each in affected(layout, layout, changed[:1], {})}
    more = {each.project.name for each in affected(layout, layout, changed, {})}

    assert some <= more
    assert affected(layout, layout, (), {}) == ()
