"""Findings that need no tool: what stands among a project's files."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trees import Tree

from bot.core.guard.model import EntryKind, Level
from bot.core.guard.rules import GuardRules
from bot.core.guard.tree import below, configuration_findings, pointed, resolved, tree_findings
from bot.core.project import Project

NONE: Mapping[str, EntryKind] = {}
ROOT = Project("one", "one", "terraform")


def found(
    content: Mapping[str, bytes], *, executables: bool = False, kinds: Mapping[str, EntryKind] = NONE
) -> list[tuple[str, str]]:
    tree = Tree(content, {f"one/{name}": kind for name, kind in kinds.items()})
    return [(each.rule, each.value) for each in tree_findings(ROOT, tree, executables=executables)]


def test_an_executable_counts_only_where_the_tool_needs_none() -> None:
    assert found({"one/run": b"x"}, kinds={"run": EntryKind.EXECUTABLE}) == [("executable", "")]
    assert found({"one/run": b"x"}, kinds={"run": EntryKind.EXECUTABLE}, executables=True) == []


def test_a_submodule_is_found() -> None:
    assert found({"one/sub": b"x"}, kinds={"sub": EntryKind.SUBMODULE}) == [("submodule", "")]


@pytest.mark.parametrize(
    ("target", "rule"),
    [
        ("main.tf", "link"),
        ("../common/x", "link"),
        ("../../etc", "link-outside"),
        ("..", "link"),
        ("../..", "link-outside"),
        ("/etc/passwd", "link-outside"),
        ("a/../../../x", "link-outside"),
    ],
)
def test_a_link_that_leaves_the_repository_is_told_from_one_that_does_not(target: str, rule: str) -> None:
    assert found({"one/link": target.encode()}, kinds={"link": EntryKind.LINK}) == [(rule, target)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"* filter=lfs diff=lfs -text\n", "lfs"),
        (b"[attr]big filter=evil\n", "evil"),
        (b'"a b" filter=evil\n', "evil"),
        (b"*\tfilter=evil\r\n", "evil"),
        (b"* filter\n", "set"),
        # To git only blanks, tabs and line ends separate: these patterns contain "#", they are no comments.
        ("a\u2028# filter=evil\n".encode(), "evil"),
        ("\u2003# filter=evil\n".encode(), "evil"),
        (b"a\x0c# filter=evil\n", "evil"),
        (b"a\xff filter=evil\n", "evil"),
    ],
)
def test_a_filter_is_found_as_git_reads_attributes(text: bytes, value: str) -> None:
    assert found({"one/.gitattributes": text, "one/main.tf": b""}) == [("gitattributes-filter", value)]


@pytest.mark.parametrize("text", [b"# filter=x\n", b"  # filter=x\n", b"* -filter\n", b"filter=x\n", b""])
def test_attributes_that_set_no_filter_pass(text: bytes) -> None:
    assert found({"one/.gitattributes": text}) == []


def test_attributes_of_an_outer_directory_count() -> None:
    assert found({".gitattributes": b"* filter=x\n", "one/main.tf": b""}) == [("gitattributes-filter", "x")]


def test_attributes_that_cannot_be_read_are_denied_not_passed() -> None:
    assert ("unreadable", "") in found({"one/.gitattributes": b"/etc/x"}, kinds={".gitattributes": EntryKind.LINK})


def test_attributes_are_read_through_links_inside_and_a_circle_ends() -> None:
    link = {".gitattributes": EntryKind.LINK}
    content = {"one/.gitattributes": b"other", "one/other": b"* filter=x\n"}
    assert ("gitattributes-filter", "x") in found(content, kinds=link)
    assert ("unreadable", "") in found({"one/.gitattributes": b".gitattributes"}, kinds=link)


@given(st.binary(max_size=300))
def test_attributes_of_any_bytes_never_raise(text: bytes) -> None:
    found({"one/.gitattributes": text})


@given(st.lists(st.sampled_from(["a", "a/b", "a/b/c", "a-b", "a.b", "ab", "a0", "b"]), unique=True))
def test_below_is_exactly_the_directory(paths: list[str]) -> None:
    wanted = [path for path in sorted(paths) if path == "a" or path.startswith("a/")]
    assert below(sorted(paths), "a") == wanted
    assert list(below(sorted(paths), ".")) == sorted(paths)


def test_a_directory_is_found_through_links_and_a_circle_ends() -> None:
    content = {"one/to": b"../real", "real/deep": b"inner", "real/inner/x": b"", "out": b"/etc", "a": b"b", "b": b"a"}
    tree = Tree(content, dict.fromkeys(("one/to", "real/deep", "out", "a", "b"), EntryKind.LINK))
    assert resolved(tree, "one/to/deep") == "real/inner"
    assert resolved(tree, "one") == "one" and resolved(tree, ".") == "."
    assert resolved(tree, "one/../..") == ".."
    assert resolved(tree, "out/x") is None and resolved(tree, "a") is None


def test_where_a_link_points() -> None:
    assert pointed("a/b", "../c") == "c"
    assert pointed("a/b", "../../c") is None


def test_a_change_of_the_own_configuration_is_told() -> None:
    changed = [".headgate.yaml", ".headgate/x", "one/main.tf", "one/.headgate.yaml"]
    told = configuration_findings(GuardRules(), changed)
    assert [each.finding.path for each in told] == [".headgate.yaml", ".headgate/x"]
    assert configuration_findings(GuardRules({"headgate-config": Level.IGNORE}), changed) == ()
